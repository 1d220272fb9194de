//! The steps that a recommender needs, by the names that the project gives them (`recommender`): that they are there,
//! which of them lead from events to requests, and which tables decide the answers.

use std::collections::BTreeSet;

use arrow::datatypes::SchemaRef;

use super::RecommenderError;
use crate::config::{Mode, TableName};
use crate::pipeline::{Node, Runner};

/// A step that a recommender needs.
///
/// # Errors
/// When the project has no such step.
pub fn step<'a>(runner: &'a Runner, name: &TableName) -> Result<&'a Node, RecommenderError> {
    let node = runner.dag().get(name);
    node.ok_or_else(|| RecommenderError::NoStep { name: name.to_string() })
}

/// Checks that the project has the table of events and the steps that recommendations need.
///
/// # Errors
/// When one is missing.
pub fn check(runner: &Runner) -> Result<(), RecommenderError> {
    let names = runner.recommender();
    schema(runner, &names.events)?;
    step(runner, &names.requests)?;
    step(runner, &names.recommendations)?;
    Ok(())
}

/// The columns of a table, whether a step or another program writes it.
pub(super) fn schema(runner: &Runner, name: &TableName) -> Result<SchemaRef, RecommenderError> {
    let schema = runner.schemas().get(name).cloned();
    schema.ok_or_else(|| RecommenderError::NoStep { name: name.to_string() })
}

/// The steps that lead from events to requests, in order.
pub(super) fn between<'a>(runner: &'a Runner, events: &TableName) -> Result<Vec<&'a Node>, RecommenderError> {
    let mut needed = BTreeSet::new();
    let mut nodes = vec![];
    let inputs = |node: &Node| node.inputs().cloned().collect::<Vec<_>>();
    needed.extend(inputs(step(runner, &runner.recommender().requests)?));
    for node in runner.dag().nodes().iter().rev() {
        if needed.contains(node.name()) && node.name() != events && node.step.mode != Mode::View {
            needed.extend(inputs(node));
            nodes.push(node);
        }
    }
    // Only tables downstream of events: other tables (a catalog) are read from the lake.
    let mut follows = BTreeSet::from([events.clone()]);
    nodes.reverse();
    nodes.retain(|node| node.reads_any(&follows) && follows.insert(node.name().clone()));
    Ok(nodes)
}

/// The tables whose content determines the answers: those that the statement reads, and those that lead from events to
/// requests.
///
/// # Errors
/// When the project has no such steps.
pub fn tables_read(runner: &Runner) -> Result<BTreeSet<TableName>, RecommenderError> {
    let names = runner.recommender();
    let mut nodes = between(runner, &names.events)?;
    nodes.push(step(runner, &names.recommendations)?);
    let read = nodes
        .into_iter()
        .flat_map(|node| node.inputs().chain(&node.latest).chain(&node.versions));
    Ok(read.cloned().collect())
}
