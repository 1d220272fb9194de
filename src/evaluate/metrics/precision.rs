//! Precision: how much of the list is to come.

/// Precision@k: the share of the first `k` ranks whose items are to come. Missing ranks of a short list count as
/// misses.
pub fn precision(list: &[u32], to_come: &[u32], k: usize) -> f64 {
    let found = list.iter().take(k).filter(|item| to_come.contains(item)).count();
    found as f64 / k.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_of_what_is_shown() {
        assert_eq!(precision(&[1, 9, 3, 8], &[1, 3], 4), 0.5);
        assert_eq!(precision(&[1], &[1, 3], 4), 0.25);
    }
}
