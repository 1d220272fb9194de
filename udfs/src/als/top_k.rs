//! The best items for a query vector (maximum inner product search, exact), and the items most similar to another.
//! `functions/recommend.rs` and `functions/similar_items.rs` call it.

use multiversion::multiversion;
use rayon::prelude::*;

use super::Factors;
use super::kernels::dot;
use super::product::times_transposed;
use super::quantized::Quantized;
use super::quantized_query::QuantizedQuery;
use crate::ranking::{Best, Scored};

/// The number of queries and items multiplied at once: their scores stay in the L2 cache.
const QUERIES: usize = 64;
const ITEMS: usize = 1_024;
/// The number of bounds checked at once.
const GROUP: usize = 16;
/// With at least this many queries, one matrix product with the items is faster.
const PACKED: usize = 24;
/// Bounds are enlarged by this factor, so that rounding never hides an item.
const SLACK: f32 = 1.0 + 1e-4;

/// The items to exclude for a query, given its number.
pub type Seen<'f, 's> = dyn Fn(usize) -> &'s [u32] + Sync + 'f;

/// Item factors ordered for maximum inner product search: by length, longest first.
///
/// A product with a query is at most the product of the two lengths (Cauchy, Schwarz), so the search ends once the
/// remaining items are too short to beat the `k`-th best; the result is exact. The idea is that of LEMP (Teflioudi,
/// Gemulla, Mykytiuk, SIGMOD 2015). A search for few queries, which would be bound by memory bandwidth, first uses an
/// approximate copy of the factors.
///
/// Memory: a copy of the factors, a quarter as much for the approximate one, and 16 bytes per item.
#[derive(Debug, Clone)]
pub struct ItemIndex {
    /// Sorted by length.
    factors: Factors,
    /// The item at each index.
    order: Vec<u32>,
    /// The index of each item.
    places: Vec<u32>,
    /// The length at the start of each block of items.
    longest: Vec<f32>,
    quantized: Quantized,
}

impl ItemIndex {
    /// Orders a copy of the factors.
    pub fn new(items: &Factors) -> Self {
        let lengths: Vec<f32> = (0..items.rows()).map(|item| length(items.row(item))).collect();
        let mut order: Vec<u32> = (0..items.rows() as u32).collect();
        order.sort_by(|a, b| lengths[*b as usize].total_cmp(&lengths[*a as usize]));
        let mut factors = Factors::zeros(items.rows(), items.dims());
        let mut places = vec![0; items.rows()];
        for (place, item) in order.iter().enumerate() {
            factors.row_mut(place).copy_from_slice(items.row(*item as usize));
            places[*item as usize] = place as u32;
        }
        let longest = order
            .iter()
            .step_by(ITEMS)
            .map(|item| lengths[*item as usize])
            .collect();
        Self {
            quantized: Quantized::of(&factors),
            factors,
            order,
            places,
            longest,
        }
    }

    /// The `k` items with the highest product for each query, best first; among equals, the lower index comes first.
    ///
    /// Blocks of queries times blocks of items are dense products; every query has a heap of size `k`.
    pub fn top(&self, queries: &Factors, k: usize, seen: Option<&Seen<'_, '_>>) -> Vec<Vec<Scored>> {
        let blocks: Vec<Vec<Vec<Scored>>> = (0..queries.rows().div_ceil(QUERIES))
            .into_par_iter()
            .map_init(
                || vec![0.0; queries.rows().min(QUERIES) * ITEMS],
                |scores, block| {
                    let first = block * QUERIES;
                    let block = first..(first + QUERIES).min(queries.rows());
                    self.top_of_block(queries, block, k, seen, scores)
                },
            )
            .collect();
        blocks.into_iter().flatten().collect()
    }

    fn top_of_block(
        &self,
        queries: &Factors,
        block: std::ops::Range<usize>,
        k: usize,
        seen: Option<&Seen<'_, '_>>,
        scores: &mut [f32],
    ) -> Vec<Vec<Scored>> {
        let mut searches: Vec<Search> = block.map(|query| self.search(query, queries, k, seen)).collect();
        if searches.len() < PACKED {
            self.top_of_few(queries, &mut searches, scores);
            return searches.into_iter().map(|search| search.best.into_sorted()).collect();
        }
        let mut active: Vec<usize> = (0..searches.len()).collect();
        let mut packed = vec![];
        for (longest, first) in self.longest.iter().zip((0..).step_by(ITEMS)) {
            let before = active.len();
            active.retain(|query| searches[*query].may_gain(*longest));
            if active.is_empty() {
                break;
            }
            if active.len() < before || packed.is_empty() {
                packed.clear();
                for query in &active {
                    packed.extend_from_slice(queries.row(searches[*query].query));
                }
            }
            let last = (first + ITEMS).min(self.order.len());
            let width = last - first;
            let scores = &mut scores[..active.len() * width];
            times_transposed(scores, &packed, self.factors.rows_slice(first, last), queries.dims());
            for (query, scores) in active.iter().zip(scores.chunks_exact_mut(width)) {
                searches[*query].take(scores, &self.order[first..last], first);
            }
        }
        searches.into_iter().map(|search| search.best.into_sorted()).collect()
    }

    /// Searches for few queries: computes the product only with items whose bound is high enough. A block of the
    /// approximate copy is read once for all of them.
    fn top_of_few(&self, queries: &Factors, searches: &mut [Search], bounds: &mut [f32]) {
        let quantized: Vec<QuantizedQuery> = searches
            .iter()
            .map(|search| Quantized::query(queries.row(search.query)))
            .collect();
        for (longest, first) in self.longest.iter().zip((0..).step_by(ITEMS)) {
            let last = (first + ITEMS).min(self.order.len());
            let bounds = &mut bounds[..last - first];
            let mut goes_on = false;
            for (search, quantized) in searches.iter_mut().zip(&quantized) {
                if search.may_gain(*longest) {
                    goes_on = true;
                    self.quantized.bounds(quantized, first, *longest, bounds);
                    search.leave_out(bounds, first);
                    self.look(queries.row(search.query), search, first, bounds);
                }
            }
            if !goes_on {
                return;
            }
        }
    }

    /// Offers those items from `first` on whose bounds are high enough.
    fn look(&self, query: &[f32], search: &mut Search, first: usize, bounds: &[f32]) {
        let mut bar = search.best.bar();
        for (group, bounds) in bounds.chunks(GROUP).enumerate() {
            if !reaches(bounds, bar) {
                continue;
            }
            for (within, bound) in bounds.iter().enumerate() {
                if *bound < bar || *bound == f32::NEG_INFINITY {
                    continue;
                }
                let place = first + group * GROUP + within;
                let score = product(query, self.factors.row(place));
                if score >= bar {
                    let item = self.order[place];
                    search.best.offer(Scored { item, score });
                    bar = search.best.bar();
                }
            }
        }
    }

    fn search(&self, query: usize, queries: &Factors, k: usize, seen: Option<&Seen<'_, '_>>) -> Search {
        let seen = seen.map_or(&[][..], |seen| seen(query));
        let mut seen: Vec<u32> = seen
            .iter()
            .filter_map(|item| self.places.get(*item as usize).copied())
            .collect();
        seen.sort_unstable();
        Search {
            query,
            length: length(queries.row(query)),
            seen,
            best: Best::new(k),
        }
    }
}

/// The state of one query during the search.
struct Search {
    query: usize,
    length: f32,
    /// The indexes of the items to exclude, ascending.
    seen: Vec<u32>,
    best: Best,
}

impl Search {
    /// Whether items of at most this length can still be among the best.
    fn may_gain(&self, longest: f32) -> bool {
        self.length * longest * SLACK >= self.best.bar()
    }

    /// Moves excluded items, at the indexes from `first` on, below all others.
    fn leave_out(&self, scores: &mut [f32], first: usize) {
        let from = self.seen.partition_point(|place| (*place as usize) < first);
        let to = self
            .seen
            .partition_point(|place| (*place as usize) < first + scores.len());
        for place in &self.seen[from..to] {
            scores[*place as usize - first] = f32::NEG_INFINITY;
        }
    }

    /// Adds the scores of the items at the indexes from `first` on.
    fn take(&mut self, scores: &mut [f32], items: &[u32], first: usize) {
        self.leave_out(scores, first);
        let mut bar = self.best.bar();
        for (item, &score) in items.iter().zip(scores.iter()) {
            if score >= bar && score > f32::NEG_INFINITY {
                self.best.offer(Scored { item: *item, score });
                bar = self.best.bar();
            }
        }
    }
}

/// Whether any of a few bounds reaches the bar.
#[inline(always)]
fn reaches(bounds: &[f32], bar: f32) -> bool {
    bounds.iter().fold(false, |any, bound| any | (*bound >= bar))
}

#[multiversion(targets("x86_64+avx512f+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
fn product(a: &[f32], b: &[f32]) -> f32 {
    dot(a, b)
}

fn length(row: &[f32]) -> f32 {
    dot(row, row).sqrt()
}

/// The `k` items with the direction closest to that of `item` (cosine), best first, excluding itself. An item without
/// interactions has no direction: its similarity is 0.
pub fn similar(items: &Factors, item: u32, k: usize) -> Vec<Scored> {
    let target = items.row(item as usize);
    let own = length(target);
    let scores: Vec<f32> = (0..items.rows())
        .map(|other| {
            let row = items.row(other);
            let scale = own * length(row);
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
