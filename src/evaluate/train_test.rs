//! The split into training and test sessions: the events of the lake, or of a file, cut at a point in time
//! (`--test-share`, `--test-days`). Sessions in progress at the cut are on neither side, and test sessions have two
//! events or more. A few sessions with wrong clocks do not move the cut. How a test session is cut further is `cases`.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use chrono::{DateTime, Utc};
use datafusion::dataframe::DataFrame;
use datafusion::prelude::SessionContext;

use super::EvaluationError;
use crate::config::{TableName, TimeZone};
use crate::engine::query;

/// Where to split by time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cut {
    /// The last share of sessions, by start time, is the test set.
    Share(f64),
    /// The sessions of this many last days are the test set; days are as long as the clocks of the shop make them. A few
    /// newest sessions that are far later than all others do not determine the last day: their clocks are wrong.
    Days(f64),
}

/// Sessions before and after a point in time; no session is on both sides.
#[derive(Debug)]
pub struct Split {
    /// The events of sessions that had ended by then.
    pub train: DataFrame,
    /// The events of sessions that started then or later, grouped by session.
    pub test: RecordBatch,
    /// The point in time, as text.
    pub at: String,
}

/// Splits the table of events by time; `zone` makes the days. Drops sessions in progress at the cut. Keeps at most
/// `sample` test sessions, chosen by a hash of their IDs, so that the choice is reproducible.
///
/// # Errors
/// When one side is empty.
pub async fn split(
    session: &SessionContext,
    events: &TableName,
    cut: Cut,
    zone: TimeZone,
    sample: Option<usize>,
) -> Result<Split, EvaluationError> {
    let sessions = format!(
        "sessions as (select session_id, min(event_at) as started_at, max(event_at) as ended_at, count(*) as events \
         from {events} group by session_id)"
    );
    let at = match cut {
        Cut::Share(share) => start_of_last(session, &sessions, share).await?,
        Cut::Days(days) => {
            warn_of_clocks(session, &sessions).await?;
            let newest = newest(session, &sessions).await?;
            newest.map(|newest| zone.text(zone.days_before(newest, days)))
        }
    };
    let Some(at) = at else {
        return Err(EvaluationError::TooFew(format!(
            "{events} has no sessions\n  help: fill the table with `clickrec run`, or use other data: clickrec \
             evaluate --data FILE"
        )));
    };
    let train = format!(
        "with {sessions} select events.* from {events} as events inner join sessions on events.session_id = \
         sessions.session_id where sessions.ended_at < arrow_cast('{at}', 'Timestamp(Microsecond, Some(\"UTC\"))')"
    );
    let limit = sample.map_or(String::new(), |sample| {
        format!("order by md5(session_id) limit {sample}")
    });
    let test = format!(
        "with {sessions}, chosen as (select session_id from sessions where events > 1 and started_at >= \
         arrow_cast('{at}', 'Timestamp(Microsecond, Some(\"UTC\"))') {limit}) select events.* from {events} as events \
         inner join chosen on events.session_id = chosen.session_id order by events.session_id, event_at, event_id"
    );
    let test = query(session, &test).await?;
    let schema = test.schema().inner().clone();
    let test = concat_batches(&schema, &test.collect().await?)?;
    let train = query(session, &train).await?;
    if test.num_rows() == 0 || train.clone().limit(0, Some(1))?.count().await? == 0 {
        return Err(EvaluationError::TooFew(format!(
            "a split at {at} leaves no sessions to train on, or none to test on\n  help: choose another \
             --test-share or --test-days"
        )));
    }
    Ok(Split { train, test, at })
}

/// When the first session of the last share started, as text.
async fn start_of_last(
    session: &SessionContext,
    sessions: &str,
    share: f64,
) -> Result<Option<String>, EvaluationError> {
    let sql = format!(
        "with {sessions} select arrow_cast((select started_at from (select started_at, row_number() over (order by \
         started_at) as place, count(*) over () as all from sessions) where place > floor(all * {}) order by place \
         limit 1), 'Utf8')",
        1.0 - share
    );
    one_text(session, &sql).await
}

/// When the last session ended, ignoring a few sessions (one in a thousand; in small lakes three, or a fifth) that end
/// more than a day after all others: a single event with a wrong clock would otherwise leave the last days empty.
const NEWEST: &str = "select coalesce(min(case when is_odd then earlier end), max(ended_at)) as newest from (select ended_at, \
                      earlier, place <= least(greatest(sessions * 0.001, 3), sessions / 5.0) and earlier < ended_at - \
                      interval '1 day' as is_odd from (select ended_at, lag(ended_at) over (order by ended_at) as earlier, \
                      row_number() over (order by ended_at desc) as place, count(*) over () as sessions from sessions \
                      where ended_at is not null))";

/// That moment.
async fn newest(session: &SessionContext, sessions: &str) -> Result<Option<DateTime<Utc>>, EvaluationError> {
    let sql = format!(
        "with {sessions} select arrow_cast(arrow_cast(newest, 'Timestamp(Microsecond, Some(\"UTC\"))'), 'Utf8') from \
         ({NEWEST})"
    );
    let text = one_text(session, &sql).await?;
    // A timestamp as text is RFC 3339.
    Ok(text.and_then(|text| text.parse().ok()))
}

async fn warn_of_clocks(session: &SessionContext, sessions: &str) -> Result<(), EvaluationError> {
    let sql = format!(
        "with {sessions}, newest as ({NEWEST}) select arrow_cast(concat(count(*), ' of the sessions ended after ', \
         min(newest)), 'Utf8') from sessions cross join newest where ended_at > newest having count(*) > 0"
    );
    if let Some(late) = one_text(session, &sql).await? {
        tracing::warn!(
            "{late}, more than a day after all others; clickrec assumes wrong clocks, and counts --test-days back from \
             that time"
        );
    }
    Ok(())
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
