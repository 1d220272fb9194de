//! Every run of a step goes through here: [`run_leaving_out_failed_records`] runs it, and usually that is all.
//!
//! A conversion that fails on one value fails the whole query, on this run and on every later one. So if a step
//! fails with an error that data can cause, [`bisect`](super::bisect) looks for the records that fail by themselves,
//! input by input. They go to `system.quarantine` ([`failed_records`]), and the step runs on the others. Too many of
//! them make the step fail instead (`bisect`, `check_number`).

use std::sync::Arc;

use super::bisect::{NamedInput, Search, Searched};
use super::data_error::is_of_data;
use super::step::{self, Done, Tools};
use super::{Inputs, Node, PipelineError, StepProgress, chain, failed_records};

/// Runs a step; where records make its SQL fail, without them.
///
/// # Errors
/// As [`step::run`], and [`PipelineError::RecordsFail`] where too many records fail.
pub(super) async fn run_leaving_out_failed_records(
    tools: Tools<'_>,
    node: &Node,
    inputs: &Inputs,
    progress: &Arc<StepProgress>,
) -> Result<Done, PipelineError> {
    let mut error = match step::run(tools, node, inputs, progress).await {
        Err(error) if is_of_data(&error) => error,
        done => return done,
    };
    tracing::info!(step = %node.name(), error = chain(&error, ": "), "looking for the records that make the SQL fail");
    // Only this process can read a spilled input.
    let tools = tools.local();
    let (mut rest, mut failed, mut read) = (inputs.clone(), 0, 0);
    for (input, is_alone) in candidates(node) {
        let search = Search {
            tools,
            node,
            inputs: &rest,
            input,
            is_alone,
        };
        let Some(found) = search.run().await? else { continue };
        failed_records::save(tools, node, &found.records).await?;
        tell(node, &search.input, &found);
        failed += found.records.len() as u64;
        read += found.rows;
        search.input.bind(&mut rest.bindings, found.good);
        progress.restart();
        match step::run(tools, node, &rest, progress).await {
            Ok(done) => {
                return Ok(Done {
                    read: done.read.max(read),
                    failed,
                    ..done
                });
            }
            Err(next) if is_of_data(&next) => error = next,
            Err(next) => return Err(next),
        }
    }
    Err(error)
}

/// The inputs to search, and whether the others that are read in part stand empty meanwhile: first what is new, input
/// by input (two sources may each have such a record), then tables that are read as a whole.
fn candidates(node: &Node) -> Vec<(NamedInput, bool)> {
    let tables = node.changed_tables.iter().map(ToString::to_string);
    let changes: Vec<NamedInput> = tables
        .chain(node.sources.iter().cloned())
        .map(NamedInput::Changes)
        .collect();
    let alone = changes.iter().cloned().map(|input| (input, true));
    let together = changes.iter().cloned().map(|input| (input, false));
    let whole = node.tables.iter().cloned().map(|name| (NamedInput::Table(name), false));
    alone
        .chain(together.filter(|_| changes.len() > 1))
        .chain(whole)
        .collect()
}

fn tell(node: &Node, input: &NamedInput, found: &Searched) {
    let first = found.records.first();
    tracing::warn!(
        step = %node.name(),
        "the SQL fails on {} of {} rows of `{}`. Failed rows are in system.quarantine, and the step continues without \
         them. The first is {}: {}\n  help: `clickrec quarantine show` lists the rows; correct the SQL (a try_ \
         function gives NULL), then run again",
        found.records.len(),
        found.rows,
        input.name(),
        first.map_or("", |record| &record.key),
        first.map_or("", |record| &record.error),
    );
}
