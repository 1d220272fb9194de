use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use datafusion::dataframe::DataFrame;
use datafusion::prelude::SessionContext;

use super::EvaluationError;
use crate::engine::query;
use crate::recommender::EVENTS;

/// Where time is cut.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cut {
    /// The last share of sessions, by their start, is the test.
    Share(f64),
    /// The sessions of the last so many days are the test.
    Days(f64),
}

/// Sessions before and after a moment; no session is on both sides.
#[derive(Debug)]
pub struct Split {
    /// The events of sessions that had ended by then.
    pub train: DataFrame,
    /// The events of sessions that began then or later, session by session.
    pub test: RecordBatch,
    /// The moment, as text.
    pub at: String,
}

/// Cuts `silver.events` in time. Sessions that were going on at the cut are left out. At most `sample` test sessions are
/// kept, picked by a hash of their ids, so the same ones each time.
///
/// # Errors
/// When one side is empty.
pub async fn split(session: &SessionContext, cut: Cut, sample: Option<usize>) -> Result<Split, EvaluationError> {
    let sessions = format!(
        "sessions as (select session_id, min(event_at) as started_at, max(event_at) as ended_at, count(*) as events \
         from {EVENTS} group by session_id)"
    );
    let moment = match cut {
        Cut::Share(share) => format!(
            "select started_at from (select started_at, row_number() over (order by started_at) as place, count(*) \
             over () as all from sessions) where place > floor(all * {}) order by place limit 1",
            1.0 - share
        ),
        Cut::Days(days) => format!(
            "select to_timestamp_micros(cast((max(extract(epoch from ended_at)) - {days} * 86400) * 1000000 as \
             bigint)) from sessions"
        ),
    };
    let at = one_text(
        session,
        &format!("with {sessions} select arrow_cast(({moment}), 'Utf8')"),
    )
    .await?;
    let Some(at) = at else {
        return Err(EvaluationError::TooFew(format!(
            "{EVENTS} has no sessions\n  help: `clickrec run` takes up events; `clickrec evaluate --train FILE --test \
             FILE` reads other data"
        )));
    };
    let train = format!(
        "with {sessions} select events.* from {EVENTS} as events inner join sessions on events.session_id = \
         sessions.session_id where sessions.ended_at < arrow_cast('{at}', 'Timestamp(Microsecond, Some(\"UTC\"))')"
    );
    let limit = sample.map_or(String::new(), |sample| {
        format!("order by md5(session_id) limit {sample}")
    });
    let test = format!(
        "with {sessions}, chosen as (select session_id from sessions where events > 1 and started_at >= \
         arrow_cast('{at}', 'Timestamp(Microsecond, Some(\"UTC\"))') {limit}) select events.* from {EVENTS} as events \
         inner join chosen on events.session_id = chosen.session_id order by events.session_id, event_at, event_id"
    );
    let test = query(session, &test).await?;
    let schema = test.schema().inner().clone();
    let test = concat_batches(&schema, &test.collect().await?)?;
    let train = query(session, &train).await?;
    if test.num_rows() == 0 || train.clone().limit(0, Some(1))?.count().await? == 0 {
        return Err(EvaluationError::TooFew(format!(
            "no sessions are left to learn from or to test on when time is cut at {at}\n  help: choose another \
             --test-share or --test-days"
        )));
    }
    Ok(Split { train, test, at })
}

async fn one_text(session: &SessionContext, sql: &str) -> Result<Option<String>, EvaluationError> {
    use arrow::array::{Array, AsArray};
    let rows = query(session, sql).await?.collect().await?;
    let text = rows
        .iter()
        .find(|batch| batch.num_rows() > 0)
        .map(|batch| batch.column(0).as_string::<i32>());
    Ok(text
        .filter(|text| text.is_valid(0))
        .map(|text| text.value(0).to_owned()))
}
