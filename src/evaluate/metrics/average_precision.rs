//! MAP: precision at the rank of each item to come, averaged.

/// MAP@k: the mean, over the items to come (at most `k` of them), of the precision at each one's rank.
pub fn average_precision(list: &[u32], to_come: &[u32], k: usize) -> f64 {
    let (mut found, mut sum) = (0.0, 0.0);
    for (place, item) in list.iter().take(k).enumerate() {
        if to_come.contains(item) {
            found += 1.0;
            sum += found / (place + 1) as f64;
        }
    }
    sum / to_come.len().min(k).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_is_averaged_where_items_are_found() {
        // At ranks 1 and 3: (1/1 + 2/3) / 2.
        assert!((average_precision(&[1, 9, 3], &[1, 3], 3) - 5.0 / 6.0).abs() < 1e-12);
        assert_eq!(average_precision(&[9], &[1], 1), 0.0);
    }
}
