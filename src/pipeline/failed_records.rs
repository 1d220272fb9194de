//! Records that make a step's SQL fail (`bisect` finds them), as rows of `system.quarantine`: written, read, and
//! forgotten once they have been re-evaluated.

use arrow::array::{Array, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options, concat_batches};
use arrow::datatypes::{DataType, Field, Schema};
use chrono::{DateTime, Utc};
use datafusion::error::DataFusionError;
use datafusion::prelude::{DataFrame, SessionContext};

use super::quarantine_table::{self, KEY, Quarantined};
use super::step::Tools;
use super::{Node, PipelineError, system};
use crate::config::TableName;
use crate::engine::{self, Bindings};
use crate::lake::LakeError;

/// The columns that tell where a record came from.
const PLACE: [&str; 3] = ["topic", "partition", "offset"];
/// Tells apart records of several sources that are equal in these columns, if the rows have it.
const SOURCE: &str = "source";

/// One row of an input that the SQL fails on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FailedRecord {
    /// The input, as the SQL names it.
    pub input: String,
    /// Where it came from, as JSON; the whole row where its columns do not say.
    pub key: String,
    /// The row as JSON; bytes that are text are shown as text.
    pub row: String,
    /// What the engine said.
    pub error: String,
}

impl FailedRecord {
    /// Of a batch of one row.
    ///
    /// # Errors
    /// When a value has no form in JSON.
    pub fn new(input: &str, row: &RecordBatch, error: String) -> Result<Self, DataFusionError> {
        let row = with_text(row)?;
        let schema = row.schema();
        let index = |column: &str| schema.index_of(column).ok();
        let place: Option<Vec<usize>> = PLACE.into_iter().map(index).collect();
        let key = match place {
            Some(place) => row.project(&[place, index(SOURCE).into_iter().collect()].concat())?,
            None => row.clone(),
        };
        let as_json = |row: &RecordBatch| -> Result<String, DataFusionError> {
            Ok(quarantine_table::as_json(std::slice::from_ref(row))?.concat())
        };
        Ok(Self {
            input: input.to_owned(),
            key: as_json(&key)?,
            row: as_json(&row)?,
            error,
        })
    }
}

/// The row with bytes as text, where they are text.
fn with_text(row: &RecordBatch) -> Result<RecordBatch, DataFusionError> {
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let (mut fields, mut columns) = (vec![], vec![]);
    for (field, column) in row.schema().fields().iter().zip(row.columns()) {
        let is_binary = matches!(
            column.data_type(),
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView
        );
        let text = if is_binary {
            cast_with_options(column, &DataType::Utf8, &strict).ok()
        } else {
            None
        };
        let column = text.unwrap_or_else(|| column.clone());
        fields.push(Field::new(field.name(), column.data_type().clone(), true));
        columns.push(column);
    }
    Ok(RecordBatch::try_new(std::sync::Arc::new(Schema::new(fields)), columns)?)
}

/// Quarantines records; one that fails again is there once.
pub(super) async fn save(tools: Tools<'_>, node: &Node, records: &[FailedRecord]) -> Result<(), PipelineError> {
    let session = tools.engine_here().session(&Bindings::default()).await?;
    let rows = records.iter().map(|record| Quarantined {
        expectation: None,
        input: Some(&record.input),
        error: Some(&record.error),
        key: &record.key,
        row: &record.row,
    });
    quarantine_table::put(tools.lake, &session, node, &rows.collect::<Vec<_>>()).await
}

/// The locations (`topic, partition, offset`) of an input's records that steps failed on; `None` where there are none.
pub(super) async fn places(
    tools: Tools<'_>,
    steps: &[&Node],
    input: &TableName,
) -> Result<Option<DataFrame>, PipelineError> {
    let Some(session) = session(tools).await? else {
        return Ok(None);
    };
    let table = system::name(system::QUARANTINE);
    let sql = format!(
        "select distinct place['topic'] as topic, place['partition'] as partition, place['offset'] as \"offset\" from \
         (select from_json(row_key, 'topic string, partition int, offset bigint') as place from {table} where error is \
         not null and input = '{input}' and step in ({})) where place['topic'] is not null",
        names(steps)
    );
    Ok(Some(engine::query(&session, &sql).await?))
}

/// Removes records that steps failed on before a moment: they have been re-evaluated since.
pub(super) async fn forget(tools: Tools<'_>, steps: &[&Node], before: DateTime<Utc>) -> Result<(), PipelineError> {
    let Some(session) = session(tools).await? else {
        return Ok(());
    };
    let table = system::name(system::QUARANTINE);
    let sql = format!(
        "select step, row_key from {table} where error is not null and step in ({}) and quarantined_at < \
         to_timestamp_micros({})",
        names(steps),
        before.timestamp_micros()
    );
    let rows = engine::query(&session, &sql).await?.collect().await?;
    let Some(first) = rows.first() else { return Ok(()) };
    let rows = concat_batches(&first.schema(), &rows).map_err(DataFusionError::from)?;
    if rows.num_rows() == 0 {
        return Ok(());
    }
    let removed = system::remove(tools.lake, &session, &table, &KEY.map(str::to_owned), rows).await;
    removed.map_err(|source| failed(&table, source))
}

/// A session over `system.quarantine`; `None` where it holds no such records.
async fn session(tools: Tools<'_>) -> Result<Option<SessionContext>, PipelineError> {
    let name = system::name(system::QUARANTINE);
    let table = tools.lake.table(&name).await.map_err(|source| failed(&name, source))?;
    let schema = table.schema().map_err(|source| failed(&name, source))?;
    if schema.is_none_or(|schema| schema.index_of("error").is_err()) {
        return Ok(None);
    }
    let state = tools.engine_here().session(&Bindings::default()).await?.state();
    let provider = table.provider(&state).await.map_err(|source| failed(&name, source))?;
    let mut bindings = Bindings::default();
    bindings.tables.insert(name, provider);
    Ok(Some(tools.engine_here().session(&bindings).await?))
}

fn names(steps: &[&Node]) -> String {
    let names: Vec<String> = steps.iter().map(|node| format!("'{}'", node.name())).collect();
    names.join(", ")
}

fn failed(table: &TableName, source: LakeError) -> PipelineError {
    PipelineError::Lake {
        step: table.to_string(),
        source,
    }
}
