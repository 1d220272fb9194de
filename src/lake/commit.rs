//! The commit of a step: new files, removed files and input positions become visible in one entry of the log, or not at
//! all. `pipeline/step/commit.rs` calls it; everything before only writes files that no reader sees, and
//! rejected rows to `system.quarantine`. Of two runners that are at the same step, the slower one is refused
//! ([`LakeError::Conflict`]). Where the columns differ from those of the table, the commit carries new metadata
//! (`change`).

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake::kernel::{Action, Add, MetadataExt, Remove, StructType, Transaction, new_metadata};
use deltalake::operations::create::CreateBuilder;
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::table::state::DeltaTableState;
use serde_json::Value;

use super::commit_keys::{FILES_KEY, ID_KEY, LOGIC_KEY, MODE_KEY, MODE_MERGE, VERSION_KEY};
use super::log_entry::LogEntry;
use super::write::{Layout, discard, write};
use super::{LakeError, LakeTable, Version, positions};
use crate::failpoint;

/// How a commit changes the rows of a table.
#[derive(Debug, Clone)]
pub enum CommitMode {
    /// Adds rows.
    Append,
    /// Replaces all rows; the only mode that may change the partitioning.
    Overwrite,
    /// Replaces the rows of some keys; see [`super::Merge`].
    Merge {
        /// Files with the remaining rows of the touched files.
        kept: Vec<Add>,
        /// The touched files.
        touched: Vec<Remove>,
    },
}

/// Whether the log holds this exact commit.
pub(super) async fn is_in_log(table: &LakeTable, version: Version, id: &str) -> bool {
    let entry = LogEntry::read(table, version).await;
    entry.is_ok_and(|entry| entry.is_some_and(|entry| entry.info.id.as_deref() == Some(id)))
}

impl CommitMode {
    fn name(&self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Overwrite => "overwrite",
            Self::Merge { .. } => MODE_MERGE,
        }
    }
}

/// One change to a table: its rows and the input positions they were read up to, made visible together.
#[derive(Debug, Clone)]
pub struct Commit {
    /// How the rows change.
    pub mode: CommitMode,
    /// The columns of the files.
    pub layout: Layout,
    /// Files that hold the new rows.
    pub files: Vec<Add>,
    /// Application IDs and versions, see [`super::positions`]: all of them, including those that did not move.
    pub transactions: BTreeMap<String, i64>,
    /// What it says in the table's history about the logic that made its rows, if not all rows are of it.
    pub logic: Option<String>,
}

/// The properties of every commit: a single attempt, with no post-commit work. Checkpoints and log cleanup, which lists
/// the whole log, are left to [`super::maintain()`].
pub(super) fn properties(mode: &'static str, id: &str, files: usize, logic: Option<&str>) -> CommitProperties {
    let said: [(String, Value); 4] = [
        (MODE_KEY.to_owned(), mode.into()),
        (ID_KEY.to_owned(), id.into()),
        (FILES_KEY.to_owned(), files.into()),
        (VERSION_KEY.to_owned(), env!("CARGO_PKG_VERSION").into()),
    ];
    let logic = logic.map(|logic| (LOGIC_KEY.to_owned(), Value::from(logic)));
    CommitProperties::default()
        .with_max_retries(0)
        .with_create_checkpoint(false)
        .with_cleanup_expired_logs(Some(false))
        .with_metadata(said.into_iter().chain(logic))
}

/// A unique ID for a commit.
pub(super) fn new_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// Whether all of these data files are part of the table.
pub(super) fn has_files<'a>(table: &LakeTable, files: impl IntoIterator<Item = &'a str>) -> bool {
    let mut missing: HashSet<&str> = files.into_iter().collect();
    if let Some(state) = table.state().filter(|_| !missing.is_empty()) {
        for file in state.log_data().iter() {
            missing.remove(file.path().as_ref());
        }
    }
    missing.is_empty()
}

/// Appends the rows of a plan, in one commit, to a table that no step writes.
///
/// # Errors
/// When the query fails or the store refuses the write.
pub async fn append(
    table: &LakeTable,
    plan: &Arc<dyn ExecutionPlan>,
    task: &Arc<TaskContext>,
    layout: Layout,
) -> Result<Version, LakeError> {
    let written = write(table, plan, task, &layout).await?;
    let commit = Commit {
        mode: CommitMode::Append,
        layout,
        files: written.files.clone(),
        transactions: BTreeMap::from([(positions::SQL.to_owned(), 0)]),
        logic: None,
    };
    let applied = commit.apply(table).await;
    if let Err(LakeError::Conflict { .. }) = applied {
        discard(table, &written.files).await;
    }
    applied
}

impl Commit {
    /// Commits on top of the table as it was opened, or creates it. Returns the new version.
    ///
    /// The commit is attempted against exactly that version: the Delta library would retry on top of any concurrent
    /// commit after a weaker conflict check than ours (none at all for a new table). If other writers have only moved
    /// rows between files since (a compaction), the commit goes on top of theirs. If the store returns an error, the
    /// log is checked for the commit, because it may have succeeded anyway.
    ///
    /// # Errors
    /// [`LakeError::Conflict`] when another writer was faster; the files stay invisible.
    pub async fn apply(self, table: &LakeTable) -> Result<Version, LakeError> {
        failpoint::reach("before_commit").await;
        let mut table = table.clone();
        let applied = loop {
            let id = new_id();
            let next = table.version().map_or(0, |version| version + 1);
            match self.clone().try_apply(&table, &id).await {
                Err(error) if is_in_log(&table, next, &id).await => {
                    tracing::warn!(table = %table.name(), version = next, %error, "committed, but the reply was lost");
                    break next;
                }
                Err(conflict @ LakeError::Conflict { .. }) => match self.still_fits(&table).await? {
                    Some(newer) => table = newer,
                    None => return Err(conflict),
                },
                done => break done?,
            }
        };
        failpoint::reach("after_commit").await;
        Ok(applied)
    }

    /// The current table, provided its rows are those the commit was made for and the files to be replaced are still
    /// there.
    async fn still_fits(&self, table: &LakeTable) -> Result<Option<LakeTable>, LakeError> {
        let Some(read) = table.version() else { return Ok(None) };
        let newer = table.reopened().await?;
        let now = newer.version().unwrap_or(read);
        if now <= read || newer.id() != table.id() {
            return Ok(None);
        }
        for version in read + 1..=now {
            match LogEntry::read(&newer, version).await? {
                // What was planned before an erasure may hold rows of the person.
                Some(entry) if entry.keeps_rows() && !entry.erases() => {}
                _ => return Ok(None),
            }
        }
        let replaced = match &self.mode {
            CommitMode::Merge { touched, .. } => touched.iter().map(|file| file.path.as_str()).collect(),
            _ => vec![],
        };
        Ok(has_files(&newer, replaced).then_some(newer))
    }

    async fn try_apply(self, table: &LakeTable, id: &str) -> Result<Version, LakeError> {
        let schema: StructType = self.layout.schema.as_ref().try_into_kernel().map_err(|source| {
            LakeError::delta("store the schema of", table.name())(deltalake::DeltaTableError::Arrow { source })
        })?;
        match table.state() {
            None => self.create(table, &schema, id).await,
            Some(state) => self.change(table, state, &schema, id).await,
        }
    }

    fn properties(&self, id: &str, files: usize) -> CommitProperties {
        let transactions = self.transactions.iter();
        let transactions = transactions.map(|(id, version)| Transaction::new(id, *version));
        properties(self.mode.name(), id, files, self.logic.as_deref())
            .with_application_transactions(transactions.collect())
    }

    async fn create(self, table: &LakeTable, schema: &StructType, id: &str) -> Result<Version, LakeError> {
        let properties = self.properties(id, self.files.len());
        let created = CreateBuilder::new()
            .with_log_store(table.delta().log_store())
            .with_columns(schema.fields().cloned())
            .with_partition_columns(self.layout.partition_by.clone())
            .with_commit_properties(properties)
            .with_actions(self.files.into_iter().map(Action::Add))
            .await;
        match created {
            Ok(created) => Ok(created.version().unwrap_or_default()),
            Err(source) if table.delta().verify_deltatable_existence().await.unwrap_or(false) => {
                Err(LakeError::Conflict {
                    table: table.name().to_string(),
                    source: Box::new(source),
                })
            }
            Err(source) => Err(LakeError::delta("create", table.name())(source)),
        }
    }

    async fn change(
        self,
        table: &LakeTable,
        state: &DeltaTableState,
        schema: &StructType,
        id: &str,
    ) -> Result<Version, LakeError> {
        let failed = || LakeError::delta("commit to", table.name());
        let mut actions = vec![];
        let layout_differs = state.metadata().partition_columns() != self.layout.partition_by.as_slice();
        if layout_differs && !matches!(self.mode, CommitMode::Overwrite) {
            return Err(LakeError::Schema {
                table: table.name().to_string(),
                reason: format!(
                    "the table is partitioned by [{}], not by [{}]",
                    state.metadata().partition_columns().join(", "),
                    self.layout.partition_by.join(", ")
                ),
                help: format!(
                    "restore `partition_by`, or rebuild: clickrec run --full-refresh --select {}",
                    table.name()
                ),
            });
        }
        // In every mode: an append and a merge may add columns too (other changes, `pipeline/step/shape.rs` refuses).
        if layout_differs || state.schema().as_ref() != schema {
            let old = state.metadata();
            let metadata = new_metadata(schema, &self.layout.partition_by, old.configuration())
                .and_then(|metadata| metadata.with_table_id(old.id().to_owned()));
            let metadata = metadata.map_err(deltalake::DeltaTableError::from).map_err(failed())?;
            actions.push(Action::Metadata(metadata));
        }
        let mut files: Vec<Action> = self.files.iter().cloned().map(Action::Add).collect();
        match &self.mode {
            CommitMode::Append => {}
            CommitMode::Overwrite => {
                let old = state.log_data();
                files.extend(old.iter().map(|file| Action::Remove(file.remove_action(true))));
            }
            CommitMode::Merge { kept, touched } => {
                files.extend(touched.iter().cloned().map(Action::Remove));
                files.extend(kept.iter().cloned().map(|file| {
                    Action::Add(Add {
                        data_change: false,
                        ..file
                    })
                }));
            }
        }
        let (properties, operation) = (self.properties(id, files.len()), self.operation());
        actions.extend(files);
        let committed = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(state), table.delta().log_store(), operation)
            .await
            .map_err(failed())?;
        Ok(committed.version())
    }

    fn operation(&self) -> DeltaOperation {
        let partition_by = Some(self.layout.partition_by.clone()).filter(|columns| !columns.is_empty());
        let write = |mode| DeltaOperation::Write {
            mode,
            partition_by,
            predicate: None,
        };
        match self.mode {
            CommitMode::Append => write(SaveMode::Append),
            CommitMode::Overwrite => write(SaveMode::Overwrite),
            // No predicate: the merge read the whole table, so any concurrent change to its rows is a conflict.
            CommitMode::Merge { .. } => DeltaOperation::Merge {
                predicate: None,
                merge_predicate: None,
                matched_predicates: vec![],
                not_matched_predicates: vec![],
                not_matched_by_source_predicates: vec![],
            },
        }
    }
}
