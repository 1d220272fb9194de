//! An answer of the statement as lists: the items of each session, best first, with their scores (rows without an item
//! or a rank are left out); and whether a list is only the fallback that everybody gets.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, Float64Array, RecordBatch};
use datafusion::error::DataFusionError;

use super::columns::{floats, numbers, texts};
use crate::config::Score;

/// Columns of an answer that are not parts of the score.
const NAMED: [&str; 4] = ["session_id", "item_id", "rank", "score"];

/// An item of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Recommended {
    /// The item.
    pub item: String,
    /// From 1, the best.
    pub rank: u64,
    /// Its score.
    pub score: f64,
    /// The other numbers of the answer, by column: the parts of the score.
    pub parts: BTreeMap<String, f64>,
}

/// The lists of an answer by session, best first. Rows without an item or a rank are not recommendations.
///
/// # Errors
/// When the answer lacks one of the columns `session_id`, `item_id`, `rank` and `score`.
pub fn lists(answer: &RecordBatch) -> Result<HashMap<String, Vec<Recommended>>, DataFusionError> {
    let (sessions, items) = (texts(answer, "session_id")?, texts(answer, "item_id")?);
    let (ranks, scores) = (numbers(answer, "rank")?, floats(answer, "score")?);
    let parts = parts(answer)?;
    let mut lists: HashMap<String, Vec<Recommended>> = HashMap::new();
    for row in (0..answer.num_rows()).filter(|row| items.is_valid(*row) && ranks.is_valid(*row)) {
        let value =
            |(name, values): &(String, Float64Array)| values.is_valid(row).then(|| (name.clone(), values.value(row)));
        let list = lists.entry(sessions.value(row).to_owned()).or_default();
        list.push(Recommended {
            item: items.value(row).to_owned(),
            rank: ranks.value(row),
            score: scores.value(row),
            parts: parts.iter().filter_map(value).collect(),
        });
    }
    for list in lists.values_mut() {
        list.sort_by_key(|item| item.rank);
    }
    Ok(lists)
}

/// The remaining numeric columns.
fn parts(answer: &RecordBatch) -> Result<Vec<(String, Float64Array)>, DataFusionError> {
    let fields = answer.schema_ref().fields().iter();
    let others = fields.filter(|field| !NAMED.contains(&field.name().as_str()) && field.data_type().is_numeric());
    others
        .map(|field| Ok((field.name().clone(), floats(answer, field.name())?)))
        .collect()
}

/// Whether a list does not depend on its session: every part of the scores that could depend on it is zero. `false` if
/// no such part is declared, because the list does not show it then.
pub fn is_fallback<'a>(scores: &[Score], mut list: impl Iterator<Item = &'a BTreeMap<String, f64>>) -> bool {
    let telling: Vec<&str> = scores
        .iter()
        .filter(|score| !score.is_fallback)
        .map(|score| score.column.as_str())
        .collect();
    let adds_nothing = |parts: &BTreeMap<String, f64>, column: &str| parts.get(column).is_none_or(|part| *part == 0.0);
    !telling.is_empty() && list.all(|parts| telling.iter().all(|column| adds_nothing(parts, column)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::*;
    use crate::config::Color;

    fn score(column: &str, is_fallback: bool) -> Score {
        Score {
            column: column.to_owned(),
            label: column.to_owned(),
            color: Color::Blue,
            is_fallback,
            model: None,
            at: (1, 1),
        }
    }

    #[test]
    fn a_list_is_a_fallback_if_every_part_that_knows_the_session_is_zero() {
        let scores = [score("mine", false), score("yours", false), score("popular", true)];
        let row = |parts: &[(&str, f64)]| -> BTreeMap<String, f64> {
            parts.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
        };
        let zero = row(&[("mine", 0.0), ("yours", 0.0), ("popular", 0.5)]);
        let negative = row(&[("mine", -0.1), ("yours", 0.0), ("popular", 0.5)]);
        // NULL is not part of the score.
        let null = row(&[("mine", 0.0), ("popular", 0.5)]);
        assert!(is_fallback(&scores, [&zero, &null].into_iter()));
        assert!(!is_fallback(&scores, [&zero, &negative].into_iter()));
        assert!(!is_fallback(&scores[2..], [&zero].into_iter()), "no part could tell");
        assert!(!is_fallback(&[], [&zero].into_iter()));
    }

    #[test]
    fn an_answer_is_split_into_lists_by_session() {
        let texts = |values: Vec<Option<&str>>| Arc::new(StringArray::from(values)) as ArrayRef;
        let numbers = |values: Vec<Option<i64>>| Arc::new(Int64Array::from(values)) as ArrayRef;
        let floats = |values: Vec<Option<f64>>| Arc::new(Float64Array::from(values)) as ArrayRef;
        let answer = RecordBatch::try_from_iter_with_nullable([
            (
                "session_id",
                texts(vec![Some("s"), Some("t"), Some("s"), Some("u")]),
                true,
            ),
            ("item_id", texts(vec![Some("b"), Some("c"), Some("a"), None]), true),
            ("rank", numbers(vec![Some(2), Some(1), Some(1), None]), true),
            ("score", floats(vec![Some(0.1), Some(0.2), Some(0.3), None]), true),
            ("mine", floats(vec![Some(0.1), None, Some(0.3), None]), true),
            ("note", texts(vec![Some("no number"); 4]), true),
        ])
        .unwrap();
        let lists = lists(&answer).unwrap();
        let items = |session: &str| lists[session].iter().map(|item| item.item.as_str()).collect::<Vec<_>>();
        assert_eq!((items("s"), items("t")), (vec!["a", "b"], vec!["c"]));
        assert!(!lists.contains_key("u"), "a row without an item deletes a list");
        assert_eq!(lists["s"][0].parts, BTreeMap::from([("mine".to_owned(), 0.3)]));
        assert!(lists["t"][0].parts.is_empty());
    }
}
