//! MRR: one divided by the rank of the next item.

/// MRR@k: the reciprocal rank of the next item if it is among the first `k`, else 0.
pub fn reciprocal_rank(rank: Option<usize>, k: usize) -> f64 {
    rank.filter(|rank| *rank <= k).map_or(0.0, |rank| 1.0 / rank as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rank_divides_one() {
        let found = [Some(1), Some(2), Some(4), Some(5), None].map(|rank| reciprocal_rank(rank, 4));
        assert_eq!(found, [1.0, 0.5, 0.25, 0.0, 0.0]);
    }
}
