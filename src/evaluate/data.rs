//! Training and test events: of the lake or a file, cut at a point in time, or of two files; refuses test sessions that
//! are in the training file (`overlap`).

use std::path::PathBuf;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use datafusion::dataframe::DataFrame;

use super::cases::Reveal;
use super::import::Hints;
use super::import_sql::Order;
use super::train_test::{Cut, split};
use super::{EvaluationError, import, overlap};
use crate::engine::{Bindings, query};
use crate::pipeline::Runner;
use crate::recommender::RecommenderError;

/// Where events come from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// The lake's table of events, split by time.
    Lake {
        /// Where to split it.
        cut: Cut,
        /// The maximum number of test sessions.
        sample: Option<usize>,
    },
    /// A file of events, split by time.
    File {
        /// The file.
        file: PathBuf,
        /// What its fields are.
        hints: Hints,
        /// Where to split it.
        cut: Cut,
        /// The maximum number of test sessions.
        sample: Option<usize>,
    },
    /// Files that are split already; see `docs/development.md`.
    Files {
        /// The training file.
        train: PathBuf,
        /// The test file.
        test: PathBuf,
        /// What their fields are.
        hints: Hints,
    },
}

/// Training and test events, with the columns of the table of events.
#[derive(Debug)]
pub struct Data {
    /// The training events, as a query.
    pub train: DataFrame,
    /// Test sessions, grouped by session, oldest event first.
    pub test: RecordBatch,
    /// Which of their steps become cases.
    pub reveal: Reveal,
    /// A human-readable description of where the events come from.
    pub description: String,
    /// What was taken for what in each file, for people.
    pub told: Vec<String>,
}

impl Data {
    /// Reads the events.
    ///
    /// # Errors
    /// When a file or the lake cannot be read, it is not clear what a file's fields are, one side is empty, or the
    /// training file contains test sessions.
    pub async fn read(runner: &Runner, origin: &Origin) -> Result<Self, EvaluationError> {
        let events = &runner.recommender().events;
        let columns = runner.schemas().get(events);
        let columns = columns.ok_or_else(|| RecommenderError::NoStep {
            name: events.to_string(),
        })?;
        match origin {
            Origin::Lake { cut, sample } => {
                let cut = split(&runner.session().await?, events, *cut, runner.timezone(), *sample).await?;
                Ok(Self {
                    train: cut.train,
                    test: cut.test,
                    reveal: Reveal::EveryStep,
                    description: format!("{events}, cut at {}", cut.at),
                    told: vec![],
                })
            }
            Origin::File {
                file,
                hints,
                cut,
                sample,
            } => {
                let read = import::clicks(runner.engine(), file, hints, columns).await?;
                let mut bindings = Bindings::default();
                bindings.tables.insert(events.clone(), read.events.into_view());
                let session = runner.engine().session(&bindings).await?;
                let cut = split(&session, events, *cut, runner.timezone(), *sample).await?;
                Ok(Self {
                    train: cut.train,
                    test: cut.test,
                    reveal: Reveal::EveryStep,
                    description: match read.order {
                        Order::Time => format!("{}, cut at {}", file.display(), cut.at),
                        // The time is made up.
                        Order::Position => format!("{}, cut in the order of its sessions", file.display()),
                    },
                    told: vec![read.told],
                })
            }
            Origin::Files { train, test, hints } => {
                let (tested, reveal) = import::test(runner.engine(), test, hints, columns).await?;
                let learned = import::clicks(runner.engine(), train, hints, columns).await?;
                let order = match (learned.order, tested.order) {
                    (Order::Time, Order::Time) => Order::Time,
                    _ => Order::Position,
                };
                overlap::check((train, test), &learned.events, &tested.events, reveal, order).await?;
                Ok(Self {
                    train: learned.events,
                    test: tested.events,
                    reveal,
                    description: format!("{} and {}", train.display(), test.display()),
                    told: vec![learned.told, tested.told],
                })
            }
        }
    }
}

/// How many sessions a lake has.
pub async fn sessions(runner: &Runner) -> Result<u64, EvaluationError> {
    let session = runner.session().await?;
    let sql = format!("select count(distinct session_id) from {}", runner.recommender().events);
    let rows = query(&session, &sql).await?.collect().await?;
    let count = rows
        .first()
        .map(|batch| batch.column(0).as_primitive::<Int64Type>().value(0));
    Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or_default())
}
