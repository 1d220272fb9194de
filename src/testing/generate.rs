//! Generates a test from rows of the lake: a small slice of each input, and the step's current result for it.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::prelude::SessionContext;

use super::input::{Input, Reads};
use super::load::prepare_file;
use super::raw::parse;
use super::{TestingError, yaml};
use crate::engine::query;
use crate::pipeline::{Node, Runner};
use crate::sources::named_record_schema;

/// How many sessions (or users, or items) a slice covers.
const VALUES: usize = 3;
/// How many rows of each kind are taken from an input without sessions.
const OF_A_KIND: usize = 5;
/// The maximum number of rows per input.
const ROWS: usize = 40;
/// How many rows are searched for kinds.
const LOOKED_AT: usize = 100_000;
/// How many slices are tried to find one that gives the step a result.
const ATTEMPTS: usize = 20;

/// Writes a test of a step to a new file.
///
/// # Errors
/// When there is no such step, the file exists, or the lake has no rows that the step reads.
pub async fn generate(runner: &Runner, step: &str, file: &Path) -> Result<(), TestingError> {
    let node = runner.dag().named(step);
    let node = node.ok_or_else(|| TestingError::unknown_step(step, runner.dag()))?;
    if file.exists() {
        return Err(TestingError::Exists { file: file.to_owned() });
    }
    let slicer = Slicer {
        session: runner.session().await?,
        inputs: inputs(runner, node),
    };
    let column = slicer.column(&node.step.key);
    let mut written = None;
    for attempt in 0..ATTEMPTS {
        let given = slicer.slices(column.as_deref(), attempt).await?;
        if given.iter().all(|(_, rows)| rows.num_rows() == 0) {
            break;
        }
        let given = text_of_given(node, &given)?;
        let result = try_out(runner, file, &given).await?;
        let is_enough = result.num_rows() > 0;
        written = Some(format!("{given}{}", text_of_expected(&result)?));
        if is_enough {
            break;
        }
    }
    let Some(text) = written else {
        return Err(TestingError::NoRows { step: step.to_owned() });
    };
    let failed = |source| TestingError::File {
        file: file.to_owned(),
        source,
    };
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(file, text).map_err(failed)
}

/// The inputs to give: everything that is not computed.
fn inputs(runner: &Runner, node: &Node) -> Vec<(Input, SchemaRef)> {
    let reads = Reads::of(node, runner.dag(), &runner.engine().variables(), &BTreeSet::new());
    let schema = |input: &Input| match input {
        Input::Previous => None,
        Input::Table(name) if reads.computed.contains(name) || reads.warm_starts.contains(name) => None,
        Input::Table(name) | Input::Latest(name) => runner.schemas().get(name).cloned(),
        Input::Changes(name) => match name.parse() {
            Ok(table) => runner.schemas().get(&table).cloned(),
            Err(_) => Some(named_record_schema()),
        },
    };
    let inputs = reads.inputs.iter();
    inputs
        .filter_map(|input| Some((input.clone(), schema(input)?)))
        .collect()
}

struct Slicer {
    session: SessionContext,
    inputs: Vec<(Input, SchemaRef)>,
}

impl Slicer {
    /// The column that connects the inputs: from the step's key, or an ID, whichever most inputs have.
    fn column(&self, key: &[String]) -> Option<String> {
        let mut best: Option<(usize, String)> = None;
        let of_inputs = self.inputs.iter().flat_map(|(_, schema)| schema.fields());
        let ids = of_inputs.map(|field| field.name()).filter(|name| name.ends_with("_id"));
        for name in key.iter().chain(ids) {
            let having = self.inputs.iter().filter(|(_, schema)| schema.index_of(name).is_ok());
            let having = having.count() + usize::from(key.contains(name));
            let is_shared = self.inputs.iter().any(|(_, schema)| schema.index_of(name).is_ok());
            if is_shared && best.as_ref().is_none_or(|(most, _)| having > *most) {
                best = Some((having, name.clone()));
            }
        }
        best.map(|(_, name)| name)
    }

    async fn slices(&self, column: Option<&str>, attempt: usize) -> Result<Vec<(Input, RecordBatch)>, TestingError> {
        let values = match column {
            Some(column) => self.values(column, attempt).await?,
            None => vec![],
        };
        let mut slices = vec![];
        for (input, schema) in &self.inputs {
            let sql = match column.filter(|column| schema.index_of(column).is_ok()) {
                Some(column) => {
                    let values: Vec<String> = values.iter().map(|value| literal(value)).collect();
                    let values = match values.is_empty() {
                        true => "null".to_owned(),
                        false => values.join(", "),
                    };
                    format!("select * from {input} where cast(\"{column}\" as varchar) in ({values}) limit {ROWS}")
                }
                None => kinds(input, schema, attempt),
            };
            slices.push((input.clone(), yaml::writable_rows(&self.rows(&sql).await?)?));
        }
        Ok(slices)
    }

    /// Some values of a column, preferably with many rows, but not too many.
    async fn values(&self, column: &str, attempt: usize) -> Result<Vec<String>, TestingError> {
        let input = self.inputs.iter().find(|(_, schema)| schema.index_of(column).is_ok());
        let Some((input, _)) = input else { return Ok(vec![]) };
        let sql = format!(
            "select cast(value as varchar) from (select \"{column}\" as value, count(*) as n from {input} group by 1) \
             where value is not null order by n > 12, n desc, value limit {VALUES} offset {}",
            attempt * VALUES
        );
        let rows = self.rows(&sql).await?;
        let values = cast(rows.column(0), &DataType::Utf8).map_err(datafusion::error::DataFusionError::from)?;
        Ok(values.as_string::<i32>().iter().flatten().map(str::to_owned).collect())
    }

    async fn rows(&self, sql: &str) -> Result<RecordBatch, TestingError> {
        let result = query(&self.session, sql).await?;
        let schema = std::sync::Arc::new(result.schema().as_arrow().clone());
        let batches = result.collect().await?;
        Ok(concat_batches(&schema, &batches).map_err(datafusion::error::DataFusionError::from)?)
    }
}

/// Some rows of each kind, if the first column distinguishes kinds.
fn kinds(input: &Input, schema: &SchemaRef, attempt: usize) -> String {
    let first = schema.fields().first().map_or("1", |field| field.name().as_str());
    let (from, to) = (attempt * OF_A_KIND + 1, (attempt + 1) * OF_A_KIND);
    format!(
        "select * exclude (nth__) from (select *, row_number() over (partition by \"{first}\") as nth__ from (select * \
         from {input} limit {LOOKED_AT})) where nth__ between {from} and {to} limit {ROWS}"
    )
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn text_of_given(node: &Node, given: &[(Input, RecordBatch)]) -> Result<String, TestingError> {
    let mut text = format!(
        "# Written by `clickrec test --generate {0}` from rows of the lake: remove what the test does \
         not need, and name what it checks.\ntests:\n  - name: some rows of the lake\n    step: {0}\n    given:\n",
        node.name()
    );
    for (input, rows) in given.iter().filter(|(_, rows)| rows.num_rows() > 0) {
        // Writing to a string cannot fail.
        _ = writeln!(text, "      {input}:");
        add_rows(&mut text, "        ", rows)?;
    }
    Ok(text)
}

fn text_of_expected(rows: &RecordBatch) -> Result<String, TestingError> {
    if rows.num_rows() == 0 {
        return Ok("    expect: []\n".to_owned());
    }
    let mut text = "    expect:\n".to_owned();
    add_rows(&mut text, "      ", rows)?;
    Ok(text)
}

fn add_rows(text: &mut String, indent: &str, rows: &RecordBatch) -> Result<(), TestingError> {
    for row in yaml::rows(rows)? {
        _ = writeln!(text, "{indent}- {row}");
    }
    Ok(())
}

/// The step's result for the rows as they will be read from the file.
async fn try_out(runner: &Runner, file: &Path, given: &str) -> Result<RecordBatch, TestingError> {
    let invalid = |error| TestingError::Invalid(vec![error]);
    let raw = parse(file, &format!("{given}    expect: []\n")).map_err(invalid)?;
    let (mut tests, mut errors) = (vec![], vec![]);
    prepare_file(file, raw, runner, &mut tests, &mut errors).await;
    match tests.first() {
        Some(test) if errors.is_empty() => Ok(test.first().await?),
        _ => Err(TestingError::Invalid(errors)),
    }
}
