use super::solve::{Row, Scratch, Side, cholesky};
use super::spectrum::Spectrum;
use super::{AlsError, Factors, Objective, Params};

/// Solves rows of one side exactly, each from nothing but the vectors of what it interacted with: for a half-step whose
/// factors are not in one memory. What all rows share, the other side's Gramian, is `d x d`.
#[derive(Debug)]
pub struct RowSolver {
    spectrum: Spectrum,
    objective: Objective,
    others: usize,
}

impl RowSolver {
    /// With the Gramian of the other side, row after row, and the number of its rows.
    ///
    /// # Errors
    /// When the Gramian has not `factors x factors` finite numbers.
    pub fn new(gramian: &[f64], others: usize, params: &Params) -> Result<Self, AlsError> {
        Ok(Self {
            spectrum: Spectrum::of_gramian(gramian, params.factors)?,
            objective: params.objective(),
            others,
        })
    }

    /// Dimensions of a vector.
    pub fn dims(&self) -> usize {
        self.spectrum.dims()
    }

    /// The row with these weights of the vectors, which are one after another.
    ///
    /// # Errors
    /// When there are more or fewer vectors than weights, a weight is negative or not finite, or the equations are singular.
    pub fn solve(&self, vectors: &[f32], weights: &[f32]) -> Result<Vec<f32>, AlsError> {
        let (d, n) = (self.dims(), weights.len());
        for (item, &weight) in (0..).zip(weights) {
            if !weight.is_finite() || weight < 0.0 {
                return Err(AlsError::Weight { user: 0, item, weight });
            }
        }
        let mut turned = Factors::from_vec(n, d, vectors.to_vec())?;
        self.spectrum.turn_in_place(turned.as_mut_slice(), &mut Vec::new());
        let side = Side {
            turned: &turned,
            spectrum: self.spectrum.values(),
            alpha: self.objective.alpha,
        };
        let items: Vec<u32> = (0..).take(n).collect();
        let row = Row {
            items: &items,
            weights,
            regularization: self.objective.of_row(n, self.others),
        };
        let (mut x, mut out) = (vec![0.0; d], vec![0.0; d]);
        cholesky(side, row, &mut x, &mut Scratch::default())?;
        self.spectrum.turn_back(&x, &mut out);
        Ok(out)
    }
}
