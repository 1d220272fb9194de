//! Lists tables, columns, steps and commits: `\d`, `\dt`, `\layers`, `\history` (the newest 20).

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use bytesize::ByteSize;
use chrono::{DateTime, SecondsFormat};
use datafusion::prelude::SessionContext;

use super::{Shell, ShellError};
use crate::config::{Mode, TableName, nearest};
use crate::engine::CATALOG;
use crate::lake::{LakeTable, history};
use crate::pipeline::Node;
use crate::sources::layer;

/// How many commits `\history` lists.
const COMMITS: usize = 20;

impl Shell {
    /// `\d TABLE`: its columns, and the step that writes it.
    pub(super) async fn describe(&mut self, table: &str) -> Result<(), ShellError> {
        let session = self.session().await?;
        let Ok(name) = table.parse::<TableName>() else {
            return Err(self.no_table(table));
        };
        let provider = session.catalog(CATALOG).and_then(|catalog| catalog.schema(&name.layer));
        let provider = match provider {
            Some(schema) => schema.table(&name.table).await?,
            None => None,
        };
        let Some(provider) = provider else {
            return Err(self.no_table(table));
        };
        let schema = provider.schema();
        let fields = schema.fields();
        let null = |nullable| if nullable { "yes" } else { "no" }.to_owned();
        let columns = rows([
            (
                "column",
                fields.iter().map(|field| Some(field.name().clone())).collect(),
            ),
            (
                "type",
                fields.iter().map(|field| Some(field.data_type().to_string())).collect(),
            ),
            (
                "null",
                fields.iter().map(|field| Some(null(field.is_nullable()))).collect(),
            ),
        ])?;
        self.print_rows(columns).await?;
        if let Some(node) = self.runner.dag().get(&name) {
            self.tell(&made_by(node));
        }
        Ok(())
    }

    /// `\dt`: every table, with its size.
    pub(super) async fn tables(&mut self, text: Option<&str>) -> Result<(), ShellError> {
        let session = self.session().await?;
        let opened = self.runner.tables_at(self.at).await?;
        let text = text.unwrap_or_default().to_lowercase();
        let names = table_names(&session)
            .into_iter()
            .filter(|name| name.to_string().contains(&text));
        let (mut tables, mut kinds, mut counts, mut versions, mut sizes) = (vec![], vec![], vec![], vec![], vec![]);
        for name in names {
            let table = opened.iter().find(|table| *table.name() == name);
            let table = table.filter(|table| table.version().is_some());
            kinds.push(Some(self.kind(&name, table)));
            counts.push(table.map(LakeTable::rows));
            versions.push(table.and_then(LakeTable::version));
            sizes.push(table.map(|table| ByteSize(table.bytes()).display().iec().to_string()));
            tables.push(Some(name.to_string()));
        }
        let numbers = |numbers: Vec<Option<u64>>| Arc::new(UInt64Array::from(numbers)) as ArrayRef;
        let texts = |texts: Vec<Option<String>>| Arc::new(StringArray::from(texts)) as ArrayRef;
        let listed = RecordBatch::try_from_iter_with_nullable([
            ("table", texts(tables), true),
            ("kind", texts(kinds), true),
            ("rows", numbers(counts), true),
            ("version", numbers(versions), true),
            ("size", texts(sizes), true),
        ])?;
        self.print_rows(listed).await
    }

    fn kind(&self, name: &TableName, table: Option<&LakeTable>) -> String {
        let view = self
            .runner
            .dag()
            .get(name)
            .is_some_and(|node| node.step.mode == Mode::View);
        match (table, layer(&name.layer)) {
            (_, Some(layer)) => layer.table,
            _ if view => "view",
            (Some(_), None) => "table",
            (None, None) => "table, not yet created",
        }
        .to_owned()
    }

    /// `\layers`: the steps.
    pub(super) async fn layers(&mut self) -> Result<(), ShellError> {
        let nodes = self.runner.dag().nodes();
        let text = |of: fn(&Node) -> String| nodes.iter().map(|node| Some(of(node))).collect::<Vec<_>>();
        let listed = rows([
            ("layer", text(|node| node.name().layer.clone())),
            ("step", text(|node| node.name().to_string())),
            ("mode", text(|node| node.step.mode.to_string())),
            ("reads", text(reads)),
            ("sql", text(|node| node.step.file.display().to_string())),
        ])?;
        self.print_rows(listed).await
    }

    /// `\history TABLE`: its commits.
    pub(super) async fn history(&mut self, table: &str) -> Result<(), ShellError> {
        let name: TableName = table.parse().map_err(|_| self.no_table(table))?;
        let opened = self.runner.lake().table(&name).await?;
        if opened.version().is_none() {
            return Err(self.no_table(table));
        }
        let commits = history(&opened, COMMITS).await?;
        let at =
            |millis| DateTime::from_timestamp_millis(millis).map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true));
        let numbers = |numbers: Vec<Option<u64>>| Arc::new(UInt64Array::from(numbers)) as ArrayRef;
        let texts = |texts: Vec<Option<String>>| Arc::new(StringArray::from(texts)) as ArrayRef;
        let listed = RecordBatch::try_from_iter_with_nullable([
            (
                "version",
                numbers(commits.iter().map(|commit| Some(commit.version)).collect()),
                true,
            ),
            (
                "at",
                texts(commits.iter().map(|commit| commit.at.and_then(at)).collect()),
                true,
            ),
            (
                "operation",
                texts(commits.iter().map(|commit| commit.operation.clone()).collect()),
                true,
            ),
            (
                "mode",
                texts(commits.iter().map(|commit| commit.mode.clone()).collect()),
                true,
            ),
            (
                "rows",
                numbers(commits.iter().map(|commit| commit.rows_added).collect()),
                true,
            ),
            (
                "files",
                numbers(commits.iter().map(|commit| Some(commit.files_added)).collect()),
                true,
            ),
            (
                "removed",
                numbers(commits.iter().map(|commit| Some(commit.files_removed)).collect()),
                true,
            ),
            (
                "by",
                texts(commits.iter().map(|commit| commit.engine.clone()).collect()),
                true,
            ),
        ])?;
        self.print_rows(listed).await
    }

    /// The error for an unknown table, with the nearest name.
    pub(super) fn no_table(&self, name: &str) -> ShellError {
        let nodes = self.runner.dag().nodes().iter();
        let known: Vec<String> = nodes.map(|node| node.name().to_string()).collect();
        let help = match nearest(name, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`? \\dt lists the tables"),
            None => "\\dt lists the tables".to_owned(),
        };
        ShellError::Command(format!("there is no table `{name}`\n  help: {help}"))
    }
}

/// Columns of text.
pub(super) fn rows<const N: usize>(columns: [(&str, Vec<Option<String>>); N]) -> Result<RecordBatch, ShellError> {
    let columns = columns.map(|(name, texts)| (name, Arc::new(StringArray::from(texts)) as ArrayRef, true));
    Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
}

fn table_names(session: &SessionContext) -> Vec<TableName> {
    let mut names = vec![];
    if let Some(catalog) = session.catalog(CATALOG) {
        for layer in catalog
            .schema_names()
            .into_iter()
            .filter(|layer| layer != "information_schema")
        {
            let tables = catalog
                .schema(&layer)
                .map(|schema| schema.table_names())
                .unwrap_or_default();
            names.extend(tables.into_iter().map(|table| TableName {
                layer: layer.clone(),
                table,
            }));
        }
    }
    names.sort();
    names
}

/// The inputs of a step, as its SQL names them.
fn reads(node: &Node) -> String {
    let views = node.views.iter().map(|view| view.name.to_string());
    let tables = node.tables.iter().map(ToString::to_string);
    let changes = node.changed_tables.iter().map(|name| format!("changes('{name}')"));
    let sources = node.sources.iter().map(|name| format!("changes('{name}')"));
    let latest = node.latest.iter().map(|name| format!("latest('{name}')"));
    let all: Vec<String> = sources
        .chain(changes)
        .chain(tables)
        .chain(latest)
        .chain(views)
        .collect();
    all.join(", ")
}

fn made_by(node: &Node) -> String {
    let step = &node.step;
    let key = match step.key.is_empty() {
        true => String::new(),
        false => format!(", key {}", step.key.join(", ")),
    };
    let verb = if step.mode == Mode::View { "computed" } else { "written" };
    format!(
        "{verb} by {}, mode {}{key}, pipeline {}; reads {}",
        step.file.display(),
        step.mode,
        node.pipeline,
        reads(node)
    )
}
