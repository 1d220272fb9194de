//! Coverage: how many of all items are ever shown.

use std::collections::HashSet;

/// Coverage@k: the share of all items that are among the first `k` of some list.
pub fn coverage<'a>(lists: impl Iterator<Item = &'a [u32]>, items: usize, k: usize) -> f64 {
    let shown: HashSet<u32> = lists.flat_map(|list| list.iter().take(k).copied()).collect();
    shown.len() as f64 / items.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_counts_once() {
        let lists: [&[u32]; 2] = [&[1, 2, 9], &[2, 3, 8]];
        assert_eq!(coverage(lists.into_iter(), 6, 2), 0.5);
    }
}
