//! What follows an item within a few clicks, in past sessions (sequential rules). The mathematics of
//! `item_transitions`; the function is `functions/item_transitions.rs`.

use std::collections::HashMap;

use super::SessionHistory;
use crate::ranking::{Best, Scored};

/// An item that follows another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transition {
    /// The item that was clicked first.
    pub item: u32,
    /// The item that follows it.
    pub next: u32,
    /// How often it follows, each time divided by the clicks between them.
    pub weight: f32,
}

/// Sequential rules (Ludewig, Jannach, "Evaluation of Session-based Recommendation Algorithms", UMUAI 2018): for every
/// item, the `k` items that followed it most within `steps` clicks, best first; one that came `n` clicks later counts
/// `1/n`. Items are ascending. Repeats of an item are not transitions.
pub fn transitions(history: &SessionHistory, steps: usize, k: usize) -> Vec<Transition> {
    let mut weights: HashMap<(u32, u32), f32> = HashMap::new();
    for place in 0..history.len() as u32 {
        let clicks = history.clicks(place);
        for (position, item) in clicks.iter().enumerate() {
            for (between, next) in clicks[position + 1..].iter().take(steps).enumerate() {
                if next != item {
                    *weights.entry((*item, *next)).or_default() += 1.0 / (between + 1) as f32;
                }
            }
        }
    }
    let mut ordered: Vec<((u32, u32), f32)> = weights.into_iter().collect();
    ordered.sort_unstable_by_key(|(pair, _)| *pair);
    let of_items = ordered.chunk_by(|a, b| a.0.0 == b.0.0);
    of_items
        .flat_map(|pairs| {
            let mut best = Best::new(k);
            let item = pairs.first().map_or(0, |((item, _), _)| *item);
            pairs.iter().for_each(|((_, next), weight)| {
                best.offer(Scored {
                    item: *next,
                    score: *weight,
                });
            });
            best.into_sorted().into_iter().map(move |scored| Transition {
                item,
                next: scored.item,
                weight: scored.score,
            })
        })
        .collect()
}
