//! `cut_session(session_id, written_session_id, event_at, user_id, campaign, day, silence) over (partition by session_id
//! order by event_at, …)`: the session of each event of a session ID: NULL if it is the ID itself, otherwise the ID with
//! the time at which the session began.
//!
//! One pass over the sorted events of an ID, which it holds in memory until the ID ends. The rules are in
//! `udfs/src/visits/cut.rs`. Written sessions that nothing new is near keep their names (`udfs/src/visits/news.rs`).

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit, TimeUnit};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::window_doc_sections::DOC_SECTION_ANALYTICAL;
use datafusion::logical_expr::{Documentation, PartitionEvaluator, Signature, Volatility, WindowUDFImpl};

use super::whole_partition::{EventColumns, WholePartition, length_us, texts};
use crate::visits::{affected, cut, later};

const NAME: &str = "cut_session";

/// The function; see the module.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct CutSession {
    signature: Signature,
}

impl Default for CutSession {
    fn default() -> Self {
        let arguments = vec![
            DataType::Utf8,
            DataType::Utf8,
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            DataType::Utf8,
            DataType::Utf8,
            DataType::Date32,
            DataType::Interval(IntervalUnit::MonthDayNano),
        ];
        Self {
            signature: Signature::exact(arguments, Volatility::Immutable),
        }
    }
}

impl WindowUDFImpl for CutSession {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn partition_evaluator(&self, _: PartitionEvaluatorArgs<'_>) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(WholePartition::new(sessions)))
    }

    fn field(&self, args: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(args.name(), DataType::Utf8, true)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
            Documentation::builder(
                DOC_SECTION_ANALYTICAL,
                "The session of each event of a session id that the shop gave: NULL if it is called like the id, as the \
                 first one is; otherwise the id, `@` and the time at which the session began. Each person has sessions \
                 of their own.",
                "cut_session(session_id, written_session_id, event_at, user_id, campaign, day, silence) over (partition by \
                 session_id order by event_at, …)",
            )
            .with_argument("session_id", "The id that the shop gave, NULL if it gave none.")
            .with_argument(
                "written_session_id",
                "The session that an earlier run gave the event, NULL if the event is new. Sessions that nothing new is \
                 near keep their names.",
            )
            .with_argument("event_at", "When it happened.")
            .with_argument(
                "user_id",
                "Who did it, NULL if nobody knows. Such an event belongs to the person known before it or, if there is \
                 none, after it.",
            )
            .with_argument("campaign", "Another one than before begins a session; NULL begins none.")
            .with_argument("day", "A session ends with it; NULL if days do not end sessions.")
            .with_argument("silence", "A longer pause ends a session; NULL if none does.")
            .with_sql_example(
                "select *, cut_session(session_id, null, event_at, user_id, null, null, interval '30 minutes') over \
                 (partition by session_id order by event_at, event_id) from new_events;",
            )
            .build()
        });
        Some(&DOCUMENTATION)
    }
}

/// The sessions of the events of one ID.
fn sessions(values: &[ArrayRef]) -> Result<StringArray> {
    let [ids, written, at, user, campaign, day, silence, ..] = values else {
        return exec_err!("{NAME} takes seven arguments");
    };
    let ids = ids.as_string::<i32>();
    if ids.is_empty() || ids.is_null(0) {
        return Ok(StringArray::new_null(ids.len()));
    }
    if written.null_count() == 0 {
        // Nothing is new.
        return Ok(written.as_string::<i32>().clone());
    }
    let id = ids.value(0);
    let silence_us = length_us(NAME, silence)?;
    let written = texts(written);
    let mut events = EventColumns {
        at,
        user,
        campaign,
        day,
    }
    .events();
    let is_affected = affected(id, &events, &written, silence_us);
    let mut places = is_affected.iter();
    events.retain(|_| places.next().is_some_and(|is_affected| *is_affected));

    let mut cut = cut(&events, silence_us).into_iter();
    let mut names = StringBuilder::new();
    for (written, is_affected) in written.iter().zip(&is_affected) {
        let session = if *is_affected { cut.next() } else { None };
        match session {
            Some(session) => names.append_option(later(id, &events, &session)),
            None => names.append_option(*written),
        }
    }
    Ok(names.finish())
}
