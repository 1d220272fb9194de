//! Reads selected data files of a table, whether committed or not: what arrived since a version, what a step has just
//! written, or the files that may hold old rows of a merge.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use chrono::DateTime;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, ScalarValue, ToDFSchema};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::ParquetSource;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, utils::conjunction};
use datafusion::physical_plan::ExecutionPlan;
use deltalake::kernel::Add;
use object_store::ObjectMeta;

use super::data_files::{data_files_without_statistics, rows_of};
use super::file_reads::FileReads;
use super::keys::{KeyFilters, KeyScanExec};
use super::write::Layout;
use super::{LakeError, LakeTable};

/// A scan of selected data files of a Delta table, whether or not they are still part of its newest version.
///
/// It does not support deletion vectors and column mapping, which other writers may have used; such files are rejected.
/// A plain read of a table goes through the Delta library's own provider, which supports them.
#[derive(Debug)]
pub struct DataFilesScan {
    store: ObjectStoreUrl,
    schema: TableSchema,
    files: Vec<PartitionedFile>,
    rows: Option<usize>,
    lookup: Option<(LakeTable, Arc<KeyFilters>)>,
}

impl DataFilesScan {
    /// A scan of `files`; with `file_column`, an additional column of that name holds each row's file path as written
    /// in the log.
    ///
    /// # Errors
    /// When the table does not exist, or uses an unsupported feature.
    pub fn try_new(table: &LakeTable, files: &[Add], file_column: Option<&str>) -> Result<Self, LakeError> {
        refuse_column_mapping(table)?;
        let schema = table.schema()?.unwrap_or_else(|| Arc::new(Schema::empty()));
        let partition_by = table.state().map(|state| state.metadata().partition_columns());
        Self::of(table, &schema, partition_by.unwrap_or_default(), files, file_column)
    }

    /// A scan of all files of a table.
    ///
    /// # Errors
    /// As [`DataFilesScan::try_new`].
    pub fn whole(table: &LakeTable) -> Result<Self, LakeError> {
        Ok(Self {
            rows: table.rows_if_known(),
            ..Self::try_new(table, &data_files_without_statistics(table), None)?
        })
    }

    /// A scan of files that were written but not committed.
    ///
    /// # Errors
    /// When the table's location is not a URL.
    pub fn of_new(table: &LakeTable, layout: &Layout, files: &[Add]) -> Result<Self, LakeError> {
        Self::of(table, &layout.schema, &layout.partition_by, files, None)
    }

    fn of(
        table: &LakeTable,
        schema: &SchemaRef,
        partition_by: &[String],
        files: &[Add],
        file_column: Option<&str>,
    ) -> Result<Self, LakeError> {
        let partition_columns: Vec<FieldRef> = partition_by.iter().filter_map(|c| field(schema, c)).collect();
        let is_partition = |field: &FieldRef| partition_columns.iter().any(|column| column.name() == field.name());
        let in_files: Vec<FieldRef> = schema
            .fields()
            .iter()
            .filter(|field| !is_partition(field))
            .cloned()
            .collect();
        let mut constants = partition_columns.clone();
        if let Some(name) = file_column {
            constants.push(Arc::new(Field::new(name, DataType::Utf8, false)));
        }

        let files_with_values = files
            .iter()
            .map(|add| partitioned_file(table, add, &partition_columns, file_column.is_some()))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            store: ObjectStoreUrl::parse(&table.delta().table_url()[..url::Position::BeforePath])?,
            schema: TableSchema::builder(Arc::new(Schema::new(in_files)))
                .with_table_partition_cols(constants)
                .build(),
            files: files_with_values,
            rows: files.iter().map(rows_of).sum(),
            lookup: None,
        })
    }

    /// A scan of all files of a table for a selective join: files that cannot hold the wanted rows, according to the
    /// table's [`KeyFilters`], are not opened.
    ///
    /// # Errors
    /// As [`DataFilesScan::try_new`].
    pub fn lookup(table: &LakeTable, files: &[Add], file_column: Option<&str>) -> Result<Self, LakeError> {
        Ok(Self {
            lookup: table.key_filters().map(|filters| (table.clone(), filters.clone())),
            rows: table.rows_if_known(),
            ..Self::try_new(table, files, file_column)?
        })
    }

    /// A plan that reads each file in a partition of its own.
    ///
    /// # Errors
    /// When the columns cannot be projected.
    pub fn file_by_file(&self) -> Result<Arc<dyn ExecutionPlan>> {
        let reads = FileReads {
            store: self.store.clone(),
            source: ParquetSource::new(self.schema.clone()),
            projection: None,
            limit: None,
            // Idle partitions would otherwise steal files from others.
            keep_apart: true,
        };
        reads.plan(self.files.iter().map(|file| vec![file.clone()]).collect(), None)
    }
}

/// Files whose column names differ from the table's would be read as NULLs.
fn refuse_column_mapping(table: &LakeTable) -> Result<(), LakeError> {
    let mode = table
        .state()
        .and_then(|state| state.metadata().configuration().get("delta.columnMapping.mode"));
    match mode.map(String::as_str) {
        None | Some("none") => Ok(()),
        Some(_) => Err(LakeError::Unsupported {
            table: table.name().to_string(),
            feature: "column mapping",
            help: "rewrite the table without column mapping (delta.columnMapping.mode = none), or read the whole table \
                   by its plain name, with --engine local",
        }),
    }
}

fn field(schema: &Schema, name: &str) -> Option<FieldRef> {
    schema.fields().find(name).map(|(_, field)| field.clone())
}

fn partitioned_file(
    table: &LakeTable,
    add: &Add,
    partition_columns: &[FieldRef],
    with_path: bool,
) -> Result<PartitionedFile, LakeError> {
    if add.deletion_vector.is_some() {
        return Err(LakeError::Unsupported {
            table: table.name().to_string(),
            feature: "deletion vectors",
            help: "rewrite the table without deletion vectors (delta.enableDeletionVectors = false, then REORG … APPLY \
                   (PURGE)), or read the whole table by its plain name, with --engine local",
        });
    }
    let mut values = Vec::with_capacity(partition_columns.len() + 1);
    for column in partition_columns {
        values.push(match add.partition_values.get(column.name()).cloned().flatten() {
            Some(text) => ScalarValue::try_from_string(text, column.data_type())?,
            None => ScalarValue::try_from(column.data_type())?,
        });
    }
    if with_path {
        values.push(ScalarValue::Utf8(Some(add.path.clone())));
    }
    let file = ObjectMeta {
        location: table.place(&add.path)?,
        last_modified: DateTime::from_timestamp_millis(add.modification_time).unwrap_or_default(),
        size: u64::try_from(add.size).unwrap_or_default(),
        e_tag: None,
        version: None,
    };
    Ok(PartitionedFile::from(file).with_partition_values(values))
}

#[async_trait]
impl TableProvider for DataFilesScan {
    fn schema(&self) -> SchemaRef {
        self.schema.table_schema().clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut source =
            ParquetSource::new(self.schema.clone()).with_table_parquet_options(state.default_table_options().parquet);
        if let Some(filter) = conjunction(filters.to_vec()) {
            let columns = self.schema().to_dfschema()?;
            source = source
                .with_predicate(state.create_physical_expr(filter, &columns)?)
                // So that filters are built only from the keys of rows that pass the predicate.
                .with_pushdown_filters(self.lookup.is_some());
        }
        let reads = FileReads {
            store: self.store.clone(),
            source,
            projection: projection.cloned(),
            limit,
            keep_apart: false,
        };
        if let (Some((table, filters)), None) = (&self.lookup, limit) {
            let partitions = state.config().target_partitions();
            let scan = KeyScanExec::new(
                table.clone(),
                filters.clone(),
                reads,
                &self.files,
                self.rows,
                partitions,
            )?;
            return Ok(Arc::new(scan));
        }
        reads.plan(vec![self.files.clone()], self.rows)
    }
}
