//! Validates `expect`: malformed expectations are refused with their line, the others made queries for the rows that
//! violate them (`not_null`, `unique`, `accepted_values`, `range`, `references`) or read from their files. Unknown keys
//! and wrong types were refused before: `raw_expectation`, placed by `raw` (`problem`). A NULL violates `not_null`
//! alone; for `unique`, NULLs equal each other.

use std::path::PathBuf;

use serde_yaml::{Location, Spanned};

use super::ordered_map::OrderedMap;
use super::raw_expectation::{RawCheck, RawExpectation, RawRange, RawValue};
use super::validate::Validator;
use super::{Expectation, Severity, TableName, nearest};

/// The name of a check, and the query for the rows that violate it.
struct Query {
    name: String,
    sql: String,
    file: Option<PathBuf>,
}

impl Validator<'_> {
    pub(super) fn expectations(&mut self, table: &TableName, raw: &[Spanned<RawExpectation>]) -> Vec<Expectation> {
        raw.iter().filter_map(|raw| self.expectation(table, raw)).collect()
    }

    fn expectation(&mut self, table: &TableName, raw: &Spanned<RawExpectation>) -> Option<Expectation> {
        let (at, check) = (raw.referenced, &raw.value.0);
        let severity = match &check.severity {
            Some(text) => {
                let value = self.text(text)?;
                let found = Severity::ALL.iter().find(|(name, _)| *name == value);
                if found.is_none() {
                    let help = nearest(&value, Severity::ALL.iter().map(|(name, _)| *name));
                    let help = help.map(|near| format!("did you mean `{near}`?"));
                    let message = format!("unknown severity `{value}`; the severities are warn, quarantine, fail");
                    self.problem(text.referenced, message, help);
                }
                found?.1
            }
            None => Severity::default(),
        };
        let query = self.query(table, check, at)?;
        let name = self.optional(check.name.as_ref()).unwrap_or(query.name);
        Some(Expectation {
            name,
            severity,
            sql: query.sql,
            file: query.file,
            line: at.line(),
        })
    }

    fn query(&mut self, table: &TableName, check: &RawCheck, at: Location) -> Option<Query> {
        let mut queries = vec![];
        if let Some(file) = &check.sql {
            let path = PathBuf::from(file);
            queries.push(Query {
                name: file.clone(),
                sql: self.sql(&path, at)?,
                file: Some(path),
            });
        }
        queries.extend(check.not_null.as_deref().map(|columns| not_null(table, columns)));
        queries.extend(check.unique.as_deref().map(|columns| unique(table, columns)));
        queries.extend(
            check
                .accepted_values
                .as_ref()
                .map(|values| accepted_values(table, values)),
        );
        queries.extend(check.range.as_ref().map(|ranges| range(table, ranges)));
        if let Some(references) = &check.references {
            queries.extend(self.references(table, references, at));
        }
        if queries.len() != 1 {
            let message =
                "an expectation needs exactly one of sql, not_null, unique, accepted_values, range, references";
            let help = "write it like { not_null: [item_id], severity: warn }, or name an SQL file with a query for \
                        the rows that violate it";
            self.problem(at, message, Some(help.to_owned()));
        }
        queries.pop().filter(|_| queries.is_empty())
    }

    /// `{ session_id: gold.sessions.session_id }`.
    fn references(&mut self, table: &TableName, references: &OrderedMap<String>, at: Location) -> Option<Query> {
        let [(column, to)] = &references.0[..] else {
            self.problem(
                at,
                "`references` needs exactly one column",
                Some("write it like { session_id: gold.sessions.session_id }".to_owned()),
            );
            return None;
        };
        let target = to
            .rsplit_once('.')
            .and_then(|(name, key)| Some((name.parse::<TableName>().ok()?, key)));
        let Some((other, key)) = target else {
            let help = "write it like { session_id: gold.sessions.session_id }".to_owned();
            self.problem(at, format!("`{to}` is not LAYER.TABLE.COLUMN"), Some(help));
            return None;
        };
        let (own, key) = (quoted(column), quoted(key));
        Some(Query {
            name: format!("references {column} -> {to}"),
            sql: format!(
                "select checked.* from {table} as checked left anti join {other} as referenced \
                 on checked.{own} = referenced.{key} where checked.{own} is not null"
            ),
            file: None,
        })
    }
}

fn not_null(table: &TableName, columns: &[String]) -> Query {
    let nulls: Vec<String> = columns
        .iter()
        .map(|column| format!("{} is null", quoted(column)))
        .collect();
    where_any("not_null", table, &columns.join(", "), &nulls)
}

fn unique(table: &TableName, columns: &[String]) -> Query {
    let keys: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
    let same: Vec<String> = keys
        .iter()
        .map(|key| format!("checked.{key} is not distinct from twice.{key}"))
        .collect();
    let keys = keys.join(", ");
    Query {
        name: format!("unique {}", columns.join(", ")),
        sql: format!(
            "select checked.* from {table} as checked left semi join \
             (select {keys} from {table} group by {keys} having count(*) > 1) as twice on {}",
            same.join(" and ")
        ),
        file: None,
    }
}

fn accepted_values(table: &TableName, values: &OrderedMap<Vec<RawValue>>) -> Query {
    let others = values.0.iter().map(|(column, values)| {
        let values: Vec<String> = values.iter().map(literal).collect();
        format!("{} not in ({})", quoted(column), values.join(", "))
    });
    let columns: Vec<&str> = values.0.iter().map(|(column, _)| column.as_str()).collect();
    where_any(
        "accepted_values",
        table,
        &columns.join(", "),
        &others.collect::<Vec<_>>(),
    )
}

fn range(table: &TableName, ranges: &OrderedMap<RawRange>) -> Query {
    let beyond = ranges.0.iter().flat_map(|(column, range)| {
        let below = range
            .min
            .as_ref()
            .map(|min| format!("{} < {}", quoted(column), literal(min)));
        let above = range
            .max
            .as_ref()
            .map(|max| format!("{} > {}", quoted(column), literal(max)));
        below.into_iter().chain(above)
    });
    let columns: Vec<&str> = ranges.0.iter().map(|(column, _)| column.as_str()).collect();
    where_any("range", table, &columns.join(", "), &beyond.collect::<Vec<_>>())
}

fn where_any(kind: &str, table: &TableName, columns: &str, conditions: &[String]) -> Query {
    let conditions = match conditions {
        [] => "false".to_owned(),
        conditions => conditions.join(" or "),
    };
    Query {
        name: format!("{kind} {columns}"),
        sql: format!("select * from {table} where {conditions}"),
        file: None,
    }
}

fn quoted(column: &str) -> String {
    format!("\"{}\"", column.replace('"', "\"\""))
}

fn literal(value: &RawValue) -> String {
    match value {
        RawValue::Switch(switch) => switch.to_string(),
        RawValue::Integer(number) => number.to_string(),
        RawValue::Float(number) => number.to_string(),
        RawValue::Text(text) => format!("'{}'", text.replace('\'', "''")),
    }
}
