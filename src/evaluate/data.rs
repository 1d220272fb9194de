//! Training and test events, from the lake, cut at a point in time, or from two files; refuses test sessions that are
//! in the training file (`overlap`).

use std::path::PathBuf;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use datafusion::dataframe::DataFrame;

use super::cases::Reveal;
use super::import::Order;
use super::train_test::{Cut, split};
use super::{EvaluationError, import, overlap};
use crate::engine::query;
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
    /// Files; see `docs/development.md` for their columns.
    Files {
        /// The training file.
        train: PathBuf,
        /// The test file.
        test: PathBuf,
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
}

impl Data {
    /// Reads the events.
    ///
    /// # Errors
    /// When a file or the lake cannot be read, one side is empty, or the training file contains test sessions.
    pub async fn read(runner: &Runner, origin: &Origin) -> Result<Self, EvaluationError> {
        let events = &runner.recommender().events;
        let columns = runner.schemas().get(events);
        let columns = columns.ok_or_else(|| RecommenderError::NoStep {
            name: events.to_string(),
        })?;
        match origin {
            Origin::Lake { cut, sample } => {
                let cut = split(&runner.session().await?, events, *cut, *sample).await?;
                Ok(Self {
                    train: cut.train,
                    test: cut.test,
                    reveal: Reveal::EveryStep,
                    description: format!("{events}, cut at {}", cut.at),
                })
            }
            Origin::Files { train, test } => {
                let (rows, reveal, test_order) = import::test(runner.engine(), test, columns).await?;
                let (learned, train_order) = import::clicks(runner.engine(), train, columns).await?;
                let order = match (train_order, test_order) {
                    (Order::Time, Order::Time) => Order::Time,
                    _ => Order::Position,
                };
                overlap::check((train, test), &learned, &rows, reveal, order).await?;
                Ok(Self {
                    train: learned,
                    test: rows,
                    reveal,
                    description: format!("{} and {}", train.display(), test.display()),
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
