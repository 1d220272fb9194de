//! Which rows of a table are a person's, as a condition on its columns:
//!
//! - a column of users or of sessions (`erasure` in the project file names them) holds one of the ids, alone or in a
//!   list;
//! - the table holds a model's factors, and the row is that of one of the ids;
//! - the row is, or was made from, a record of the person: `topic`, `partition` and `offset` say which;
//! - a value of bytes, or of text in a table without such columns, is JSON in which a field of that name holds an id;
//! - in tables of the system, a text mentions an id as a word.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::functions::string::expr_fn::concat_ws;
use datafusion::functions_nested::expr_fn::array_has_any;
use datafusion::logical_expr::{Expr, cast, ident, lit};
use datafusion::scalar::ScalarValue;

use super::ErasureError;
use super::mentions::{Search, holds};
use super::words::{Fields, Words};
use crate::config::ErasureConfig;

/// How silver.people calls the person of a session without a known user.
const UNKNOWN: [&str; 2] = ["anonymous:", "session:"];
/// Where a record came from.
pub(super) const PLACE: [&str; 3] = ["topic", "partition", "offset"];

/// Whose rows are looked for.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    names: &'a ErasureConfig,
    pub users: BTreeSet<String>,
    pub sessions: BTreeSet<String>,
    /// Sessions that are the person's where they stand in the first column of sessions. Elsewhere, their ids also stand for
    /// what others did: the id that the shop sent, of a session that silver.events has cut.
    pub parts: BTreeSet<String>,
    /// The records of the person, each as `topic/partition/offset`, and its offset.
    pub places: BTreeSet<(i64, String)>,
    /// Those of these places at which there are records of others, too: two clusters have topics of the same name, or a
    /// topic was deleted and created again.
    pub ambiguous: BTreeSet<String>,
    fields: Arc<Search>,
    words: Arc<Search>,
}

impl<'a> Wanted<'a> {
    /// Rows of these ids.
    ///
    /// # Errors
    /// When there are too many.
    pub fn new(
        names: &'a ErasureConfig,
        users: &BTreeSet<String>,
        sessions: &BTreeSet<String>,
    ) -> Result<Self, ErasureError> {
        let fields = Fields::new(&[(&names.users[..], users), (&names.sessions[..], sessions)])?;
        let words = Words::new(users.iter().chain(sessions).map(String::as_str))?;
        Ok(Self {
            names,
            users: users.clone(),
            sessions: sessions.clone(),
            parts: BTreeSet::new(),
            places: BTreeSet::new(),
            ambiguous: BTreeSet::new(),
            fields: Arc::new(Search::Fields(fields)),
            words: Arc::new(Search::Words(words)),
        })
    }

    /// The columns of a table that hold users.
    pub fn user_columns<'s>(&self, schema: &'s Schema) -> Vec<&'s Field> {
        columns(schema, &self.names.users)
    }

    /// The columns of a table that hold sessions.
    pub fn session_columns<'s>(&self, schema: &'s Schema) -> Vec<&'s Field> {
        columns(schema, &self.names.sessions)
    }

    /// The rows of a table in which a column names one of the ids; `None` if no column can.
    pub fn named(&self, schema: &Schema) -> Option<Expr> {
        let users = self.user_columns(schema);
        let sessions = self.session_columns(schema);
        let of_users = users.iter().map(|field| is_one_of(field, &self.users));
        let of_sessions = sessions.iter().map(|field| is_one_of(field, &self.sessions));
        any(of_users.chain(of_sessions))
    }

    /// As [`Self::named`], and the rows of sessions that are the person's in tables of the lake.
    pub fn named_in_table(&self, schema: &Schema) -> Option<Expr> {
        let of_part = self.session_column(schema).filter(|_| !self.parts.is_empty());
        let of_part = of_part.map(|column| {
            let of_part = is_one_of(column, &self.parts);
            match self.of_others(schema) {
                Some(others) => of_part.and(others.is_not_true()),
                None => of_part,
            }
        });
        any(self.named(schema).into_iter().chain(of_part))
    }

    /// The column that says in which session a row is.
    fn session_column<'s>(&self, schema: &'s Schema) -> Option<&'s Field> {
        schema.field_with_name(self.names.sessions.first()?).ok()
    }

    /// The rows of a table that are of one of the users; `None` if no column says so.
    pub fn of_users(&self, schema: &Schema) -> Option<Expr> {
        any(self
            .user_columns(schema)
            .iter()
            .map(|field| is_one_of(field, &self.users)))
    }

    /// The rows of a table that are of somebody else; `None` if no column says so. A person without a known user may turn
    /// out to be anybody, once silver.people has read all events.
    pub fn of_others(&self, schema: &Schema) -> Option<Expr> {
        let users = self.user_columns(schema);
        let is_unknown = |user: &str| UNKNOWN.iter().any(|prefix| user.starts_with(*prefix));
        // (unless such persons are to be erased: then others like them are somebody else)
        let unknown: &[&str] = match self.users.iter().any(|user| is_unknown(user)) {
            true => &[],
            false => &UNKNOWN,
        };
        let is_known = any(users.iter().map(|field| {
            let is_user = unknown
                .iter()
                .map(|prefix| text(field).not_like(lit(format!("{prefix}%"))));
            is_user.fold(ident(field.name()).is_not_null(), Expr::and)
        }))?;
        let ours = self.of_users(schema)?;
        Some(is_known.and(ours.is_not_true()))
    }

    /// The rows of records that name nobody, but mention one of the ids: records that cannot be read.
    pub fn unreadable(&self, schema: &Schema) -> Option<Expr> {
        let users = self.user_columns(schema);
        let sessions = self.session_columns(schema);
        let names_nobody = users.iter().chain(&sessions).map(|field| ident(field.name()).is_null());
        let names_nobody = names_nobody.reduce(Expr::and)?;
        Some(names_nobody.and(self.mentioned(schema)?))
    }

    /// All rows of a table that are the person's; `None` if it cannot hold any.
    pub fn condition(&self, schema: &Schema, is_of_system: bool) -> Option<Expr> {
        let named = self.named_in_table(schema);
        let by_text = |field: &&Arc<Field>| {
            is_bytes(field.data_type()) || (named.is_none() && is_text(field.data_type()) && !is_place(field))
        };
        let by_text: Vec<&str> = schema
            .fields()
            .iter()
            .filter(by_text)
            .map(|field| field.name().as_str())
            .collect();
        // Tables of items, days and factors hold nobody.
        let may_hold_records =
            is_of_system || has_places(schema) || by_text.iter().any(|name| is_bytes_in(schema, name));
        let fields = by_text.iter().map(|name| holds(name, &self.fields));
        let words = by_text.iter().map(|name| holds(name, &self.words));
        any(named
            .into_iter()
            .chain(self.factors(schema))
            .chain(self.placed(schema))
            .chain(fields.filter(|_| may_hold_records))
            .chain(words.filter(|_| is_of_system)))
    }

    /// The factors of one of the ids.
    fn factors(&self, schema: &Schema) -> Option<Expr> {
        let has = |column: &str| schema.field_with_name(column).ok();
        let (kind, id, _) = (has("kind")?, has("id")?, has("factors")?);
        let ids = self.users.iter().chain(&self.sessions).chain(&self.parts);
        let ids: BTreeSet<String> = ids.cloned().collect();
        Some(text(kind).eq(lit("user")).and(is_one_of(id, &ids)))
    }

    /// The rows of one of the records.
    pub fn placed(&self, schema: &Schema) -> Option<Expr> {
        if !has_places(schema) || self.places.is_empty() {
            return None;
        }
        let offsets: BTreeSet<i64> = self.places.iter().map(|(offset, _)| *offset).collect();
        let offsets = offsets.into_iter().map(lit).collect();
        let places = self.places.iter().map(|(_, place)| lit(place.clone())).collect();
        // The offsets alone rule out most rows, and by the statistics in the files most parts of these.
        let offset = match schema.field_with_name("offset").ok()?.data_type() {
            DataType::Int64 => ident("offset"),
            _ => cast(ident("offset"), DataType::Int64),
        };
        let placed = offset.in_list(offsets, false).and(place().in_list(places, false));
        if self.ambiguous.is_empty() {
            return Some(placed);
        }
        let ambiguous = self.ambiguous.iter().map(|place| lit(place.clone())).collect();
        let is_theirs = place().in_list(ambiguous, true);
        Some(placed.and(any([is_theirs].into_iter().chain(self.mentioned(schema)))?))
    }

    /// The rows with bytes that mention one of the ids; `None` if no column has bytes.
    fn mentioned(&self, schema: &Schema) -> Option<Expr> {
        let columns = bytes(schema).into_iter();
        any(columns.flat_map(|name| [holds(name, &self.fields), holds(name, &self.words)]))
    }
}

/// `topic/partition/offset` of a row.
pub(super) fn place() -> Expr {
    let parts = PLACE.map(|column| cast(ident(column), DataType::Utf8));
    concat_ws(lit("/"), parts.into())
}

/// Whether the rows of a table say which record they were made from.
pub(super) fn has_places(schema: &Schema) -> bool {
    PLACE.iter().all(|column| schema.field_with_name(column).is_ok())
}

/// The columns that hold bytes.
pub(super) fn bytes(schema: &Schema) -> Vec<&str> {
    let fields = schema.fields().iter();
    let fields = fields.filter(|field| is_bytes(field.data_type()));
    fields.map(|field| field.name().as_str()).collect()
}

fn columns<'s>(schema: &'s Schema, names: &[String]) -> Vec<&'s Field> {
    let fields = schema.fields().iter().map(AsRef::as_ref);
    fields.filter(|field: &&Field| names.contains(field.name())).collect()
}

/// Whether a value, or one in a list, is one of these.
fn is_one_of(field: &Field, ids: &BTreeSet<String>) -> Expr {
    if ids.is_empty() {
        return lit(false);
    }
    let of_list = match field.data_type() {
        DataType::List(item) | DataType::LargeList(item) => Some(item.data_type().clone()),
        _ => None,
    };
    match of_list {
        Some(kind) => {
            let ids: Vec<ScalarValue> = ids
                .iter()
                .filter_map(|id| ScalarValue::try_from_string(id.clone(), &kind).ok())
                .collect();
            if ids.is_empty() {
                return lit(false);
            }
            let ids = ScalarValue::List(ScalarValue::new_list_nullable(&ids, &kind));
            array_has_any(ident(field.name()), lit(ids))
        }
        None => text(field).in_list(ids.iter().cloned().map(lit).collect(), false),
    }
}

/// A column as text; without a cast where it is text, so that statistics rule out files.
fn text(field: &Field) -> Expr {
    match field.data_type() {
        DataType::Utf8 => ident(field.name()),
        _ => cast(ident(field.name()), DataType::Utf8),
    }
}

fn any(conditions: impl Iterator<Item = Expr>) -> Option<Expr> {
    conditions.reduce(Expr::or)
}

fn is_bytes(kind: &DataType) -> bool {
    matches!(kind, DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
}

fn is_bytes_in(schema: &Schema, name: &str) -> bool {
    schema
        .field_with_name(name)
        .is_ok_and(|field| is_bytes(field.data_type()))
}

fn is_text(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn is_place(field: &Field) -> bool {
    PLACE.contains(&field.name().as_str())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn schema(columns: &[(&str, DataType)]) -> Schema {
        let fields = columns.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true));
        Schema::new(fields.collect::<Vec<_>>())
    }

    fn has_condition(columns: &[(&str, DataType)], is_of_system: bool) -> bool {
        let names = ErasureConfig::default();
        let ids = BTreeSet::from(["user_47".to_owned()]);
        let wanted = Wanted::new(&names, &ids, &ids).unwrap();
        wanted.condition(&schema(columns), is_of_system).is_some()
    }

    #[test]
    fn tables_of_items_and_days_hold_nobody() {
        let text = DataType::Utf8;
        assert!(!has_condition(
            &[("item_id", text.clone()), ("title", text.clone())],
            false
        ));
        assert!(!has_condition(
            &[("day", DataType::Date32), ("events", DataType::Int64)],
            false
        ));
        assert!(has_condition(&[("session_id", text.clone())], false));
        assert!(has_condition(&[("value", DataType::Binary)], false));
        assert!(has_condition(&[("reason", text.clone())], true));
        let factors = [("kind", text.clone()), ("id", text), ("factors", DataType::Binary)];
        assert!(has_condition(&factors, false));
    }
}
