use rayon::prelude::*;

use super::Factors;
use super::kernels::dot;
use super::product::times_transposed;
use crate::ranking::{Best, Scored};

/// Queries and items that are multiplied in one go: their scores stay in the second-level cache.
const QUERIES: usize = 64;
const ITEMS: usize = 2_048;

/// The `k` items of the highest product with each query, best first. `seen` gives the items to leave out for a query,
/// ascending.
///
/// Blocks of queries times blocks of items are dense products; every query keeps a heap of `k`.
pub fn top_k<'s>(
    queries: &Factors,
    items: &Factors,
    k: usize,
    seen: Option<&(dyn Fn(usize) -> &'s [u32] + Sync)>,
) -> Vec<Vec<Scored>> {
    let blocks: Vec<Vec<Vec<Scored>>> = (0..queries.rows().div_ceil(QUERIES))
        .into_par_iter()
        .map_init(
            || vec![0.0; QUERIES * ITEMS],
            |scores, block| {
                let first = block * QUERIES;
                top_of_block(
                    queries,
                    items,
                    k,
                    seen,
                    first..(first + QUERIES).min(queries.rows()),
                    scores,
                )
            },
        )
        .collect();
    blocks.into_iter().flatten().collect()
}

fn top_of_block<'s>(
    queries: &Factors,
    items: &Factors,
    k: usize,
    seen: Option<&(dyn Fn(usize) -> &'s [u32] + Sync)>,
    block: std::ops::Range<usize>,
    scores: &mut [f32],
) -> Vec<Vec<Scored>> {
    let d = queries.dims();
    let mut best: Vec<Best> = block.clone().map(|_| Best::new(k)).collect();
    for first in (0..items.rows()).step_by(ITEMS) {
        let last = (first + ITEMS).min(items.rows());
        let width = last - first;
        let scores = &mut scores[..block.len() * width];
        times_transposed(
            scores,
            queries.rows_slice(block.start, block.end),
            items.rows_slice(first, last),
            d,
        );
        for ((query, best), scores) in block.clone().zip(&mut best).zip(scores.chunks_exact_mut(width)) {
            for item in seen.map_or(&[][..], |seen| within(seen(query), first, last)) {
                scores[*item as usize - first] = f32::NEG_INFINITY;
            }
            best.take(scores, first);
        }
    }
    best.into_iter().map(Best::into_sorted).collect()
}

/// The part of ascending `items` that is in `first..last`.
fn within(items: &[u32], first: usize, last: usize) -> &[u32] {
    let from = items.partition_point(|item| (*item as usize) < first);
    let to = items.partition_point(|item| (*item as usize) < last);
    &items[from..to]
}

/// The `k` items that point in the direction of `item` (cosine), best first, without itself. An item without
/// interactions points nowhere: similarity 0.
pub fn similar(items: &Factors, item: u32, k: usize) -> Vec<Scored> {
    let target = items.row(item as usize);
    let norm = |row: &[f32]| dot(row, row).sqrt();
    let own = norm(target);
    let scores: Vec<f32> = (0..items.rows())
        .map(|other| {
            let row = items.row(other);
            let scale = own * norm(row);
            match other {
                _ if other == item as usize => f32::NEG_INFINITY,
                _ if scale == 0.0 => 0.0,
                _ => dot(target, row) / scale,
            }
        })
        .collect();
    let mut best = Best::new(k);
    best.take(&scores, 0);
    best.into_sorted()
}
