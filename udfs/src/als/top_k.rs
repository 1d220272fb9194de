use multiversion::multiversion;
use rayon::prelude::*;

use super::Factors;
use super::kernels::dot;
use super::product::times_transposed;
use super::rough::{Rough, RoughQuery};
use crate::ranking::{Best, Scored};

/// Queries and items that are multiplied in one go: their scores stay in the second-level cache.
const QUERIES: usize = 64;
const ITEMS: usize = 1_024;
/// So many bounds are looked at in one go.
const GROUP: usize = 16;
/// From so many queries on, a matrix product of them all with the items is faster.
const PACKED: usize = 24;
/// A bound is this much larger than it is computed, so that rounding never hides an item.
const SLACK: f32 = 1.0 + 1e-4;

/// Which items to leave out for a query, by its number.
pub type Seen<'f, 's> = dyn Fn(usize) -> &'s [u32] + Sync + 'f;

/// Item factors ordered for the search of the highest products: by length, longest first.
///
/// No product with a query is more than the two lengths multiplied (Cauchy, Schwarz), so the search of a query ends once
/// what is left is too short to beat its `k`-th best; the result is exact. The idea is that of LEMP (Teflioudi, Gemulla,
/// Mykytiuk, SIGMOD 2015). A search of few queries, which would wait for memory, looks at a rough copy of the factors first.
///
/// Memory: a copy of the factors, a quarter as much for the rough one, and 16 bytes an item.
#[derive(Debug, Clone)]
pub struct ItemIndex {
    /// By length.
    factors: Factors,
    /// The item at each place.
    order: Vec<u32>,
    /// The place of each item.
    places: Vec<u32>,
    /// The length at the start of each block of items.
    longest: Vec<f32>,
    rough: Rough,
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
            rough: Rough::of(&factors),
            factors,
            order,
            places,
            longest,
        }
    }

    /// The `k` items of the highest product with each query, best first; of equals the lower index comes first.
    ///
    /// Blocks of queries times blocks of items are dense products; every query keeps a heap of `k`.
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

    /// The searches of few queries, which compute the product only with items whose bound leaves them a chance. A block of
    /// the rough copy is read once for all of them.
    fn top_of_few(&self, queries: &Factors, searches: &mut [Search], bounds: &mut [f32]) {
        let rough: Vec<RoughQuery> = searches
            .iter()
            .map(|search| Rough::query(queries.row(search.query)))
            .collect();
        for (longest, first) in self.longest.iter().zip((0..).step_by(ITEMS)) {
            let last = (first + ITEMS).min(self.order.len());
            let bounds = &mut bounds[..last - first];
            let mut goes_on = false;
            for (search, rough) in searches.iter_mut().zip(&rough) {
                if search.may_gain(*longest) {
                    goes_on = true;
                    self.rough.bounds(rough, first, *longest, bounds);
                    search.leave_out(bounds, first);
                    self.look(queries.row(search.query), search, first, bounds);
                }
            }
            if !goes_on {
                return;
            }
        }
    }

    /// Offers those of the items from `first` on whose bounds leave them a chance.
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

/// One query on its way through the items.
struct Search {
    query: usize,
    length: f32,
    /// The places of the items to leave out, ascending.
    seen: Vec<u32>,
    best: Best,
}

impl Search {
    /// Whether items of at most this length may be among the best.
    fn may_gain(&self, longest: f32) -> bool {
        self.length * longest * SLACK >= self.best.bar()
    }

    /// Puts the items that are left out, of those whose places start with `first`, below all others.
    fn leave_out(&self, scores: &mut [f32], first: usize) {
        let from = self.seen.partition_point(|place| (*place as usize) < first);
        let to = self
            .seen
            .partition_point(|place| (*place as usize) < first + scores.len());
        for place in &self.seen[from..to] {
            scores[*place as usize - first] = f32::NEG_INFINITY;
        }
    }

    /// Takes the scores of the items whose places start with `first`.
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

/// The `k` items that point in the direction of `item` (cosine), best first, without itself. An item without
/// interactions points nowhere: similarity 0.
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
