//! The documentation of the functions, for `\df` and completion in the shell.

use clickrec_udfs::relation::Parameter;
use clickrec_udfs::schema_function_documentation;
use datafusion::logical_expr::Documentation;
use datafusion::prelude::SessionContext;

use super::files;
use super::functions::TABLE_FUNCTIONS;

/// How a function is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FunctionKind {
    /// In `from`: returns rows.
    Table,
    /// One value per row.
    Scalar,
    /// One value per group of rows.
    Aggregate,
    /// One value per row, computed from the rows around it.
    Window,
}

impl FunctionKind {
    /// Its name in help.
    pub fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Scalar => "scalar",
            Self::Aggregate => "aggregate",
            Self::Window => "window",
        }
    }
}

/// One argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterHelp {
    /// Its name in help, which is also the name for passing it by name.
    pub name: String,
    /// What it does, what values it takes, and its default.
    pub doc: String,
}

/// One function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionHelp {
    /// Its name in SQL.
    pub name: String,
    /// How it is called.
    pub kind: FunctionKind,
    /// Its signatures.
    pub syntax: Vec<String>,
    /// What it does.
    pub summary: String,
    /// Its arguments.
    pub parameters: Vec<ParameterHelp>,
    /// Whether arguments may be given as `name => value`.
    pub named: bool,
    /// An example query.
    pub example: Option<String>,
}

impl FunctionHelp {
    fn new(name: &str, kind: FunctionKind, documentation: Option<&Documentation>) -> Self {
        let mut help = Self {
            name: name.to_owned(),
            kind,
            syntax: vec![],
            summary: String::new(),
            parameters: vec![],
            named: false,
            example: None,
        };
        let Some(known) = documentation else { return help };
        help.summary = known.description.trim().to_owned();
        let other_ways = known.alternative_syntax.iter().flatten();
        help.syntax = [&known.syntax_example].into_iter().chain(other_ways).cloned().collect();
        let arguments = known.arguments.iter().flatten();
        help.parameters = arguments
            .map(|(name, doc)| ParameterHelp {
                name: name.clone(),
                doc: doc.clone(),
            })
            .collect();
        help.example = known.sql_example.as_deref().map(|example| unfenced(example).to_owned());
        help
    }

    fn of_relation(name: &str, summary: &str, parameters: &[Parameter]) -> Self {
        let arguments = parameters.iter().map(|parameter| match parameter.default {
            None if parameter.kind == clickrec_udfs::relation::Kind::Relation => parameter.name.to_uppercase(),
            None => format!("{} => …", parameter.name),
            Some(default) => format!("[{} => {default}]", parameter.name),
        });
        let syntax = format!("{name}({})", arguments.collect::<Vec<_>>().join(", "));
        let parameters = parameters.iter().map(|parameter| ParameterHelp {
            name: parameter.name.to_owned(),
            doc: match parameter.default {
                None => format!("{}; {}", parameter.doc, parameter.kind.describe()),
                Some(default) => format!("{}; {}, {default} by default", parameter.doc, parameter.kind.describe()),
            },
        });
        Self {
            name: name.to_owned(),
            kind: FunctionKind::Table,
            syntax: vec![syntax],
            summary: summary.to_owned(),
            parameters: parameters.collect(),
            named: true,
            example: None,
        }
    }
}

/// Removes the Markdown fence around an example.
fn unfenced(text: &str) -> &str {
    let text = text.trim();
    let inner = text.strip_prefix("```sql").and_then(|text| text.strip_suffix("```"));
    inner.unwrap_or(text).trim_matches('\n')
}

/// Every function of a session, by name; functions of several kinds are listed several times.
pub fn help(session: &SessionContext) -> Vec<FunctionHelp> {
    let state = session.state();
    let scalar = state.scalar_functions().iter();
    let scalar = scalar.map(|(name, f)| {
        let known = f.documentation().or_else(|| schema_function_documentation(name));
        FunctionHelp::new(name, FunctionKind::Scalar, known)
    });
    let higher = state.higher_order_functions().iter();
    let higher = higher.map(|(name, f)| FunctionHelp::new(name, FunctionKind::Scalar, f.documentation()));
    let aggregate = state.aggregate_functions().iter();
    let aggregate = aggregate.map(|(name, f)| FunctionHelp::new(name, FunctionKind::Aggregate, f.documentation()));
    let window = state.window_functions().iter();
    let window = window.map(|(name, f)| FunctionHelp::new(name, FunctionKind::Window, f.documentation()));
    let table = state.table_functions().keys().map(|name| table_function(name));
    // The session does not have these table functions: `files` takes them out of a statement before.
    let of_files = files::functions().map(table_function);
    let relation = clickrec_udfs::relation_functions();
    let relation = relation
        .iter()
        .map(|function| FunctionHelp::of_relation(function.name(), function.doc(), function.parameters()));
    let variable = [FunctionHelp::new(
        clickrec_udfs::variables::NAME,
        FunctionKind::Scalar,
        Some(clickrec_udfs::variables::documentation()),
    )];
    let mut all: Vec<FunctionHelp> = scalar.chain(higher).chain(aggregate).chain(window).collect();
    // `var` is also an alias of the variance function, which stays among the aggregates.
    all.extend(table.chain(of_files).chain(relation).chain(variable));
    all.sort_by(|a, b| (&a.name, a.kind).cmp(&(&b.name, b.kind)));
    all
}

/// DataFusion does not document table functions.
fn table_function(name: &str) -> FunctionHelp {
    let mut help = FunctionHelp::new(name, FunctionKind::Table, None);
    if let Some((_, syntax, summary)) = TABLE_FUNCTIONS.iter().find(|(known, ..)| *known == name) {
        help.syntax = vec![(*syntax).to_owned()];
        help.summary = (*summary).to_owned();
    }
    help
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::engine::{Bindings, Engine, EngineOptions};

    #[tokio::test]
    async fn our_own_functions_and_most_others_are_documented() {
        let options = EngineOptions {
            memory_bytes: 1 << 20,
            spill_dir: None,
            threads: Some(1),
        };
        let session = Engine::new(&options)
            .unwrap()
            .session(&Bindings::default())
            .await
            .unwrap();
        let all = help(&session);
        let ours = [
            "als_train",
            "changes",
            "from_avro",
            "from_json",
            "from_protobuf",
            "item_transitions",
            "latest",
            "previous",
            "read_arrow",
            "read_csv",
            "read_json",
            "read_parquet",
            "recommend",
            "session_knn",
            "similar_items",
            "table_version",
            "var",
            "try_to_timestamp",
            "try_at_time_zone",
            "try_divide",
            "try_decode",
            "range",
            "generate_series",
        ];
        for name in ours {
            let found: Vec<&FunctionHelp> = all.iter().filter(|help| help.name == name).collect();
            assert!(
                found
                    .iter()
                    .any(|help| !help.summary.is_empty() && !help.syntax.is_empty()),
                "{name}: {found:?}"
            );
        }
        let bare = all.iter().filter(|help| help.summary.is_empty()).count();
        assert!(bare * 10 < all.len(), "{bare} of {} have no help", all.len());
        let als = all.iter().find(|help| help.name == "als_train").unwrap();
        assert!(als.named && als.syntax[0].contains("[factors => 64]"), "{als:?}");
        let example = all
            .iter()
            .find(|help| help.name == "date_bin")
            .unwrap()
            .example
            .clone()
            .unwrap();
        assert!(!example.contains("```"), "{example}");
    }
}
