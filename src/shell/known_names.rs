//! The names that completion offers: tables, views and topics with their columns, functions, sources, steps. No SQL
//! catalog: which tables a statement sees is `pipeline/lake_bindings.rs`. What is suggested after a typo is in `query`
//! (tables), `error` (columns) and `command`.

use datafusion::prelude::SessionContext;

use crate::engine::{CATALOG, FunctionHelp, help};

/// A table, view or topic.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    /// `layer.table`.
    pub name: String,
    /// The columns with their types.
    pub columns: Vec<(String, String)>,
}

/// The names of a session.
#[derive(Debug, Clone, Default)]
pub(super) struct KnownNames {
    pub relations: Vec<Relation>,
    pub functions: Vec<FunctionHelp>,
    /// What `changes('…')` accepts in addition to tables.
    pub sources: Vec<String>,
    /// What `\run` accepts.
    pub steps: Vec<String>,
    /// Whether files have names too.
    pub files: bool,
}

impl KnownNames {
    /// Reads the names of a session, but no data.
    pub async fn of(session: &SessionContext, sources: Vec<String>, steps: Vec<String>) -> Self {
        let mut relations = vec![];
        let catalog = session.catalog(CATALOG);
        let layers = catalog.iter().flat_map(|catalog| {
            let names = catalog.schema_names().into_iter();
            names.filter_map(|name| Some((catalog.schema(&name)?, name)))
        });
        for (schema, layer) in layers.filter(|(_, layer)| layer != "information_schema") {
            for table in schema.table_names() {
                // A table that cannot be opened is not completed; a query of it says why.
                let Ok(Some(provider)) = schema.table(&table).await else {
                    continue;
                };
                let columns = provider.schema();
                let columns = columns
                    .fields()
                    .iter()
                    .map(|field| (field.name().clone(), field.data_type().to_string()));
                relations.push(Relation {
                    name: format!("{layer}.{table}"),
                    columns: columns.collect(),
                });
            }
        }
        relations.sort_by(|a, b| a.name.cmp(&b.name));
        Self {
            relations,
            functions: help(session),
            sources,
            steps,
            files: false,
        }
    }

    /// A table by `layer.table`.
    pub fn relation(&self, name: &str) -> Option<&Relation> {
        self.relations.iter().find(|relation| relation.name == name)
    }

    /// The names of the tables.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.relations.iter().map(|relation| relation.name.as_str())
    }
}
