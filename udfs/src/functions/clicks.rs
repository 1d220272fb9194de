//! Reads the clicks of sessions from a stream, in which NULLs are an error. Clicks may repeat.

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::logical_expr::Expr;
use futures::TryStreamExt;

use super::ids::Ids;
use crate::relation::Arguments;
use crate::sessions::Click;

/// Casts session and item to text, and time to an integer: the columns of `relation` named in the arguments.
pub(super) fn click_columns(arguments: &Arguments, relation: &str) -> Result<Vec<Expr>> {
    let (session, item, at) = (
        arguments.column("session")?,
        arguments.column("item")?,
        arguments.column("at")?,
    );
    if session == item || session == at || item == at {
        return plan_err!(
            "{}: session, item and at must be three different columns",
            arguments.function()
        );
    }
    Ok(vec![
        arguments.column_of(relation, session, &DataType::Utf8)?,
        arguments.column_of(relation, item, &DataType::Utf8)?,
        arguments.column_of(relation, at, &DataType::Int64)?,
    ])
}

/// Clicks as they were read, with indices into the two lists of IDs.
#[derive(Debug, Default)]
pub(super) struct Clicks {
    pub sessions: Ids,
    pub items: Ids,
    pub clicks: Vec<Click>,
}

impl Clicks {
    /// Reads `(session, item, at)` rows. Memory is reserved before it is used.
    pub async fn read(
        function: &str,
        mut rows: SendableRecordBatchStream,
        memory: &mut MemoryReservation,
    ) -> Result<Self> {
        let mut read = Self::default();
        while let Some(batch) = rows.try_next().await? {
            for (index, column) in batch.columns().iter().enumerate() {
                if column.null_count() > 0 {
                    let schema = batch.schema();
                    let name = schema.field(index).name();
                    return exec_err!(
                        "{function}: column `{name}` has NULLs; exclude such rows: where {name} is not null"
                    );
                }
            }
            let (sessions, items) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
            let times = batch.column(2).as_primitive::<Int64Type>();
            read.clicks.reserve(batch.num_rows());
            for row in 0..batch.num_rows() {
                read.clicks.push(Click {
                    session: read.sessions.add(sessions.value(row)),
                    at: times.value(row),
                    item: read.items.add(items.value(row)),
                });
            }
            let held = read.sessions.bytes() + read.items.bytes() + read.clicks.capacity() * size_of::<Click>();
            memory
                .try_resize(held)
                .map_err(|error| error.context(format!("{function}: reading its input")))?;
        }
        Ok(read)
    }

    /// Sorts the IDs and renumbers the clicks accordingly, so that nothing computed from them depends on the order of
    /// rows.
    pub fn sorted(self) -> (Vec<String>, Vec<String>, Vec<Click>) {
        let (sessions, session_places) = self.sessions.sorted();
        let (items, item_places) = self.items.sorted();
        let mut clicks = self.clicks;
        for click in &mut clicks {
            click.session = session_places[click.session as usize];
            click.item = item_places[click.item as usize];
        }
        (sessions, items, clicks)
    }
}
