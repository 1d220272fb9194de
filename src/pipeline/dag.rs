//! Which step reads which: the order of the steps, from the names in their SQL (`references`).
//! [`Runner::new`](super::Runner::new) builds it before any data is touched; steps that cannot run, as they read what
//! nobody makes, or add what a snapshot gives as a whole, are kept as broken.

use std::collections::{BTreeMap, BTreeSet};

use clickrec_udfs::Variables;
use datafusion::sql::sqlparser::tokenizer::Location;

use super::fingerprint::{fingerprint, layout_fingerprint};
use super::node::Place;
use super::references::{References, references};
use super::{Node, PipelineError, expectation_sql, on_change};
use crate::config::{Mode, OnChange, Project, Step, TableName, nearest};

/// The steps of a project, each after those it reads. The order comes from the SQL alone.
#[derive(Debug)]
pub struct Dag {
    nodes: Vec<Node>,
    broken: BTreeMap<TableName, PipelineError>,
}

impl Dag {
    /// Reads every step's SQL, and orders the steps. Touches no data. A step whose SQL does not parse, reads what
    /// nothing makes, or uses a function where it cannot work is broken; the others do not depend on that.
    ///
    /// # Errors
    /// When steps read each other in a circle.
    pub fn new(project: &Project, lake_has: &dyn Fn(&TableName) -> bool) -> Result<Self, PipelineError> {
        let variables = project.variables();
        let (mut parsed, mut broken) = (BTreeMap::new(), BTreeMap::new());
        for pipeline in &project.pipelines {
            for step in &pipeline.steps {
                let mut parsed_step = ParsedStep {
                    pipeline: pipeline.name.clone(),
                    step: step.clone(),
                    found: References::default(),
                    expectations: BTreeMap::new(),
                };
                if let Err(error) = parsed_step.parse(project, &variables) {
                    broken.insert(step.name.clone(), error);
                }
                parsed.insert(step.name.clone(), parsed_step);
            }
        }
        let mut order = vec![];
        let mut path = vec![];
        for name in project
            .pipelines
            .iter()
            .flat_map(|pipeline| pipeline.steps.iter().map(|step| &step.name))
        {
            visit(name, &parsed, &mut path, &mut order)?;
        }
        let mut dag = Self { nodes: vec![], broken };
        for name in &order {
            let step = &parsed[name];
            let node = dag.node(step, &variables);
            let checked = dag.check(&node, &step.found, project, lake_has);
            if let Err(error) = checked.and_then(|()| dag.check_expectations(step, lake_has)) {
                dag.broken.entry(name.clone()).or_insert(error);
            }
            dag.nodes.push(node);
        }
        Ok(dag)
    }

    /// Takes what is wrong with steps that cannot run.
    pub(super) fn take_broken(&mut self) -> BTreeMap<TableName, PipelineError> {
        std::mem::take(&mut self.broken)
    }

    /// All steps, each after those it reads.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// A step by its name as text, `layer.table`.
    pub fn named(&self, name: &str) -> Option<&Node> {
        self.get(&name.parse().ok()?)
    }

    /// A step by its name.
    pub fn get(&self, name: &TableName) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name() == name)
    }

    /// A node with its views resolved, which come before it in the order.
    fn node(&self, parsed: &ParsedStep, variables: &Variables) -> Node {
        let found = &parsed.found;
        let mut node = Node {
            step: parsed.step.clone(),
            pipeline: parsed.pipeline.clone(),
            tables: BTreeSet::new(),
            changed_tables: BTreeSet::new(),
            sources: BTreeSet::new(),
            views: vec![],
            warm_starts: found.warm_starts.keys().cloned().collect(),
            latest: found.latest.keys().cloned().collect(),
            versions: found.versions.keys().cloned().collect(),
            expectations: parsed.expectations.keys().cloned().collect(),
            judged_by: BTreeMap::new(),
            reads_itself: found.previous.is_some(),
            variables: found.variables.clone(),
            fingerprint: 0,
            layout: layout_fingerprint(&parsed.step),
        };
        for name in found.tables.keys() {
            match self.get(name).filter(|node| node.step.mode == Mode::View) {
                Some(view) => node.go_through(view),
                None => _ = node.tables.insert(name.clone()),
            }
        }
        for name in found.changes.keys() {
            match name.parse::<TableName>() {
                Ok(table) => node.changed_tables.insert(table),
                Err(_) => node.sources.insert(name.clone()),
            };
        }
        for changed in &node.changed_tables {
            let made_of_them = |input: &&TableName| {
                let step = self.get(input).filter(|_| *input != changed);
                step.is_some_and(|step| step.changed_tables.contains(changed))
            };
            let judges: BTreeSet<TableName> = node.inputs().filter(made_of_them).cloned().collect();
            if !judges.is_empty() {
                node.judged_by.insert(changed.clone(), judges);
            }
        }
        node.fingerprint = fingerprint(&node, found, variables);
        node
    }

    fn check(
        &self,
        node: &Node,
        found: &References,
        project: &Project,
        lake_has: &dyn Fn(&TableName) -> bool,
    ) -> Result<(), PipelineError> {
        let beside = found.versions.iter().chain(&found.latest);
        for (name, at) in found.tables.iter().chain(beside) {
            if self.get(name).is_none() && !lake_has(name) {
                return Err(node.error(*at, self.unknown_table(&name.to_string())));
            }
        }
        let is_step = |name: &TableName| {
            let mut steps = project.pipelines.iter().flat_map(|pipeline| &pipeline.steps);
            steps.any(|step| step.name == *name)
        };
        for (name, at) in &found.warm_starts {
            if !is_step(name) && !lake_has(name) {
                return Err(node.error(*at, self.unknown_table(&name.to_string())));
            }
        }
        for (name, at) in &found.changes {
            let known = match name.parse::<TableName>() {
                Ok(table) => self.get(&table).is_some() || lake_has(&table),
                Err(_) => project.sources.contains_key(name),
            };
            if !known {
                return Err(node.error(*at, self.unknown_input(name, project)));
            }
            let view = name
                .parse()
                .ok()
                .and_then(|table| self.get(&table))
                .filter(|n| n.step.mode == Mode::View);
            if view.is_some() {
                let message = format!("changes('{name}'): a view has no changes of its own; read it by its plain name");
                return Err(node.error(*at, message));
            }
        }
        self.check_changes(node, found, project)?;
        if let (Some(at), Mode::View | Mode::Overwrite) = (found.previous, node.step.mode) {
            let message = format!(
                "previous('…') reads the rows that the step wrote before, but a step with mode `{}` keeps none; \
                 use `merge` or `append`",
                node.step.mode
            );
            return Err(node.error(at, message));
        }
        match node.step.on_change {
            OnChange::Rebuild => Ok(()),
            OnChange::Forward => on_change::check_forward(node),
            OnChange::Backfill => on_change::check_backfill(node),
        }
    }

    /// A step adds what `changes('…')` gives, or replaces its table by a snapshot: the mode says which.
    fn check_changes(&self, node: &Node, found: &References, project: &Project) -> Result<(), PipelineError> {
        let is_snapshot = |name: &&String| project.sources.get(*name).is_some_and(|source| source.is_snapshot());
        let (snapshots, others): (Vec<&String>, Vec<&String>) = node.sources.iter().partition(is_snapshot);
        let added = others.into_iter().cloned();
        let added = added.chain(node.changed_tables.iter().map(ToString::to_string)).next();
        match (node.step.mode, snapshots.first(), added) {
            (Mode::Overwrite, Some(snapshot), Some(added)) => {
                let message = format!(
                    "changes('{snapshot}') returns a whole snapshot, but changes('{added}') only what is new\n  help: \
                     write each into a table of its own, and read these tables by their plain names"
                );
                Err(node.error(self.place_of_changes(found, &added), message))
            }
            (Mode::Overwrite, None, Some(added)) => {
                let message = "an `overwrite` step would keep nothing but the newest changes; make it `append` or \
                               `merge`, or read the whole table by its plain name";
                Err(node.error(self.place_of_changes(found, &added), message.to_owned()))
            }
            (mode @ (Mode::Append | Mode::Merge), Some(snapshot), _) => {
                let message = format!(
                    "changes('{snapshot}') returns the whole snapshot each time it changes, so a step with mode \
                     `{mode}` would keep rows that are gone\n  help: use `mode: overwrite`, or read a table of such a \
                     step by its plain name"
                );
                Err(node.error(self.place_of_changes(found, snapshot), message))
            }
            _ => Ok(()),
        }
    }

    /// Where a step reads the changes of a source or table, itself or through a view.
    fn place_of_changes(&self, found: &References, name: &str) -> Location {
        let reads = |view: &Node| {
            let mut tables = view.changed_tables.iter().map(ToString::to_string);
            view.sources.contains(name) || tables.any(|table| table == name)
        };
        let is_through = |input: &TableName| {
            let view = self.get(input).filter(|node| node.step.mode == Mode::View);
            view.is_some_and(reads)
        };
        let mut views = found.tables.iter().filter(|(input, _)| is_through(input));
        let place = found.changes.get(name).or_else(|| views.next().map(|(_, at)| at));
        place.copied().unwrap_or(Location::empty())
    }

    fn check_expectations(
        &self,
        step: &ParsedStep,
        lake_has: &dyn Fn(&TableName) -> bool,
    ) -> Result<(), PipelineError> {
        for (name, place) in &step.expectations {
            match self.get(name) {
                Some(node) if node.step.mode == Mode::View => {
                    return Err(place.error(format!("an expectation can read only tables, but `{name}` is a view")));
                }
                None if !lake_has(name) => return Err(place.error(self.unknown_table(&name.to_string()))),
                _ => {}
            }
        }
        Ok(())
    }

    fn unknown_table(&self, name: &str) -> String {
        let known: Vec<String> = self.nodes.iter().map(|node| node.name().to_string()).collect();
        format!(
            "no step writes `{name}`, and the lake has no such table{}",
            help(name, &known)
        )
    }

    fn unknown_input(&self, name: &str, project: &Project) -> String {
        let mut known: Vec<String> = project.sources.keys().cloned().collect();
        known.extend(self.nodes.iter().map(|node| node.name().to_string()));
        format!(
            "changes('{name}'): no source or step has this name{}",
            help(name, &known)
        )
    }
}

/// `help: did you mean …`, where something is near.
fn help(name: &str, known: &[String]) -> String {
    match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("\n  help: did you mean `{near}`?"),
        None => format!("\n  help: the known names are {}", known.join(", ")),
    }
}

type Parsed = BTreeMap<TableName, ParsedStep>;

struct ParsedStep {
    pipeline: String,
    step: Step,
    found: References,
    /// What its expectations read, and where they say so.
    expectations: BTreeMap<TableName, Place>,
}

impl ParsedStep {
    /// Finds what the step and its expectations read.
    fn parse(&mut self, project: &Project, variables: &Variables) -> Result<(), PipelineError> {
        self.found = references(&self.step.sql, variables).map_err(|error| {
            Place::in_step(&self.step, Location::new(error.line, error.column)).error(error.message)
        })?;
        self.expectations = expectation_sql::references(&self.step, &project.file, variables)?;
        Ok(())
    }

    /// The tables and views that the step and its expectations read, each with the place that names it.
    fn inputs(&self) -> impl Iterator<Item = (TableName, Place)> {
        let (step, found) = (&self.step, &self.found);
        let in_step = move |at: &Location| Place::in_step(step, *at);
        let named = found.tables.iter().chain(&found.versions).chain(&found.latest);
        let named = named.map(move |(name, at)| (name.clone(), in_step(at)));
        let expected = self.expectations.iter();
        let expected = expected.map(|(name, place)| (name.clone(), place.clone()));
        let changed = found.changes.iter();
        let changed = changed.filter_map(move |(input, at)| Some((input.parse::<TableName>().ok()?, in_step(at))));
        named.chain(expected).chain(changed)
    }
}

/// Depth first, so that what a step reads comes before it.
fn visit(
    name: &TableName,
    parsed: &Parsed,
    path: &mut Vec<TableName>,
    order: &mut Vec<TableName>,
) -> Result<(), PipelineError> {
    let Some(step) = parsed.get(name) else {
        return Ok(());
    };
    if order.contains(name) {
        return Ok(());
    }
    path.push(name.clone());
    for (input, place) in step.inputs() {
        if let Some(start) = path.iter().position(|on_path| *on_path == input) {
            let cycle: Vec<String> = path[start..].iter().chain([&input]).map(ToString::to_string).collect();
            return Err(place.error(format!(
                "steps form a cycle: {}\n  help: break the cycle, or read the step's own earlier rows with \
                 previous('…')",
                cycle.join(" -> ")
            )));
        }
        visit(&input, parsed, path, order)?;
    }
    path.pop();
    order.push(name.clone());
    Ok(())
}
