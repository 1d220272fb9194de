//! Counts the rows of a person, or takes them out.
//!
//! **The order.** Tables are erased in the order in which rows flow, each with a commit, even if it holds none of the rows:
//! a step that read the person's records before cannot commit what it made of them any more, and what it reads when it
//! plans again is erased already (`lake/erase.rs`). So nothing comes back while steps run; what arrives from a source
//! meanwhile is found by the next pass.
//!
//! **After a kill.** A receipt is written first. The same command then takes up what is left: ids that no table holds any
//! more are known by their hashes (`receipts.rs`), rows that have to be computed again are found in the files of old
//! versions, and these files are deleted last.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::logical_expr::{Expr, lit};
use serde::Serialize;

use super::ErasureError;
use super::condition::Wanted;
use super::ids::Ids;
use super::person::Search;
use super::receipts::{Done, Key, Pending, Receipts};
use super::search::{Searched, search};
use super::tables::{Table, Tables};
use super::words::{Words, is_distinct};
use crate::config::{ErasureConfig, TableName};
use crate::failpoint;
use crate::lake::{SYSTEM_LAYER, erase, holding, purge};
use crate::pipeline::{Node, Runner};

/// How often the tables are searched for rows that arrived meanwhile.
const PASSES: usize = 4;

/// Erases people from the lake of a project.
#[derive(Debug)]
pub struct Eraser<'a> {
    /// The steps, and the lake.
    pub runner: &'a Runner,
    /// Which columns hold people.
    pub names: &'a ErasureConfig,
    /// Whom to erase.
    pub ids: &'a Ids,
}

/// What there is of a person in a table, or was.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Counted {
    /// `layer.table`.
    pub table: String,
    /// The person's rows.
    pub rows: u64,
    /// The files that hold them.
    pub files: u64,
    /// How many files the table has.
    pub files_of_table: u64,
    /// Files of old versions that were deleted.
    pub files_deleted: u64,
    /// Files of the log that were deleted.
    pub log_files_deleted: u64,
}

/// What an erasure would do.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Plan {
    /// How many sessions the users have, with those that were given.
    pub sessions: usize,
    /// The tables that hold rows of the person.
    pub tables: Vec<Counted>,
}

/// What an erasure did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Erasure {
    /// How many sessions the users had, with those that were given.
    pub sessions: usize,
    /// The tables that held something of the person.
    pub tables: Vec<Counted>,
    /// The steps that were computed again.
    pub recomputed: Vec<String>,
    /// Its name in `system.erasures`; `None` if there was nothing to erase.
    pub receipt: Option<String>,
    /// The search of all bytes afterwards.
    pub searched: Searched,
    /// How many ids were too short to be searched for in bytes.
    pub not_searched: usize,
}

/// An erasure on its way.
struct Work<'a> {
    tables: Tables,
    wanted: Wanted<'a>,
    counted: BTreeMap<TableName, Counted>,
    recomputed: BTreeSet<TableName>,
}

impl<'a> Eraser<'a> {
    /// Counts the person's rows, without changing anything.
    ///
    /// # Errors
    /// When a table cannot be read.
    pub async fn plan(&self) -> Result<Plan, ErasureError> {
        let (tables, wanted) = self.find(&BTreeSet::new(), None).await?;
        let mut plan = Plan {
            sessions: wanted.sessions.len(),
            ..Plan::default()
        };
        for table in &tables.all {
            plan.tables.extend(count(&tables, table, &wanted).await?);
        }
        Ok(plan)
    }

    /// Searches every byte below the lake for the ids, and for those of the sessions that are known.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub async fn verify(&self) -> Result<Erasure, ErasureError> {
        let (_, wanted) = self.find(&BTreeSet::new(), None).await?;
        self.searched(&wanted.sessions).await
    }

    /// Takes the person's rows out of all tables, for good.
    ///
    /// # Errors
    /// When a table cannot be read or written; whatever was done remains done, and the same call goes on.
    pub async fn erase(&self, key: &Key) -> Result<Erasure, ErasureError> {
        let session = self.runner.upkeep_session().await?;
        let receipts = Receipts {
            lake: self.runner.lake(),
            session: &session,
            key,
        };
        let pending = receipts.pending(self.ids).await?;
        let (tables, wanted) = self.find(&BTreeSet::new(), Some((&pending, key))).await?;
        let is_there = self.is_in(&tables, &wanted).await?;
        if !is_there && pending.is_empty() {
            let left = self.searched(&wanted.sessions).await?;
            if left.searched.found.is_empty() {
                return Ok(left);
            }
        }
        let mut work = Work {
            tables,
            wanted,
            counted: BTreeMap::new(),
            recomputed: BTreeSet::new(),
        };
        let receipt = receipts.start(self.ids, &work.wanted.sessions).await?;
        failpoint::reach("erasure_started").await;
        let mut erasure = self.finish(&mut work).await?;
        failpoint::reach("erasure_searched").await;
        erasure.tables = work.counted.into_values().filter(Counted::is_something).collect();
        erasure.recomputed = work.recomputed.iter().map(ToString::to_string).collect();
        if erasure.searched.found.is_empty() {
            let done = erasure.done();
            receipts
                .finish(&receipt, &pending, self.ids, &work.wanted.sessions, done)
                .await?;
        }
        erasure.receipt = Some(receipt);
        Ok(erasure)
    }

    /// Who the person is, as of now.
    async fn find(
        &self,
        known: &BTreeSet<String>,
        pending: Option<(&Pending, &Key)>,
    ) -> Result<(Tables, Wanted<'a>), ErasureError> {
        let pending = pending.filter(|(pending, _)| !pending.is_empty());
        let tables = Tables::open(self.runner, pending.is_some()).await?;
        let search = Search {
            runner: self.runner,
            names: self.names,
            tables: &tables,
            ids: self.ids,
            known,
            pending: pending.map(|(pending, key)| (&pending.sessions, key)),
        };
        let wanted = search.wanted().await?;
        Ok((tables, wanted))
    }

    async fn is_in(&self, tables: &Tables, wanted: &Wanted<'_>) -> Result<bool, ErasureError> {
        for table in &tables.all {
            if count(tables, table, wanted).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Erases, deletes and searches. Once more if something is found: a file that was written in the moment of the commit
    /// is as old as it, and stays.
    async fn finish(&self, work: &mut Work<'a>) -> Result<Erasure, ErasureError> {
        self.passes(work).await?;
        self.purge(work).await?;
        let searched = self.searched(&work.wanted.sessions).await?;
        if searched.searched.found.is_empty() {
            return Ok(searched);
        }
        self.passes(work).await?;
        self.purge(work).await?;
        self.searched(&work.wanted.sessions).await
    }

    /// Erases all tables until a search finds nothing that arrived meanwhile.
    async fn passes(&self, work: &mut Work<'a>) -> Result<(), ErasureError> {
        for pass in 1..=PASSES {
            self.pass(work).await?;
            let known = work.wanted.sessions.clone();
            // Of a killed erasure, old files are needed only once.
            let (tables, mut wanted) = self.find(&known, None).await?;
            // Places of records that are gone may still be in tables that are made of them.
            wanted.places.extend(std::mem::take(&mut work.wanted.places));
            wanted.ambiguous.extend(std::mem::take(&mut work.wanted.ambiguous));
            let mut left = vec![];
            for table in &tables.all {
                left.extend(count(&tables, table, &wanted).await?);
            }
            (work.tables, work.wanted) = (tables, wanted);
            if left.is_empty() {
                return Ok(());
            }
            if pass == PASSES {
                let tables: Vec<String> = left.into_iter().map(|left| left.table).collect();
                return Err(ErasureError::KeepsArriving {
                    tables: tables.join(", "),
                });
            }
        }
        Ok(())
    }

    /// Erases each table once, and runs the steps that count its rows.
    async fn pass(&self, work: &mut Work<'a>) -> Result<(), ErasureError> {
        let mut gone: BTreeMap<TableName, Vec<RecordBatch>> = BTreeMap::new();
        let mut touched: BTreeSet<TableName> = BTreeSet::new();
        for table in &work.tables.all {
            let name = table.name();
            let node = self.runner.dag().get(name);
            let condition = condition(table, &work.wanted);
            let rows = self.rows_to_erase(&work.tables, table, condition.as_ref()).await?;
            let mut before = None;
            if let Some(node) = node
                && self.runner.is_recomputed_after_erasure(node, &gone).await?
            {
                before = count(&work.tables, table, &work.wanted).await?;
                self.runner.recompute_after_erasure(node, &gone).await?;
                touched.insert(name.clone());
                work.recomputed.insert(name.clone());
            }
            if !rows.is_empty() {
                gone.insert(name.clone(), rows);
            }
            let advances = node.is_some_and(|node| !node.changed_tables.is_empty());
            if condition.is_some() || advances {
                // One that holds nobody is committed to, too: its positions have to pass the erasures of its inputs.
                let taken = condition.clone().unwrap_or_else(|| lit(false));
                let session = work.tables.session();
                let erased = erase(self.runner.lake(), name, &taken, advances, session).await?;
                if let Some(erased) = erased.filter(|_| condition.is_some()) {
                    let counted = work.counted.entry(name.clone()).or_insert_with(|| counted(table));
                    let (rows, files) = before.map_or((0, 0), |before| (before.rows, before.files));
                    counted.rows += erased.rows.max(rows);
                    counted.files += (erased.files as u64).max(files);
                    if erased.rows > 0 {
                        touched.insert(name.clone());
                    }
                }
            }
            let Some(node) = node else { continue };
            let is_touched = |input: &TableName| touched.contains(input);
            if self.runner.run_after_erasure(node, &is_touched).await? {
                touched.insert(name.clone());
                work.recomputed.insert(name.clone());
            }
        }
        Ok(())
    }

    /// The person's rows in a table, if steps have to compute something again because of them.
    async fn rows_to_erase(
        &self,
        tables: &Tables,
        table: &Table,
        condition: Option<&Expr>,
    ) -> Result<Vec<RecordBatch>, ErasureError> {
        let Some(condition) = condition.filter(|_| self.is_recomputed_from(table.name())) else {
            return Ok(vec![]);
        };
        let mut rows = tables
            .rows_of(table)
            .await?
            .filter(condition.clone())?
            .collect()
            .await?;
        rows.retain(|rows| rows.num_rows() > 0);
        Ok(rows)
    }

    fn is_recomputed_from(&self, table: &TableName) -> bool {
        let nodes: &[Node] = self.runner.dag().nodes();
        nodes.iter().any(|node| node.recomputes(table))
    }

    /// Deletes what old versions hold, of every table that can hold people.
    async fn purge(&self, work: &mut Work<'a>) -> Result<(), ErasureError> {
        for node in self.runner.dag().nodes() {
            self.runner.catch_up_before_purge(node).await?;
        }
        for table in &work.tables.all {
            if condition(table, &work.wanted).is_none() {
                continue;
            }
            let name = table.name();
            let purged = purge(&self.runner.lake().table(name).await?).await?;
            self.runner.lake().forget(name);
            let counted = work.counted.entry(name.clone()).or_insert_with(|| counted(table));
            counted.files_deleted += purged.files as u64;
            counted.log_files_deleted += purged.log_files as u64;
        }
        Ok(())
    }

    /// Searches every byte below the lake.
    async fn searched(&self, sessions: &BTreeSet<String>) -> Result<Erasure, ErasureError> {
        let ids = || self.ids.users.iter().chain(sessions);
        let words = Arc::new(Words::new(ids().map(String::as_str))?);
        Ok(Erasure {
            sessions: sessions.len(),
            searched: search(self.runner.lake(), &words).await?,
            not_searched: ids().filter(|id| !is_distinct(id)).count(),
            ..Erasure::default()
        })
    }
}

impl Counted {
    fn is_something(&self) -> bool {
        self.rows > 0 || self.files_deleted > 0 || self.log_files_deleted > 0
    }
}

impl Erasure {
    fn done(&self) -> Done {
        let sum = |of: fn(&Counted) -> u64| self.tables.iter().map(of).sum();
        Done {
            rows: sum(|table| table.rows),
            files_rewritten: sum(|table| table.files),
            files_deleted: sum(|table| table.files_deleted),
            log_files_deleted: sum(|table| table.log_files_deleted),
        }
    }
}

fn condition(table: &Table, wanted: &Wanted<'_>) -> Option<Expr> {
    wanted.condition(table.schema(), table.name().layer == SYSTEM_LAYER)
}

fn counted(table: &Table) -> Counted {
    Counted {
        table: table.name().to_string(),
        files_of_table: table.table.file_count(),
        ..Counted::default()
    }
}

/// The person's rows in the current version of a table; `None` if there are none.
async fn count(tables: &Tables, table: &Table, wanted: &Wanted<'_>) -> Result<Option<Counted>, ErasureError> {
    let Some(condition) = condition(table, wanted) else {
        return Ok(None);
    };
    let files = table.table.data_files();
    let held = holding(&table.table, &files, &condition, tables.session()).await?;
    let rows: u64 = held.iter().map(|held| held.rows).sum();
    Ok((rows > 0).then(|| Counted {
        rows,
        files: held.len() as u64,
        ..counted(table)
    }))
}
