use super::gramian::gramian;
use super::solve::{Scratch, Side, cholesky, solve_gramian};
use super::{AlsError, Factors};

/// Finds the factors of a user that training has not seen, with the item factors as they are: the exact solution of
/// the user's own equations.
#[derive(Debug)]
pub struct FoldIn<'a> {
    items: &'a Factors,
    gramian: Vec<f32>,
    /// What all users share of their smaller systems: see [`solve_gramian`].
    solved: Factors,
    alpha: f32,
}

impl<'a> FoldIn<'a> {
    /// Prepares what all users share: `O(items · d²)`, and as much memory again as the item factors.
    ///
    /// # Errors
    /// When the equations have no stable solution.
    pub fn new(items: &'a Factors, regularization: f32, alpha: f32) -> Result<Self, AlsError> {
        let mut gramian = gramian(items);
        gramian
            .iter_mut()
            .step_by(items.dims() + 1)
            .for_each(|diagonal| *diagonal += regularization);
        let solved = solve_gramian(items, &gramian)?;
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
        if out.len() != self.items.dims() {
            return Err(AlsError::Shape {
                expected: self.items.dims(),
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
            if item as usize >= self.items.rows() {
                return Err(AlsError::OutOfRange {
                    user: 0,
                    item,
                    users: 1,
                    items: self.items.rows(),
                });
            }
            if !weight.is_finite() || weight < 0.0 {
                return Err(AlsError::Weight { user: 0, item, weight });
            }
        }
        let side = Side {
            fixed: self.items,
            gramian: &self.gramian,
            solved: &self.solved,
            alpha: self.alpha,
        };
        cholesky(&side, items, weights, out, &mut Scratch::new(out.len()))
    }
}
