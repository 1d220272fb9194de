//! Inner loops over `f32` rows, written so that the compiler turns them into vector instructions where they are
//! inlined into a function that is compiled for several processors (see `solve`).

/// Partial sums that are kept apart: two registers of AVX-512, four of AVX2.
const LANES: usize = 32;

/// `a · b`
#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a_chunks
        .remainder()
        .iter()
        .zip(b_chunks.remainder())
        .map(|(a, b)| a * b)
        .sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0] + rest
}

/// `out += scale · a`
#[inline(always)]
pub(super) fn axpy(scale: f32, a: &[f32], out: &mut [f32]) {
    for (out, a) in out.iter_mut().zip(a) {
        *out += scale * a;
    }
}

/// `out = matrix · v` for a symmetric `d x d` matrix: sums its rows, which needs no reduction across lanes.
#[inline(always)]
pub(super) fn symmetric_product(matrix: &[f32], v: &[f32], out: &mut [f32]) {
    out.fill(0.0);
    let d = v.len();
    let (pairs, last) = v.as_chunks::<4>();
    for (index, v) in pairs.iter().enumerate() {
        let rows = &matrix[index * 4 * d..(index + 1) * 4 * d];
        let (r0, rest) = rows.split_at(d);
        let (r1, rest) = rest.split_at(d);
        let (r2, r3) = rest.split_at(d);
        for ((((out, r0), r1), r2), r3) in out.iter_mut().zip(r0).zip(r1).zip(r2).zip(r3) {
            *out += (v[0] * r0 + v[1] * r1) + (v[2] * r2 + v[3] * r3);
        }
    }
    for (index, v) in last.iter().enumerate() {
        let row = pairs.len() * 4 + index;
        axpy(*v, &matrix[row * d..(row + 1) * d], out);
    }
}
