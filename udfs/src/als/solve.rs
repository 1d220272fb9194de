//! One row's normal equations `(G + Σ α w y yᵀ) x = Σ (1 + α w) y`, where `G` is the Gramian with λ on its diagonal.

use multiversion::multiversion;

use super::kernels::{axpy, dot, symmetric_product};
use super::{AlsError, Factors};

/// Below this a residual is nothing.
const TINY: f32 = 1e-20;

/// What all rows of a half-step share.
#[derive(Debug)]
pub(super) struct Side<'a> {
    /// The side that stands still.
    pub fixed: &'a Factors,
    /// Its Gramian, plus λ on the diagonal: `d x d`.
    pub gramian: &'a [f32],
    /// Confidence of a unit of weight.
    pub alpha: f32,
}

/// Room to work in, one a thread.
#[derive(Debug)]
pub(super) struct Scratch {
    residual: Vec<f32>,
    direction: Vec<f32>,
    product: Vec<f32>,
    matrix: Vec<f32>,
}

impl Scratch {
    pub fn new(dims: usize) -> Self {
        let vector = || vec![0.0; dims];
        Self {
            residual: vector(),
            direction: vector(),
            product: vector(),
            matrix: vec![],
        }
    }
}

/// Conjugate gradients from the row's present value. A row without interactions becomes zero.
#[multiversion(targets("x86_64+avx512f+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
pub(super) fn conjugate_gradient(
    side: &Side,
    items: &[u32],
    weights: &[f32],
    x: &mut [f32],
    steps: usize,
    scratch: &mut Scratch,
) {
    if items.is_empty() {
        x.fill(0.0);
        return;
    }
    let Scratch {
        residual: r,
        direction: p,
        product: ap,
        ..
    } = scratch;
    // r = b − A x
    symmetric_product(side.gramian, x, r);
    r.iter_mut().for_each(|value| *value = -*value);
    for (item, weight) in items.iter().zip(weights) {
        let y = side.fixed.row(*item as usize);
        let confidence = side.alpha * weight;
        axpy(1.0 + confidence - confidence * dot(y, x), y, r);
    }
    p.copy_from_slice(r);
    let mut norm = dot(r, r);
    for _ in 0..steps {
        if norm < TINY {
            break;
        }
        symmetric_product(side.gramian, p, ap);
        for (item, weight) in items.iter().zip(weights) {
            let y = side.fixed.row(*item as usize);
            axpy(side.alpha * weight * dot(y, p), y, ap);
        }
        let step = norm / dot(p, ap);
        axpy(step, p, x);
        axpy(-step, ap, r);
        let next = dot(r, r);
        let turn = next / norm;
        for (p, r) in p.iter_mut().zip(r.iter()) {
            *p = r + turn * *p;
        }
        norm = next;
    }
}

/// The exact solution, by Cholesky. A row without interactions becomes zero.
#[multiversion(targets("x86_64+avx512f+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
pub(super) fn cholesky(
    side: &Side,
    items: &[u32],
    weights: &[f32],
    x: &mut [f32],
    scratch: &mut Scratch,
) -> Result<(), AlsError> {
    x.fill(0.0);
    if items.is_empty() {
        return Ok(());
    }
    let d = x.len();
    let a = &mut scratch.matrix;
    a.clear();
    a.extend_from_slice(side.gramian);
    for (item, weight) in items.iter().zip(weights) {
        let y = side.fixed.row(*item as usize);
        let confidence = side.alpha * weight;
        axpy(1.0 + confidence, y, x);
        for row in 0..d {
            // The lower triangle is enough.
            axpy(confidence * y[row], &y[..=row], &mut a[row * d..row * d + row + 1]);
        }
    }
    // A = L Lᵀ, row by row, in place.
    for row in 0..d {
        let (above, rest) = a.split_at_mut(row * d);
        let current = &mut rest[..d];
        for column in 0..row {
            let other = &above[column * d..column * d + d];
            current[column] = (current[column] - dot(&current[..column], &other[..column])) / other[column];
        }
        let square = current[row] - dot(&current[..row], &current[..row]);
        if square.is_nan() || square <= 0.0 {
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
