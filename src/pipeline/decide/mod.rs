//! What a step has to do, and why: a pure function of the state of the lake and the sources. A step is up to date,
//! continues from its inputs' positions, or is rebuilt: its SQL has changed, an input was replaced, another engine
//! changed its rows, a full refresh was requested; `refresh_after` makes it wait. Where its SQL has changed, it may go
//! forward instead (`on_change`, `--forward`): it reads on, and older rows stay as they are; a change that concerns
//! these too is refused. Where an input only lost rows, steps that read its `changes('…')` have nothing to do. Where a
//! snapshot was not read, a step leaves its table as it is, whatever else has changed.
//!
//! [`decide`] depends on its [`Facts`] alone: no lake, no source, no clock. [`Inputs`](super::Inputs) gathers the facts
//! and binds the step's inputs accordingly. `fingerprint.rs` makes the fingerprint of a step's logic; `inputs/found.rs`
//! reads the stored one. `plan` shows the same decision that `run` follows.
//!
//! Two questions are answered elsewhere: whether a step may continue when rows are gone for good (`removed_rows`,
//! `deleted_tables`), and when a scheduled step (`every`) is due (`follow/slower_steps.rs`).

#[cfg(test)]
mod tests;

use crate::config::percent;

/// What a step will do with what it finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing, and why: its inputs hold nothing new, or less than the step waits for (`refresh_after`).
    UpToDate(String),
    /// Reads what is new, and adds to its table.
    Incremental,
    /// Does that with logic that has changed: older rows stay as they are; with the reason.
    Forward(String),
    /// Computes rows of earlier logic again; with which of them. [`decide`] does not decide this: `backfill.rs` does.
    Backfill(String),
    /// Reads everything, and replaces its table; with the reason.
    Full(String),
}

impl Decision {
    /// Whether rows stay that the step does not write.
    pub fn keeps_rest(&self) -> bool {
        matches!(self, Self::Incremental | Self::Forward(_) | Self::Backfill(_))
    }

    /// Why, where it needs a reason.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Incremental => None,
            Self::UpToDate(reason) | Self::Forward(reason) | Self::Backfill(reason) | Self::Full(reason) => {
                Some(reason)
            }
        }
    }

    /// What the table's history says about the logic: nothing, where all rows are of it.
    pub(super) fn logic(&self) -> Option<String> {
        match self {
            Self::Forward(_) => Some("forward".to_owned()),
            Self::Backfill(rows) => Some(format!("backfill {rows}")),
            Self::UpToDate(_) | Self::Incremental | Self::Full(_) => None,
        }
    }
}

/// All that a decision depends on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Facts {
    /// What the lake says.
    pub lake: LakeFacts,
    /// What the sources say. They are queried after the lake, which knows how far they were read.
    pub sources: SourceFacts,
}

/// What the lake says about a step and its inputs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LakeFacts {
    /// How the step's SQL reads its inputs.
    pub reads: Reads,
    /// Whether a full refresh was requested.
    pub full_refresh: bool,
    /// Whether older rows stay as they are where the logic has changed.
    pub forward: bool,
    /// The fingerprint of the step's logic as it is now.
    pub fingerprint: i64,
    /// The fingerprint of its mode, key and partitioning.
    pub layout: i64,
    /// The step's own table; `None` where it does not exist.
    pub table: Option<TableFacts>,
    /// The tables that the step reads.
    pub inputs: Vec<InputFacts>,
    /// How much is new and how much has to be, if the step waits for that.
    pub refresh: Option<Refresh>,
}

/// How a step's SQL reads its inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reads {
    /// New records of sources, and perhaps changes of tables.
    Sources,
    /// Changes of tables, and perhaps other tables as a whole.
    Changes,
    /// Only tables and snapshots, as a whole.
    Whole,
}

/// The step's own table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TableFacts {
    /// The fingerprint of the logic that wrote it, if known.
    pub fingerprint: Option<i64>,
    /// The fingerprint of the mode, key and partitioning that it was written with, if known.
    pub layout: Option<i64>,
    /// What others did to it.
    pub others: Others,
}

/// What others did to a table since its step last wrote it; each with a description of the commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Others {
    /// Nothing relevant.
    #[default]
    Nothing,
    /// They changed its rows.
    Rows(String),
    /// They changed its columns, but not its rows.
    Columns(String),
}

/// A table that the step reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct InputFacts {
    /// Whether new rows in it make the step run. If the step reads changes of other tables, only those do.
    pub drives: bool,
    /// What happened to its rows since the step read them.
    pub news: News,
    /// Why new rows cannot be told from old ones, so that all have to be read again; `None` if they can.
    pub reread: Option<String>,
}

/// What happened to the rows of a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum News {
    /// Nothing.
    #[default]
    None,
    /// Rows were removed, and none arrived.
    Fewer,
    /// Rows arrived.
    Rows,
}

/// The state of a step that waits until a share of its input is new (`refresh_after`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Refresh {
    /// The share that has to be new, 0 to 1.
    pub after: f64,
    /// Rows of its inputs.
    pub rows: u64,
    /// How many of them are new, if that is known without reading them.
    pub new: Option<u64>,
}

/// What the sources of a step say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SourceFacts {
    /// Waiting records.
    pub records: u64,
    /// Whether the positions are worth a commit even if no record waits; for snapshots, whether one has changed.
    pub keep: bool,
    /// Why a snapshot was not read: nothing can be computed without it.
    pub not_taken: Option<String>,
    /// What another engine did to the rows that were read from them.
    pub loss: Loss,
}

/// What another engine has done to the rows of a table that is filled from sources.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Loss {
    /// Nothing.
    #[default]
    None,
    /// The table was restored to a version of ours: what was read since then is read again.
    ReadAgain,
    /// Rows are gone, and it is unknown which.
    Unknown,
}

/// What a step has to do, and why.
///
/// # Errors
/// Why changed logic cannot hold for new rows alone, where that was asked for and nothing else rebuilds the table.
pub(super) fn decide(facts: &Facts) -> Result<Decision, String> {
    if let Some(reason) = &facts.sources.not_taken {
        return Ok(Decision::UpToDate(reason.clone()));
    }
    if let Some(reason) = facts.lake.rebuild() {
        return Ok(Decision::Full(reason));
    }
    match &facts.lake.table {
        Some(table) if facts.lake.goes_forward(table) => return facts.lake.forward(table),
        _ => {}
    }
    Ok(match facts.lake.reads {
        Reads::Sources | Reads::Changes => read_on(facts),
        Reads::Whole => recompute(facts),
    })
}

impl LakeFacts {
    /// Why a step starts from the beginning, whatever its sources say: it reads all inputs as if it had never read any.
    /// A step that is recomputed because its input has changed does not: it may read its own rows (`previous('…')`).
    pub fn rebuild(&self) -> Option<String> {
        let Some(table) = &self.table else {
            return Some("its table does not exist yet".to_owned());
        };
        if self.full_refresh {
            return Some("a full refresh was requested".to_owned());
        }
        // The source may hold less by now, so such a table is never rebuilt automatically.
        if self.reads == Reads::Sources {
            return None;
        }
        if table.fingerprint != Some(self.fingerprint) && !self.goes_forward(table) {
            return Some("its SQL or a variable in it has changed".to_owned());
        }
        match &table.others {
            Others::Rows(by) => return Some(format!("another program changed its rows: {by}")),
            Others::Columns(by) => return Some(format!("another program changed its columns: {by}")),
            Others::Nothing => {}
        }
        match self.reads {
            Reads::Changes => self.reread(),
            Reads::Sources | Reads::Whole => None,
        }
    }

    /// Whether the logic has changed, and older rows stay. A step that reads no changes computes all rows each time.
    fn goes_forward(&self, table: &TableFacts) -> bool {
        let is_changed = table.fingerprint.is_some_and(|old| old != self.fingerprint);
        self.forward && is_changed && self.reads == Reads::Changes
    }

    /// Goes forward, even where no row is new: from then on, the table is of the new logic. Which columns may change is
    /// another matter: `step/shape.rs`.
    fn forward(&self, table: &TableFacts) -> Result<Decision, String> {
        match table.layout {
            Some(old) if old == self.layout => Ok(Decision::Forward(
                "its SQL or a variable in it has changed; older rows stay as they are".to_owned(),
            )),
            Some(_) => {
                Err("its mode, `key` or `partition_by` has changed, which concerns the older rows, too".to_owned())
            }
            None => Err(
                "an earlier version of clickrec wrote its table, and did not record the key. With its old SQL, it does \
                 so as soon as it writes a row"
                    .to_owned(),
            ),
        }
    }

    /// Why an input has to be read again. Any input counts, even one that does not drive the step: rows that were
    /// joined with its old contents may be wrong now.
    fn reread(&self) -> Option<String> {
        self.inputs.iter().find_map(|input| input.reread.clone())
    }
}

/// A step that adds the news of its inputs to its table.
fn read_on(facts: &Facts) -> Decision {
    let mut drivers = facts.lake.inputs.iter().filter(|input| input.drives);
    let sources = &facts.sources;
    // A loss that is read again or accepted is settled by a commit, even one without rows.
    let is_settled = sources.records == 0 && !sources.keep && sources.loss == Loss::None;
    // Removed rows are not taken out of what was made from them.
    if is_settled && drivers.all(|input| input.news != News::Rows) {
        Decision::UpToDate("nothing new".to_owned())
    } else {
        Decision::Incremental
    }
}

/// A step that reads tables and snapshots as a whole is recomputed once they have changed, or the tables have changed
/// enough.
fn recompute(facts: &Facts) -> Decision {
    let lake = &facts.lake;
    if let Some(reason) = lake.reread() {
        return Decision::Full(reason);
    }
    if facts.sources.keep {
        return Decision::Full("a snapshot has changed".to_owned());
    }
    if lake.inputs.iter().all(|input| input.news == News::None) {
        return Decision::UpToDate("nothing new".to_owned());
    }
    match lake.refresh {
        Some(Refresh {
            after,
            rows,
            new: Some(new),
        }) if (new as f64) < after * rows as f64 => {
            let share = 100.0 * new as f64 / rows as f64;
            let wanted = percent(after);
            Decision::UpToDate(format!("{share:.1}% of its input is new; the step waits for {wanted}"))
        }
        _ => Decision::Full("its input has changed".to_owned()),
    }
}
