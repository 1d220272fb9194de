//! iALS++ (Rendle, Krichene, Zhang, Koren, "iALS++: Speeding up Matrix Factorization with Subspace Optimization",
//! 2021): a row is solved one block of dimensions at a time, each exactly while the others are fixed.

use multiversion::multiversion;

use super::AlsError;
use super::kernels::{axpy, dot};
use super::product::add_gram;
use super::solve::{CHUNK, Row, Side, Workspace, right_side, solve_in_place};

/// One pass over the blocks from the row's current value: `n d size + d size²`. The predictions of the row's own
/// interactions are updated between blocks. The unobserved pairs do not couple blocks, because their Gramian is
/// diagonal here. A row without interactions becomes zero.
#[multiversion(targets("x86_64+avx512f+avx512vl+fma", "x86_64+avx2+fma", "aarch64+neon"))]
pub(super) fn blocks(
    side: Side,
    row: Row,
    x: &mut [f32],
    size: usize,
    workspace: &mut Workspace,
) -> Result<(), AlsError> {
    if row.items.is_empty() {
        x.fill(0.0);
        return Ok(());
    }
    workspace.start(side, row);
    let d = x.len();
    workspace.predictions.clear();
    workspace.predictions.extend(row.pairs(side).map(|(y, _)| dot(y, x)));
    for start in (0..d).step_by(size) {
        let end = (start + size).min(d);
        step(side, row, x, start, end, workspace)?;
    }
    Ok(())
}

/// Moves the dimensions `start..end` to the minimum of the loss: `x −= H⁻¹ g`, where `g` is half the gradient and `H`
/// half the second derivative.
#[inline(always)]
fn step(
    side: Side,
    row: Row,
    x: &mut [f32],
    start: usize,
    end: usize,
    workspace: &mut Workspace,
) -> Result<(), AlsError> {
    let Workspace {
        diagonal,
        residual: g,
        rows,
        matrix: h,
        predictions,
        ..
    } = workspace;
    let (x, size) = (&mut x[start..end], end - start);
    h.clear();
    h.resize(size * size, 0.0);
    g.clear();
    for (index, (x, diagonal)) in x.iter().zip(&diagonal[start..end]).enumerate() {
        h[index * size + index] = *diagonal;
        g.push(diagonal * x);
    }
    let mut known = predictions.iter();
    for (items, weights) in row.items.chunks(CHUNK).zip(row.weights.chunks(CHUNK)) {
        rows.clear();
        for ((y, confidence), prediction) in (Row { items, weights, ..row }).pairs(side).zip(known.by_ref()) {
            let y = &y[start..end];
            axpy(confidence.abs() * prediction - right_side(confidence), y, g);
            let scale = confidence.abs().sqrt();
            rows.extend(y.iter().map(|y| scale * y));
        }
        add_gram(h, rows, size);
    }
    solve_in_place(h, g)?;
    axpy(-1.0, g, x);
    for ((y, _), prediction) in row.pairs(side).zip(predictions) {
        *prediction -= dot(&y[start..end], g);
    }
    Ok(())
}
