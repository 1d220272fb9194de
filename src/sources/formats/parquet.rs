//! The format `parquet`: tables that are read row group by row group.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::error::DataFusionError;
use datafusion::parquet::arrow::ParquetRecordBatchStreamBuilder;
use datafusion::parquet::arrow::arrow_reader::ArrowReaderOptions;
use datafusion::parquet::arrow::async_reader::AsyncFileReader;
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use futures::{FutureExt, TryStreamExt};
use object_store::{OBJECT_STORE_COALESCE_DEFAULT, coalesce_ranges};

use super::{Batches, Format, Layout, TableFile, TableFormat, magic};

const BATCH_ROWS: usize = 1_024;

/// Tables with a footer, without which nothing can be read.
#[derive(Debug)]
pub(super) struct Parquet;

impl Format for Parquet {
    fn name(&self) -> &'static str {
        "parquet"
    }

    fn endings(&self) -> &'static [&'static str] {
        &[".parquet"]
    }

    fn foreign(&self, first: &[u8]) -> Option<&'static str> {
        magic::other_than(&[magic::PARQUET], first, "not a Parquet file, or an encrypted one")
    }

    fn layout(&self) -> Layout<'_> {
        Layout::Table(self)
    }
}

impl TableFormat for Parquet {
    fn batches(&self, file: TableFile) -> Batches {
        let opened = async move {
            let builder = ParquetRecordBatchStreamBuilder::new(Reader(file)).await?;
            let batches = builder.with_batch_size(BATCH_ROWS).build()?;
            Ok::<_, DataFusionError>(batches.map_err(DataFusionError::from))
        };
        stream::once(opened).try_flatten().boxed()
    }

    fn rows(&self, file: TableFile) -> BoxFuture<'static, Result<u64, DataFusionError>> {
        async move {
            let footer = Reader(file).get_metadata(None).await?;
            let groups = footer.row_groups().iter();
            let rows = groups.map(|group| u64::try_from(group.num_rows()).unwrap_or(u64::MAX));
            Ok(rows.fold(0, u64::saturating_add))
        }
        .boxed()
    }
}

/// Reads ranges of a file. The errors of its store stay recognizable.
struct Reader(TableFile);

impl AsyncFileReader for Reader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        async move { self.0.get(range).await.map_err(external) }.boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>, ParquetError>> {
        let file = self.0.clone();
        async move {
            let fetch = |range| file.get(range);
            let fetched = coalesce_ranges(&ranges, fetch, OBJECT_STORE_COALESCE_DEFAULT).await;
            fetched.map_err(external)
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        async move {
            let size = self.0.size();
            let options = options.map(|options| options.metadata_options().clone());
            let reader = ParquetMetaDataReader::new().with_metadata_options(options);
            Ok(Arc::new(reader.load_and_finish(self, size).await?))
        }
        .boxed()
    }
}

fn external(error: DataFusionError) -> ParquetError {
    ParquetError::External(Box::new(error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use datafusion::parquet::arrow::ArrowWriter;
    use datafusion::parquet::file::properties::WriterProperties;

    use super::super::testing::{declared_rows, read_table};
    use super::*;

    fn file(rows: i64) -> Vec<u8> {
        let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
        let names: ArrayRef = Arc::new(StringArray::from_iter_values((0..rows).map(|n| format!("item {n}"))));
        let batch = RecordBatch::try_from_iter([("id", ids), ("name", names)]).unwrap();
        let groups = WriterProperties::builder()
            .set_max_row_group_row_count(Some(1_000))
            .build();
        let mut written = vec![];
        let mut writer = ArrowWriter::try_new(&mut written, batch.schema(), Some(groups)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        written
    }

    #[tokio::test]
    async fn all_row_groups_are_read_in_order() {
        let rows = read_table(&Parquet, file(2_500)).await.unwrap();
        assert_eq!(rows.len(), 2_500);
        assert_eq!(rows[2_499], r#"{"id":2499,"name":"item 2499"}"#);
        assert_eq!(declared_rows(&Parquet, file(2_500)).await.unwrap(), 2_500);
        assert!(read_table(&Parquet, file(0)).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_file_that_is_cut_off_or_damaged_is_an_error() {
        let whole = file(2_500);
        for length in [4, 11, whole.len() / 2, whole.len() - 1] {
            read_table(&Parquet, whole[..length].to_vec()).await.unwrap_err();
            declared_rows(&Parquet, whole[..length].to_vec()).await.unwrap_err();
        }
        let mut damaged = whole.clone();
        damaged[whole.len() - 60..whole.len() - 8].fill(0xff);
        read_table(&Parquet, damaged).await.unwrap_err();
    }
}
