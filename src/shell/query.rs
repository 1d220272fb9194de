//! One statement: planned, checked (`restrictions`), run and printed, with its time and peak memory (`\timing`), and
//! with the table that was meant where one is unknown.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use bytesize::ByteSize;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::execute_stream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::SessionContext;
use indicatif::HumanCount;

use super::print::{Printed, print_stream};
use super::progress::Progress;
use super::{Access, Shell, ShellError, restrictions};
use crate::config::nearest;
use crate::engine::{CATALOG, plan};
use crate::plural::counted;

impl Shell {
    /// Runs a statement and prints its rows.
    pub(super) async fn statement(&mut self, sql: &str) -> Result<(), ShellError> {
        self.last = Some(sql.to_owned());
        let started = Instant::now();
        self.runner.engine().reset_memory_peak();
        let session = self.session().await?;
        let printed = match self.planned(&session, sql).await {
            Ok(result) => self.print_result(result).await.map_err(with_help_for_types)?,
            Err(error) => return Err(self.with_help(error, &session)),
        };
        self.tell_rows(printed);
        if self.timing {
            let peak = ByteSize(self.runner.engine().memory_peak() as u64).display().iec();
            self.tell(&format!(
                "Time: {:.3} s, peak memory: {peak:.1}",
                started.elapsed().as_secs_f64()
            ));
        }
        Ok(())
    }

    /// The statement's plan, if it may be run.
    pub(super) async fn planned(&self, session: &SessionContext, sql: &str) -> Result<DataFrame, ShellError> {
        if self.options.access == Access::Safe {
            restrictions::check_text(sql)?;
        }
        let plan = plan(session, sql).await?;
        restrictions::check_plan(&plan, self.options.access, self.runner.lake().url())?;
        Ok(session.execute_logical_plan(plan).await?)
    }

    async fn print_result(&mut self, result: DataFrame) -> Result<Printed, ShellError> {
        let context = Arc::new(result.task_ctx());
        let plan = result.create_physical_plan().await?;
        let progress = Progress::start(&plan, self.options.progress);
        let layout = self.layout();
        let rows = execute_stream(plan, context)?;
        let printed = print_stream(rows, &layout, &mut progress.around(self.output.writer())).await;
        progress.end();
        self.output.writer().flush()?;
        printed
    }

    /// Prints rows in memory: the output of commands.
    pub(super) async fn print_rows(&mut self, rows: RecordBatch) -> Result<(), ShellError> {
        let schema = rows.schema();
        let rows = RecordBatchStreamAdapter::new(schema, futures::stream::iter([Ok(rows)]));
        let mut layout = self.layout();
        layout.limit = None;
        print_stream(Box::pin(rows), &layout, self.output.writer()).await?;
        Ok(self.output.writer().flush()?)
    }

    fn tell_rows(&self, printed: Printed) {
        if let Some(message) = rows_message(printed, self.options.interactive) {
            self.tell(&message);
        }
    }

    /// Suggests the table that was probably meant.
    fn with_help(&self, error: ShellError, session: &SessionContext) -> ShellError {
        let ShellError::Query(mut error) = error else {
            return error;
        };
        error.help = unknown_table(&error.source).and_then(|name| {
            let known = table_names(session);
            let near = nearest(&name, known.iter().map(String::as_str))?;
            Some(format!("did you mean `{near}`? \\dt lists the tables"))
        });
        ShellError::Query(error)
    }
}

/// Says what to do about a value in a CSV file that does not have its column's type.
fn with_help_for_types(error: ShellError) -> ShellError {
    match error {
        ShellError::Query(mut error) if error.source.strip_backtrace().contains("Error while parsing value") => {
            let help = "the first 100,000 records of CSV decide the types; read_csv('…', schema_infer_max_rec => 0) \
                        reads all values as text";
            error.help = Some(help.to_owned());
            ShellError::Query(error)
        }
        other => other,
    }
}

/// How many rows there were, if that is not obvious from the output.
fn rows_message(printed: Printed, interactive: bool) -> Option<String> {
    let rows = |count| counted(count, "row", "rows");
    match printed {
        Printed {
            rows: all,
            left_out: 1..,
        } => Some(format!(
            "({} of {} shown; \\limit off shows all)",
            HumanCount(all - printed.left_out),
            rows(all)
        )),
        Printed { rows: all, .. } if interactive => Some(format!("({})", rows(all))),
        _ => None,
    }
}

/// `table 'lake.silver.event' not found`
fn unknown_table(error: &DataFusionError) -> Option<String> {
    let text = error.strip_backtrace();
    let name = text.split("table '").nth(1)?.split_once("' not found")?.0;
    let name = name
        .strip_prefix(CATALOG)
        .and_then(|name| name.strip_prefix('.'))
        .unwrap_or(name);
    Some(name.strip_prefix("public.").unwrap_or(name).to_owned())
}

fn table_names(session: &SessionContext) -> Vec<String> {
    let catalog = session.catalog(CATALOG);
    let layers = catalog.iter().flat_map(|catalog| {
        let names = catalog.schema_names().into_iter();
        names.filter_map(|layer| Some((catalog.schema(&layer)?, layer)))
    });
    layers
        .flat_map(|(schema, layer)| {
            schema
                .table_names()
                .into_iter()
                .map(move |table| format!("{layer}.{table}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_many_rows_there_are_is_said_where_some_are_left_out() {
        let printed = |rows, left_out| Printed { rows, left_out };
        let message = rows_message(printed(12_345, 12_305), false);
        assert_eq!(
            message.as_deref(),
            Some("(40 of 12,345 rows shown; \\limit off shows all)")
        );
        assert_eq!(rows_message(printed(1, 0), true).as_deref(), Some("(1 row)"));
        assert_eq!(rows_message(printed(7, 0), false), None);
    }
}
