//! One batch of a test: turns its given rows into tables and its expected rows into an Arrow batch.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use datafusion::datasource::empty::EmptyTable;
use serde_yaml::{Location, Spanned};

use super::cells::{Misfit, unknown_name};
use super::input::{Input, Reads};
use super::raw::{At, Entries, Key, RawRows};
use super::rows::{Rows, problem, wrong};
use super::test::{Batch, writable};
use crate::config::{ConfigError, Mode, TableName};
use crate::engine::{Bindings, Engine, View, plan};
use crate::pipeline::{Node, Runner};
use crate::sources::named_record_schema;

/// What the batches of a test share.
pub(super) struct Preparation<'a> {
    pub file: &'a Path,
    pub runner: &'a Runner,
    pub node: &'a Node,
    pub versions: Vec<(Key, u64)>,
    pub engine: &'a Engine,
    pub cte: Option<&'a str>,
    pub schema: &'a SchemaRef,
    pub common: BTreeMap<Input, (At, Rows)>,
    pub reads_previous: bool,
}

impl Preparation<'_> {
    pub fn given(&self, given: Entries<RawRows>) -> Result<BTreeMap<Input, (At, Rows)>, ConfigError> {
        let mut inputs = BTreeMap::new();
        for (key, rows) in given.0 {
            let Some(input) = Input::parse(&key.name) else {
                let message = format!("`{}` is not the name of an input", key.name);
                let help = Some("write LAYER.TABLE, changes('NAME'), latest('LAYER.TABLE') or previous".to_owned());
                let at = key.at;
                return Err(problem(self.file, Misfit { at, message, help }));
            };
            inputs.insert(input, (key.at, Rows::of(self.file, rows)?));
        }
        Ok(inputs)
    }

    pub async fn batch(
        &mut self,
        given: Entries<RawRows>,
        expect: Option<Spanned<RawRows>>,
        expect_table: Option<Spanned<RawRows>>,
    ) -> Result<Batch, ConfigError> {
        let given = self.given(given)?;
        if let Some((at, _)) = given.get(&Input::Previous) {
            let misfit = Misfit {
                at: *at,
                message: "a batch cannot give `previous`: it starts with the rows that the preceding batch left"
                    .to_owned(),
                help: Some("put the rows that the first batch starts with into the test's own `given`".to_owned()),
            };
            return Err(problem(self.file, misfit));
        }
        let bindings = self.bindings(&given)?;
        let table = format!("`{}`", self.node.name());
        let expect = match expect {
            None => None,
            Some(rows) => {
                let (of, schema) = match self.cte {
                    None => (table.clone(), self.schema.clone()),
                    Some(statement) => (
                        "the CTE".to_owned(),
                        self.columns(&bindings, statement, rows.referenced).await?,
                    ),
                };
                Some(Rows::of(self.file, rows.value)?.named_columns(&of, &schema)?)
            }
        };
        let expect_table = match expect_table {
            Some(rows) if self.node.step.mode == Mode::View => {
                let help = Some("use `expect`".to_owned());
                return Err(wrong(
                    self.file,
                    rows.referenced,
                    "a view has no table to compare with",
                    help,
                ));
            }
            Some(rows) => Some(Rows::of(self.file, rows.value)?.named_columns(&table, self.schema)?),
            None => None,
        };
        Ok(Batch {
            bindings,
            expect,
            expect_table,
        })
    }

    /// The columns of a CTE.
    async fn columns(&self, bindings: &Bindings, statement: &str, at: Location) -> Result<SchemaRef, ConfigError> {
        let planned = async {
            let session = self.engine.session(bindings).await?;
            plan(&session, statement).await
        };
        let planned = planned.await;
        let planned = planned.map_err(|error| wrong(self.file, at, error.strip_backtrace(), None))?;
        Ok(writable(planned.schema().as_arrow()))
    }

    /// What the names in the SQL refer to: given rows, or empty tables.
    fn bindings(&mut self, given: &BTreeMap<Input, (At, Rows)>) -> Result<Bindings, ConfigError> {
        let (dag, variables) = (self.runner.dag(), self.engine.variables());
        let names: BTreeSet<Input> = given.keys().chain(self.common.keys()).cloned().collect();
        let reads = Reads::of(self.node, dag, &variables, &names);
        self.reads_previous = reads.previous;
        let mut all = given.iter().chain(&self.common);
        if let Some((input, (at, _))) = all.find(|(input, _)| !reads.inputs.contains(input)) {
            return Err(problem(self.file, self.not_read(input, *at, &reads)));
        }
        let mut bindings = Bindings::default();
        let computed = self
            .node
            .views
            .iter()
            .filter(|view| reads.computed.contains(&view.name));
        bindings.views = computed.cloned().collect::<Vec<View>>();
        for input in reads
            .inputs
            .iter()
            .filter(|input| !matches!(input, Input::Table(name) if reads.computed.contains(name)))
        {
            let rows = given
                .get(input)
                .or_else(|| self.common.get(input))
                .map(|(_, rows)| rows);
            let table = |name: &TableName| self.table(input, &schema(self.runner, name), rows);
            match input {
                // A model that does not exist yet has no columns either.
                Input::Table(name) if rows.is_none() && reads.warm_starts.contains(name) => {
                    let nothing = Arc::new(EmptyTable::new(Arc::new(Schema::empty())));
                    bindings.tables.insert(name.clone(), nothing);
                }
                Input::Table(name) => _ = bindings.tables.insert(name.clone(), table(name)?),
                Input::Latest(name) => _ = bindings.latest.insert(name.to_string(), table(name)?),
                Input::Changes(name) => {
                    let schema = match name.parse() {
                        Ok(table) => schema(self.runner, &table),
                        Err(_) => named_record_schema(),
                    };
                    bindings.changes.insert(name.clone(), self.table(input, &schema, rows)?);
                }
                Input::Previous => {}
            }
        }
        for (key, version) in &self.versions {
            let asked = key
                .name
                .parse()
                .is_ok_and(|name: TableName| reads.versions.contains(&name));
            if !asked {
                let known: Vec<String> = reads.versions.iter().map(ToString::to_string).collect();
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                let message = "the SQL does not call table_version for";
                return Err(problem(self.file, unknown_name(key, message, &known)));
            }
            bindings.versions.insert(key.name.clone(), *version);
        }
        Ok(bindings)
    }

    fn table(
        &self,
        input: &Input,
        schema: &SchemaRef,
        rows: Option<&Rows>,
    ) -> Result<Arc<dyn TableProvider>, ConfigError> {
        let rows = match rows {
            Some(rows) => rows.table(&format!("`{input}`"), schema)?,
            None => RecordBatch::new_empty(schema.clone()),
        };
        // The schema is its own, so this cannot fail.
        let table = MemTable::try_new(schema.clone(), vec![vec![rows]]);
        let at = At(1, 1);
        let table = table.map_err(|error| {
            problem(
                self.file,
                Misfit {
                    at,
                    message: error.to_string(),
                    help: None,
                },
            )
        })?;
        Ok(Arc::new(table))
    }

    fn not_read(&self, input: &Input, at: At, reads: &Reads) -> Misfit {
        let known: Vec<String> = reads.inputs.iter().map(ToString::to_string).collect();
        let key = Key {
            at,
            name: input.to_string(),
        };
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        unknown_name(
            &key,
            &format!("the SQL of `{}` does not read", self.node.name()),
            &known,
        )
    }
}

/// The columns of a table; none if they are unknown because its SQL does not plan.
pub(super) fn schema(runner: &Runner, name: &TableName) -> SchemaRef {
    let known = runner.schemas().get(name).cloned();
    known.unwrap_or_else(|| Arc::new(Schema::empty()))
}
