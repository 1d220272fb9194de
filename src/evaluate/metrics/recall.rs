//! Recall: how much of what is to come is in the list.

/// Recall@k: the share of the items to come that are among the first `k`.
pub fn recall(list: &[u32], to_come: &[u32], k: usize) -> f64 {
    let found = list.iter().take(k).filter(|item| to_come.contains(item)).count();
    found as f64 / to_come.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_of_what_came() {
        // 1 and 3 came; 3 is at rank 3, and 1 is not in the list.
        assert_eq!([2, 3].map(|k| recall(&[5, 4, 3], &[1, 3], k)), [0.0, 0.5]);
        assert_eq!(recall(&[5], &[], 1), 0.0);
    }
}
