//! Inner loops over `f32` rows, written so that the compiler vectorizes them when they are inlined into a function
//! compiled for several CPU targets (see `solve`).

/// The number of separate partial sums: two AVX-512 registers, or four AVX2 registers.
const LANES: usize = 32;

/// Prefetches a row, if the CPU supports it.
#[inline(always)]
pub(super) fn prefetch(row: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    #[allow(unsafe_code, reason = "there is no safe way to ask")]
    for line in row.chunks(16) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint that reads and writes nothing; the address comes from a reference.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = row;
}

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

/// Four products with one vector, each of whose numbers is loaded only once.
#[inline(always)]
pub(super) fn dot_four(rows: [&[f32]; 4], v: &[f32]) -> [f32; 4] {
    const WIDTH: usize = LANES / 2;
    let whole = v.len() / WIDTH * WIDTH;
    let mut lanes = [[0.0_f32; WIDTH]; 4];
    let [a, b, c, d] = rows.map(|row| row[..whole].chunks_exact(WIDTH));
    for ((((v, a), b), c), d) in v[..whole].chunks_exact(WIDTH).zip(a).zip(b).zip(c).zip(d) {
        for lane in 0..WIDTH {
            lanes[0][lane] += a[lane] * v[lane];
            lanes[1][lane] += b[lane] * v[lane];
            lanes[2][lane] += c[lane] * v[lane];
            lanes[3][lane] += d[lane] * v[lane];
        }
    }
    let mut width = WIDTH / 2;
    while width > 0 {
        for lanes in &mut lanes {
            for lane in 0..width {
                lanes[lane] += lanes[lane + width];
            }
        }
        width /= 2;
    }
    std::array::from_fn(|row| {
        let rest: f32 = rows[row][whole..].iter().zip(&v[whole..]).map(|(a, v)| a * v).sum();
        lanes[row][0] + rest
    })
}

/// `out += Σ scale · row` over four rows.
#[inline(always)]
pub(super) fn axpy_four(scales: [f32; 4], rows: [&[f32]; 4], out: &mut [f32]) {
    let [a, b, c, d] = rows;
    for ((((out, a), b), c), d) in out.iter_mut().zip(a).zip(b).zip(c).zip(d) {
        *out += (scales[0] * a + scales[1] * b) + (scales[2] * c + scales[3] * d);
    }
}

/// `out += scale · a`
#[inline(always)]
pub(super) fn axpy(scale: f32, a: &[f32], out: &mut [f32]) {
    for (out, a) in out.iter_mut().zip(a) {
        *out += scale * a;
    }
}
