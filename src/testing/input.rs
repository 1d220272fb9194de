//! What a step's SQL reads, and therefore what a test may give.

use std::collections::BTreeSet;
use std::fmt;

use clickrec_udfs::Variables;

use crate::config::{Mode, TableName};
use crate::pipeline::references::references;
use crate::pipeline::{Dag, Node};

/// One of the names under `given`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Input {
    /// `LAYER.TABLE`: a table or a view.
    Table(TableName),
    /// `changes('NAME')`.
    Changes(String),
    /// `latest('LAYER.TABLE')`.
    Latest(TableName),
    /// `previous`: the existing rows of the step's table.
    Previous,
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(name) => write!(f, "{name}"),
            Self::Changes(name) => write!(f, "changes('{name}')"),
            Self::Latest(name) => write!(f, "latest('{name}')"),
            Self::Previous => f.write_str("previous"),
        }
    }
}

impl Input {
    /// Parses a name as written in SQL; ignores the arguments of `previous('…')`.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "previous" || argument(text, "previous").is_some() {
            Some(Self::Previous)
        } else if let Some(name) = argument(text, "changes") {
            Some(Self::Changes(name.to_owned()))
        } else if let Some(name) = argument(text, "latest") {
            name.parse().ok().map(Self::Latest)
        } else {
            text.parse().ok().map(Self::Table)
        }
    }
}

/// `NAME` of `FUNCTION('NAME')`.
fn argument<'a>(text: &'a str, function: &str) -> Option<&'a str> {
    let argument = text.strip_prefix(function)?.trim_start().strip_prefix('(')?;
    Some(argument.strip_suffix(')')?.trim().trim_matches(['\'', '"']))
}

/// What a step reads, directly or through computed views.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// The inputs that can be given.
    pub inputs: BTreeSet<Input>,
    /// Views that are computed from their own inputs.
    pub computed: BTreeSet<TableName>,
    /// Tables that training starts from, if they exist.
    pub warm_starts: BTreeSet<TableName>,
    /// Tables whose version is read.
    pub versions: BTreeSet<TableName>,
    /// Whether the SQL reads the step's own rows.
    pub previous: bool,
}

impl Reads {
    /// What `node` reads; views in `given` are not computed.
    pub fn of(node: &Node, dag: &Dag, variables: &Variables, given: &BTreeSet<Input>) -> Self {
        let mut reads = Self::default();
        reads.follow(&node.step.sql, dag, variables, given);
        if matches!(node.step.mode, Mode::Append | Mode::Merge) {
            reads.inputs.insert(Input::Previous);
        }
        reads
    }

    fn follow(&mut self, sql: &str, dag: &Dag, variables: &Variables, given: &BTreeSet<Input>) {
        // A project whose SQL does not parse has already been rejected.
        let Ok(found) = references(sql, variables) else { return };
        self.previous |= found.previous.is_some();
        self.warm_starts.extend(found.warm_starts.into_keys());
        self.versions.extend(found.versions.into_keys());
        self.inputs.extend(self.warm_starts.iter().cloned().map(Input::Table));
        self.inputs.extend(found.changes.into_keys().map(Input::Changes));
        self.inputs.extend(found.latest.into_keys().map(Input::Latest));
        for name in found.tables.into_keys() {
            let input = Input::Table(name.clone());
            let view = dag.get(&name).filter(|node| node.step.mode == Mode::View);
            if let Some(view) = view.filter(|_| !given.contains(&input))
                && self.computed.insert(name)
            {
                self.follow(&view.step.sql, dag, variables, given);
            }
            self.inputs.insert(input);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Input;

    #[test]
    fn names_are_written_as_in_sql() {
        let written = |text: &str| Input::parse(text).map(|input| input.to_string());
        assert_eq!(
            written("changes('silver.events')").as_deref(),
            Some("changes('silver.events')")
        );
        assert_eq!(written("changes(clicks)").as_deref(), Some("changes('clicks')"));
        assert_eq!(
            written("latest(\"gold.model\")").as_deref(),
            Some("latest('gold.model')")
        );
        assert_eq!(written("previous('event_id string')").as_deref(), Some("previous"));
        assert_eq!(written("gold.requests").as_deref(), Some("gold.requests"));
        assert_eq!(written("sessions"), None);
    }
}
