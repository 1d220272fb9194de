//! Solves single rows for training by queries: sums up a row's interactions as they arrive, joins parts of the same
//! row, and solves it from the other side's Gramian. `als_sql/solve.rs` makes an aggregate function of it; training in
//! memory uses `solve`.

use faer::linalg::solvers::Solve;
use faer::{Col, Mat, Side as Triangle};

use super::product::gram;
use super::solve::{Row, Side, Workspace, cholesky, right_side};
use super::spectrum::Spectrum;
use super::{AlsError, Factors, Objective, Params};

/// Solves rows of one side exactly, each from nothing but the vectors it interacted with: for a half-step whose factors
/// are not in one process. The only shared input is the other side's Gramian, `d x d`.
#[derive(Debug)]
pub struct RowSolver {
    gramian: Vec<f64>,
    spectrum: Spectrum,
    objective: Objective,
    others: usize,
}

/// What is known about a row while its interactions arrive: their vectors, as long as these take less space than their
/// sums; after that, `Σ α|w| y yᵀ`, and `Σ (1 + αw) y` over those that are no dislikes. A row with millions of
/// interactions therefore takes at most `3 d²` numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RowEquations {
    /// Vectors that have not been added to the sums, contiguous.
    pub vectors: Vec<f32>,
    /// Their weights.
    pub weights: Vec<f32>,
    /// `Σ α|w| y yᵀ` of the others, `d x d`; empty if there are none.
    pub matrix: Vec<f64>,
    /// `Σ (1 + αw) y` of the others with `w > 0`.
    pub right: Vec<f64>,
    /// The number of those others.
    pub added: u64,
}

impl RowSolver {
    /// Takes the Gramian of the other side, row-major, and its number of rows.
    ///
    /// # Errors
    /// When the Gramian does not have `factors x factors` finite numbers.
    pub fn new(gramian: &[f64], others: usize, params: &Params) -> Result<Self, AlsError> {
        Ok(Self {
            spectrum: Spectrum::of_gramian(gramian, params.factors)?,
            gramian: gramian.to_vec(),
            objective: params.objective(),
            others,
        })
    }

    /// The number of dimensions.
    pub fn dims(&self) -> usize {
        self.spectrum.dims()
    }

    /// Adds an interaction: the vector of the other side, and the weight.
    ///
    /// # Errors
    /// When the vector has another length, or the weight is not finite.
    pub fn add(&self, row: &mut RowEquations, vector: &[f32], weight: f32) -> Result<(), AlsError> {
        if vector.len() != self.dims() {
            return Err(AlsError::Shape {
                expected: self.dims(),
                found: vector.len(),
            });
        }
        if !weight.is_finite() {
            return Err(AlsError::Weight {
                user: 0,
                item: 0,
                weight,
            });
        }
        row.vectors.extend_from_slice(vector);
        row.weights.push(weight);
        self.add_up_many(row);
        Ok(())
    }

    /// Combines the interactions of both.
    ///
    /// # Errors
    /// When the parts do not belong to equations of this size.
    pub fn join(&self, row: &mut RowEquations, other: RowEquations) -> Result<(), AlsError> {
        let d = self.dims();
        let sums = if other.added == 0 { 0 } else { d };
        for (expected, found) in [
            (other.weights.len() * d, other.vectors.len()),
            (sums, other.right.len()),
            (sums * sums, other.matrix.len()),
        ] {
            if expected != found {
                return Err(AlsError::Shape { expected, found });
            }
        }
        if row.weights.is_empty() {
            (row.vectors, row.weights) = (other.vectors, other.weights);
        } else {
            row.vectors.extend(other.vectors);
            row.weights.extend(other.weights);
        }
        add(&mut row.matrix, other.matrix);
        add(&mut row.right, other.right);
        row.added += other.added;
        self.add_up_many(row);
        Ok(())
    }

    /// Adds the vectors to the sums once they take as much space as the sums.
    fn add_up_many(&self, row: &mut RowEquations) {
        let d = self.dims();
        if row.weights.len() <= 2 * d {
            return;
        }
        let (mut right, mut sums) = (vec![0.0; d], vec![0.0_f32; d * d]);
        for (y, weight) in row.vectors.chunks_exact_mut(d).zip(&row.weights) {
            let confidence = self.objective.alpha * weight;
            for (right, y) in right.iter_mut().zip(&*y) {
                *right += f64::from(right_side(confidence)) * f64::from(*y);
            }
            let scale = confidence.abs().sqrt();
            y.iter_mut().for_each(|y| *y *= scale);
        }
        gram(&mut sums, &row.vectors, d);
        add(&mut row.matrix, sums.into_iter().map(f64::from).collect());
        add(&mut row.right, right);
        row.added += row.weights.len() as u64;
        row.vectors.clear();
        row.weights.clear();
    }

    /// The factors of a row with these interactions; zero if there are none.
    ///
    /// # Errors
    /// When the equations are singular.
    pub fn solve(&self, row: &RowEquations) -> Result<Vec<f32>, AlsError> {
        match row.added {
            0 => self.solve_few(&row.vectors, &row.weights),
            _ => self.solve_many(row),
        }
    }

    /// Solves the smaller of two systems, in the Gramian's coordinates.
    fn solve_few(&self, vectors: &[f32], weights: &[f32]) -> Result<Vec<f32>, AlsError> {
        let (d, n) = (self.dims(), weights.len());
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
        cholesky(side, row, &mut x, &mut Workspace::default())?;
        self.spectrum.turn_back(&x, &mut out);
        Ok(out)
    }

    /// Solves from the sums in the original coordinates, because parts of them may come from machines with other
    /// eigenvectors.
    fn solve_many(&self, row: &RowEquations) -> Result<Vec<f32>, AlsError> {
        let d = self.dims();
        let n = usize::try_from(row.added)
            .unwrap_or(usize::MAX)
            .saturating_add(row.weights.len());
        let regularization = f64::from(self.objective.of_row(n, self.others));
        let mut matrix = Mat::from_fn(d, d, |i, j| self.gramian[i * d + j] + row.matrix[i * d + j]);
        let mut right = Col::from_fn(d, |i| row.right[i]);
        for i in 0..d {
            matrix[(i, i)] += regularization;
        }
        for (y, weight) in row.vectors.chunks_exact(d).zip(&row.weights) {
            let confidence = self.objective.alpha * weight;
            let (excess, target) = (f64::from(confidence.abs()), f64::from(right_side(confidence)));
            for i in 0..d {
                right[i] += target * f64::from(y[i]);
                for j in 0..d {
                    matrix[(i, j)] += excess * f64::from(y[i]) * f64::from(y[j]);
                }
            }
        }
        let factored = matrix.llt(Triangle::Lower).map_err(|_| AlsError::NotPositiveDefinite)?;
        Ok(factored.solve(&right).iter().map(|x| *x as f32).collect())
    }
}

/// `sum += other`, where an empty sum is 0.
fn add(sum: &mut Vec<f64>, other: Vec<f64>) {
    if sum.is_empty() {
        *sum = other;
    } else {
        sum.iter_mut().zip(other).for_each(|(sum, other)| *sum += other);
    }
}
