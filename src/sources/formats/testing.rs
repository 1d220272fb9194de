//! Reads texts and tables as the files source does.

use std::sync::Arc;

use arrow::array::AsArray;
use clickrec_udfs::json_rows::check_rows;
use datafusion::error::Result;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};

use super::{Format, Layout, Rows, Start, TableFile, TableFormat, add_rows};

/// The values of a text's records, as read in chunks of this size after they were counted.
pub(super) fn read(format: &dyn Format, text: &[u8], size: usize) -> Vec<String> {
    let Layout::Text(format) = format.layout() else {
        panic!("not a format of text");
    };
    let mut counter = format.counter(Start::default());
    text.chunks(size).for_each(|chunk| counter.update(chunk));
    counter.end();
    assert_eq!(counter.refused(), None);
    let count = counter.count();
    let head = match format.has_head() {
        true => format.ends().next_end(text).unwrap_or(text.len()),
        false => 0,
    };
    let mut splitter = format.splitter(&text[..head]);
    let mut rows = Rows::new(None, None);
    rows.begin("a", 1, 0);
    for chunk in text[count.start as usize..].chunks(size) {
        assert!(splitter.feed(chunk, &mut rows).unwrap());
    }
    splitter.end(&mut rows).unwrap();
    let values = values(&mut rows);
    assert_eq!(values.len() as u64, count.records, "as many as were counted");
    values
}

fn values(rows: &mut Rows) -> Vec<String> {
    let batch = rows.finish().unwrap();
    let values = batch.column_by_name("value").unwrap().as_binary::<i32>();
    let texts = values
        .iter()
        .flatten()
        .map(|value| String::from_utf8_lossy(value).into_owned());
    texts.collect()
}

/// The rows of a table, as JSON objects.
pub(super) async fn read_table(format: &dyn Format, bytes: Vec<u8>) -> Result<Vec<String>> {
    let mut batches = of_tables(format).batches(file(bytes).await?);
    let mut objects = vec![];
    while let Some(batch) = batches.try_next().await? {
        check_rows(&batch)?;
        let mut rows = Rows::new(None, None);
        assert_eq!(add_rows(&batch, 0, &mut rows)?, batch.num_rows());
        objects.extend(values(&mut rows));
    }
    Ok(objects)
}

/// The number of rows that a table says it has.
pub(super) async fn declared_rows(format: &dyn Format, bytes: Vec<u8>) -> Result<u64> {
    of_tables(format).rows(file(bytes).await?).await
}

fn of_tables(format: &dyn Format) -> &dyn TableFormat {
    match format.layout() {
        Layout::Table(format) => format,
        Layout::Text(_) => panic!("not a format of tables"),
    }
}

async fn file(bytes: Vec<u8>) -> Result<TableFile> {
    let (store, path, size) = (Arc::new(InMemory::new()), Path::from("a"), bytes.len() as u64);
    store.put(&path, PutPayload::from(bytes)).await?;
    Ok(TableFile::new(store, path, size, None))
}
