//! NDCG: items to come count less the lower they are in the list.

/// NDCG@k (Järvelin, Kekäläinen, TOIS 2002) with gain 1 for each item to come: the sum of `1 / log2(1 + rank)` over the
/// items to come in the list, divided by that of an ideal list.
pub fn ndcg(list: &[u32], to_come: &[u32], k: usize) -> f64 {
    let discount = |place: usize| 1.0 / ((place + 2) as f64).log2();
    let found = list
        .iter()
        .take(k)
        .enumerate()
        .filter(|(_, item)| to_come.contains(item));
    let gain: f64 = found.map(|(place, _)| discount(place)).sum();
    let best: f64 = (0..to_come.len().min(k)).map(discount).sum();
    if best == 0.0 { 0.0 } else { gain / best }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_places_gain_less() {
        // The items at ranks 1 and 3 came: 1/log2(2) + 1/log2(4) = 1.5, out of at most 1 + 1/log2(3).
        let best = 1.0 + 1.0 / 3.0_f64.log2();
        assert!((ndcg(&[1, 9, 3], &[3, 1], 3) - 1.5 / best).abs() < 1e-12);
        assert_eq!(ndcg(&[1, 3], &[3, 1], 2), 1.0);
        assert_eq!(ndcg(&[1], &[], 1), 0.0);
    }
}
