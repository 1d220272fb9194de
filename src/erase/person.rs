//! Who is to be erased: the given ids, the sessions of the given users, and the places of their records.
//!
//! A session is a user's if a row names both, and no row names it together with somebody else. Events of a session of the
//! user that name nobody (before a login) are the user's. Of a session that two people share, silver.events makes two: the
//! first one keeps the id that the shop sent, which the other one's events name as well. So an id may be the user's only in
//! the column that says in which session a row is (`parts`).
//!
//! Which records are the person's, the project's own SQL says: a view or table that has the columns of a person and
//! those of a record's place tells them, in whatever format the records are.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, Schema};
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Expr, cast as cast_to, ident, lit};
use datafusion::prelude::SessionContext;

use super::ErasureError;
use super::condition::{Wanted, bytes, has_places, place};
use super::ids::Ids;
use super::receipts::Key;
use super::tables::Tables;
use crate::config::{ErasureConfig, Mode};
use crate::pipeline::{Node, Runner};

/// Finds the person of some ids.
pub(super) struct Search<'a, 'n> {
    pub runner: &'a Runner,
    pub names: &'n ErasureConfig,
    pub tables: &'a Tables,
    pub ids: &'a Ids,
    /// Sessions of the person that are known from before.
    pub known: &'a BTreeSet<String>,
    /// Hashes of sessions that an erasure that was killed has found, and their key.
    pub pending: Option<(&'a BTreeSet<String>, &'a Key)>,
}

impl<'n> Search<'_, 'n> {
    /// Reads the columns of people in all tables.
    ///
    /// # Errors
    /// When a table cannot be read.
    pub async fn wanted(&self) -> Result<Wanted<'n>, ErasureError> {
        let users = &self.ids.users;
        let (sessions, parts) = self.sessions().await?;
        let mut wanted = Wanted::new(self.names, users, &sessions)?;
        wanted.parts = parts;
        wanted.places = self.places(&wanted).await?;
        wanted.ambiguous = self.ambiguous(&wanted).await?;
        Ok(wanted)
    }

    /// The given sessions, and those of the users; and those that are the users' only in the first column of sessions.
    async fn sessions(&self) -> Result<(BTreeSet<String>, BTreeSet<String>), ErasureError> {
        let no_sessions = Wanted::new(self.names, &self.ids.users, &BTreeSet::new())?;
        let (mut own, mut pending) = (Columns::default(), BTreeSet::new());
        for table in &self.tables.all {
            let schema = table.schema();
            let columns = columns(&no_sessions, schema);
            if columns.is_empty() {
                continue;
            }
            let rows = self.tables.rows_of(table).await?;
            if let Some(of_users) = no_sessions.of_users(schema).filter(|_| !self.ids.users.is_empty()) {
                own.add(distinct(rows.clone().filter(of_users)?, &columns).await?);
            }
            if let Some((hashes, key)) = self.pending {
                let all = distinct(rows, &columns).await?.all();
                pending.extend(all.into_iter().filter(|id| hashes.contains(&key.hash(id))));
            }
        }
        let all: BTreeSet<String> = own.all().union(self.known).cloned().collect();
        let shared = self.shared(&all).await?;
        let shared_ids = shared.all();
        let own_ids = all.into_iter().filter(|session| !shared_ids.contains(session));
        let mut sessions: BTreeSet<String> = own_ids
            .chain(pending)
            .chain(self.ids.sessions.iter().cloned())
            .collect();
        sessions.extend(self.parts(&sessions).await?);
        let first = |columns: &Columns| {
            let first = self.names.sessions.first();
            first.and_then(|name| columns.0.get(name).cloned()).unwrap_or_default()
        };
        let mut parts = &first(&own) - &first(&shared);
        parts.retain(|part| !sessions.contains(part));
        Ok((sessions, parts))
    }

    /// The later parts of some sessions, which silver.events calls `ID@time`, among the rows that name these sessions.
    async fn parts(&self, sessions: &BTreeSet<String>) -> Result<BTreeSet<String>, ErasureError> {
        let mut parts = BTreeSet::new();
        if sessions.is_empty() {
            return Ok(parts);
        }
        let wanted = Wanted::new(self.names, &BTreeSet::new(), sessions)?;
        for table in &self.tables.all {
            let schema = table.schema();
            if let Some(named) = wanted.named(schema) {
                let rows = self.tables.rows_of(table).await?.filter(named)?;
                parts.extend(distinct(rows, &columns(&wanted, schema)).await?.all());
            }
        }
        parts.retain(|part| part.rsplit_once('@').is_some_and(|(whole, _)| sessions.contains(whole)));
        Ok(parts)
    }

    /// The sessions of rows of somebody else that name one of some sessions.
    async fn shared(&self, sessions: &BTreeSet<String>) -> Result<Columns, ErasureError> {
        let mut shared = Columns::default();
        if sessions.is_empty() {
            return Ok(shared);
        }
        let ours = Wanted::new(self.names, &self.ids.users, sessions)?;
        let in_sessions = Wanted::new(self.names, &BTreeSet::new(), sessions)?;
        for table in &self.tables.all {
            let schema = table.schema();
            let columns: Vec<Expr> = columns(&ours, schema);
            let (Some(others), Some(named)) = (ours.of_others(schema), in_sessions.named(schema)) else {
                continue;
            };
            if !columns.is_empty() {
                shared.add(distinct(self.tables.rows_of(table).await?.filter(named.and(others))?, &columns).await?);
            }
        }
        Ok(shared)
    }

    /// The records of the person.
    async fn places(&self, wanted: &Wanted<'_>) -> Result<BTreeSet<(i64, String)>, ErasureError> {
        let mut places = BTreeSet::new();
        for table in &self.tables.all {
            if has_places(table.schema()) {
                let rows = self.tables.rows_of(table).await?;
                let named = wanted.named_in_table(table.schema());
                add_places(&mut places, rows, table.schema(), named, wanted).await?;
            }
        }
        let session: SessionContext = self.runner.session().await?;
        let is_view = |node: &&Node| {
            // (one over a source would read all of the source)
            let is_of_tables = node.step.mode == Mode::View && node.sources.is_empty();
            is_of_tables && self.runner.broken(node.name()).is_none()
        };
        for view in self.runner.dag().nodes().iter().filter(is_view) {
            let rows = session.table(view.name().to_string()).await?;
            let schema = rows.schema().as_arrow().clone();
            if has_places(&schema) {
                // (a session there is what the shop sent, which others may have sent as well)
                let named = wanted.named(&schema);
                add_places(&mut places, rows, &schema, named, wanted).await?;
            }
        }
        Ok(places)
    }

    /// The places at which there are several raw records.
    async fn ambiguous(&self, wanted: &Wanted<'_>) -> Result<BTreeSet<String>, ErasureError> {
        let mut ambiguous = BTreeSet::new();
        for table in &self.tables.all {
            let columns = bytes(table.schema());
            let Some(placed) = wanted.placed(table.schema()).filter(|_| !columns.is_empty()) else {
                continue;
            };
            // (old files hold the same record again)
            let mut record = vec![place().alias("__place")];
            record.extend(columns.into_iter().map(ident));
            let rows = self.tables.rows_of(table).await?.filter(placed)?;
            let records = rows.select(record)?.distinct()?;
            let counted = records.aggregate(vec![ident("__place")], vec![count(lit(1_i64)).alias("__records")])?;
            let several = counted.filter(ident("__records").gt(lit(1_i64)))?;
            ambiguous.extend(distinct(several, &[ident("__place")]).await?.all());
        }
        Ok(ambiguous)
    }
}

/// The different texts in columns, by the names of these.
#[derive(Debug, Default)]
struct Columns(BTreeMap<String, BTreeSet<String>>);

impl Columns {
    fn add(&mut self, others: Self) {
        for (column, texts) in others.0 {
            self.0.entry(column).or_default().extend(texts);
        }
    }

    fn all(&self) -> BTreeSet<String> {
        self.0.values().flatten().cloned().collect()
    }
}

/// The columns of sessions, as text.
fn columns(wanted: &Wanted<'_>, schema: &Schema) -> Vec<Expr> {
    let columns = wanted.session_columns(schema).into_iter();
    columns.map(|field| ident(field.name())).collect()
}

/// The different texts in some columns, also in lists.
async fn distinct(rows: DataFrame, columns: &[Expr]) -> Result<Columns, ErasureError> {
    let mut found = Columns::default();
    for batch in rows.select(columns.to_vec())?.distinct()?.collect().await? {
        let schema = batch.schema();
        for (field, column) in schema.fields().iter().zip(batch.columns()) {
            add_texts(found.0.entry(field.name().clone()).or_default(), column)?;
        }
    }
    Ok(found)
}

fn add_texts(found: &mut BTreeSet<String>, column: &ArrayRef) -> Result<(), DataFusionError> {
    if let Some(lists) = column.as_list_opt::<i32>() {
        return lists.iter().flatten().try_for_each(|list| add_texts(found, &list));
    }
    let texts = cast(column, &DataType::Utf8)?;
    for text in texts
        .as_string::<i32>()
        .iter()
        .flatten()
        .filter(|text| !text.is_empty())
    {
        if !found.contains(text) {
            found.insert(text.to_owned());
        }
    }
    Ok(())
}

/// Adds the places of rows that are the person's.
async fn add_places(
    places: &mut BTreeSet<(i64, String)>,
    rows: DataFrame,
    schema: &Schema,
    named: Option<Expr>,
    wanted: &Wanted<'_>,
) -> Result<(), ErasureError> {
    let Some(named) = named else {
        return Ok(());
    };
    let condition = match wanted.unreadable(schema) {
        Some(unreadable) => named.or(unreadable),
        None => named,
    };
    let offset = cast_to(ident("offset"), DataType::Int64);
    let rows = rows
        .filter(condition)?
        .select(vec![offset.alias("at"), place().alias("place")])?;
    for batch in rows.collect().await? {
        places.extend(placed(&batch)?);
    }
    Ok(())
}

fn placed(batch: &RecordBatch) -> Result<Vec<(i64, String)>, DataFusionError> {
    let texts = cast(batch.column(1), &DataType::Utf8)?;
    let offsets = batch.column(0).as_primitive::<Int64Type>().iter();
    let pairs = offsets.zip(texts.as_string::<i32>().iter());
    Ok(pairs
        .filter_map(|(offset, place)| Some((offset?, place?.to_owned())))
        .collect())
}
