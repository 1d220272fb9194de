//! `join_session(session_id, user_id, event_at, campaign, day, silence) over (partition by user_id order by event_at, …)`:
//! the session of each event of a user that has none: one that is open, or a visit of its own, which is called like the
//! user, with the time at which it began. NULL for events that have a session.
//!
//! One pass over the sorted events of a user, which it holds in memory until the user's end. The rules are in
//! `udfs/src/visits/join.rs`.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit, TimeUnit};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::window_doc_sections::DOC_SECTION_ANALYTICAL;
use datafusion::logical_expr::{Documentation, PartitionEvaluator, Signature, Volatility, WindowUDFImpl};

use super::whole_partition::{EventColumns, WholePartition, length_us};
use crate::visits::{Joined, inferred, join};

const NAME: &str = "join_session";

/// The function; see the module.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct JoinSession {
    signature: Signature,
}

impl Default for JoinSession {
    fn default() -> Self {
        let arguments = vec![
            DataType::Utf8,
            DataType::Utf8,
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            DataType::Utf8,
            DataType::Date32,
            DataType::Interval(IntervalUnit::MonthDayNano),
        ];
        Self {
            signature: Signature::exact(arguments, Volatility::Immutable),
        }
    }
}

impl WindowUDFImpl for JoinSession {
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
                "The session of each event of a user that has none: the user's session that is open before it or, if there \
                 is none, after it; otherwise a visit of its own: the user, `@` and the time at which the visit began. \
                 NULL for events that have a session.",
                "join_session(session_id, user_id, event_at, campaign, day, silence) over (partition by user_id order by \
                 event_at, …)",
            )
            .with_argument("session_id", "The session of the event, NULL if it has none.")
            .with_argument("user_id", "Who did it.")
            .with_argument("event_at", "When it happened.")
            .with_argument("campaign", "Another one than before begins a visit; NULL begins none.")
            .with_argument("day", "Sessions and visits end with it; NULL if days do not end them.")
            .with_argument("silence", "A session is open for this long after an event, and before one.")
            .with_sql_example(
                "select *, join_session(session_id, user_id, event_at, null, null, interval '30 minutes') over (partition by \
                 user_id order by event_at, event_id) from new_events;",
            )
            .build()
        });
        Some(&DOCUMENTATION)
    }
}

/// The sessions of the events of one user.
fn sessions(values: &[ArrayRef]) -> Result<StringArray> {
    let [session, user, at, campaign, day, silence, ..] = values else {
        return exec_err!("{NAME} takes six arguments");
    };
    let sessions = session.as_string::<i32>();
    let users = user.as_string::<i32>();
    if sessions.null_count() == 0 || users.is_empty() || users.is_null(0) {
        return Ok(StringArray::new_null(sessions.len()));
    }
    let silence_us = length_us(NAME, silence)?;
    let events = EventColumns {
        at,
        user,
        campaign,
        day,
    }
    .events();
    let mut names = StringBuilder::new();
    for joined in join(&events, |place| sessions.is_valid(place), silence_us) {
        match joined {
            Joined::Has => names.append_null(),
            Joined::To(open) => names.append_value(sessions.value(open)),
            Joined::Visit(start) => names.append_value(inferred(users.value(0), events[start].at_us)),
        }
    }
    Ok(names.finish())
}
