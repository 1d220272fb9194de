//! Files that hold tables, which are read as a whole.

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::ipc::writer::FileWriter;
use arrow_avro::writer::AvroWriter;
use datafusion::parquet::arrow::ArrowWriter;
use object_store::memory::InMemory;
use object_store::{ObjectStoreExt, PutPayload};

use super::*;
use crate::sources::files::copies::Copies;

/// As a step reads that finds out by itself if a file is damaged.
fn trusting() -> ReadOptions {
    ReadOptions {
        trusts_files: true,
        ..ReadOptions::default()
    }
}

pub(super) fn parquet(from: i64, to: i64) -> Vec<u8> {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(from..to));
    let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
    let mut written = vec![];
    let mut writer = ArrowWriter::try_new(&mut written, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    written
}

pub(super) fn numbers(from: i64, to: i64) -> Vec<String> {
    (from..to).map(|n| format!("{{\"n\":{n}}}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_read_once_whatever_it_is_called() {
    let folder = TempDir::new().unwrap();
    let (source, mut positions) = (source_of(folder.path(), of("parquet")), Positions::new());
    let at = |name: &str| folder.path().join(name);
    fs::write(at("a.parquet"), parquet(0, 3)).unwrap();
    fs::write(at("a.json"), "{}\n").unwrap();
    let rows = read(&source, &mut positions).await.unwrap();
    let places: Vec<(&str, i64)> = rows.iter().map(|(file, row, _)| (file.as_str(), *row)).collect();
    assert_eq!(places, [("a.parquet", 1), ("a.parquet", 2), ("a.parquet", 3)]);
    assert_eq!(texts(rows), numbers(0, 3));
    fs::write(at("a.parquet"), parquet(0, 3)).unwrap();
    assert!(
        read(&source, &mut positions).await.unwrap().is_empty(),
        "the same again"
    );
    fs::rename(at("a.parquet"), at("b.parquet")).unwrap();
    fs::write(at("a.parquet"), parquet(3, 5)).unwrap();
    assert_eq!(texts(read(&source, &mut positions).await.unwrap()), numbers(3, 5));
    fs::write(at("a.parquet"), parquet(9, 10)).unwrap();
    let lost = read(&source, &mut positions).await.unwrap_err();
    assert!(matches!(lost, SourceError::PositionLost { .. }), "{lost}");
    let rows = read_with(&source, &mut positions, ACCEPT).await.unwrap();
    assert_eq!(rows, [("a.parquet".to_owned(), 6, "{\"n\":9}".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_table_of_the_same_size_is_told_by_its_content() {
    let folder = TempDir::new().unwrap();
    let (source, mut positions) = (source_of(folder.path(), of("parquet")), Positions::new());
    let file = folder.path().join("a.parquet");
    fs::write(&file, parquet(0, 3)).unwrap();
    let mtime = fs::metadata(&file).unwrap().modified().unwrap();
    assert_eq!(texts(read(&source, &mut positions).await.unwrap()), numbers(0, 3));
    let other = parquet(3, 6);
    assert_eq!(other.len(), parquet(0, 3).len());
    fs::write(&file, other).unwrap();
    fs::File::options()
        .write(true)
        .open(&file)
        .unwrap()
        .set_modified(mtime)
        .unwrap();
    let lost = read(&source, &mut positions).await.unwrap_err();
    assert!(matches!(lost, SourceError::PositionLost { .. }), "{lost}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_table_beside_the_table_is_not_opened() {
    let folder = TempDir::new().unwrap();
    let store = Arc::new(InMemory::new());
    let there = config("memory:///tables".to_owned(), folder.path(), of("parquet"));
    let mut source = FilesSource::new(there).unwrap();
    source.store = store.clone();
    let paths: [object_store::path::Path; 3] =
        ["a.parquet", "a.parquet.gz", "b.parquet.gz"].map(|name| format!("tables/{name}").into());
    for path in &paths {
        store.put(path, PutPayload::from_static(b"PAR1")).await.unwrap();
    }
    let files = source.listing().await.unwrap();
    for path in &paths {
        store.delete(path).await.unwrap();
    }
    let copies = Copies::find(&source, &files, vec![0, 1, 2]).await.unwrap();
    assert!(copies.whole.is_empty());
    assert_eq!(copies.growing.into_iter().collect::<Vec<_>>(), [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_cannot_be_read_blocks_no_other_and_is_read_once_it_can() {
    let folder = TempDir::new().unwrap();
    let (source, mut positions) = (source_of(folder.path(), of("parquet")), Positions::new());
    let at = |name: &str| folder.path().join(name);
    let whole = parquet(0, 100);
    fs::write(at("a.parquet"), &whole[..whole.len() - 20]).unwrap();
    fs::write(at("b.parquet"), "id,name\n").unwrap();
    fs::write(at("c.parquet"), "").unwrap();
    fs::write(at("d.parquet.gz"), gzipped(&whole)).unwrap();
    fs::write(at("e.parquet"), gzipped(&whole)).unwrap();
    fs::write(at("f.parquet"), parquet(7, 8)).unwrap();
    fs::write(at("g.parquet"), parquet(0, 0)).unwrap();
    assert_eq!(texts(read(&source, &mut positions).await.unwrap()), numbers(7, 8));
    assert!(read(&source, &mut positions).await.unwrap().is_empty());
    for name in ["a.parquet", "b.parquet", "c.parquet"] {
        fs::write(at(name), &whole).unwrap();
        let mut found = texts(read(&source, &mut positions).await.unwrap());
        found.sort_by_key(|text| (text.len(), text.clone()));
        assert_eq!(found, numbers(0, 100), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_replaced_while_it_is_read_is_not_read() {
    let folder = TempDir::new().unwrap();
    let store = Arc::new(InMemory::new());
    let there = config("memory:///tables".to_owned(), folder.path(), of("parquet"));
    let mut source = FilesSource::new(there).unwrap();
    source.store = store.clone();
    let path = "tables/a.parquet".into();
    store.put(&path, PutPayload::from(parquet(0, 3))).await.unwrap();
    let pending = source.pending(&FromTheStart, ReadOptions::default()).await.unwrap();
    assert_eq!(pending.records, 3);
    store.put(&path, PutPayload::from(parquet(3, 6))).await.unwrap();
    let table = SessionContext::new().read_table(pending.provider).unwrap();
    let error = table.collect().await.unwrap_err().to_string();
    assert!(error.contains("replaced") && error.contains("run again"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_table_is_read_in_batches_and_a_limit_stops_it() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("a.parquet"), parquet(0, 50_000)).unwrap();
    let source = source_of(folder.path(), of("parquet"));
    assert_eq!(read(&source, &mut Positions::new()).await.unwrap().len(), 50_000);
    let pending = source.pending(&FromTheStart, ReadOptions::default()).await.unwrap();
    let table = SessionContext::new().read_table(pending.provider).unwrap();
    let few = table.limit(0, Some(7)).unwrap().collect().await.unwrap();
    assert_eq!(few.iter().map(RecordBatch::num_rows).sum::<usize>(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_table_that_proves_damaged_ends_the_scan_and_is_left_out_from_then_on() {
    let folder = TempDir::new().unwrap();
    let source = source_of(folder.path(), of("parquet"));
    let at = |name: &str| folder.path().join(name);
    let whole = parquet(0, 100);
    let mut damaged = whole.clone();
    // What its first page begins with.
    damaged[4..16].fill(0xff);
    fs::write(at("a.parquet"), damaged).unwrap();
    fs::write(at("b.parquet"), parquet(7, 8)).unwrap();
    let pending = source.pending(&FromTheStart, trusting()).await.unwrap();
    assert_eq!(pending.records, 101, "as many as the files say");
    let table = SessionContext::new().read_table(pending.provider).unwrap();
    let error = table.collect().await.unwrap_err().to_string();
    assert!(
        error.contains("a.parquet is damaged") && error.contains("help: put a whole copy"),
        "{error}"
    );
    for options in [ReadOptions::default(), trusting()] {
        let rows = read_with(&source, &mut Positions::new(), options).await.unwrap();
        assert_eq!(texts(rows), numbers(7, 8));
    }
    fs::write(at("a.parquet"), whole).unwrap();
    let rows = read_with(&source, &mut Positions::new(), trusting()).await.unwrap();
    assert_eq!(rows.len(), 101);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_table_is_unproven_until_it_is_read_to_its_end() {
    let folder = TempDir::new().unwrap();
    let source = source_of(folder.path(), of("parquet"));
    fs::write(folder.path().join("a.parquet"), parquet(0, 50_000)).unwrap();
    let pending = source.pending(&FromTheStart, ReadOptions::default()).await.unwrap();
    assert_eq!(pending.unproven.first(), None, "it was decoded to be counted");
    let pending = source.pending(&FromTheStart, trusting()).await.unwrap();
    let table = SessionContext::new().read_table(pending.provider).unwrap();
    let few = table.clone().limit(0, Some(7)).unwrap();
    few.collect().await.unwrap();
    assert_eq!(pending.unproven.first().as_deref(), Some("a.parquet"));
    table.collect().await.unwrap();
    assert_eq!(pending.unproven.first(), None);
}

/// A file of this format.
fn written(format: &str) -> Vec<u8> {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..40));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..40).map(|n| format!("item-{n}"))));
    let batch = RecordBatch::try_from_iter([("n", numbers), ("item", texts)]).unwrap();
    match format {
        "parquet" => {
            let mut written = vec![];
            let mut writer = ArrowWriter::try_new(&mut written, batch.schema(), None).unwrap();
            writer.write(&batch).unwrap();
            writer.close().unwrap();
            written
        }
        "avro" => {
            let mut writer = AvroWriter::new(vec![], batch.schema().as_ref().clone()).unwrap();
            writer.write(&batch).unwrap();
            writer.finish().unwrap();
            writer.into_inner()
        }
        _ => {
            let mut writer = FileWriter::try_new(vec![], &batch.schema()).unwrap();
            writer.write(&batch).unwrap();
            writer.into_inner().unwrap()
        }
    }
}

/// The rows of a source, as a step reads them: again and without trust if a file proves damaged.
async fn read_as_a_step(source: &FilesSource) -> Vec<String> {
    let pending = source.pending(&FromTheStart, trusting()).await.unwrap();
    let table = SessionContext::new().read_table(pending.provider.clone()).unwrap();
    match table.collect().await.map_err(|error| error.to_string()) {
        Ok(_) => texts(rows_of(pending.provider).await),
        Err(error) => {
            assert!(error.contains("is damaged"), "{error}");
            texts(read(source, &mut Positions::new()).await.unwrap())
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_a_table_is_damaged_trust_makes_no_difference() {
    for format in ["parquet", "avro", "arrow"] {
        let whole = written(format);
        for place in (0..whole.len() - 3).step_by(17) {
            for byte in [0x00, 0xff] {
                let folder = TempDir::new().unwrap();
                let mut damaged = whole.clone();
                damaged[place..place + 3].fill(byte);
                fs::write(folder.path().join(format!("a.{format}")), damaged).unwrap();
                let source = || source_of(folder.path(), of(format));
                let checked = texts(read(&source(), &mut Positions::new()).await.unwrap());
                let trusted = read_as_a_step(&source()).await;
                assert_eq!(trusted, checked, "{format}, {byte:#x} at {place}");
            }
        }
    }
}
