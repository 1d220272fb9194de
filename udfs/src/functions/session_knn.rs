//! `session_knn(HISTORY, SESSIONS, session => …, item => …, at => …, k => 10, …)`: the items clicked in the past
//! sessions most similar to each session.
//!
//! Both relations contain clicks in the same columns. A session in the history is not its own neighbor. Items unknown
//! to the history are skipped; a session with no known items gets no rows. Sessions are returned block by block,
//! ascending by ID.
//!
//! A plan that runs again does not reread the history: its index is kept as long as the plan.
//!
//! Memory: about 80 bytes per click in the history while it is indexed, the IDs, and 4 bytes per item and thread;
//! reserved before it is allocated.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{Result, exec_datafusion_err, plan_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use thread_local::ThreadLocal;
use tokio::sync::OnceCell;

use super::blocks::{FEW, after, in_blocks, made_of};
use super::clicks::{Clicks, click_columns};
use super::ranked;
use crate::ranking::Scored;
use crate::relation::{Arguments, Bound, Kind, Operation, Parameter, RelationFunction};
use crate::sessions::{Click, KnnParams, SessionHistory, SessionKnn, history_bytes};

const NAME: &str = "session_knn";
/// The number of sessions computed and returned at once.
const BLOCK: usize = 4_096;

/// The function; see the module.
#[derive(Debug)]
pub(super) struct SessionKnnFunction;

impl RelationFunction for SessionKnnFunction {
    fn name(&self) -> &'static str {
        NAME
    }

    fn doc(&self) -> &'static str {
        "What the most similar past sessions clicked (VS-kNN with the refinements of VSTAN). Returns the \
         session column, the item column, score, rank, best (the score of rank 1)."
    }

    fn parameters(&self) -> &'static [Parameter] {
        const {
            &[
                Parameter::required("history", Kind::Relation, "clicks of past sessions"),
                Parameter::required("sessions", Kind::Relation, "clicks of the sessions to recommend for"),
                Parameter::required("session", Kind::Column, "the session; any type"),
                Parameter::required("item", Kind::Column, "the item; any type"),
                Parameter::required("at", Kind::Column, "the time of the click: a time or a number"),
                Parameter::optional("k", Kind::Integer, "10", "how many items per session"),
                Parameter::optional("neighbors", Kind::Integer, "200", "how many sessions vote"),
                Parameter::optional(
                    "sample",
                    Kind::Integer,
                    "1000",
                    "how many of the newest sessions that share an item are compared",
                ),
                Parameter::optional(
                    "position_decay",
                    Kind::Number,
                    "4",
                    "the number of clicks back in the session at which a click counts 1/e as much",
                ),
                Parameter::optional(
                    "neighbor_decay",
                    Kind::Number,
                    "2",
                    "the number of clicks from the shared item at which a click counts 1/e as much",
                ),
                Parameter::optional(
                    "recency",
                    Kind::Number,
                    "1",
                    "the oldest session counts exp(-recency) times as much as the newest",
                ),
                Parameter::optional("idf", Kind::Number, "4", "how much more rare items count"),
                Parameter::optional("length", Kind::Number, "0.25", "how much less long sessions count"),
                Parameter::optional(
                    "repeat",
                    Kind::Number,
                    "2",
                    "how many times as much an item counts if it was clicked before the newest click",
                ),
                Parameter::optional(
                    "exclude_seen",
                    Kind::Flag,
                    "true",
                    "leave out items that the session has clicked",
                ),
            ]
        }
    }

    fn operation(&self, wire: serde_json::Value) -> serde_json::Result<Arc<dyn Operation>> {
        Ok(Arc::new(serde_json::from_value::<Nearest>(wire)?))
    }

    fn bind(&self, arguments: &Arguments) -> Result<Bound> {
        let default = KnnParams::default();
        let positive = |name: &str, default: f32| match arguments.number(name, f64::from(default)) {
            value if value.is_finite() && value > 0.0 => Ok(value as f32),
            value => plan_err!("{NAME}: {name} is {value}; it must be above 0"),
        };
        let not_negative = |name: &str, default: f32| match arguments.number(name, f64::from(default)) {
            value if value.is_finite() && value >= 0.0 => Ok(value as f32),
            value => plan_err!("{NAME}: {name} is {value}; it must not be negative"),
        };
        let count = |name: &str, default: usize| {
            let value = arguments.integer(name, i64::try_from(default).unwrap_or(i64::MAX), 1..=1_000_000);
            value.map(|value| value as usize)
        };
        let params = KnnParams {
            neighbors: count("neighbors", default.neighbors)?,
            sample: count("sample", default.sample)?,
            position_decay: positive("position_decay", default.position_decay)?,
            neighbor_decay: positive("neighbor_decay", default.neighbor_decay)?,
            recency: not_negative("recency", default.recency)?,
            idf: not_negative("idf", default.idf)?,
            length: not_negative("length", default.length)?,
            repeat: not_negative("repeat", default.repeat)?,
        };
        let operation = Nearest {
            past: Arc::default(),
            params,
            k: arguments.integer("k", 10, 1..=10_000)? as usize,
            exclude_seen: arguments.flag("exclude_seen", true),
        };
        let inputs =
            ["history", "sessions"].map(|relation| arguments.project(relation, click_columns(arguments, relation)?));
        Ok(Bound {
            inputs: inputs.into_iter().collect::<Result<_>>()?,
            schema: ranked::schema(arguments.column("session")?, arguments.column("item")?, "score"),
            operation: Arc::new(operation),
        })
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Nearest {
    params: KnnParams,
    k: usize,
    exclude_seen: bool,
    #[serde(skip)]
    past: Arc<OnceCell<Arc<Past>>>,
}

impl Operation for Nearest {
    fn execute(
        &self,
        mut inputs: Vec<SendableRecordBatchStream>,
        schema: SchemaRef,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let (sessions, history) = (inputs.remove(1), inputs.remove(0));
        let (params, k, exclude_seen, past) = (self.params, self.k, self.exclude_seen, self.past.clone());
        Ok(after(schema.clone(), async move {
            let mut memory = MemoryConsumer::new(NAME).register(context.memory_pool());
            let read = || Past::read(history, params, memory.new_empty());
            let past = past.get_or_try_init(read).await?.clone();
            let sessions = Clicks::read(NAME, sessions, &mut memory).await?;
            let clicks = sessions.clicks.len();
            let known = past.clone();
            let lists = Lists {
                sessions: made_of(clicks, move || Ok(known.find(sessions))).await?,
                past,
                params,
                k,
                exclude_seen,
                schema: schema.clone(),
                _memory: memory,
            };
            Ok(in_blocks(schema, lists.sessions.len(), (BLOCK, FEW), move |block| {
                lists.block(block)
            }))
        }))
    }

    fn inputs_kept(&self) -> usize {
        usize::from(self.past.initialized())
    }

    fn fresh(&self) -> Option<Arc<dyn Operation>> {
        Some(Arc::new(Self {
            past: Arc::default(),
            ..*self
        }))
    }

    fn independent_by(&self) -> Option<usize> {
        Some(0)
    }

    fn to_wire(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}

/// The indexed history, and working memory for each thread.
#[derive(Debug)]
struct Past {
    /// Ascending, like the items.
    sessions: Vec<String>,
    items: Vec<String>,
    history: Arc<SessionHistory>,
    rooms: ThreadLocal<RefCell<SessionKnn<Arc<SessionHistory>>>>,
    _memory: MemoryReservation,
}

impl Past {
    async fn read(
        rows: SendableRecordBatchStream,
        params: KnnParams,
        mut memory: MemoryReservation,
    ) -> Result<Arc<Self>> {
        let read = Clicks::read(NAME, rows, &mut memory).await?;
        let (clicks, items, past) = (read.clicks.len(), read.items.len(), read.sessions.len());
        // Small requests are answered outside rayon's threads, on as many other threads.
        let rooms = 2 * 4 * rayon::current_num_threads() * items;
        memory
            .try_grow(history_bytes(clicks, items) + rooms)
            .map_err(|error| error.context(format!("{NAME}: indexing {clicks} clicks of {past} sessions")))?;
        let index = move || {
            let (sessions, items, clicks) = read.sorted();
            let history = Arc::new(SessionHistory::new(items.len(), clicks, params.sample));
            Arc::new(Self {
                sessions,
                items,
                history,
                rooms: ThreadLocal::new(),
                _memory: memory,
            })
        };
        tokio::task::spawn_blocking(index)
            .await
            .map_err(|error| exec_datafusion_err!("{NAME} stopped: {error}"))
    }

    /// Sessions with items in the history, ascending by ID.
    fn find(&self, sessions: Clicks) -> Vec<Session> {
        let (mut ids, items, clicks) = sessions.sorted();
        let known: Vec<Option<u32>> = items.iter().map(|item| place(&self.items, item)).collect();
        let with_clicks = sequences(clicks, &known).into_iter().map(|(session, clicks)| {
            let id = std::mem::take(&mut ids[session as usize]);
            Session {
                own: place(&self.sessions, &id),
                id,
                clicks,
            }
        });
        with_clicks.collect()
    }
}

/// The sessions' lists, computed on demand.
struct Lists {
    past: Arc<Past>,
    sessions: Vec<Session>,
    params: KnnParams,
    k: usize,
    exclude_seen: bool,
    schema: SchemaRef,
    _memory: MemoryReservation,
}

/// A requested session.
struct Session {
    id: String,
    /// Its number in the history, if it is there.
    own: Option<u32>,
    /// Its known items in click order.
    clicks: Vec<u32>,
}

impl Lists {
    /// The lists of some sessions.
    fn block(&self, block: Range<usize>) -> Result<RecordBatch> {
        let sessions = &self.sessions[block];
        let list = |session: &Session| self.list(&session.clicks, session.own);
        let lists: Vec<Vec<Scored>> = sessions.par_iter().with_min_len(FEW).map(list).collect();
        let ids = sessions.iter().map(|session| session.id.as_str());
        ranked::batch(&self.schema, &self.past.items, ids.zip(lists))
    }

    fn list(&self, clicks: &[u32], own: Option<u32>) -> Vec<Scored> {
        let room = || RefCell::new(SessionKnn::new(self.past.history.clone(), self.params));
        let mut knn = self.past.rooms.get_or(room).borrow_mut();
        knn.top(clicks, own, self.k, self.exclude_seen)
    }
}

/// The position of an ID in a sorted list of IDs.
fn place(ids: &[String], id: &str) -> Option<u32> {
    let place = ids.binary_search_by(|known| known.as_str().cmp(id)).ok()?;
    u32::try_from(place).ok()
}

/// The known items of each session in click order.
fn sequences(mut clicks: Vec<Click>, known: &[Option<u32>]) -> BTreeMap<u32, Vec<u32>> {
    clicks.sort_unstable();
    let mut sequences: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for click in clicks {
        if let Some(item) = known[click.item as usize] {
            sequences.entry(click.session).or_default().push(item);
        }
    }
    sequences
}
