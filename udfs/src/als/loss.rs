//! The loss that training minimizes, over all pairs, observed or not, computed by way of the Gramians;
//! `als_sql/loss_of.rs` is the same in SQL.

use multiversion::multiversion;
use rayon::prelude::*;
use sprs::CsMatI;

use super::gramian::gramian;
use super::interactions::row;
use super::kernels::dot;
use super::{Factors, Interactions, Model, Params};

/// The number of rows summed at once; the partial sums are added in order, so the result does not depend on threads.
const PART: usize = 4_096;

/// `Σ_ui c_ui (p_ui − x_u·y_i)² + Σ_u λ_u |x_u|² + Σ_i λ_i |y_i|²` over all pairs, observed or not, computed from the
/// Gramians, because `Σ_ui (x_u·y_i)² = Σ (XᵀX ∘ YᵀY)`.
pub fn loss(interactions: &Interactions, model: &Model, params: &Params) -> f64 {
    let all: f64 = gramian(&model.users)
        .iter()
        .zip(gramian(&model.items))
        .map(|(users, items)| f64::from(*users) * f64::from(items))
        .sum();
    all + sum(interactions.users(), |user| {
        let (items, weights) = interactions.row(user);
        observed(model, user, items, weights, params.alpha)
    }) + regularization(interactions.by_user(), &model.users, params)
        + regularization(interactions.by_item(), &model.items, params)
}

fn sum(rows: usize, term: impl Fn(usize) -> f64 + Sync) -> f64 {
    let parts: Vec<f64> = (0..rows)
        .into_par_iter()
        .chunks(PART)
        .map(|rows| rows.into_iter().map(&term).sum())
        .collect();
    parts.into_iter().sum()
}

/// What a user's observed pairs add to the sum in which no pair counts as observed.
#[multiversion(targets("x86_64+avx512f+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
fn observed(model: &Model, user: usize, items: &[u32], weights: &[f32], alpha: f32) -> f64 {
    let x = model.users.row(user);
    let mut sum = 0.0;
    for (item, weight) in items.iter().zip(weights) {
        let score = f64::from(dot(x, model.items.row(*item as usize)));
        sum += error_of(score, *weight, alpha);
    }
    sum
}

/// What an observed pair with this score adds to the sum in which no pair counts as observed: `c (p − score)² − score²`,
/// with `c = 1 + alpha · |weight|`, and a preference `p` of 0 for a dislike and 1 for others.
#[inline(always)]
pub fn error_of(score: f64, weight: f32, alpha: f32) -> f64 {
    let confidence = 1.0 + f64::from(alpha) * f64::from(weight.abs());
    let preference = if weight < 0.0 { 0.0 } else { 1.0 };
    confidence * (preference - score).powi(2) - score.powi(2)
}

fn regularization(matrix: &CsMatI<f32, u32, usize>, factors: &Factors, params: &Params) -> f64 {
    let objective = params.objective();
    sum(factors.rows(), |index| {
        let squares: f64 = factors
            .row(index)
            .iter()
            .map(|value| f64::from(*value) * f64::from(*value))
            .sum();
        f64::from(objective.of_row(row(matrix, index).0.len(), matrix.cols())) * squares
    })
}
