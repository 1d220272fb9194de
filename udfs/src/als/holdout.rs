//! Early stopping (`holdout`, `patience` of `als_train`): hides one liked item of some users (2,000 at most, of those
//! with two or more) from training, ranks the hidden ones after each iteration, and keeps the model that ranks them
//! best; ties count against the hidden item.

use std::ops::{ControlFlow, Range};

use rand::rngs::StdRng;
use rand::seq::index::sample;
use rand::{Rng, SeedableRng};
use rayon::prelude::*;

use super::product::times_transposed;
use super::train::train_from;
use super::{AlsError, Factors, FoldIn, Interactions, Model, Params};

/// The maximum number of test users; their mean is accurate to a hundredth.
const USERS: usize = 2_000;
/// The number of users and items multiplied at once: their scores stay in the L2 cache.
const QUERIES: usize = 64;
const ITEMS: usize = 1_024;
/// Scores with a smaller relative difference are ties.
const TIE: f32 = 1e-5;

/// One interaction of each of some users, hidden from training.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holdout {
    /// User and item, ascending.
    cases: Vec<(u32, u32)>,
}

impl Holdout {
    /// Removes one liked item from each of a share of the users with two or more (at most 2,000 users). The same
    /// interactions, share and seed give the same choice. Memory while it runs: as much as building the interactions
    /// took.
    ///
    /// # Errors
    /// When the share is not above 0 and at most 0.5.
    pub fn split(interactions: Interactions, share: f32, seed: u64) -> Result<(Interactions, Self), AlsError> {
        if !(share > 0.0 && share <= 0.5) {
            return Err(AlsError::Parameter {
                name: "holdout",
                value: share.to_string(),
                expected: "from 0 to 0.5",
            });
        }
        let mut random = StdRng::seed_from_u64(seed);
        let (users, items) = (interactions.users(), interactions.items());
        let able: Vec<u32> = (0..users as u32)
            .filter(|user| interactions.liked(*user as usize).nth(1).is_some())
            .collect();
        let count = ((able.len() as f64 * f64::from(share)).ceil() as usize).min(USERS);
        let mut chosen = sample(&mut random, able.len(), count).into_vec();
        chosen.sort_unstable();
        let cases: Vec<(u32, u32)> = chosen
            .into_iter()
            .map(|index| {
                let own: Vec<u32> = interactions.liked(able[index] as usize).collect();
                (able[index], own[random.random_range(0..own.len())])
            })
            .collect();
        let mut triples = Vec::with_capacity(interactions.nnz());
        for user in 0..users {
            let (own, weights) = interactions.row(user);
            let pairs = own
                .iter()
                .zip(weights)
                .map(|(item, weight)| (user as u32, *item, *weight));
            triples.extend(pairs.filter(|(user, item, _)| cases.binary_search(&(*user, *item)).is_err()));
        }
        drop(interactions);
        Ok((Interactions::from_triples(users, items, triples)?, Self { cases }))
    }

    /// The user and item of each, ascending.
    pub fn cases(&self) -> &[(u32, u32)] {
        &self.cases
    }

    /// The mean of `1 / log2(1 + rank)` over the held-out items, each ranked among all items but the user's others (the
    /// discounted gain of one correct answer in an unlimited list); ties count against the item. Users are folded in. 0
    /// if nothing is held out.
    ///
    /// # Errors
    /// As [`FoldIn`].
    pub fn score(&self, interactions: &Interactions, items: &Factors, params: &Params) -> Result<f64, AlsError> {
        let fold_in = FoldIn::new(items, params.regularization, params.alpha)?.with_nu(params.nu);
        let ranks: Vec<Vec<usize>> = self
            .cases
            .par_chunks(QUERIES)
            .map(|cases| ranks(cases, interactions, items, &fold_in))
            .collect::<Result<_, _>>()?;
        let gain: f64 = ranks
            .iter()
            .flatten()
            .map(|rank| ((1 + rank) as f64).log2().recip())
            .sum();
        Ok(gain / self.cases.len().max(1) as f64)
    }
}

/// The rank of each held-out item, from 1.
fn ranks(
    cases: &[(u32, u32)],
    interactions: &Interactions,
    items: &Factors,
    fold_in: &FoldIn,
) -> Result<Vec<usize>, AlsError> {
    let d = items.dims();
    let mut queries = vec![0.0; cases.len() * d];
    for ((user, _), query) in cases.iter().zip(queries.chunks_exact_mut(d)) {
        let (own, weights) = interactions.row(*user as usize);
        fold_in.solve(own, weights, query)?;
    }
    let bars: Vec<f32> = cases
        .iter()
        .zip(queries.chunks_exact(d))
        .map(|((_, item), query)| {
            let score: f32 = query.iter().zip(items.row(*item as usize)).map(|(x, y)| x * y).sum();
            score - TIE * score.abs()
        })
        .collect();
    let mut ranks = vec![1; cases.len()];
    let mut scores = vec![0.0; cases.len() * ITEMS];
    for first in (0..items.rows()).step_by(ITEMS) {
        let block = first..(first + ITEMS).min(items.rows());
        let scores = &mut scores[..cases.len() * block.len()];
        times_transposed(scores, &queries, items.rows_slice(block.start, block.end), d);
        for (index, scores) in scores.chunks_exact(block.len()).enumerate() {
            let (user, item) = cases[index];
            let own = interactions.row(user as usize).0;
            ranks[index] += above(scores, &block, bars[index], own, item);
        }
    }
    Ok(ranks)
}

/// How many of a block's items rank above the held-out one, excluding itself and the user's others.
fn above(scores: &[f32], block: &Range<usize>, bar: f32, own: &[u32], item: u32) -> usize {
    let beats = |item: &u32| block.contains(&(*item as usize)) && scores[*item as usize - block.start] >= bar;
    let all = scores.iter().filter(|score| **score >= bar).count();
    let from = own.partition_point(|item| (*item as usize) < block.start);
    let to = own.partition_point(|item| (*item as usize) < block.end);
    all - own[from..to].iter().filter(|item| beats(item)).count() - usize::from(beats(&item))
}

/// As [`train_from`], until the held-out score has not improved for `patience` iterations; returns the best model and
/// its score. Memory: one additional copy of the model.
///
/// # Errors
/// As [`train_from`].
pub fn train_until_best(
    model: Model,
    interactions: &Interactions,
    params: &Params,
    (holdout, patience): (&Holdout, usize),
    observe: &mut dyn FnMut(usize, &Model, f64),
) -> Result<(Model, f64), AlsError> {
    let (mut best, mut since): (Option<(Model, f64)>, usize) = (None, 0);
    let last = train_from(model, interactions, params, &mut |iteration, model| {
        let score = holdout.score(interactions, &model.items, params)?;
        observe(iteration, model, score);
        since += 1;
        if best.as_ref().is_none_or(|(_, best)| score > *best) {
            (best, since) = (Some((model.clone(), score)), 0);
        }
        Ok(match since >= patience {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    })?;
    Ok(best.unwrap_or((last, 0.0)))
}
