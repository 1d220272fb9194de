//! Rows in a separate file next to the test: CSV with a header (an empty value is NULL), NDJSON or Parquet.

use std::fs::File;
use std::io::Seek;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::csv::ReaderBuilder;
use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::cells::Misfit;
use super::raw::{At, Cell, Key, RawRows, Row, Value, parse_row};
use super::rows::{Rows, problem};
use crate::config::{ConfigError, Problem};

impl Rows {
    /// The rows in a test file, or in a separate one.
    ///
    /// # Errors
    /// When the separate file cannot be read.
    pub fn of(file: &Path, raw: RawRows) -> Result<Self, ConfigError> {
        match raw {
            RawRows::Inline(rows) => Ok(Self::written(file, rows)),
            RawRows::Beside(beside) => {
                let path = file.parent().unwrap_or(Path::new(".")).join(&beside.file.value);
                if path.is_file() {
                    return read(&path);
                }
                let misfit = Misfit {
                    at: beside.file.referenced.into(),
                    message: format!("no such file: {}", path.display()),
                    help: Some("the path is relative to the folder of the test".to_owned()),
                };
                Err(problem(file, misfit))
            }
        }
    }
}

/// Reads the rows of a file, whose format is determined by its name.
///
/// # Errors
/// When it cannot be read; the error has the line if it is known.
fn read(path: &Path) -> Result<Rows, ConfigError> {
    let failed = |message: String| ConfigError {
        file: path.to_owned(),
        problems: vec![Problem {
            at: None,
            message,
            help: None,
        }],
    };
    let cannot = |error: &dyn std::fmt::Display| failed(format!("cannot be read: {error}"));
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => csv(path).map_err(|error| cannot(&error)),
        Some("ndjson" | "jsonl" | "json") => {
            let text = std::fs::read_to_string(path).map_err(|error| cannot(&error))?;
            let lines = text.lines().zip(1_u64..).filter(|(line, _)| !line.trim().is_empty());
            let rows = lines.map(|(text, line)| parse_row(path, line, text));
            Ok(Rows::written(path, rows.collect::<Result<_, _>>()?))
        }
        Some("parquet") => parquet(path).map_err(|error| cannot(&error)),
        _ => Err(failed("is not a .csv, .ndjson or .parquet file".to_owned())),
    }
}

/// All values as text; an empty one is NULL.
fn csv(path: &Path) -> Result<Rows, arrow::error::ArrowError> {
    let mut file = File::open(path)?;
    let (inferred, _) = Format::default().with_header(true).infer_schema(&mut file, Some(0))?;
    file.rewind()?;
    let fields = inferred
        .fields()
        .iter()
        .map(|field| Field::new(field.name(), DataType::Utf8, true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let reader = ReaderBuilder::new(schema.clone()).with_header(true).build(file)?;
    let batches = reader.collect::<Result<Vec<_>, _>>()?;
    let batch = concat_batches(&schema, &batches)?;
    let row = |row: usize| {
        // After the header, counting from 1.
        let at = At(row as u64 + 2, 1);
        let cells = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
            let column = column.as_string::<i32>();
            let value = match column.is_valid(row) && !column.value(row).is_empty() {
                true => Value::Text(column.value(row).to_owned()),
                false => Value::Null,
            };
            let name = field.name().clone();
            (Key { at: At(1, 1), name }, Cell { at, value })
        });
        Row(cells.collect())
    };
    Ok(Rows::written(path, (0..batch.num_rows()).map(row).collect()))
}

fn parquet(path: &Path) -> Result<Rows, datafusion::error::DataFusionError> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?.build()?;
    let schema = arrow::array::RecordBatchReader::schema(&reader);
    let batches: Vec<RecordBatch> = reader.collect::<Result<_, _>>()?;
    Ok(Rows::read(path, concat_batches(&schema, &batches)?))
}
