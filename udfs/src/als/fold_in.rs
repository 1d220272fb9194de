//! Fold-in: the factors of a session that training has not seen, or that has gone on since, from the item factors of a
//! trained model. Called by `functions/recommend.rs` for every request, and by `holdout` to measure a model.

use super::solve::{Row, Side, Workspace, cholesky};
use super::spectrum::Spectrum;
use super::train::turned;
use super::{AlsError, Factors, Objective};

/// Computes the factors of a user that training has not seen, with fixed item factors: the exact solution of the user's
/// own equations.
#[derive(Debug)]
pub struct FoldIn {
    spectrum: Spectrum,
    /// The item factors in the Gramian's coordinates.
    turned: Factors,
    objective: Objective,
}

impl FoldIn {
    /// Prepares what all users share: takes `O(items · d²)` time, and as much additional memory as the item factors.
    ///
    /// # Errors
    /// When the factors are not finite.
    pub fn new(items: &Factors, regularization: f32, alpha: f32) -> Result<Self, AlsError> {
        let spectrum = Spectrum::of(items)?;
        Ok(Self {
            turned: turned(items, &spectrum),
            spectrum,
            objective: Objective {
                regularization,
                alpha,
                nu: 0.0,
            },
        })
    }

    /// Scales the regularization with the number of a user's interactions, as when the model was trained; see
    /// [`Objective`].
    #[must_use]
    pub fn with_nu(mut self, nu: f32) -> Self {
        self.objective.nu = nu;
        self
    }

    /// Writes the factors of a user with these items to `out`, of length `d`; zeros if there are no items, or only
    /// dislikes.
    ///
    /// # Errors
    /// When `out` or the weights have another length, a weight is not finite, an item is not in the model, or the
    /// equations are singular.
    pub fn solve(&self, items: &[u32], weights: &[f32], out: &mut [f32]) -> Result<(), AlsError> {
        if out.len() != self.turned.dims() {
            return Err(AlsError::Shape {
                expected: self.turned.dims(),
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
            if item as usize >= self.turned.rows() {
                return Err(AlsError::OutOfRange {
                    user: 0,
                    item,
                    users: 1,
                    items: self.turned.rows(),
                });
            }
            if !weight.is_finite() {
                return Err(AlsError::Weight { user: 0, item, weight });
            }
        }
        let side = Side {
            turned: &self.turned,
            spectrum: self.spectrum.values(),
            alpha: self.objective.alpha,
        };
        let row = Row {
            items,
            weights,
            regularization: self.objective.of_row(items.len(), self.turned.rows()),
        };
        let mut x = vec![0.0; out.len()];
        cholesky(side, row, &mut x, &mut Workspace::default())?;
        self.spectrum.turn_back(&x, out);
        Ok(())
    }
}
