//! Scored items, and the selection of the best k; among equals, the lower index comes first.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// The maximum initial capacity of a heap, which grows if `k` is larger.
const CAPACITY: usize = 2_048;

/// An item and how well it fits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// Its index.
    pub item: u32,
    /// Higher is better.
    pub score: f32,
}

impl Eq for Scored {}

/// Better is greater; among equals, the lower index is better.
impl Ord for Scored {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(other.item.cmp(&self.item))
    }
}

impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The best `k` so far: a heap whose top is the worst of them.
#[derive(Debug)]
pub struct Best {
    k: usize,
    heap: BinaryHeap<Reverse<Scored>>,
}

impl Best {
    /// Keeps the best `k` of the items it is given.
    pub fn new(k: usize) -> Self {
        Self {
            k,
            heap: BinaryHeap::with_capacity(k.min(CAPACITY) + 1),
        }
    }

    /// The score to beat.
    pub fn bar(&self) -> f32 {
        match self.heap.peek() {
            Some(Reverse(worst)) if self.heap.len() == self.k => worst.score,
            _ => f32::NEG_INFINITY,
        }
    }

    /// Adds the scores of the items from `first` on, each item once.
    pub fn take(&mut self, scores: &[f32], first: usize) {
        if self.k == 0 {
            return;
        }
        // Items are in ascending order, so an equal score never displaces a lower index.
        let mut bar = self.bar();
        for (index, &score) in scores.iter().enumerate() {
            if score > bar {
                // Indices started as u32.
                self.push(unsigned_zero(Scored {
                    item: (first + index) as u32,
                    score,
                }));
                bar = self.bar();
            }
        }
    }

    /// Adds one item, in any order.
    pub fn offer(&mut self, scored: Scored) {
        let scored = unsigned_zero(scored);
        let is_better = self.heap.len() < self.k || self.heap.peek().is_some_and(|Reverse(worst)| scored > *worst);
        if self.k > 0 && is_better {
            self.push(scored);
        }
    }

    fn push(&mut self, scored: Scored) {
        if self.heap.len() == self.k {
            self.heap.pop();
        }
        self.heap.push(Reverse(scored));
    }

    /// The items, best first.
    pub fn into_sorted(self) -> Vec<Scored> {
        let mut sorted: Vec<Scored> = self.heap.into_iter().map(|Reverse(scored)| scored).collect();
        sorted.sort_unstable_by(|a, b| b.cmp(a));
        sorted
    }
}

/// A score of -0 is one of 0: a total order, SQL's too, has them apart, and the lower index would not come first.
fn unsigned_zero(scored: Scored) -> Scored {
    Scored {
        score: scored.score + 0.0,
        ..scored
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_of_both_signs_are_equal() {
        let scores = [-0.0, 0.0, -0.0, 0.0];
        let (mut taken, mut offered) = (Best::new(3), Best::new(3));
        taken.take(&scores, 0);
        for item in [3, 1, 2, 0] {
            let score = scores[item as usize];
            offered.offer(Scored { item, score });
        }
        for best in [taken, offered] {
            let best: Vec<(u32, u32)> = best.into_sorted().iter().map(|s| (s.item, s.score.to_bits())).collect();
            assert_eq!(best, [(0, 0), (1, 0), (2, 0)]);
        }
    }
}
