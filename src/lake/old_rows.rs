//! Finds the old rows of a merge's keys: which files hold some, and which rows of these files remain. A key that the
//! result has many times is looked up once; an old row with a NULL in its key always remains.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema};
use datafusion::catalog::TableProvider;
use datafusion::common::{JoinType, NullEquality, Result as QueryResult};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::ident;
use datafusion::physical_expr::expressions::col;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode, PhysicalGroupBy};
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::prelude::SessionContext;
use deltalake::kernel::Add;

use super::{DataFilesScan, LakeError, LakeTable};

/// The column that names the file of an old row.
pub(super) const FILE_COLUMN: &str = "__file";

/// The files that contain one of these keys.
pub(super) async fn files_with_keys(
    key: &[String],
    table: &LakeTable,
    session: &SessionContext,
    files: &[Add],
    keys: &[RecordBatch],
) -> Result<Vec<Add>, LakeError> {
    let old = Arc::new(DataFilesScan::lookup(table, files, Some(FILE_COLUMN))?);
    let with_key = join_keys(key, session, old, keys.to_vec(), JoinType::LeftSemi)?;
    let names = with_key.aggregate(vec![ident(FILE_COLUMN)], vec![])?.collect().await?;
    let mut touched = HashSet::new();
    for batch in &names {
        let column = cast(batch.column(0), &DataType::Utf8).map_err(DataFusionError::from)?;
        touched.extend(column.as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    Ok(files
        .iter()
        .filter(|file| touched.contains(&file.path))
        .cloned()
        .collect())
}

/// The rows of old files that have none of these keys, in the partitions of the old files.
pub(super) fn rest(
    key: &[String],
    old: Arc<dyn ExecutionPlan>,
    keys: Arc<dyn ExecutionPlan>,
) -> QueryResult<Arc<dyn ExecutionPlan>> {
    let schema = keys.schema();
    let named = |column: &String| Ok((col(column, &schema)?, column.clone()));
    let columns = key.iter().map(named).collect::<QueryResult<_>>()?;
    // Deduplicated: otherwise every old row would be compared with all rows of its key.
    let once = PhysicalGroupBy::new_single(columns);
    let keys = AggregateExec::try_new(AggregateMode::Single, once, vec![], vec![], keys, schema)?;
    let same = |column: &String| Ok((col(column, &keys.schema())?, col(column, &old.schema())?));
    let same = key.iter().map(same).collect::<QueryResult<_>>()?;
    Ok(Arc::new(HashJoinExec::try_new(
        Arc::new(keys),
        old,
        same,
        None,
        &JoinType::RightAnti,
        None,
        PartitionMode::CollectLeft,
        NullEquality::NullEqualsNothing,
        false,
    )?))
}

/// The old rows that have one of the keys (`LeftSemi`), or none of them (`LeftAnti`).
pub(super) fn join_keys(
    key: &[String],
    session: &SessionContext,
    old: Arc<dyn TableProvider>,
    keys: Vec<RecordBatch>,
    join: JoinType,
) -> Result<DataFrame, LakeError> {
    let schema = keys
        .first()
        .map_or_else(|| Arc::new(Schema::empty()), RecordBatch::schema);
    let new = session.read_table(Arc::new(MemTable::try_new(schema, vec![keys])?))?;
    join_query(key, session, old, new, join)
}

/// The same with the keys as a query.
pub(super) fn join_query(
    key: &[String],
    session: &SessionContext,
    old: Arc<dyn TableProvider>,
    new: DataFrame,
    join: JoinType,
) -> Result<DataFrame, LakeError> {
    // Other names on the right, so that the condition is not ambiguous.
    let renamed = |column: &String| format!("__key_{column}");
    let new = new
        .select(key.iter().map(|column| ident(column).alias(renamed(column))))?
        .distinct()?;
    let same = key.iter().map(|column| ident(column).eq(ident(renamed(column))));
    Ok(session.read_table(old)?.join_on(new, join, same)?)
}
