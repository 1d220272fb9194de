//! Session kNN: finds the past sessions most similar to a session's newest clicks, and scores what was clicked in them.
//! Of sessions that are equally similar, the newer ones count. The mathematics of `session_knn`; the function is
//! `functions/session_knn.rs`.

use std::borrow::Borrow;

use serde::{Deserialize, Serialize};

use super::SessionHistory;
use crate::ranking::{Best, Scored};

/// How neighbors are found and weighted. The defaults were tuned on the last sessions of RetailRocket's training set,
/// never on a test set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct KnnParams {
    /// The number of neighbors: the most similar sessions.
    pub neighbors: usize,
    /// The number of candidates: the newest sessions that share an item.
    pub sample: usize,
    /// The number of clicks after which the weight of a click in the current session has decayed to 1/e.
    pub position_decay: f32,
    /// The distance in clicks from a shared click, in either direction, at which the weight of a neighbor's click has
    /// decayed to 1/e.
    pub neighbor_decay: f32,
    /// The oldest session counts `exp(-recency)` times as much as the newest; with 0 they count the same.
    pub recency: f32,
    /// How much more rare items count: the power of `ln(sessions / sessions with the item)`.
    pub idf: f32,
    /// How much less long sessions count: the power of the length by which they are divided.
    pub length: f32,
    /// The factor for items that already occurred in the session before its newest click.
    pub repeat: f32,
}

impl Default for KnnParams {
    fn default() -> Self {
        Self {
            neighbors: 200,
            sample: 1_000,
            position_decay: 4.0,
            neighbor_decay: 2.0,
            recency: 1.0,
            idf: 4.0,
            length: 0.25,
            repeat: 2.0,
        }
    }
}

/// The size of the lookup table for distances between clicks.
const DISTANCES: usize = 64;

/// The weight of a neighbor's click at this distance from a shared one.
fn nearness(params: KnnParams, distance: usize) -> f32 {
    (-(distance as f32) / params.neighbor_decay).exp()
}

/// The nearest sessions: VS-kNN (Ludewig, Jannach, "Evaluation of Session-based Recommendation Algorithms", UMUAI 2018)
/// with the refinements of VSTAN (Ludewig, Mauro, Latifi, Jannach, "Empirical Analysis of Session-Based Recommendation
/// Algorithms", UMUAI 2021).
///
/// A session's newer clicks count more; past sessions that share them, especially rare ones, are similar; items clicked
/// near the shared ones score. Sessions age by rank instead of by time, so the same parameters work at any time scale.
///
/// It contains working memory, so each thread has its own; they share the history.
#[derive(Debug, Clone)]
pub struct SessionKnn<H> {
    history: H,
    params: KnnParams,
    /// The weight of a click by its distance from a shared one, for small distances.
    nearness: Vec<f32>,
    /// Scores by item; zero between calls.
    scores: Vec<f32>,
    scored: Vec<u32>,
}

/// A distinct item of the current session.
#[derive(Debug, Clone, Copy)]
struct Weighted {
    item: u32,
    /// 1 for the newest click, less for older ones.
    weight: f32,
}

impl<H: Borrow<SessionHistory>> SessionKnn<H> {
    /// Allocates 4 bytes per item.
    pub fn new(history: H, params: KnnParams) -> Self {
        let past = history.borrow();
        Self {
            params,
            nearness: (0..DISTANCES).map(|distance| nearness(params, distance)).collect(),
            scores: vec![0.0; past.items()],
            scored: vec![],
            history,
        }
    }

    /// The `k` items that best fit a session with these clicks, oldest first. `own` is the session's number in the
    /// history, if it is there: it is not its own neighbor. Includes items of the session itself, unless
    /// `exclude_seen`.
    pub fn top(&mut self, clicks: &[u32], own: Option<u32>, k: usize, exclude_seen: bool) -> Vec<Scored> {
        let recent = self.weights(clicks);
        let neighbors = self.neighbors(self.candidates(&recent, own));
        self.vote(&recent, &neighbors);
        let mut best = Best::new(k);
        for item in self.scored.drain(..) {
            let score = std::mem::take(&mut self.scores[item as usize]);
            match clicks.iter().rposition(|seen| *seen == item) {
                Some(_) if exclude_seen => {}
                Some(at) if at + 1 < clicks.len() => best.offer(Scored {
                    item,
                    score: score * self.params.repeat,
                }),
                _ => best.offer(Scored { item, score }),
            }
        }
        best.into_sorted()
    }

    /// The distinct items, newest first, each with the weight of its newest click.
    fn weights(&self, clicks: &[u32]) -> Vec<Weighted> {
        let mut recent: Vec<Weighted> = vec![];
        for (back, item) in clicks.iter().rev().enumerate() {
            let weight = (-(back as f32) / self.params.position_decay).exp();
            if weight < f32::EPSILON {
                break;
            }
            if !recent.iter().any(|known| known.item == *item) {
                recent.push(Weighted { item: *item, weight });
            }
        }
        recent
    }

    /// The newest past sessions that share items with this one: position and overlap. The sessions of each item are
    /// ordered newest first, so the search stops when the sample is full.
    fn candidates(&self, recent: &[Weighted], own: Option<u32>) -> Vec<(u32, f32)> {
        let history = self.history.borrow();
        let sessions = history.len() as f32;
        let shares = recent.iter().map(|Weighted { item, weight }| {
            let frequency = history.frequency(*item).max(1) as f32;
            // An item in every session carries no information, but must not remove its sessions from the candidates.
            weight * (sessions / frequency).ln().max(f32::EPSILON).powf(self.params.idf)
        });
        let shares: Vec<f32> = shares.collect();
        let mut rest: Vec<&[u32]> = recent.iter().map(|recent| history.with_item(recent.item)).collect();
        let mut candidates = vec![];
        while candidates.len() < self.params.sample {
            let Some(newest) = rest.iter().filter_map(|places| places.first().copied()).max() else {
                break;
            };
            let mut shared = 0.0;
            for (places, share) in rest.iter_mut().zip(&shares) {
                if let Some((place, older)) = places.split_first()
                    && *place == newest
                {
                    shared += share;
                    *places = older;
                }
            }
            if own != Some(history.session(newest)) {
                candidates.push((newest, shared));
            }
        }
        candidates
    }

    /// The most similar candidates: position and similarity, weighted by age and length. Ties go to the newer session.
    fn neighbors(&self, candidates: Vec<(u32, f32)>) -> Vec<(u32, f32)> {
        let history = self.history.borrow();
        let sessions = history.len() as f32;
        let mut neighbors = candidates;
        for (place, shared) in &mut neighbors {
            let age = 1.0 - *place as f32 / sessions;
            let length = history.clicks(*place).len() as f32;
            *shared = *shared * (-age * self.params.recency).exp() / length.powf(self.params.length);
        }
        let wanted = self.params.neighbors.max(1);
        let order = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0));
        if neighbors.len() > wanted {
            neighbors.select_nth_unstable_by(wanted - 1, order);
            neighbors.truncate(wanted);
        }
        // The sum of a score must not depend on the order left by the selection.
        neighbors.sort_unstable_by_key(|(place, _)| *place);
        neighbors
    }

    /// Every neighbor votes for its items: the closer to shared items, the more.
    fn vote(&mut self, recent: &[Weighted], neighbors: &[(u32, f32)]) {
        let history = self.history.borrow();
        let mut shared: Vec<(usize, f32)> = vec![];
        for (place, similarity) in neighbors {
            let clicks = history.clicks(*place);
            // Where the neighbor last clicked each shared item.
            shared.clear();
            shared.extend(recent.iter().filter_map(|recent| {
                let at = clicks.iter().rposition(|item| *item == recent.item)?;
                Some((at, recent.weight))
            }));
            for (position, item) in clicks.iter().enumerate() {
                let near = |(at, weight): &(usize, f32)| {
                    let distance = position.abs_diff(*at);
                    let known = self.nearness.get(distance).copied();
                    weight * known.unwrap_or_else(|| nearness(self.params, distance))
                };
                let vote = similarity * shared.iter().map(near).sum::<f32>();
                if vote > 0.0 {
                    let score = &mut self.scores[*item as usize];
                    if *score == 0.0 {
                        self.scored.push(*item);
                    }
                    *score += vote;
                }
            }
        }
    }
}
