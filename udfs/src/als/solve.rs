//! One row's normal equations `(G + λI + Σ α|w| y yᵀ) x = Σ (1 + α w) y` in the coordinates of [`Spectrum`], where the
//! Gramian `G` is diagonal. The sum on the right is over weights above 0: a dislike has a preference of 0, so it adds to
//! the left side alone.
//!
//! [`Spectrum`]: super::spectrum::Spectrum

use multiversion::multiversion;

use super::kernels::{axpy, axpy_four, dot, dot_four, prefetch};
use super::product::add_gram;
use super::{AlsError, Factors};

/// Residuals below this count as zero.
const TINY: f32 = 1e-20;
/// The number of interactions processed by one matrix product.
pub(super) const CHUNK: usize = 256;

/// The steps stop when the residual (squared, in the preconditioner's norm) has decreased by this factor.
const ENOUGH: f32 = 0.01;
/// Vectors are scattered over memory, so each is prefetched this many interactions ahead.
const AHEAD: usize = 8;
/// If a row's vectors have this many numbers, they are gathered in one place: more than the L1 cache holds anyway, but
/// not too much for the L3 cache that threads share.
const GATHERED: std::ops::Range<usize> = 4_096..2_097_152;

/// What a pair adds to the right side, given `α w`: its confidence, or 0 for a dislike.
#[inline(always)]
pub(super) fn right_side(confidence: f32) -> f32 {
    if confidence < 0.0 { 0.0 } else { 1.0 + confidence }
}

/// What all rows of a half-step share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side<'a> {
    /// The fixed side, in the Gramian's coordinates.
    pub turned: &'a Factors,
    /// The Gramian's diagonal there.
    pub spectrum: &'a [f32],
    /// The confidence per unit of weight.
    pub alpha: f32,
}

/// The row to solve.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    /// What it interacted with.
    pub items: &'a [u32],
    /// The weights of these interactions.
    pub weights: &'a [f32],
    /// Its λ.
    pub regularization: f32,
}

impl<'a> Row<'a> {
    /// Its interactions: the other side's vectors, and `α w`, which is the confidence in excess of that of all pairs; for
    /// a dislike, it is negative, and the confidence is its absolute value.
    #[inline(always)]
    pub fn pairs(self, side: Side<'a>) -> impl Iterator<Item = (&'a [f32], f32)> {
        let pair = move |(index, (item, weight)): (usize, (&u32, &f32))| {
            if let Some(soon) = self.items.get(index + AHEAD) {
                prefetch(side.turned.row(*soon as usize));
            }
            (side.turned.row(*item as usize), side.alpha * weight)
        };
        self.items.iter().zip(self.weights).enumerate().map(pair)
    }
}

/// Working memory, one per thread.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    /// `Λ + λ`.
    pub diagonal: Vec<f32>,
    pub residual: Vec<f32>,
    direction: Vec<f32>,
    product: Vec<f32>,
    /// Vectors of some interactions, contiguous.
    pub rows: Vec<f32>,
    pub matrix: Vec<f32>,
    /// `x·y` of each interaction.
    pub predictions: Vec<f32>,
}

impl Workspace {
    /// Sets the diagonal.
    #[inline(always)]
    pub fn start(&mut self, side: Side<'_>, row: Row<'_>) {
        self.diagonal.clear();
        self.diagonal
            .extend(side.spectrum.iter().map(|value| value + row.regularization));
    }
}

/// Conjugate gradients from the row's current value. The contribution of the unobserved pairs is the preconditioner,
/// which is exact because it is diagonal here; `n` interactions therefore take at most `n + 1` steps. A row without
/// interactions becomes zero.
#[multiversion(targets("x86_64+avx512f+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
pub(super) fn conjugate_gradient(side: Side, row: Row, x: &mut [f32], steps: usize, workspace: &mut Workspace) {
    if row.items.is_empty() {
        x.fill(0.0);
        return;
    }
    workspace.start(side, row);
    let Workspace {
        diagonal,
        residual: r,
        direction: p,
        product: ap,
        rows,
        ..
    } = workspace;
    // Every step reads all vectors of the row: only once from memory, if the cache can hold them.
    let gathers = GATHERED.contains(&(row.items.len() * x.len()));
    rows.clear();
    // r = b − A x
    r.clear();
    r.extend(diagonal.iter().zip(&*x).map(|(diagonal, x)| -diagonal * x));
    let gathered = row.pairs(side).inspect(|(y, _)| {
        if gathers {
            rows.extend_from_slice(y);
        }
    });
    add_scaled(gathered, x, r, |confidence, prediction| {
        right_side(confidence) - confidence.abs() * prediction
    });
    p.clear();
    p.extend(r.iter().zip(&*diagonal).map(|(r, diagonal)| r / diagonal));
    let mut norm = dot(r, p);
    let enough = TINY.max(ENOUGH * norm);
    for _ in 0..steps {
        if norm < enough {
            break;
        }
        ap.clear();
        ap.extend(diagonal.iter().zip(&*p).map(|(diagonal, p)| diagonal * p));
        let scale = |confidence: f32, product: f32| confidence.abs() * product;
        if gathers {
            let confidences = row.weights.iter().map(|weight| side.alpha * weight);
            add_scaled(rows.chunks_exact(x.len()).zip(confidences), p, ap, scale);
        } else {
            add_scaled(row.pairs(side), p, ap, scale);
        }
        let step = norm / dot(p, ap);
        axpy(step, p, x);
        axpy(-step, ap, r);
        for ((z, r), diagonal) in ap.iter_mut().zip(&*r).zip(&*diagonal) {
            *z = r / diagonal;
        }
        let next = dot(r, ap);
        let turn = next / norm;
        for (p, z) in p.iter_mut().zip(&*ap) {
            *p = z + turn * *p;
        }
        norm = next;
    }
}

/// `out += Σ scale(confidence, y·v) y`, four vectors at a time.
#[inline(always)]
fn add_scaled<'a>(
    mut pairs: impl Iterator<Item = (&'a [f32], f32)>,
    v: &[f32],
    out: &mut [f32],
    scale: impl Fn(f32, f32) -> f32,
) {
    while let Some(first) = pairs.next() {
        match (pairs.next(), pairs.next(), pairs.next()) {
            (Some(second), Some(third), Some(fourth)) => {
                let four = [first, second, third, fourth];
                let rows = four.map(|(y, _)| y);
                let products = dot_four(rows, v);
                axpy_four(std::array::from_fn(|row| scale(four[row].1, products[row])), rows, out);
            }
            (second, third, _) => {
                for (y, confidence) in [Some(first), second, third].into_iter().flatten() {
                    axpy(scale(confidence, dot(y, v)), y, out);
                }
                return;
            }
        }
    }
}

/// The exact solution by Cholesky, for the smaller system: the row's own, with `d` unknowns, or that of its `n`
/// interactions. A row without interactions becomes zero.
#[multiversion(targets("x86_64+avx512f+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
pub(super) fn cholesky(side: Side, row: Row, x: &mut [f32], workspace: &mut Workspace) -> Result<(), AlsError> {
    if row.items.is_empty() {
        x.fill(0.0);
        return Ok(());
    }
    workspace.start(side, row);
    if row.items.len() < x.len() && by_interactions(side, row, x, workspace).is_ok() {
        return Ok(());
    }
    let Workspace {
        diagonal, rows, matrix, ..
    } = workspace;
    let d = x.len();
    matrix.clear();
    matrix.resize(d * d, 0.0);
    for (row, diagonal) in diagonal.iter().enumerate() {
        matrix[row * d + row] = *diagonal;
    }
    x.fill(0.0);
    for chunk in row.items.chunks(CHUNK).zip(row.weights.chunks(CHUNK)) {
        let chunk = Row {
            items: chunk.0,
            weights: chunk.1,
            ..row
        };
        rows.clear();
        for (y, confidence) in chunk.pairs(side) {
            axpy(right_side(confidence), y, x);
            let scale = confidence.abs().sqrt();
            rows.extend(y.iter().map(|y| scale * y));
        }
        add_gram(matrix, rows, d);
    }
    solve_in_place(matrix, x)
}

/// The exact solution of a row with few interactions, from a system with as many unknowns. With `G` for `Λ + λI`, `Z =
/// G⁻¹ Yᵀ`, `D` the interactions' `α|w|` on a diagonal, and `t` the interactions' [`right_side`]s,
///
/// ```text
/// (G + Yᵀ D Y)⁻¹ Yᵀ = Z (I + D Y Z)⁻¹,   so   x = Z c   where   (D⁻¹ + Y Z) c = D⁻¹ t
/// ```
///
/// which costs `n² d + n³` instead of `n d² + d³`: a session has only a few interactions. `D⁻¹ + Y Z` is symmetric and
/// positive definite; if the weights differ so much that it is not in 32 bits, this fails and leaves `x` unchanged.
/// Requires [`Workspace::start`].
#[inline(always)]
pub(super) fn by_interactions(side: Side, row: Row, x: &mut [f32], workspace: &mut Workspace) -> Result<(), AlsError> {
    let (n, d) = (row.items.len(), x.len());
    let Workspace {
        diagonal,
        residual: c,
        product: inverse,
        rows: z,
        matrix: m,
        ..
    } = workspace;
    inverse.clear();
    inverse.extend(diagonal.iter().map(|diagonal| diagonal.recip()));
    z.clear();
    m.clear();
    m.resize(n * n, 0.0);
    c.clear();
    for (index, (y, confidence)) in row.pairs(side).enumerate() {
        z.extend(y.iter().zip(&*inverse).map(|(y, inverse)| y * inverse));
        for (column, z) in z.chunks_exact(d).enumerate() {
            m[index * n + column] = dot(y, z);
        }
        let inverse = confidence.abs().recip();
        m[index * n + index] += inverse;
        // D⁻¹ t
        c.push(if confidence < 0.0 { 0.0 } else { 1.0 + inverse });
    }
    solve_in_place(m, c)?;
    x.fill(0.0);
    for (z, c) in z.chunks_exact(d).zip(c) {
        axpy(*c, z, x);
    }
    Ok(())
}

/// Solves `A x = b` for a symmetric positive definite `A`, of which only the lower triangle is read. `x` holds `b`, and
/// then the solution; `a` becomes the Cholesky factor.
#[inline(always)]
pub(super) fn solve_in_place(a: &mut [f32], x: &mut [f32]) -> Result<(), AlsError> {
    let d = x.len();
    // A = L Lᵀ, row by row, in place.
    for row in 0..d {
        let (above, rest) = a.split_at_mut(row * d);
        let current = &mut rest[..d];
        for column in 0..row {
            let other = &above[column * d..column * d + d];
            current[column] = (current[column] - dot(&current[..column], &other[..column])) / other[column];
        }
        let square = current[row] - dot(&current[..row], &current[..row]);
        if !square.is_finite() || square <= 0.0 {
            return Err(AlsError::NotPositiveDefinite);
        }
        current[row] = square.sqrt();
    }
    // L z = b, then Lᵀ x = z.
    for row in 0..d {
        x[row] = (x[row] - dot(&a[row * d..row * d + row], &x[..row])) / a[row * d + row];
    }
    for row in (0..d).rev() {
        x[row] /= a[row * d + row];
        let value = x[row];
        axpy(-value, &a[row * d..row * d + row], &mut x[..row]);
    }
    Ok(())
}
