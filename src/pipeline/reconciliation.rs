//! What became of the records of a batch: read = accepted + repeated + quarantined. Reads the counts from the table
//! `reconciliation` that a step has just written, and warns if they do not add up, if none of 20 or more records is
//! accepted, and of impossible record times.

use std::sync::Arc;

use datafusion::error::DataFusionError;
use indicatif::HumanCount;
use serde::{Deserialize, Serialize};

use super::quarantine_table::as_json;
use super::step::Tools;
use super::step_error::query_error;
use super::{Node, PipelineError, chain};
use crate::engine::Bindings;
use crate::lake::{At, Changes, Version};
use crate::plural::counted;

/// Of so many records at least one should be accepted.
const MANY: u64 = 20;

/// The rows that a step has written into a table named `reconciliation`: see `sql/silver/reconciliation.sql`. Columns
/// that a project's own table does not have are 0.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reconciled {
    /// Records that were processed.
    pub read: u64,
    /// Those that became events.
    pub accepted: u64,
    /// Those that were deliveries of an event that is there.
    pub repeated: u64,
    /// Those that are in quarantine.
    pub quarantined: u64,
    /// Those of them whose ID is that of another event.
    pub conflicting: u64,
    /// The reason of most of those in quarantine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commonest_reason: Option<String>,
    /// Records whose own time cannot be right.
    #[serde(skip_serializing_if = "is_zero")]
    pub odd_times: u64,
    /// One of these times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub odd_time: Option<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Reconciled {
    /// Takes up another batch.
    pub(super) fn add(&mut self, other: &Self) {
        self.read += other.read;
        self.accepted += other.accepted;
        self.repeated += other.repeated;
        self.quarantined += other.quarantined;
        self.conflicting += other.conflicting;
        self.odd_times += other.odd_times;
        if other.commonest_reason.is_some() {
            self.commonest_reason.clone_from(&other.commonest_reason);
        }
        if other.odd_time.is_some() {
            self.odd_time.clone_from(&other.odd_time);
        }
    }

    /// Records that are in none of the tables; negative if records are in several.
    pub fn missing(&self) -> i128 {
        let found = [self.accepted, self.repeated, self.quarantined];
        i128::from(self.read) - found.iter().map(|count| i128::from(*count)).sum::<i128>()
    }

    /// What needs attention.
    pub(super) fn warnings(&self) -> Vec<String> {
        let counts = [
            self.read,
            self.accepted,
            self.repeated,
            self.quarantined,
            self.odd_times,
        ];
        let [read, accepted, repeated, quarantined, odd_times] = counts.map(HumanCount);
        let mut warnings = vec![];
        let counts =
            format!("{read} read, but {accepted} accepted + {repeated} repeated + {quarantined} in quarantine");
        let missing = self.missing();
        let number = u64::try_from(missing.unsigned_abs()).unwrap_or(u64::MAX);
        match missing {
            0 => {}
            1.. => warnings.push(format!(
                "{} of {read} records ended up in none of the tables ({counts})\n  help: a record that the SQL drops \
                 needs a reason in the view that checks records, so that it goes to quarantine; rows that expectations \
                 rejected are in system.quarantine",
                HumanCount(number)
            )),
            _ => warnings.push(format!(
                "{} in more than one of the tables ({counts})\n  help: check that the SQL of the quarantine takes each \
                 record once, and no accepted ones",
                counted(number, "record is", "records are")
            )),
        }
        if self.accepted == 0 && self.read >= MANY {
            let reason = self.commonest_reason.as_deref();
            let mostly = reason.map_or_else(String::new, |reason| format!("; most common reason: {reason}"));
            warnings.push(format!(
                "none of {read} records was accepted ({repeated} repeated, {quarantined} in quarantine{mostly})\n  help: \
                 clickrec quarantine"
            ));
        }
        if self.odd_times > 0 {
            let example = self.odd_time.as_deref().unwrap_or("no time");
            warnings.push(format!(
                "{odd_times} of {read} records arrived with an impossible record time ({example}), so clickrec cannot \
                 tell which events are in the future\n  help: Kafka's record times are milliseconds since 1970; check \
                 which unit the producer sends"
            ));
        }
        warnings
    }
}

/// What the reconciliation step found, once it has committed a version; warns of what needs attention. `None` for other
/// steps.
pub(super) async fn reconciled(tools: Tools<'_>, node: &Node, version: Version) -> Option<Reconciled> {
    if node.name().table != "reconciliation" {
        return None;
    }
    match read_reconciled(tools, node, version).await {
        Ok(reconciled) => {
            for warning in reconciled.warnings() {
                tracing::warn!(step = %node.name(), "{warning}");
            }
            Some(reconciled)
        }
        Err(error) => {
            tracing::warn!(
                step = %node.name(),
                error = chain(&error, ": "),
                "cannot read the counts of accepted, repeated and quarantined records"
            );
            None
        }
    }
}

async fn read_reconciled(tools: Tools<'_>, node: &Node, version: Version) -> Result<Reconciled, PipelineError> {
    let failed = |error| node.lake_error(error);
    let query = |error: DataFusionError| query_error(node, error);
    let table = tools
        .lake
        .table_at(node.name(), At::Version(version))
        .await
        .map_err(failed)?;
    let new = match version.checked_sub(1) {
        Some(before) => Changes::since(&table, before).await.map_err(failed)?.ok(),
        None => None,
    };
    let new = new.unwrap_or_else(|| Changes::all(&table));
    let session = tools.engine_here().session(&Bindings::default()).await?;
    table.register_store(&session.state()).map_err(failed)?;
    let rows = session
        .read_table(Arc::new(new.scan(&table).map_err(failed)?))
        .map_err(query)?;
    let mut all = Reconciled::default();
    for row in as_json(&rows.collect().await.map_err(query)?).map_err(query)? {
        let row = serde_json::from_str(&row).map_err(|error| query(DataFusionError::External(Box::new(error))))?;
        all.add(&row);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(read: u64, accepted: u64, repeated: u64, quarantined: u64) -> Reconciled {
        Reconciled {
            read,
            accepted,
            repeated,
            quarantined,
            ..Reconciled::default()
        }
    }

    #[test]
    fn counts_that_add_up_warn_of_nothing() {
        assert_eq!(counts(100, 90, 7, 3).warnings(), Vec::<String>::new());
        assert_eq!(
            counts(19, 0, 0, 19).warnings(),
            Vec::<String>::new(),
            "a few may all be bad"
        );
        assert_eq!(counts(0, 0, 0, 0).warnings(), Vec::<String>::new());
    }

    #[test]
    fn lost_and_doubled_records_nothing_accepted_and_odd_times_are_told() {
        let told = |reconciled: Reconciled| reconciled.warnings().join("\n");
        assert!(told(counts(100, 90, 7, 1)).contains("2 of 100 records ended up in none of the tables"));
        assert!(told(counts(100, 90, 7, 4)).contains("1 record is in more than one"));
        let nothing = Reconciled {
            commonest_reason: Some("timestamp is in the future".to_owned()),
            ..counts(20, 0, 1, 19)
        };
        assert!(told(nothing).contains(
            "none of 20 records was accepted (1 repeated, 19 in quarantine; most common reason: timestamp is"
        ));
        let odd = Reconciled {
            odd_times: 5,
            odd_time: Some("+55870-01-01T00:00:00Z".to_owned()),
            ..counts(5, 5, 0, 0)
        };
        assert!(told(odd).contains("5 of 5 records arrived with an impossible record time (+55870-01-01T00:00:00Z)"));
    }
}
