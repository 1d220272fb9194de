//! `clickrec quarantine replay`: re-evaluates records that were not accepted with the current SQL; what it accepts
//! moves on, and nothing else is rebuilt. Refused if a step that accepts records does not merge, because it could store
//! one twice.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::Utc;
use datafusion::catalog::TableProvider;
use datafusion::common::JoinType;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{Expr, ident};
use datafusion::prelude::SessionContext;

use super::inputs::Lookup;
use super::leave_out_failed_records::run_leaving_out_failed_records;
use super::step::{self, Attempt, DELETED};
use super::{Decision, Inputs, Node, PipelineError, Runner, StepProgress, failed_records};
use crate::config::{Mode, TableName};
use crate::lake::{Changes, LakeError, LakeTable, positions};

/// The location of a record, which is the key of a quarantine.
const PLACE: [&str; 3] = ["topic", "partition", "offset"];
/// How often a replay that lost a race is planned again.
const ATTEMPTS: usize = 3;

/// What a replay of one quarantine did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The quarantine.
    pub table: TableName,
    /// The steps that evaluated its records.
    pub steps: Vec<TableName>,
    /// Records in quarantine before.
    pub before: u64,
    /// Records in quarantine now, among them new ones that had not been read yet.
    pub after: u64,
}

/// The records that a replay judges, and the version of their table up to which everything is judged then.
struct Records {
    provider: Arc<dyn TableProvider>,
    table: LakeTable,
}

impl Runner {
    /// The quarantines of the project: tables named `quarantine`, in any layer.
    pub fn quarantines(&self) -> impl Iterator<Item = &Node> {
        let tables = self.dag().nodes().iter().filter(|node| node.step.mode != Mode::View);
        tables.filter(|node| node.name().table == "quarantine")
    }

    /// Judges the records of a quarantine again, those that the SQL of these steps failed on, and those that no step
    /// has read yet.
    ///
    /// The steps that share a view with the quarantine run as they always do, but `changes('…')` stands for just these
    /// records. First come the steps that accept records, then the quarantine gives up those that it no longer rejects:
    /// a record may be in both for a moment, but never in neither. Every commit replaces rows by key, so a replay that
    /// was killed is run again. The commits hold the hash of the SQL as it is now, so that the next run rebuilds
    /// nothing; rows that had been accepted before stay as they were.
    ///
    /// # Errors
    /// When the steps cannot take records twice, have tables that have to be built first, or fail.
    pub async fn replay(&self, quarantine: &Node) -> Result<Replayed, PipelineError> {
        let steps = self.judges(quarantine)?;
        let mut replayed = Replayed {
            table: quarantine.name().clone(),
            steps: steps.iter().map(|node| node.name().clone()).collect(),
            before: self.rows(quarantine).await?,
            after: 0,
        };
        let mut attempt = 1;
        while let Err(error) = self.replay_once(quarantine, &steps).await {
            let lost_race = matches!(
                error,
                PipelineError::Lake {
                    source: LakeError::Conflict { .. },
                    ..
                }
            );
            if !lost_race || attempt == ATTEMPTS {
                return Err(error);
            }
            attempt += 1;
        }
        replayed.after = self.rows(quarantine).await?;
        Ok(replayed)
    }

    async fn rows(&self, node: &Node) -> Result<u64, PipelineError> {
        let table = self.lake().table(node.name()).await;
        Ok(table.map_err(|error| node.lake_error(error))?.rows())
    }

    /// The steps that evaluate the same records with the same view.
    fn judges(&self, quarantine: &Node) -> Result<Vec<&Node>, PipelineError> {
        let views: BTreeSet<&TableName> = quarantine.views.iter().map(|view| &view.name).collect();
        let refused = |reason: String| PipelineError::Replay {
            table: quarantine.name().to_string(),
            reason,
        };
        if quarantine.changed_tables.len() != 1 || !quarantine.sources.is_empty() {
            return Err(refused(
                "its SQL must read changes('…') of exactly one table, and of no source".to_owned(),
            ));
        }
        let judges: Vec<&Node> = self
            .dag()
            .nodes()
            .iter()
            .filter(|node| node.step.mode != Mode::View && node.name() != quarantine.name())
            .filter(|node| node.views.iter().any(|view| views.contains(&view.name)))
            .filter(|node| !node.changed_tables.is_disjoint(&quarantine.changed_tables))
            // What follows from the quarantine judges nothing.
            .filter(|node| !node.reads(quarantine.name()))
            .collect();
        if judges.is_empty() {
            return Err(refused(
                "no other step reads the same view, so no step would accept its records".to_owned(),
            ));
        }
        match judges.iter().find(|node| node.step.mode != Mode::Merge) {
            Some(node) => Err(refused(format!(
                "`{}` has mode `{}`, so a replay could store a record twice; use `mode: merge`",
                node.name(),
                node.step.mode
            ))),
            None => Ok(judges),
        }
    }

    /// The steps whose SQL may have failed on records that the quarantine judges.
    fn readers(&self, quarantine: &Node) -> Vec<&Node> {
        let tables = self.dag().nodes().iter().filter(|node| node.step.mode != Mode::View);
        tables
            .filter(|node| !node.changed_tables.is_disjoint(&quarantine.changed_tables))
            .collect()
    }

    async fn replay_once(&self, quarantine: &Node, steps: &[&Node]) -> Result<(), PipelineError> {
        let begun = Utc::now();
        let records = self.records(quarantine, steps).await?;
        for node in steps {
            let inputs = self.replay_inputs(node, &records).await?;
            run_leaving_out_failed_records(self.tools_here(), node, &inputs, &Arc::default()).await?;
        }
        let inputs = self.replay_inputs(quarantine, &records).await?;
        let session = self.engine().session(&inputs.bindings).await?;
        let rejected = step::result(quarantine, &session).await?;
        let verdict = verdict(&session, rejected, &records)?;
        let mut by_place = quarantine.clone();
        by_place.step.mode = Mode::Merge;
        by_place.step.key = PLACE.map(str::to_owned).to_vec();
        by_place.step.delete = Some(DELETED.to_owned());
        let progress = Arc::<StepProgress>::default();
        let attempt = Attempt {
            tools: self.tools_here(),
            node: &by_place,
            inputs: &inputs,
            session: &session,
            progress: &progress,
        };
        attempt.complete(&verdict).await?;
        failed_records::forget(self.tools_here(), &self.readers(quarantine), begun).await
    }

    /// The quarantined records as they came, and those that arrived since the steps last read: all steps process the
    /// same records, and have then read equally far.
    async fn records(&self, quarantine: &Node, steps: &[&Node]) -> Result<Records, PipelineError> {
        let failed = |error| quarantine.lake_error(error);
        let name = quarantine.changed_tables.first().unwrap_or(quarantine.name());
        let table = self.lake().table(name).await.map_err(failed)?;
        let id = positions::of_table(name, &table.id().unwrap_or_default());
        let mut read = None;
        for node in steps.iter().copied().chain([quarantine]) {
            let target = self.lake().table(node.name()).await.map_err(failed)?;
            let position = target.transaction(&id).await.map_err(failed)?;
            let Some(position) = position.and_then(|position| u64::try_from(position).ok()) else {
                return Err(not_built(quarantine, node));
            };
            read = Some(read.map_or(position, |least: u64| least.min(position)));
        }
        let arrived = Changes::since(&table, read.unwrap_or_default()).await.map_err(failed)?;
        let Ok(arrived) = arrived else {
            return Err(not_built(quarantine, quarantine));
        };

        let session = self.upkeep_session().await?;
        let kept = self.lake().table(quarantine.name()).await.map_err(failed)?;
        let kept = kept.provider(&session.state()).await.map_err(failed)?;
        let all = table.provider(&session.state()).await.map_err(failed)?;
        let mut kept = keys(session.read_table(kept)?)?;
        if let Some(failed) = failed_records::places(self.tools_here(), &self.readers(quarantine), name).await? {
            kept = kept.union_distinct(keys(failed)?)?;
        }
        let new = session.read_table(Arc::new(arrived.scan(&table).map_err(failed)?))?;
        let old = session
            .read_table(all)?
            .join_on(kept, JoinType::LeftSemi, same_place())?;
        let old = old.join_on(keys(new.clone())?, JoinType::LeftAnti, same_place())?;
        let columns: Vec<Expr> = new.schema().fields().iter().map(|field| ident(field.name())).collect();
        let records = old.select(columns)?.union(new)?;
        Ok(Records {
            provider: records.into_view(),
            table,
        })
    }

    /// What a step reads in a replay: everything as in a run, but for the records.
    async fn replay_inputs(&self, node: &Node, records: &Records) -> Result<Inputs, PipelineError> {
        // The SQL has changed, or there would be no reason for a replay: looked for as the SQL before.
        let mut before = node.clone();
        let target = self.lake().table(node.name()).await;
        let target = target.map_err(|error| node.lake_error(error))?;
        let stored = target.transaction(positions::SQL).await;
        before.fingerprint = stored.map_err(|error| node.lake_error(error))?.unwrap_or_default();
        let mut inputs = self.inspect(&before, Lookup::default()).await?;
        if let Decision::Full(_) = inputs.decision {
            return Err(not_built(node, node));
        }
        let layout = inputs.target.transaction(positions::LAYOUT).await;
        let layout = layout.map_err(|error| node.lake_error(error))?;
        if layout.is_some_and(|layout| layout != node.layout) {
            return Err(PipelineError::Replay {
                table: node.name().to_string(),
                reason:
                    "its mode, `key` or `partition_by` has changed, which concerns the older rows, too\n  help: let \
                         it be rebuilt first: clickrec run"
                        .to_owned(),
            });
        }
        let (name, version) = (records.table.name(), records.table.version().unwrap_or_default());
        let id = positions::of_table(name, &records.table.id().unwrap_or_default());
        let version = i64::try_from(version).unwrap_or(i64::MAX);
        let stored = inputs.target.transaction(&id).await;
        if stored
            .map_err(|error| node.lake_error(error))?
            .is_some_and(|stored| stored > version)
        {
            // A run went further meanwhile: what it processed would be processed again.
            return Err(node.lake_error(LakeError::raced(node.name())));
        }
        inputs.decision = Decision::Incremental;
        inputs
            .bindings
            .changes
            .insert(name.to_string(), records.provider.clone());
        inputs.transactions.insert(id, version);
        inputs.transactions.insert(positions::SQL.to_owned(), node.fingerprint);
        if before.fingerprint != node.fingerprint {
            // Rows that were accepted before stay as they are.
            let since = positions::since_now();
            inputs
                .transactions
                .extend(since.map(|(id, version)| (id.to_owned(), version)));
        }
        Ok(inputs)
    }
}

fn not_built(quarantine: &Node, node: &Node) -> PipelineError {
    PipelineError::Replay {
        table: quarantine.name().to_string(),
        reason: format!("`{}` has not been built yet\n  help: clickrec run", node.name()),
    }
}

/// The locations of records, under names of their own.
fn keys(records: DataFrame) -> Result<DataFrame, PipelineError> {
    let columns = PLACE.map(|column| ident(column).alias(renamed(column)));
    Ok(records.select(columns.to_vec())?.distinct()?)
}

fn same_place() -> impl Iterator<Item = Expr> {
    PLACE.into_iter().map(|column| ident(column).eq(ident(renamed(column))))
}

fn renamed(column: &str) -> String {
    format!("__judged_{column}")
}

/// One row for every record that was re-evaluated: as the quarantine's SQL returns it, or marked for removal.
fn verdict(session: &SessionContext, rejected: DataFrame, records: &Records) -> Result<DataFrame, PipelineError> {
    let judged = keys(session.read_table(records.provider.clone())?)?;
    let columns: Vec<String> = rejected
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let verdict = judged.join_on(rejected, JoinType::Left, same_place())?;
    let mut chosen: Vec<Expr> = columns
        .iter()
        .map(|column| match PLACE.contains(&column.as_str()) {
            true => ident(renamed(column)).alias(column),
            false => ident(column),
        })
        .collect();
    chosen.push(ident(PLACE[0]).is_null().alias(DELETED));
    Ok(verdict.select(chosen)?)
}
