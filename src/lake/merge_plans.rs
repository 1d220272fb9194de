//! A merge as plans for other processes: the result's keys are in files instead of in memory.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::JoinType;
use datafusion::logical_expr::ident;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::prelude::SessionContext;
use deltalake::kernel::Add;

use super::data_files::data_files_without_statistics;
use super::merge::{Merge, removes};
use super::old_rows::{FILE_COLUMN, join_query, rest};
use super::write::{Layout, write_streams};
use super::{CommitMode, DataFilesScan, LakeError, LakeTable};

impl Merge {
    /// A plan that returns the names of the files that contain one of the keys; `None` if there are none.
    ///
    /// # Errors
    /// When a file uses a feature that this scan does not support.
    pub async fn plan_to_find(
        &self,
        table: &LakeTable,
        session: &SessionContext,
        keys: &[Add],
    ) -> Result<Option<Arc<dyn ExecutionPlan>>, LakeError> {
        let all = data_files_without_statistics(table);
        if all.is_empty() || keys.is_empty() {
            return Ok(None);
        }
        let old = Arc::new(DataFilesScan::try_new(table, &all, Some(FILE_COLUMN))?);
        let new = session.read_table(Arc::new(self.keys(table, keys)?))?;
        let with_key = join_query(&self.key, session, old, new, JoinType::LeftSemi)?;
        let names = with_key.aggregate(vec![ident(FILE_COLUMN)], vec![])?;
        Ok(Some(names.create_physical_plan().await?))
    }

    /// The files with these names.
    pub fn touched_of(&self, table: &LakeTable, names: &HashSet<String>) -> Vec<Add> {
        let mut files = data_files_without_statistics(table);
        files.retain(|file| names.contains(&file.path));
        files
    }

    /// A plan of the remaining rows of the touched files, one file per partition; `None` if no file is touched.
    ///
    /// # Errors
    /// As [`Merge::plan_to_find`].
    pub fn plan_of_rest(
        &self,
        table: &LakeTable,
        touched: &[Add],
        keys: &[Add],
    ) -> Result<Option<Arc<dyn ExecutionPlan>>, LakeError> {
        if touched.is_empty() {
            return Ok(None);
        }
        let old = DataFilesScan::try_new(table, touched, None)?.file_by_file()?;
        let new: Arc<dyn ExecutionPlan> =
            Arc::new(CoalescePartitionsExec::new(self.keys(table, keys)?.file_by_file()?));
        Ok(Some(rest(&self.key, old, new)?))
    }

    /// The commit that replaces the touched files with the kept ones.
    pub fn replaced(&self, table: &LakeTable, kept: Vec<Add>, touched: &[Add]) -> CommitMode {
        CommitMode::Merge {
            kept,
            touched: removes(table, touched),
        }
    }

    /// Writes the keys of rows in uncommitted files, after some rows were dropped from them.
    ///
    /// # Errors
    /// As [`Merge::keep_keys_of`].
    pub async fn write_keys_of(
        &self,
        table: &LakeTable,
        session: &SessionContext,
        layout: &Layout,
        files: &[Add],
    ) -> Result<Vec<Add>, LakeError> {
        let keys = self.keys_of(table, session, layout, files).await?;
        let layout = Layout {
            schema: keys.schema(),
            partition_by: vec![],
        };
        Ok(write_streams(table, vec![keys], &layout).await?.files)
    }

    /// The keys that were written alongside the rows of the result.
    fn keys(&self, table: &LakeTable, files: &[Add]) -> Result<DataFilesScan, LakeError> {
        let schema = table.schema()?.unwrap_or_else(|| Arc::new(Schema::empty()));
        let columns = self.key.iter().map(|column| schema.index_of(column));
        let columns = columns
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| LakeError::Query(error.into()))?;
        let schema = schema
            .project(&columns)
            .map_err(|error| LakeError::Query(error.into()))?;
        let layout = Layout {
            schema: Arc::new(schema),
            partition_by: vec![],
        };
        DataFilesScan::of_new(table, &layout, files)
    }
}
