use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::exec_datafusion_err;
use datafusion::error::DataFusionError;

use super::{Recommender, RecommenderError, Requests};

/// An item of the session that speaks for a recommendation.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// The session's item.
    pub item: String,
    /// Its share of all that speaks for the recommendation, 0 to 1.
    pub share: f64,
}

/// Scores by the session they are for, then by item.
type Scores = BTreeMap<String, BTreeMap<String, f64>>;

/// Which items of a session speak for each recommended item, strongest first: how much of the score is lost when the
/// session is asked about without the item, among all such losses. That works for any SQL, whatever models it blends.
/// A recommendation that loses nothing (it is popular with everyone) has no entry.
///
/// `events` has the columns of `silver.events` and is of one session; `recommender` should give long lists.
///
/// # Errors
/// When the project's SQL fails, or has no `session_id`, `item_id` and `score`.
pub async fn reasons(
    recommender: &Recommender,
    requests: &Requests<'_>,
    events: &RecordBatch,
) -> Result<BTreeMap<String, Vec<Reason>>, RecommenderError> {
    let items = texts(events, "item_id")?;
    let mut distinct: Vec<&str> = items.iter().flatten().collect();
    distinct.sort_unstable();
    distinct.dedup();
    let mut variants = vec![of_session(events, "all")?];
    for (number, left_out) in distinct.iter().enumerate() {
        let others: BooleanArray = items.iter().map(|item| Some(item != Some(*left_out))).collect();
        let others = filter_record_batch(events, &others).map_err(DataFusionError::from)?;
        variants.push(of_session(&others, &number.to_string())?);
    }
    let asked = requests.of_events(variants).await?;
    let scores = scores(&recommender.answer(&asked).await?)?;
    let Some(all) = scores.get("all") else {
        return Ok(BTreeMap::new());
    };
    let without = |number: usize, item: &str| {
        let scores = scores.get(&number.to_string());
        scores.and_then(|scores| scores.get(item)).copied().unwrap_or(0.0)
    };
    let found = all.iter().map(|(item, score)| {
        let losses = distinct.iter().enumerate().map(|(number, left_out)| Reason {
            item: (*left_out).to_owned(),
            share: (score - without(number, item)).max(0.0),
        });
        (item.clone(), shares(losses.collect()))
    });
    Ok(found.filter(|(_, reasons)| !reasons.is_empty()).collect())
}

/// Losses as shares of their sum, without those that do not matter.
fn shares(mut losses: Vec<Reason>) -> Vec<Reason> {
    const MATTERS: f64 = 0.01;
    let sum: f64 = losses.iter().map(|reason| reason.share).sum();
    // Rounding, and the popularity that fills lists, are no reason.
    if sum < 1e-4 {
        return vec![];
    }
    losses.iter_mut().for_each(|reason| reason.share /= sum);
    losses.retain(|reason| reason.share >= MATTERS);
    losses.sort_by(|a, b| b.share.total_cmp(&a.share).then_with(|| a.item.cmp(&b.item)));
    losses
}

/// The same events under another session's id.
fn of_session(events: &RecordBatch, id: &str) -> Result<RecordBatch, DataFusionError> {
    let schema = events.schema();
    let place = schema.index_of("session_id")?;
    let mut columns = events.columns().to_vec();
    let ids = StringArray::from_iter_values(std::iter::repeat_n(id, events.num_rows()));
    columns[place] = cast(&ids, schema.field(place).data_type())?;
    Ok(RecordBatch::try_new(schema, columns)?)
}

fn scores(answer: &[RecordBatch]) -> Result<Scores, DataFusionError> {
    let mut found = Scores::new();
    for batch in answer {
        let (sessions, items) = (texts(batch, "session_id")?, texts(batch, "item_id")?);
        let scores = cast(column(batch, "score")?, &DataType::Float64)?;
        let scores = scores.as_primitive::<Float64Type>();
        for row in (0..batch.num_rows()).filter(|row| items.is_valid(*row) && scores.is_valid(*row)) {
            let of_session = found.entry(sessions.value(row).to_owned()).or_default();
            of_session.insert(items.value(row).to_owned(), scores.value(row));
        }
    }
    Ok(found)
}

/// A column as text.
pub(super) fn texts(batch: &RecordBatch, name: &str) -> Result<StringArray, DataFusionError> {
    let texts = cast(column(batch, name)?, &DataType::Utf8)?;
    Ok(texts.as_string::<i32>().clone())
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a Arc<dyn Array>, DataFusionError> {
    batch.column_by_name(name).ok_or_else(|| {
        exec_datafusion_err!(
            "the answer has no column `{name}`; gold.recommendations selects session_id, item_id, rank, score"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(item: &str, share: f64) -> Reason {
        Reason {
            item: item.to_owned(),
            share,
        }
    }

    #[test]
    fn losses_become_shares_and_what_does_not_matter_is_left_out() {
        let found = shares(vec![reason("a", 0.25), reason("b", 0.75), reason("c", 0.0)]);
        assert_eq!(found, [reason("b", 0.75), reason("a", 0.25)]);
        assert!(shares(vec![reason("a", 1e-6)]).is_empty());
    }
}
