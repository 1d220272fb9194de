//! `session_knn(HISTORY, SESSIONS, session => …, item => …, at => …, k => 10, …)`: what the past sessions most like each
//! session clicked.
//!
//! Both relations hold clicks in the same columns. A session that is part of the history is no neighbour of itself.
//! Items that the history does not know are passed over; a session with no known item gets no rows. Sessions come
//! ascending by id, a block of them at a time.
//!
//! Memory: about 80 bytes a click of the history while it is indexed, the ids, and 4 bytes a session and item for each
//! thread; reserved before it is allocated.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{Result, exec_datafusion_err, plan_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use rayon::prelude::*;
use tokio::sync::mpsc::Sender;

use super::clicks::{Clicks, click_columns};
use super::ranked;
use crate::ranking::Scored;
use crate::relation::{Arguments, Bound, Kind, Operation, Parameter, RelationFunction};
use crate::sessions::{Click, KnnParams, SessionHistory, SessionKnn, history_bytes};

const NAME: &str = "session_knn";
/// Sessions whose lists are computed and sent on in one go.
const BLOCK: usize = 4_096;

/// The function; see the module.
#[derive(Debug)]
pub(super) struct SessionKnnFunction;

impl RelationFunction for SessionKnnFunction {
    fn name(&self) -> &'static str {
        NAME
    }

    fn doc(&self) -> &'static str {
        "What the past sessions most like each session clicked (VS-kNN with the refinements of VSTAN). Returns the \
         session column, the item column, score, rank."
    }

    fn parameters(&self) -> &'static [Parameter] {
        const {
            &[
                Parameter::required("history", Kind::Relation, "clicks of past sessions"),
                Parameter::required("sessions", Kind::Relation, "clicks of the sessions to recommend for"),
                Parameter::required("session", Kind::Column, "which session; any type"),
                Parameter::required("item", Kind::Column, "what; any type"),
                Parameter::required("at", Kind::Column, "when: a time or a number"),
                Parameter::optional("k", Kind::Integer, "10", "how many items a session"),
                Parameter::optional("neighbours", Kind::Integer, "200", "how many sessions vote"),
                Parameter::optional(
                    "sample",
                    Kind::Integer,
                    "1000",
                    "how many of the newest that share an item are compared",
                ),
                Parameter::optional(
                    "position_decay",
                    Kind::Number,
                    "4",
                    "clicks of the session until one counts 1/e",
                ),
                Parameter::optional(
                    "neighbour_decay",
                    Kind::Number,
                    "2",
                    "clicks from the shared item until one counts 1/e",
                ),
                Parameter::optional(
                    "recency",
                    Kind::Number,
                    "1",
                    "the oldest session counts exp(-recency) as much",
                ),
                Parameter::optional("idf", Kind::Number, "4", "how much rare items count more"),
                Parameter::optional("length", Kind::Number, "0.25", "how much long sessions count less"),
                Parameter::optional(
                    "repeat",
                    Kind::Number,
                    "2",
                    "how much more an item counts that was clicked before the newest",
                ),
                Parameter::optional("exclude_seen", Kind::Flag, "true", "leave out what the session has had"),
            ]
        }
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
            neighbours: count("neighbours", default.neighbours)?,
            sample: count("sample", default.sample)?,
            position_decay: positive("position_decay", default.position_decay)?,
            neighbour_decay: positive("neighbour_decay", default.neighbour_decay)?,
            recency: not_negative("recency", default.recency)?,
            idf: not_negative("idf", default.idf)?,
            length: not_negative("length", default.length)?,
            repeat: not_negative("repeat", default.repeat)?,
        };
        let operation = Nearest {
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

#[derive(Debug, Clone, Copy)]
struct Nearest {
    params: KnnParams,
    k: usize,
    exclude_seen: bool,
}

impl Operation for Nearest {
    fn execute(
        &self,
        mut inputs: Vec<SendableRecordBatchStream>,
        schema: SchemaRef,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let (sessions, history) = (inputs.remove(1), inputs.remove(0));
        let nearest = *self;
        let mut stream = RecordBatchReceiverStream::builder(schema.clone(), 2);
        let out = stream.tx();
        stream.spawn(async move {
            let mut memory = MemoryConsumer::new(NAME).register(context.memory_pool());
            let mut held = memory.new_empty();
            let history = Clicks::read(NAME, history, &mut memory).await?;
            let sessions = Clicks::read(NAME, sessions, &mut held).await?;
            let threads = rayon::current_num_threads();
            let (clicks, items, past) = (history.clicks.len(), history.items.len(), history.sessions.len());
            memory
                .try_grow(history_bytes(clicks, items) + 4 * threads * (past + items))
                .map_err(|error| error.context(format!("{NAME}: indexing {clicks} clicks of {past} sessions")))?;
            let work = move || nearest.blocks(history, sessions, &schema, &out, (memory, held));
            tokio::task::spawn_blocking(work)
                .await
                .map_err(|error| exec_datafusion_err!("{NAME} stopped: {error}"))?
        });
        Ok(stream.build())
    }
}

impl Nearest {
    /// Block after block of sessions, ascending by id, until all are sent or nobody listens any more.
    fn blocks(
        self,
        history: Clicks,
        sessions: Clicks,
        schema: &SchemaRef,
        out: &Sender<Result<RecordBatch>>,
        _memory: (MemoryReservation, MemoryReservation),
    ) -> Result<()> {
        let (past, items, clicks) = history.sorted();
        let index = SessionHistory::new(items.len(), clicks, self.params.sample);
        let (ids, their_items, clicks) = sessions.sorted();
        let known: Vec<Option<u32>> = their_items.iter().map(|item| place(&items, item)).collect();
        let queries: Vec<(&str, Option<u32>, Vec<u32>)> = sequences(clicks, &known)
            .into_iter()
            .map(|(session, clicks)| (&*ids[session as usize], place(&past, &ids[session as usize]), clicks))
            .collect();
        for block in queries.chunks(BLOCK) {
            let lists: Vec<Vec<Scored>> = block
                .par_iter()
                .map_init(
                    || SessionKnn::new(&index, self.params),
                    |knn, (_, own, clicks)| knn.top(clicks, *own, self.k, self.exclude_seen),
                )
                .collect();
            let lists = block.iter().map(|(id, ..)| *id).zip(lists);
            if out.blocking_send(ranked::batch(schema, &items, lists)).is_err() {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// The place of an id among ids that ascend.
fn place(ids: &[String], id: &str) -> Option<u32> {
    let place = ids.binary_search_by(|known| known.as_str().cmp(id)).ok()?;
    u32::try_from(place).ok()
}

/// The known items of each session in the order of its clicks.
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
