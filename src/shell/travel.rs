//! `\at`: the point in time at which the lake is read.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};

use super::{Shell, ShellError};
use crate::lake::{At, LakeTable};

impl Shell {
    /// Moves to a point in time, and shows which version of each table is read; without an argument, shows the current
    /// one.
    pub(super) async fn travel(&mut self, at: Option<At>) -> Result<(), ShellError> {
        let before = self.at;
        self.at = at.unwrap_or(before);
        let Err(error) = self.session().await else {
            return self.tell_versions().await;
        };
        // If that fails, the point in time does not change.
        self.at = before;
        Err(error)
    }

    async fn tell_versions(&mut self) -> Result<(), ShellError> {
        self.tell(&match self.at {
            At::Now => "reading the current lake; \\at VERSION or \\at TIME goes back".to_owned(),
            at => format!("reading the lake as of {at}, until \\at now"),
        });
        if self.at == At::Now {
            return Ok(());
        }
        let tables = self.runner.tables_at(self.at).await?;
        let names = tables.iter().map(|table| table.name().to_string());
        let versions = tables.iter().map(LakeTable::version);
        let counts = tables.iter().map(|table| table.version().map(|_| table.rows()));
        let listed = RecordBatch::try_from_iter_with_nullable([
            (
                "table",
                Arc::new(StringArray::from_iter_values(names)) as ArrayRef,
                true,
            ),
            ("version", Arc::new(UInt64Array::from_iter(versions)) as ArrayRef, true),
            ("rows", Arc::new(UInt64Array::from_iter(counts)) as ArrayRef, true),
        ])?;
        self.print_rows(listed).await
    }
}
