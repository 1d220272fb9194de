//! The coordinates in which the Gramian of a side is diagonal (its eigendecomposition), so that the unobserved pairs
//! cost a row next to nothing.

use faer::{MatRef, Side};

use super::gramian::gramian;
use super::product::{times, times_transposed};
use super::{AlsError, Factors};

/// The eigendecomposition of one side's Gramian, `YᵀY = Q Λ Qᵀ`.
///
/// A half-step works in the coordinates `Qᵀx`, where the Gramian is diagonal: the contribution of the unobserved pairs
/// to a row's equations then costs `d` instead of `d²`, and every row may have its own regularization. Rotating a row
/// into them costs `2 d²`, as a dense product. (Pilászy, Zibriczky, Tikk, "Fast ALS-based matrix factorization for
/// explicit and implicit feedback datasets", RecSys 2010, use the same decomposition as `d` artificial interactions.)
#[derive(Debug)]
pub(super) struct Spectrum {
    /// Eigenvectors, one per row: `Qᵀ`, `d x d`.
    vectors: Vec<f32>,
    /// Their eigenvalues, never negative.
    values: Vec<f32>,
}

impl Spectrum {
    /// `O(rows · d² + d³)`; the decomposition is computed in `f64`, on one thread.
    ///
    /// # Errors
    /// When the factors are not finite.
    pub fn of(factors: &Factors) -> Result<Self, AlsError> {
        let gramian: Vec<f64> = gramian(factors).into_iter().map(f64::from).collect();
        Self::of_gramian(&gramian, factors.dims())
    }

    /// The same for a known Gramian: `d x d`, row-major.
    ///
    /// # Errors
    /// When it has another size, or is not finite.
    pub fn of_gramian(gramian: &[f64], d: usize) -> Result<Self, AlsError> {
        if gramian.len() != d * d {
            return Err(AlsError::Shape {
                expected: d * d,
                found: gramian.len(),
            });
        }
        if gramian.iter().any(|value| !value.is_finite()) {
            return Err(AlsError::NotFinite);
        }
        if d == 0 {
            let (vectors, values) = (vec![], vec![]);
            return Ok(Self { vectors, values });
        }
        let decomposition = MatRef::from_row_major_slice(gramian, d, d)
            .self_adjoint_eigen(Side::Lower)
            .map_err(|_| AlsError::NotFinite)?;
        let (vectors, values) = (decomposition.U(), decomposition.S());
        Ok(Self {
            vectors: (0..d * d).map(|place| vectors[(place % d, place / d)] as f32).collect(),
            values: (0..d).map(|index| values[index].max(0.0) as f32).collect(),
        })
    }

    /// The eigenvalues: the Gramian's diagonal in its own coordinates.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The number of dimensions.
    pub fn dims(&self) -> usize {
        self.values.len()
    }

    /// `Qᵀ x` for some rows.
    pub fn turn(&self, rows: &[f32], out: &mut [f32]) {
        times_transposed(out, rows, &self.vectors, self.dims());
    }

    /// As [`Spectrum::turn`]; `room` is working memory.
    pub fn turn_in_place(&self, rows: &mut [f32], room: &mut Vec<f32>) {
        room.clear();
        room.extend_from_slice(rows);
        self.turn(room, rows);
    }

    /// `Q x` for some rows: undoes [`Spectrum::turn`].
    pub fn turn_back(&self, rows: &[f32], out: &mut [f32]) {
        times(out, rows, &self.vectors, self.dims());
    }
}
