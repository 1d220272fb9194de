//! Maps text IDs to dense indices, and reads interactions from a stream, in which NULLs are an error.

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::Float32Type;
use datafusion::common::{HashMap, Result, exec_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryReservation;
use futures::TryStreamExt;

use crate::als::AlsError;

/// The size of a hash map entry, not counting the text of the ID.
const ENTRY_BYTES: usize = 64;

/// IDs in order of arrival; looking up a known ID does not allocate.
#[derive(Debug, Default)]
pub(super) struct Ids {
    index: HashMap<String, u32>,
    bytes: usize,
}

impl Ids {
    /// The index of an ID, new or known.
    pub fn add(&mut self, id: &str) -> u32 {
        if let Some(index) = self.index.get(id) {
            return *index;
        }
        // More than 2^32 IDs would not fit in memory.
        let next = self.index.len() as u32;
        self.bytes += id.len() + ENTRY_BYTES;
        self.index.insert(id.to_owned(), next);
        next
    }

    /// The index of a known ID.
    pub fn get(&self, id: &str) -> Option<u32> {
        self.index.get(id).copied()
    }

    /// Their approximate size in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number of IDs.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Sorts the IDs, and returns the new position of each old index. What is computed in that order does not depend on
    /// the order of the input.
    pub fn sorted(self) -> (Vec<String>, Vec<u32>) {
        let mut ids: Vec<(String, u32)> = self.index.into_iter().collect();
        ids.sort_unstable();
        let mut places = vec![0; ids.len()];
        for (place, (_, index)) in ids.iter().enumerate() {
            places[*index as usize] = place as u32;
        }
        (ids.into_iter().map(|(id, _)| id).collect(), places)
    }
}

/// Interactions as they were read: indices into the two lists of IDs.
#[derive(Debug, Default)]
pub(super) struct Triples {
    pub users: Ids,
    pub items: Ids,
    pub values: Vec<(u32, u32, f32)>,
}

/// Reads `(user, item, weight)` rows: text, text, `f32`. If `known` is given, items have its indices, and others are
/// skipped. Memory is reserved before it is used.
pub(super) async fn read_triples(
    function: &str,
    mut rows: SendableRecordBatchStream,
    known: Option<&Ids>,
    memory: &mut MemoryReservation,
) -> Result<Triples> {
    let mut triples = Triples::default();
    while let Some(batch) = rows.try_next().await? {
        add_batch(function, &batch, known, &mut triples)?;
        let held = triples.users.bytes() + triples.items.bytes() + triples.values.capacity() * 12;
        memory
            .try_resize(held)
            .map_err(|error| error.context(format!("{function}: reading its input")))?;
    }
    Ok(triples)
}

fn add_batch(function: &str, batch: &RecordBatch, known: Option<&Ids>, triples: &mut Triples) -> Result<()> {
    for column in 0..3 {
        if batch.column(column).null_count() > 0 {
            let name = batch.schema_ref().field(column).name();
            return exec_err!("{function}: column `{name}` has NULLs; exclude such rows: where {name} is not null");
        }
    }
    let (users, items) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
    let weights = batch.column(2).as_primitive::<Float32Type>();
    triples.values.reserve(batch.num_rows());
    for row in 0..batch.num_rows() {
        let item = match known {
            Some(known) => known.get(items.value(row)),
            None => Some(triples.items.add(items.value(row))),
        };
        let user = triples.users.add(users.value(row));
        if let Some(item) = item {
            triples.values.push((user, item, weights.value(row)));
        }
    }
    Ok(())
}

/// Converts an error of the solver, with IDs instead of indices.
pub(super) fn named(
    function: &str,
    error: &AlsError,
    user: impl Fn(u32) -> String,
    item: impl Fn(u32) -> String,
) -> String {
    match error {
        AlsError::Weight {
            user: u,
            item: i,
            weight,
        } => format!(
            "{function}: the weight of user '{}' and item '{}' is {weight}; weights must be finite",
            user(*u),
            item(*i)
        ),
        other => format!("{function}: {other}"),
    }
}
