use rayon::prelude::*;

use super::gramian::gramian;
use super::{Factors, Interactions, Model, Params};

/// Users whose terms are summed in one go; the parts are added in order, so the sum does not depend on threads.
const PART: usize = 4_096;

/// `Σ_ui c_ui (p_ui − x_u·y_i)² + λ (|X|² + |Y|²)` over all pairs, observed or not: by the Gramians, as
/// `Σ_ui (x_u·y_i)² = Σ (XᵀX ∘ YᵀY)`.
pub fn loss(interactions: &Interactions, model: &Model, params: &Params) -> f64 {
    let all: f64 = gramian(&model.users)
        .iter()
        .zip(gramian(&model.items))
        .map(|(users, items)| f64::from(*users) * f64::from(items))
        .sum();
    let parts: Vec<f64> = (0..interactions.users())
        .into_par_iter()
        .chunks(PART)
        .map(|users| {
            users
                .into_iter()
                .map(|user| observed(interactions, model, params.alpha, user))
                .sum()
        })
        .collect();
    let squares = |factors: &Factors| {
        factors
            .as_slice()
            .iter()
            .map(|value| f64::from(*value).powi(2))
            .sum::<f64>()
    };
    all + parts.into_iter().sum::<f64>()
        + f64::from(params.regularization) * (squares(&model.users) + squares(&model.items))
}

/// What a user's observed pairs add to the sum over all pairs as if none were observed.
fn observed(interactions: &Interactions, model: &Model, alpha: f32, user: usize) -> f64 {
    let (items, weights) = interactions.row(user);
    let x = model.users.row(user);
    let term = |(item, weight): (&u32, &f32)| {
        let y = model.items.row(*item as usize);
        let score: f64 = x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
        let confidence = 1.0 + f64::from(alpha) * f64::from(*weight);
        confidence * (1.0 - score).powi(2) - score.powi(2)
    };
    items.iter().zip(weights).map(term).sum()
}
