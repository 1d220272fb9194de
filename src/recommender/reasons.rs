//! Which items of a session explain a recommendation: the statement runs without each of them (the 20 with the most
//! weight). Shares below 1% are left out.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch, StringArray, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::error::DataFusionError;

use super::columns::{floats, texts};
use super::{Recommender, RecommenderError};

/// The maximum number of session items to leave out: each takes a run of the statement.
const LEFT_OUT: usize = 20;
/// An ID that no item has.
const UNKNOWN: &str = "\u{1}";

/// An item of the session that explains a recommendation.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// The session's item.
    pub item: String,
    /// Its share of the explanation, 0 to 1.
    pub share: f64,
}

/// Which items of a session explain each recommended item, strongest first: how much of the score is lost when the
/// session is scored without the item (for the 20 items with the most weight), as a share of all such losses. This
/// works for any SQL, whatever models it blends. A recommendation that loses nothing (it is popular with everyone) has
/// no entry.
///
/// `request` is one session's rows of the view of requests; `recommender` should return long lists
/// ([`Length::Deep`](super::Length::Deep)).
///
/// # Errors
/// When the project's SQL fails, or returns no `item_id` and `score`.
pub async fn reasons(
    recommender: &Recommender,
    request: &RecordBatch,
) -> Result<BTreeMap<String, Vec<Reason>>, RecommenderError> {
    let items = texts(request, "item_id")?;
    let all = scores(&recommender.answer(request).await?)?;
    let mut losses: BTreeMap<&str, Vec<Reason>> = BTreeMap::new();
    for left_out in heaviest(request, &items)? {
        let others = instead(request, &items, left_out)?;
        let without = scores(&recommender.answer(&others).await?)?;
        for (item, score) in &all {
            losses.entry(item).or_default().push(Reason {
                item: left_out.to_owned(),
                share: (score - without.get(item).copied().unwrap_or(0.0)).max(0.0)
                    / score.abs().max(f64::MIN_POSITIVE),
            });
        }
    }
    let found = losses
        .into_iter()
        .map(|(item, losses)| (item.to_owned(), shares(losses)));
    Ok(found.filter(|(_, reasons)| !reasons.is_empty()).collect())
}

/// The distinct items with the most weight, heaviest first, at most [`LEFT_OUT`].
fn heaviest<'a>(request: &RecordBatch, items: &'a StringArray) -> Result<Vec<&'a str>, DataFusionError> {
    let weights = match request.column_by_name("weight") {
        Some(weights) => cast(weights, &DataType::Float64)?,
        None => new_null_array(&DataType::Float64, items.len()),
    };
    let weights = weights
        .as_primitive::<Float64Type>()
        .iter()
        .map(Option::unwrap_or_default);
    let mut weighted: Vec<(f64, &str)> = weights
        .zip(items)
        .filter_map(|(weight, item)| Some((weight, item?)))
        .collect();
    weighted.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    let mut distinct: Vec<&str> = vec![];
    for (_, item) in weighted {
        if distinct.len() < LEFT_OUT && !distinct.contains(&item) {
            distinct.push(item);
        }
    }
    Ok(distinct)
}

/// The request with one item replaced by one that no model knows. The session remains, so items that are popular with
/// everyone do not lose their score.
fn instead(request: &RecordBatch, items: &StringArray, left_out: &str) -> Result<RecordBatch, DataFusionError> {
    let place = request.schema_ref().index_of("item_id")?;
    let kept = |item| if item == Some(left_out) { Some(UNKNOWN) } else { item };
    let items: StringArray = items.iter().map(kept).collect();
    let mut columns = request.columns().to_vec();
    columns[place] = cast(&items, columns[place].data_type())?;
    Ok(RecordBatch::try_new(request.schema(), columns)?)
}

/// Converts losses, each relative to the score, to shares of their sum, and drops negligible ones.
fn shares(mut losses: Vec<Reason>) -> Vec<Reason> {
    const MATTERS: f64 = 0.01;
    let sum: f64 = losses.iter().map(|reason| reason.share).sum();
    // Ignores rounding errors.
    if sum < 1e-3 {
        return vec![];
    }
    losses.iter_mut().for_each(|reason| reason.share /= sum);
    losses.retain(|reason| reason.share >= MATTERS);
    losses.sort_by(|a, b| b.share.total_cmp(&a.share).then_with(|| a.item.cmp(&b.item)));
    losses
}

fn scores(answer: &[RecordBatch]) -> Result<BTreeMap<String, f64>, DataFusionError> {
    let mut found = BTreeMap::new();
    for batch in answer {
        let items = texts(batch, "item_id")?;
        let scores = floats(batch, "score")?;
        let rows = items
            .iter()
            .zip(&scores)
            .filter_map(|(item, score)| Some((item?.to_owned(), score?)));
        found.extend(rows);
    }
    Ok(found)
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
