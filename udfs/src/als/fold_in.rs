use std::borrow::Borrow;

use super::gramian::gramian;
use super::solve::{Scratch, Side, cholesky, solve_gramian};
use super::{AlsError, Factors};

/// Finds the factors of a user that training has not seen, with the item factors as they are: the exact solution of
/// the user's own equations.
#[derive(Debug)]
pub struct FoldIn<F> {
    items: F,
    gramian: Vec<f32>,
    /// What all users share of their smaller systems: see [`solve_gramian`].
    solved: Factors,
    alpha: f32,
}

impl<F: Borrow<Factors>> FoldIn<F> {
    /// Prepares what all users share: `O(items · d²)`, and as much memory again as the item factors.
    ///
    /// # Errors
    /// When the equations have no stable solution.
    pub fn new(items: F, regularization: f32, alpha: f32) -> Result<Self, AlsError> {
        let factors = items.borrow();
        let mut gramian = gramian(factors);
        gramian
            .iter_mut()
            .step_by(factors.dims() + 1)
            .for_each(|diagonal| *diagonal += regularization);
        let solved = solve_gramian(factors, &gramian)?;
        Ok(Self {
            items,
            gramian,
            solved,
            alpha,
        })
    }

    /// Writes the factors of a user with these items into `out`, of length `d`; zeros for no items.
    ///
    /// # Errors
    /// When `out` or the weights have another length, an item is not the model's, or the equations are singular.
    pub fn solve(&self, items: &[u32], weights: &[f32], out: &mut [f32]) -> Result<(), AlsError> {
        let factors = self.items.borrow();
        if out.len() != factors.dims() {
            return Err(AlsError::Shape {
                expected: factors.dims(),
                found: out.len(),
            });
        }
        if items.len() != weights.len() {
            return Err(AlsError::Shape {
                expected: items.len(),
                found: weights.len(),
            });
        }
        for (&item, &weight) in items.iter().zip(weights) {
            if item as usize >= factors.rows() {
                return Err(AlsError::OutOfRange {
                    user: 0,
                    item,
                    users: 1,
                    items: factors.rows(),
                });
            }
            if !weight.is_finite() || weight < 0.0 {
                return Err(AlsError::Weight { user: 0, item, weight });
            }
        }
        let side = Side {
            fixed: factors,
            gramian: &self.gramian,
            solved: &self.solved,
            alpha: self.alpha,
        };
        cholesky(&side, items, weights, out, &mut Scratch::new(out.len()))
    }
}
