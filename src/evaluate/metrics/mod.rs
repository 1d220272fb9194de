//! Metrics that compare a list of items with the rest of a session, one per file, each between 0 and 1.
//!
//! Next-item metrics use the rank of the next item; rest-of-session metrics use the set of distinct items still to
//! come. Items seen before count if they occur again.

mod average_precision;
mod coverage;
mod hit_rate;
mod ndcg;
mod popularity_bias;
mod precision;
mod recall;
mod reciprocal_rank;

pub use average_precision::average_precision;
pub use coverage::coverage;
pub use hit_rate::hit_rate;
pub use ndcg::ndcg;
pub use popularity_bias::popularity_bias;
pub use precision::precision;
pub use recall::recall;
pub use reciprocal_rank::reciprocal_rank;

/// The rank of an item in a scored list, from 1. Ties count against us: every other item with the same score counts as
/// better. If more items tie than the list holds, the rank is beyond the list as well. `None` if the item is not in the
/// list.
pub fn rank(list: &[(u32, f64)], item: u32) -> Option<usize> {
    let (_, own) = list.iter().find(|(other, _)| *other == item)?;
    Some(list.iter().filter(|(_, score)| score >= own).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_count_against_us() {
        let list = [(7, 0.9), (3, 0.5), (4, 0.5), (1, 0.1)];
        assert_eq!(
            [7, 3, 4, 1, 9].map(|item| rank(&list, item)),
            [Some(1), Some(3), Some(3), Some(4), None]
        );
    }
}
