//! The rows of a test, and the Arrow batch they represent.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{Field, Schema, SchemaRef};

use super::cells::{Misfit, column, find, unknown_name};
use super::data_file;
use super::raw::{At, Cell, Key, RawRows, Row};
use crate::config::{ConfigError, Problem};

/// Rows, and the file they are in.
#[derive(Debug)]
pub(super) struct Rows {
    file: PathBuf,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Written(Vec<Row>),
    Read(RecordBatch),
}

impl Rows {
    /// Rows whose values know their locations.
    pub fn written(file: &Path, rows: Vec<Row>) -> Self {
        Self {
            file: file.to_owned(),
            content: Content::Written(rows),
        }
    }

    /// Rows that already have types.
    pub fn read(file: &Path, rows: RecordBatch) -> Self {
        Self {
            file: file.to_owned(),
            content: Content::Read(rows),
        }
    }

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
                    return data_file::read(&path);
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

    /// Converts to a table with these columns; columns that a row does not mention are NULL. `table` is for messages.
    ///
    /// # Errors
    /// When rows have columns that the table lacks, or values that do not fit.
    pub fn table(&self, table: &str, schema: &SchemaRef) -> Result<RecordBatch, ConfigError> {
        self.check_names(table, schema)?;
        self.batch(schema.clone())
    }

    /// Only the columns that the rows mention, in the table's order.
    ///
    /// # Errors
    /// As [`Rows::table`].
    pub fn named_columns(&self, table: &str, schema: &Schema) -> Result<RecordBatch, ConfigError> {
        self.check_names(table, schema)?;
        let named: HashSet<&str> = self.names().map(|key| key.1).collect();
        let fields = schema
            .fields()
            .iter()
            .filter(|field| named.contains(field.name().as_str()));
        self.batch(Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>())))
    }

    fn names(&self) -> Box<dyn Iterator<Item = (At, &str)> + '_> {
        match &self.content {
            Content::Written(rows) => {
                let keys = rows.iter().flat_map(|row| &row.0);
                Box::new(keys.map(|(key, _)| (key.at, key.name.as_str())))
            }
            Content::Read(batch) => {
                let fields = batch.schema_ref().fields().iter();
                Box::new(fields.map(|field| (At(1, 1), field.name().as_str())))
            }
        }
    }

    fn check_names(&self, table: &str, schema: &Schema) -> Result<(), ConfigError> {
        let unknown = self.names().find(|(_, name)| schema.index_of(name).is_err());
        match unknown {
            None => Ok(()),
            Some((at, name)) => {
                let known: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
                let name = name.to_owned();
                let misfit = unknown_name(&Key { at, name }, &format!("{table} has no column"), &known);
                Err(problem(&self.file, misfit))
            }
        }
    }

    fn batch(&self, schema: SchemaRef) -> Result<RecordBatch, ConfigError> {
        let (rows, columns) = match &self.content {
            Content::Written(rows) => {
                let of = |field: &Arc<Field>| {
                    let cells: Vec<Option<&Cell>> = rows.iter().map(|row| find(&row.0, field.name())).collect();
                    column(field.name(), &cells, field.data_type()).map_err(|misfit| problem(&self.file, misfit))
                };
                (
                    rows.len(),
                    schema.fields().iter().map(of).collect::<Result<Vec<_>, _>>()?,
                )
            }
            Content::Read(batch) => {
                let of = |field: &Arc<Field>| match batch.column_by_name(field.name()) {
                    None => Ok(new_null_array(field.data_type(), batch.num_rows())),
                    Some(column) => cast(column, field.data_type()).map_err(|error| self.failed(&error)),
                };
                let columns = schema.fields().iter().map(of);
                (batch.num_rows(), columns.collect::<Result<Vec<_>, _>>()?)
            }
        };
        // The number of rows counts even if no column is mentioned.
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(schema, columns, &options).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &arrow::error::ArrowError) -> ConfigError {
        let at = At(1, 1);
        let message = error.to_string();
        problem(
            &self.file,
            Misfit {
                at,
                message,
                help: None,
            },
        )
    }
}

/// An error at a location in a file.
pub(super) fn problem(file: &Path, misfit: Misfit) -> ConfigError {
    ConfigError {
        file: file.to_owned(),
        problems: vec![Problem {
            at: Some((misfit.at.0, misfit.at.1)),
            message: misfit.message,
            help: misfit.help,
        }],
    }
}
