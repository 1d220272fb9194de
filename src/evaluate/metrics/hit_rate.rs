//! HR: how often the next item is in the list.

/// HR@k: 1 if the next item is among the first `k`, else 0.
pub fn hit_rate(rank: Option<usize>, k: usize) -> f64 {
    f64::from(rank.is_some_and(|rank| rank <= k))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hit_is_within_k() {
        assert_eq!(
            [Some(1), Some(2), Some(3), None].map(|rank| hit_rate(rank, 2)),
            [1.0, 1.0, 0.0, 0.0]
        );
    }
}
