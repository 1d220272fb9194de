//! Who is to be erased: the given ids, the sessions of the given users, and the places of their records.
//!
//! A session is a user's if a row names both, and no row names it together with somebody else: a session that two people
//! share keeps the events of the other one, and those that name nobody. Events of a session of the user that name nobody
//! (before a login) are the user's.
//!
//! Which records are the person's, the project's own SQL says: a view or table that has the columns of a person and
//! those of a record's place tells them, in whatever format the records are.

use std::collections::BTreeSet;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, Schema};
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, cast as cast_to, ident};
use datafusion::prelude::SessionContext;

use super::ErasureError;
use super::condition::{Wanted, has_places, place};
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
        let sessions = self.sessions().await?;
        let mut wanted = Wanted::new(self.names, users, &sessions)?;
        wanted.places = self.places(&wanted).await?;
        Ok(wanted)
    }

    /// The given sessions, and those of the users.
    async fn sessions(&self) -> Result<BTreeSet<String>, ErasureError> {
        let no_sessions = Wanted::new(self.names, &self.ids.users, &BTreeSet::new())?;
        let (mut own, mut pending) = (self.known.clone(), BTreeSet::new());
        for table in &self.tables.all {
            let schema = table.schema();
            let columns = columns(&no_sessions, schema);
            if columns.is_empty() {
                continue;
            }
            let rows = self.tables.rows_of(table).await?;
            if let Some(of_users) = no_sessions.of_users(schema).filter(|_| !self.ids.users.is_empty()) {
                own.extend(distinct(rows.clone().filter(of_users)?, &columns).await?);
            }
            if let Some((hashes, key)) = self.pending {
                let all = distinct(rows, &columns).await?;
                pending.extend(all.into_iter().filter(|id| hashes.contains(&key.hash(id))));
            }
        }
        let shared = self.shared(&own).await?;
        let own = own.into_iter().filter(|session| !shared.contains(session));
        let mut sessions: BTreeSet<String> = own.chain(pending).chain(self.ids.sessions.iter().cloned()).collect();
        sessions.extend(self.parts(&sessions).await?);
        Ok(sessions)
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
                parts.extend(distinct(rows, &columns(&wanted, schema)).await?);
            }
        }
        parts.retain(|part| part.rsplit_once('@').is_some_and(|(whole, _)| sessions.contains(whole)));
        Ok(parts)
    }

    /// Those of some sessions that have rows of somebody else.
    async fn shared(&self, sessions: &BTreeSet<String>) -> Result<BTreeSet<String>, ErasureError> {
        let mut shared = BTreeSet::new();
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
                shared.extend(distinct(self.tables.rows_of(table).await?.filter(named.and(others))?, &columns).await?);
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
                add_places(&mut places, rows, table.schema(), wanted).await?;
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
                add_places(&mut places, rows, &schema, wanted).await?;
            }
        }
        Ok(places)
    }
}

/// The columns of sessions, as text.
fn columns(wanted: &Wanted<'_>, schema: &Schema) -> Vec<Expr> {
    let columns = wanted.session_columns(schema).into_iter();
    columns.map(|field| ident(field.name())).collect()
}

/// The different texts in some columns, also in lists.
async fn distinct(rows: DataFrame, columns: &[Expr]) -> Result<BTreeSet<String>, ErasureError> {
    let mut found = BTreeSet::new();
    for batch in rows.select(columns.to_vec())?.distinct()?.collect().await? {
        for column in batch.columns() {
            add_texts(&mut found, column)?;
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
    wanted: &Wanted<'_>,
) -> Result<(), ErasureError> {
    let Some(named) = wanted.named(schema) else {
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
