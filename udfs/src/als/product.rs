//! Dense matrix products with the `gemm` crate, behind a safe interface.

use gemm::Parallelism;

/// `out = a · bᵀ` for `a` of `m x k`, `b` of `n x k` and `out` of `m x n`, all row-major.
pub(super) fn times_transposed(out: &mut [f32], a: &[f32], b: &[f32], k: usize) {
    let (m, n) = (a.len() / k, b.len() / k);
    product(out, false, (m, n, k), (a, k, 1), (b, 1, k));
}

/// `out = a · b` for `a` of `m x d`, `b` of `d x d` and `out` of `m x d`, all row-major.
pub(super) fn times(out: &mut [f32], a: &[f32], b: &[f32], d: usize) {
    product(out, false, (a.len() / d, d, d), (a, d, 1), (b, d, 1));
}

/// `out = aᵀ · a` for `a` of `k x d` and `out` of `d x d`, row-major.
pub(super) fn gram(out: &mut [f32], a: &[f32], d: usize) {
    product(out, false, (d, d, a.len() / d), (a, 1, d), (a, d, 1));
}

/// `out += aᵀ · a`, as [`gram`].
pub(super) fn add_gram(out: &mut [f32], a: &[f32], d: usize) {
    product(out, true, (d, d, a.len() / d), (a, 1, d), (a, d, 1));
}

/// `out = left · right`, or `out += left · right` if `add`; each side with the strides of its rows and columns.
#[allow(unsafe_code, reason = "gemm takes pointers; the assertions are what it asks for")]
fn product(
    out: &mut [f32],
    add: bool,
    (m, n, k): (usize, usize, usize),
    (left, left_row, left_column): (&[f32], usize, usize),
    (right, right_row, right_column): (&[f32], usize, usize),
) {
    if m == 0 || n == 0 || k == 0 {
        if !add {
            out.fill(0.0);
        }
        return;
    }
    assert!(out.len() >= m * n);
    assert!(left.len() > (m - 1) * left_row + (k - 1) * left_column);
    assert!(right.len() > (k - 1) * right_row + (n - 1) * right_column);
    // Slices are never longer than isize::MAX bytes, so no stride is either.
    let step = |step: usize| step as isize;
    // SAFETY: the assertions ensure that every element gemm touches is in its slice; `out` is borrowed mutably, so it
    // overlaps neither input.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            step(n),
            add,
            left.as_ptr(),
            step(left_column),
            step(left_row),
            right.as_ptr(),
            step(right_column),
            step(right_row),
            if add { 1.0 } else { 0.0 },
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
