//! Inner loops over `f32` rows, written so that the compiler turns them into vector instructions where they are
//! inlined into a function that is compiled for several processors (see `solve`).

/// Partial sums that are kept apart: two registers of AVX-512, four of AVX2.
const LANES: usize = 32;

/// `a · b`
#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    if a.len() < LANES {
        return a.iter().zip(b).map(|(a, b)| a * b).sum();
    }
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
