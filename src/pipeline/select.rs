//! Which steps of a pipeline run: `--select STEP+`, `--exclude`, layers (`gold.*`).

use std::collections::BTreeSet;

use super::{Dag, Node, PipelineError};
use crate::config::TableName;

/// Which steps of a pipeline run.
///
/// An item is a step (`silver.events`) or a layer (`silver.*`); `+` after it takes what reads it too, and `+` before it
/// what it reads, each as far as it goes: the notation of dbt.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// These; every step where empty.
    pub select: Vec<String>,
    /// But not these.
    pub exclude: Vec<String>,
}

impl Selection {
    /// The steps of a pipeline that are selected.
    ///
    /// # Errors
    /// When an item names no step.
    pub fn steps(&self, dag: &Dag, pipeline: &str) -> Result<BTreeSet<TableName>, PipelineError> {
        let mut steps = if self.select.is_empty() {
            let of_pipeline = dag.nodes().iter().filter(|node| node.pipeline == pipeline);
            of_pipeline.map(|node| node.name().clone()).collect()
        } else {
            union(dag, &self.select)?
        };
        for step in union(dag, &self.exclude)? {
            steps.remove(&step);
        }
        Ok(steps)
    }

    /// Whether a step is selected by its very name.
    pub fn names(&self, step: &TableName) -> bool {
        let name = step.to_string();
        self.select.iter().any(|item| Item::new(item).name == name)
    }
}

struct Item<'a> {
    name: &'a str,
    with_ancestors: bool,
    with_descendants: bool,
}

impl<'a> Item<'a> {
    fn new(text: &'a str) -> Self {
        let (with_ancestors, text) = text.strip_prefix('+').map_or((false, text), |rest| (true, rest));
        let (with_descendants, name) = text.strip_suffix('+').map_or((false, text), |rest| (true, rest));
        Self {
            name,
            with_ancestors,
            with_descendants,
        }
    }

    fn is(&self, node: &Node) -> bool {
        match self.name.strip_suffix(".*") {
            Some(layer) => node.name().layer == layer,
            None => node.name().to_string() == self.name,
        }
    }
}

fn union(dag: &Dag, items: &[String]) -> Result<BTreeSet<TableName>, PipelineError> {
    let mut steps = BTreeSet::new();
    for item in items.iter().map(|item| Item::new(item)) {
        let named: BTreeSet<TableName> = dag
            .nodes()
            .iter()
            .filter(|node| item.is(node))
            .map(|node| node.name().clone())
            .collect();
        if named.is_empty() {
            let known: Vec<String> = dag.nodes().iter().map(|node| node.name().to_string()).collect();
            return Err(PipelineError::UnknownStep {
                name: item.name.to_owned(),
                known: known.join(", "),
            });
        }
        if item.with_descendants {
            steps.extend(descendants(dag, named.clone()));
        }
        if item.with_ancestors {
            steps.extend(ancestors(dag, named.clone()));
        }
        steps.extend(named);
    }
    Ok(steps)
}

/// The steps and all that read them. In order, so one pass reaches them all.
fn descendants(dag: &Dag, mut found: BTreeSet<TableName>) -> BTreeSet<TableName> {
    for node in dag.nodes() {
        if node.reads_any(&found) {
            found.insert(node.name().clone());
        }
    }
    found
}

/// The steps and all that they read.
fn ancestors(dag: &Dag, mut found: BTreeSet<TableName>) -> BTreeSet<TableName> {
    for candidate in dag.nodes().iter().rev() {
        let mut readers = dag.nodes().iter().filter(|node| found.contains(node.name()));
        if readers.any(|node| node.reads(candidate.name())) {
            found.insert(candidate.name().clone());
        }
    }
    found
}
