//! Answers recommendation requests in batches: requests that arrive while all runs are busy are answered together by
//! one run of the plan, so that runs are shared under load (32 at most, each session once). With 4,096 waiting, more
//! are refused (503). The events of a request come with it, from `api/recommendations`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use datafusion::error::DataFusionError;
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, mpsc, oneshot};
use utoipa::ToSchema;

use super::error::ApiError;
use super::statements::Statements;
use crate::recommender::{self, Details, Reason, Recommended, Recommender, RecommenderError};

/// The maximum number of sessions per run.
const TOGETHER: usize = 32;
/// The maximum number of queued requests.
const WAITING: usize = 4096;

/// An item to show next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(super) struct Recommendation {
    pub item_id: String,
    /// From 1, the best.
    pub rank: u64,
    pub score: f64,
    /// The other numbers that the recommendations have: the parts of the score.
    #[serde(flatten)]
    pub parts: BTreeMap<String, f64>,
    /// The session's items that support the recommendation, if requested; empty if the item is popular with everyone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<Vec<Because>>,
    /// What the catalog says of the item, if it has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Details>,
}

impl From<Recommended> for Recommendation {
    fn from(item: Recommended) -> Self {
        Self {
            item_id: item.item,
            rank: item.rank,
            score: item.score,
            parts: item.parts,
            because: None,
            details: None,
        }
    }
}

/// An item of the session that supports a recommendation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(super) struct Because {
    pub item_id: String,
    /// Its share of the support that all items of the session give, 0 to 1.
    pub share: f64,
}

impl From<&Reason> for Because {
    fn from(reason: &Reason) -> Self {
        Self {
            item_id: reason.item.clone(),
            share: reason.share,
        }
    }
}

/// Best first.
pub(super) type List = Vec<Recommendation>;
type Reply = oneshot::Sender<Result<List, Arc<DataFusionError>>>;

/// A session, and the request that waits for its list.
struct Question {
    session: String,
    events: RecordBatch,
    statements: Arc<Statements>,
    recommender: Arc<Recommender>,
    reply: Reply,
}

/// Takes questions, and answers the ones that wait together in one run.
#[derive(Debug, Clone)]
pub(super) struct Answers(mpsc::Sender<Question>);

impl Answers {
    /// Starts answering, with this many concurrent runs.
    pub fn start(runs: usize) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::spawn(answer_all(receiver, Arc::new(Semaphore::new(runs))));
        Self(sender)
    }

    /// The list for a session with these events, which have the columns of the table of events.
    ///
    /// # Errors
    /// When too many requests are queued, or the SQL fails.
    pub async fn ask(
        &self,
        session: String,
        events: RecordBatch,
        statements: Arc<Statements>,
        recommender: Arc<Recommender>,
    ) -> Result<List, ApiError> {
        let (reply, answer) = oneshot::channel();
        let question = Question {
            session,
            events,
            statements,
            recommender,
            reply,
        };
        self.0.try_send(question).map_err(|_| ApiError::Overloaded)?;
        match answer.await {
            Ok(answer) => answer.map_err(|error| ApiError::query("the recommendations", &error)),
            Err(_) => Err(ApiError::Internal(
                "the task that answers requests has stopped; restart the server".to_owned(),
            )),
        }
    }
}

async fn answer_all(mut questions: mpsc::Receiver<Question>, runs: Arc<Semaphore>) {
    let mut waiting: Vec<Question> = vec![];
    loop {
        if waiting.is_empty() && questions.recv_many(&mut waiting, TOGETHER).await == 0 {
            return;
        }
        let Ok(run) = runs.clone().acquire_owned().await else {
            return;
        };
        // Adds the questions that arrived while all runs were busy, after their connections have been read.
        tokio::task::yield_now().await;
        while waiting.len() < TOGETHER
            && let Ok(question) = questions.try_recv()
        {
            waiting.push(question);
        }
        let together = take_together(&mut waiting);
        tokio::spawn(async move {
            answer(together).await;
            drop(run);
        });
    }
}

/// Questions that one run can answer: the same statement, and each session only once.
fn take_together(waiting: &mut Vec<Question>) -> Vec<Question> {
    let Some(recommender) = waiting.first().map(|first| first.recommender.clone()) else {
        return vec![];
    };
    let mut sessions = BTreeSet::new();
    let goes = |question: &mut Question| {
        Arc::ptr_eq(&question.recommender, &recommender) && sessions.insert(question.session.clone())
    };
    waiting.extract_if(.., goes).collect()
}

async fn answer(questions: Vec<Question>) {
    let Some(first) = questions.first() else { return };
    let events = questions.iter().map(|question| question.events.clone()).collect();
    match lists(&first.statements, &first.recommender, events).await {
        Ok(mut lists) => {
            for question in questions {
                let list = lists.remove(&question.session).unwrap_or_default();
                // The client may have disconnected.
                _ = question.reply.send(Ok(list));
            }
        }
        Err(error) => {
            let error = Arc::new(error);
            for question in questions {
                _ = question.reply.send(Err(error.clone()));
            }
        }
    }
}

async fn lists(
    statements: &Statements,
    recommender: &Recommender,
    events: Vec<RecordBatch>,
) -> Result<HashMap<String, List>, DataFusionError> {
    let (started, sessions) = (Instant::now(), events.len());
    let requests = statements
        .requests
        .of_events(events)
        .await
        .map_err(RecommenderError::into_query)?;
    let requests_us = started.elapsed().as_micros();
    let answer = recommender.answer(&requests).await?;
    let all_us = started.elapsed().as_micros();
    tracing::debug!(sessions, requests_us, all_us, "recommended");
    let answer = concat_batches(&recommender.schema(), &answer)?;
    let of_session =
        |(session, list): (String, Vec<Recommended>)| (session, list.into_iter().map(Recommendation::from).collect());
    Ok(recommender::lists(&answer)?.into_iter().map(of_session).collect())
}
