//! Collects the content of a manual: from the project file, the comments of the SQL (`comments`), the plans' lineage,
//! and the tests.

use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::error::Result;

use super::comments::{Comments, comments};
use super::model::{Column, Kind, Manual, Read, Setting, Table, TestPlace};
use crate::config::{Mode, Project, Step, TableName, percent};
use crate::engine::{Bindings, plan};
use crate::lineage::{Lineage, NamedTable, lineage};
use crate::pipeline::references::{References, references};
use crate::pipeline::{Node, Runner};
use crate::sources::{SourceConfig, named_record_schema};
use crate::testing::Test;

/// Descriptions of the columns of a source.
const RECORD: [(&str, &str); 8] = [
    ("topic", "the topic, or the file"),
    ("partition", "Kafka's partition; 0 in a file"),
    ("offset", "Kafka's offset, or the line of the file"),
    (
        "timestamp",
        "when it was written; for a file, when the line was first seen",
    ),
    ("key", "the key, unchanged"),
    ("value", "the value, unchanged"),
    ("headers", "the headers, unchanged"),
    ("source", "the name of the source"),
];

/// Collects the manual of a project. Runs nothing, and reads no data.
///
/// # Errors
/// When a statement does not plan; those of a checked project always do.
pub async fn manual(project: &Project, runner: &Runner, tests: &[Test]) -> Result<Manual> {
    let mut tables: Vec<Table> = project
        .sources
        .iter()
        .map(|(name, source)| of_source(name, &**source))
        .collect();
    tables.extend(runner.foreign().iter().map(|name| of_foreign(name, runner)));
    for node in runner.dag().nodes() {
        tables.push(of_step(node, project, runner, tests).await?);
    }
    let edges: Vec<(String, String)> = tables
        .iter()
        .flat_map(|table| table.reads.iter().map(|read| (read.name.clone(), table.name.clone())))
        .collect();
    for table in &mut tables {
        let readers = edges
            .iter()
            .filter(|(read, reader)| *read == table.name && *reader != table.name);
        table.read_by = readers.map(|(_, reader)| reader.clone()).collect();
        table.read_by.dedup();
    }
    let root = std::path::absolute(&project.root).unwrap_or_else(|_| project.root.clone());
    let folder = root
        .components()
        .next_back()
        .map(|part| part.as_os_str().to_string_lossy().into_owned());
    Ok(Manual {
        project: folder.unwrap_or_default(),
        tables,
    })
}

fn of_source(name: &str, source: &dyn SourceConfig) -> Table {
    let described = |column: &str| {
        RECORD
            .iter()
            .find(|(name, _)| *name == column)
            .map(|(_, text)| (*text).to_owned())
    };
    let columns = columns(
        &named_record_schema(),
        &Comments::default(),
        &Lineage::default(),
        &described,
    );
    Table {
        columns,
        ..empty(name.to_owned(), Kind::Source, source.description())
    }
}

fn of_foreign(name: &TableName, runner: &Runner) -> Table {
    let schema = schema(runner, name);
    Table {
        columns: columns(&schema, &Comments::default(), &Lineage::default(), &|_| None),
        ..empty(name.to_string(), Kind::Foreign, String::new())
    }
}

fn empty(name: String, kind: Kind, description: String) -> Table {
    Table {
        name,
        kind,
        description,
        file: None,
        settings: vec![],
        reads: vec![],
        read_by: vec![],
        columns: vec![],
        predicates: vec![],
        sql: None,
        tests: vec![],
    }
}

async fn of_step(node: &Node, project: &Project, runner: &Runner, tests: &[Test]) -> Result<Table> {
    let step = &node.step;
    let written = comments(&step.sql);
    let found = references(&step.sql, &project.variables()).unwrap_or_default();
    let lineage = follow(node, &found, runner).await?;
    let description = step.description.clone().unwrap_or_else(|| written.table.clone());
    let place = |test: &Test| TestPlace {
        name: test.name.clone(),
        file: relative(&test.file, &project.root),
        line: test.line,
    };
    let kind = match step.mode {
        Mode::View => Kind::View,
        _ => Kind::Table,
    };
    let described = |column: &str| step.columns.get(column).cloned();
    Ok(Table {
        file: Some(step.file.display().to_string()),
        settings: settings(step, &node.pipeline),
        reads: reads(node, &found),
        columns: columns(&schema(runner, node.name()), &written, &lineage, &described),
        predicates: lineage.predicates.into_iter().collect(),
        sql: Some(step.sql.clone()),
        tests: tests.iter().filter(|test| test.step == step.name).map(place).collect(),
        ..empty(step.name.to_string(), kind, description)
    })
}

fn relative(file: &Path, root: &Path) -> String {
    file.strip_prefix(root).unwrap_or(file).display().to_string()
}

/// The lineage of a step's own statement: views are tables of their own.
async fn follow(node: &Node, found: &References, runner: &Runner) -> Result<Lineage> {
    let named = |name: &str, columns: SchemaRef| {
        let name = name.to_owned();
        Arc::new(NamedTable { name, columns })
    };
    let of_table = |name: &TableName| named(&name.to_string(), schema(runner, name));
    let mut bindings = Bindings::default();
    for name in found.tables.keys().chain(found.warm_starts.keys()) {
        bindings.tables.insert(name.clone(), of_table(name));
    }
    for name in found.latest.keys() {
        bindings.latest.insert(name.to_string(), of_table(name));
    }
    for name in found.changes.keys() {
        let table = match name.parse() {
            Ok(table) => of_table(&table),
            Err(_) => named(name, named_record_schema()),
        };
        bindings.changes.insert(name.clone(), table);
    }
    bindings.previous = Some(of_table(node.name()));
    let session = runner.engine().session(&bindings).await?;
    lineage(&plan(&session, &node.step.sql).await?)
}

fn schema(runner: &Runner, name: &TableName) -> SchemaRef {
    let known = runner.schemas().get(name).cloned();
    known.unwrap_or_else(|| Arc::new(Schema::empty()))
}

fn columns(
    schema: &Schema,
    written: &Comments,
    lineage: &Lineage,
    described: &dyn Fn(&str) -> Option<String>,
) -> Vec<Column> {
    let of = |(index, field): (usize, &Arc<arrow::datatypes::Field>)| {
        let comment = written.columns.get(field.name()).cloned().unwrap_or_default();
        // By position: the table has its columns in the order of the result.
        let from = lineage
            .columns
            .get(index)
            .map(|(_, origins)| origins.iter().cloned().collect());
        Column {
            name: field.name().clone(),
            data_type: type_name(field.data_type()),
            heading: comment.heading,
            description: described(field.name()).or(comment.text),
            from: from.unwrap_or_default(),
        }
    };
    schema.fields().iter().enumerate().map(of).collect()
}

/// A type in the notation of `from_json` and `previous`.
fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 => "string".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int8 => "tinyint".to_owned(),
        DataType::Int16 => "smallint".to_owned(),
        DataType::Int32 => "int".to_owned(),
        DataType::Int64 => "bigint".to_owned(),
        DataType::Float32 => "float".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Date32 => "date".to_owned(),
        DataType::Timestamp(..) => "timestamp".to_owned(),
        DataType::Binary => "binary".to_owned(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision}, {scale})"),
        DataType::List(item) => format!("{}[]", type_name(item.data_type())),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => {
                let types = fields.iter().map(|field| type_name(field.data_type()));
                format!("map({})", types.collect::<Vec<_>>().join(", "))
            }
            other => type_name(other),
        },
        DataType::Struct(fields) => {
            let fields = fields
                .iter()
                .map(|field| format!("{} {}", field.name(), type_name(field.data_type())));
            format!("struct({})", fields.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string().to_lowercase(),
    }
}

fn settings(step: &Step, pipeline: &str) -> Vec<Setting> {
    let list = |columns: &[String]| (!columns.is_empty()).then(|| columns.join(", "));
    let every = step.every.map(|every| humantime::format_duration(every).to_string());
    let expect: Vec<String> = step
        .expect
        .iter()
        .map(|e| format!("{} ({})", e.name, e.severity))
        .collect();
    let share = step.refresh_after.map(percent);
    let all = [
        ("mode", Some(step.mode.to_string())),
        ("key", list(&step.key)),
        ("delete", step.delete.clone()),
        ("partition_by", list(&step.partition_by)),
        ("cluster_by", list(&step.cluster_by)),
        ("refresh_after", share),
        ("every", every),
        ("expect", list(&expect)),
        ("pipeline", Some(pipeline.to_owned())),
    ];
    let given = all
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| Setting { name, value }));
    given.collect()
}

fn reads(node: &Node, found: &References) -> Vec<Read> {
    let read = |name: String, how: &'static str| Read { name, how };
    let tables = found.tables.keys().map(|name| read(name.to_string(), "table"));
    let changes = found.changes.keys().map(|name| read(name.clone(), "changes"));
    let latest = found.latest.keys().map(|name| read(name.to_string(), "latest"));
    let warm = found
        .warm_starts
        .keys()
        .map(|name| read(name.to_string(), "warm_start"));
    let previous = found.previous.map(|_| read(node.name().to_string(), "previous"));
    changes
        .chain(tables)
        .chain(latest)
        .chain(warm)
        .chain(previous)
        .collect()
}
