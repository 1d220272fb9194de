//! `system.erasures`: that an erasure began, and that it ended, of whom, without a word about who that is: ids are hashed
//! with a key that is not in the lake (HMAC-SHA-256). Whoever has the key can show that an id was erased; nobody else can
//! try ids. The hashes of the sessions that were found let the same command go on after a kill, when their user is no
//! longer in any table.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use chrono::{SecondsFormat, Utc};
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use ring::hmac;
use serde::Serialize;

use super::ErasureError;
use super::ids::Ids;
use crate::lake::Lake;
use crate::pipeline::system;

const KEY_LENGTH_MIN: usize = 16;
const STARTED: &str = "started";
const FINISHED: &str = "finished";
const USER: &str = "user";
const SESSION: &str = "session";

/// The key of the receipts.
pub struct Key(hmac::Key);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    /// The key of a secret.
    ///
    /// # Errors
    /// When there is none, or it is too short.
    pub fn new(secret: Option<&str>) -> Result<Self, ErasureError> {
        let secret = secret.ok_or(ErasureError::NoKey)?;
        if secret.len() < KEY_LENGTH_MIN {
            return Err(ErasureError::ShortKey);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())))
    }

    /// What stands for an id.
    pub fn hash(&self, id: &str) -> String {
        let tag = hmac::sign(&self.0, id.as_bytes());
        tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What an erasure did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Done {
    pub rows: u64,
    pub files_rewritten: u64,
    pub files_deleted: u64,
    pub log_files_deleted: u64,
}

#[derive(Serialize)]
struct Row<'a> {
    erasure: &'a str,
    at: String,
    state: &'static str,
    kind: &'static str,
    given: bool,
    id_hash: String,
    rows: Option<u64>,
    files_rewritten: Option<u64>,
    files_deleted: Option<u64>,
    log_files_deleted: Option<u64>,
}

/// The receipts of a lake.
pub(super) struct Receipts<'a> {
    pub lake: &'a Lake,
    pub session: &'a SessionContext,
    pub key: &'a Key,
}

/// Erasures of the given ids that did not end.
#[derive(Debug, Default)]
pub(super) struct Pending {
    erasures: BTreeSet<String>,
    /// Those of them that end with this one, because it is given all of their ids.
    ending: BTreeSet<String>,
    /// Hashes of the sessions that they found.
    pub sessions: BTreeSet<String>,
}

impl Pending {
    pub fn is_empty(&self) -> bool {
        self.erasures.is_empty()
    }

    /// Of erasures that were started, those of one of the given ids.
    fn of(mut started: BTreeMap<String, Vec<Started>>, given: &BTreeSet<String>) -> Self {
        started.retain(|_, ids| ids.iter().any(|id| given.contains(&id.hash)));
        let ends = |ids: &[Started]| ids.iter().all(|id| !id.given || given.contains(&id.hash));
        let ending = started.iter().filter(|(_, ids)| ends(ids));
        let sessions = started.values().flatten().filter(|id| id.kind == SESSION);
        Self {
            ending: ending.map(|(erasure, _)| erasure.clone()).collect(),
            sessions: sessions.map(|id| id.hash.clone()).collect(),
            erasures: started.into_keys().collect(),
        }
    }
}

/// An id of an erasure that was started.
#[derive(Debug)]
struct Started {
    kind: String,
    given: bool,
    hash: String,
}

impl Receipts<'_> {
    /// Looks for erasures of these ids that were killed.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn pending(&self, ids: &Ids) -> Result<Pending, ErasureError> {
        let table = self.lake.table(&system::name(system::ERASURES)).await?;
        if table.version().is_none() {
            return Ok(Pending::default());
        }
        let rows = self.session.read_table(table.provider(&self.session.state()).await?)?;
        let rows = rows.select_columns(&["erasure", "state", "kind", "id_hash", "given"])?;
        let (mut started, mut finished) = (BTreeMap::<String, Vec<Started>>::new(), BTreeSet::new());
        for batch in rows.collect().await? {
            let columns = batch.columns().iter().map(|column| cast(column, &DataType::Utf8));
            let columns = columns.collect::<Result<Vec<_>, _>>().map_err(DataFusionError::from)?;
            for row in 0..batch.num_rows() {
                let text = |column: usize| columns[column].as_string::<i32>().value(row).to_owned();
                match text(1).as_str() {
                    FINISHED => _ = finished.insert(text(0)),
                    _ => started.entry(text(0)).or_default().push(Started {
                        kind: text(2),
                        given: text(4) == "true",
                        hash: text(3),
                    }),
                }
            }
        }
        started.retain(|erasure, _| !finished.contains(erasure));
        let given = ids.users.union(&ids.sessions).map(|id| self.key.hash(id)).collect();
        Ok(Pending::of(started, &given))
    }

    /// Writes down that an erasure begins. Returns its name.
    ///
    /// # Errors
    /// When the lake refuses.
    pub async fn start(&self, ids: &Ids, sessions: &BTreeSet<String>) -> Result<String, ErasureError> {
        let name = format!("{}-{:08x}", Utc::now().format("%Y%m%dT%H%M%SZ"), rand::random::<u32>());
        self.write(&name, STARTED, ids, sessions, None).await?;
        Ok(name)
    }

    /// Writes down that it ended, and with it those before that were killed and had no other ids.
    ///
    /// # Errors
    /// When the lake refuses.
    pub async fn finish(
        &self,
        name: &str,
        pending: &Pending,
        ids: &Ids,
        sessions: &BTreeSet<String>,
        done: Done,
    ) -> Result<(), ErasureError> {
        for killed in &pending.ending {
            self.write(killed, FINISHED, ids, &BTreeSet::new(), None).await?;
        }
        self.write(name, FINISHED, ids, sessions, Some(done)).await
    }

    async fn write(
        &self,
        erasure: &str,
        state: &'static str,
        ids: &Ids,
        sessions: &BTreeSet<String>,
        done: Option<Done>,
    ) -> Result<(), ErasureError> {
        let at = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
        let row = |kind, id: &String, given| Row {
            erasure,
            at: at.clone(),
            state,
            kind,
            given,
            id_hash: self.key.hash(id),
            rows: done.map(|done| done.rows),
            files_rewritten: done.map(|done| done.files_rewritten),
            files_deleted: done.map(|done| done.files_deleted),
            log_files_deleted: done.map(|done| done.log_files_deleted),
        };
        let found = sessions.difference(&ids.sessions);
        let rows: Vec<Row<'_>> = (ids.users.iter().map(|id| row(USER, id, true)))
            .chain(ids.sessions.iter().map(|id| row(SESSION, id, true)))
            .chain(found.map(|id| row(SESSION, id, false)))
            .collect();
        let rows = system::batch(&schema(), &rows)?;
        let table = system::name(system::ERASURES);
        Ok(system::append(self.lake, self.session, &table, rows).await?)
    }
}

/// The columns of `system.erasures`.
fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let number = |name: &str| Field::new(name, DataType::Int64, true);
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        text("erasure"),
        Field::new("at", time, true),
        text("state"),
        text("kind"),
        Field::new("given", DataType::Boolean, true),
        text("id_hash"),
        number("rows"),
        number("files_rewritten"),
        number("files_deleted"),
        number("log_files_deleted"),
    ]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn hashes_are_those_of_the_standard() {
        // RFC 4231 has keys of other lengths; this is `printf Hi | openssl dgst -sha256 -hmac 0123456789abcdef`.
        let key = Key::new(Some("0123456789abcdef")).unwrap();
        assert_eq!(key.hash("Hi"), HI);
        assert_ne!(key.hash("Hi"), key.hash("hi"));
    }

    #[test]
    fn a_key_is_a_secret_of_some_length() {
        assert!(matches!(Key::new(None), Err(ErasureError::NoKey)));
        assert!(matches!(Key::new(Some("short")), Err(ErasureError::ShortKey)));
    }

    #[test]
    fn a_killed_erasure_of_more_ids_does_not_end_with_one_of_them() {
        let started = |erasure: &str, ids: &[(&str, bool)]| {
            let ids = ids.iter().map(|(hash, given)| Started {
                kind: if *given { USER } else { SESSION }.to_owned(),
                given: *given,
                hash: (*hash).to_owned(),
            });
            (erasure.to_owned(), ids.collect::<Vec<_>>())
        };
        let killed = || {
            BTreeMap::from([
                started("one", &[("u1", true), ("s1", false)]),
                started("both", &[("u1", true), ("u2", true), ("s2", false)]),
                started("other", &[("u3", true)]),
            ])
        };
        let set = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<BTreeSet<_>>();
        let pending = Pending::of(killed(), &set(&["u1"]));
        assert_eq!((pending.ending, pending.sessions), (set(&["one"]), set(&["s1", "s2"])));
        let pending = Pending::of(killed(), &set(&["u1", "u2"]));
        assert_eq!(pending.ending, set(&["one", "both"]));
        assert!(Pending::of(killed(), &set(&["u4"])).is_empty());
    }

    const HI: &str = "07affbdae261ca8881a08263b8326ef8fc687ce0fee7af73ac316270f3cfa7b8";
}
