//! The plan that reads data files, split among its partitions.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::stats::Precision;
use datafusion::common::{Result, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, FileSource, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;

/// How files are read: which columns, and which rows may be skipped.
#[derive(Debug, Clone)]
pub(super) struct FileReads {
    pub(super) store: ObjectStoreUrl,
    pub(super) source: ParquetSource,
    pub(super) projection: Option<Vec<usize>>,
    pub(super) limit: Option<usize>,
    pub(super) keep_apart: bool,
}

impl FileReads {
    /// The output columns.
    pub fn schema(&self) -> Result<SchemaRef> {
        let schema = self.source.table_schema().table_schema();
        Ok(match &self.projection {
            Some(projection) => Arc::new(schema.project(projection)?),
            None => schema.clone(),
        })
    }

    /// The predicate that filters rows, as text.
    pub fn predicate(&self) -> Option<Arc<str>> {
        // `Debug` prints literals in full and quoted.
        self.source.filter().map(|filter| format!("{filter:?}").into())
    }

    /// Reads groups of files, one partition per group. `rows` is their total number of rows, if known.
    pub fn plan(&self, groups: Vec<Vec<PartitionedFile>>, rows: Option<usize>) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = rows.map_or(Precision::Absent, Precision::Exact);
        let bytes = groups.iter().flatten().map(|file| file.object_meta.size).sum::<u64>();
        let statistics = Statistics::new_unknown(self.source.table_schema().table_schema())
            .with_num_rows(rows)
            .with_total_byte_size(usize::try_from(bytes).map_or(Precision::Absent, Precision::Inexact));
        let config = FileScanConfigBuilder::new(self.store.clone(), Arc::new(self.source.clone()))
            .with_file_groups(groups.into_iter().map(FileGroup::new).collect())
            .with_projection_indices(self.projection.clone())?
            .with_limit(self.limit)
            .with_preserve_order(self.keep_apart)
            .with_statistics(statistics)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}
