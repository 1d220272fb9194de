//! A rough copy of vectors, eight bits a number, and how far a product with it may be off.

use super::Factors;
use super::kernels::dot;

/// The largest whole number that stands for an item's number.
const ITEM_MAX: f32 = 127.0;
/// The same for a query's, or less where sums of products would not fit.
const QUERY_MAX: f32 = 4_095.0;
/// What rounding in `f32` may take from a bound, as a share of the two lengths.
const ROUNDING: f32 = 1e-5;

/// Vectors whose numbers are rounded to a multiple of a step, which each vector has of its own. A quarter of the memory,
/// so that a search reads a quarter as much; `‖query‖ · error` bounds what the product of a vector loses (Cauchy, Schwarz).
#[derive(Debug, Clone)]
pub(super) struct Rough {
    dims: usize,
    values: Vec<i8>,
    steps: Vec<f32>,
    /// The length of what rounding took from each vector.
    errors: Vec<f32>,
}

/// A query, rounded as the vectors are.
#[derive(Debug)]
pub(super) struct RoughQuery {
    values: Vec<i16>,
    step: f32,
    length: f32,
    error: f32,
}

impl Rough {
    pub fn of(factors: &Factors) -> Self {
        let (dims, rows) = (factors.dims(), factors.rows());
        let mut rough = Self {
            dims,
            values: Vec::with_capacity(rows * dims),
            steps: Vec::with_capacity(rows),
            errors: Vec::with_capacity(rows),
        };
        for row in 0..rows {
            let row = factors.row(row);
            let step = step(row, ITEM_MAX);
            let rounded = row.iter().map(|value| (value / step).round() as i8);
            rough.values.extend(rounded);
            let kept = &rough.values[rough.values.len() - dims..];
            rough
                .errors
                .push(off(row, kept.iter().map(|value| f32::from(*value)), step));
            rough.steps.push(step);
        }
        rough
    }

    pub fn query(query: &[f32]) -> RoughQuery {
        let fits = (i32::MAX as f32 / (ITEM_MAX * query.len().max(1) as f32)).floor();
        let step = step(query, QUERY_MAX.min(fits));
        let values: Vec<i16> = query.iter().map(|value| (value / step).round() as i16).collect();
        RoughQuery {
            error: off(query, values.iter().map(|value| f32::from(*value)), step),
            length: dot(query, query).sqrt(),
            values,
            step,
        }
    }

    /// For each of the vectors from `first` on what its product with the query is at most; none is longer than `longest`.
    pub fn bounds(&self, query: &RoughQuery, first: usize, longest: f32, bounds: &mut [f32]) {
        let last = first + bounds.len();
        let values = &self.values[first * self.dims..last * self.dims];
        // A rounded vector is no longer than twice the vector.
        let of_query = query.error * 2.0 * longest + ROUNDING * query.length * longest;
        let (steps, errors) = (&self.steps[first..last], &self.errors[first..last]);
        #[cfg(target_arch = "x86_64")]
        if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
            #[allow(unsafe_code, reason = "only some processors have what the function needs")]
            // SAFETY: this one has.
            unsafe {
                avx2::fill((bounds, values), (steps, errors), query, of_query);
            }
            return;
        }
        fill((bounds, values), (steps, errors), query, of_query, product);
    }
}

/// The step by which the largest number becomes `most`; 1 for zeros.
fn step(row: &[f32], most: f32) -> f32 {
    let largest = row.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    match largest / most {
        step if step > 0.0 => step,
        _ => 1.0,
    }
}

/// How long the difference of a row and its rounded numbers is.
fn off(row: &[f32], rounded: impl Iterator<Item = f32>, step: f32) -> f32 {
    let squares = row
        .iter()
        .zip(rounded)
        .map(|(value, rounded)| (value - step * rounded).powi(2));
    squares.sum::<f32>().sqrt()
}

/// The bounds of vectors, one after another.
#[inline(always)]
fn fill(
    (bounds, values): (&mut [f32], &[i8]),
    (steps, errors): (&[f32], &[f32]),
    query: &RoughQuery,
    of_query: f32,
    product: impl Fn(&[i8], &[i16]) -> i32,
) {
    let rows = values.chunks_exact(query.values.len()).zip(steps.iter().zip(errors));
    for (bound, (row, (step, error))) in bounds.iter_mut().zip(rows) {
        let product = product(row, &query.values) as f32;
        *bound = product * (step * query.step) + error * query.length + of_query;
    }
}

fn product(row: &[i8], query: &[i16]) -> i32 {
    let pairs = row.iter().zip(query);
    pairs.map(|(row, query)| i32::from(*row) * i32::from(*query)).sum()
}

/// AVX2 multiplies sixteen pairs and adds neighbours in one instruction, which compilers do not find by themselves.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        _mm_add_epi32, _mm_cvtsi128_si32, _mm_loadu_si128, _mm_shuffle_epi32, _mm256_add_epi32, _mm256_castsi256_si128,
        _mm256_cvtepi8_epi16, _mm256_extracti128_si256, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_setzero_si256,
    };

    use super::RoughQuery;

    const LANES: usize = 16;

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn fill(rows: (&mut [f32], &[i8]), roundings: (&[f32], &[f32]), query: &RoughQuery, of_query: f32) {
        super::fill(rows, roundings, query, of_query, |row, query| product(row, query));
    }

    #[target_feature(enable = "avx2,fma")]
    #[inline]
    fn product(row: &[i8], query: &[i16]) -> i32 {
        let (row_chunks, query_chunks) = (row.chunks_exact(LANES), query.chunks_exact(LANES));
        let rest = super::product(row_chunks.remainder(), query_chunks.remainder());
        let mut sums = _mm256_setzero_si256();
        for (row, query) in row_chunks.zip(query_chunks) {
            #[allow(unsafe_code, reason = "loads take pointers")]
            // SAFETY: each chunk is as long as what is loaded of it; no alignment is asked for.
            let (row, query) = unsafe {
                let row = _mm_loadu_si128(row.as_ptr().cast());
                (row, _mm256_loadu_si256(query.as_ptr().cast()))
            };
            sums = _mm256_add_epi32(sums, _mm256_madd_epi16(_mm256_cvtepi8_epi16(row), query));
        }
        let four = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums));
        let two = _mm_add_epi32(four, _mm_shuffle_epi32::<0b01_00_11_10>(four));
        let one = _mm_add_epi32(two, _mm_shuffle_epi32::<0b10_11_00_01>(two));
        _mm_cvtsi128_si32(one) + rest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_product_is_more_than_its_bound(
            (dims, values, query) in (1_usize..40).prop_flat_map(|dims| (
                Just(dims),
                prop::collection::vec(-3.0_f32..3.0, dims * 7),
                prop::collection::vec(-3.0_f32..3.0, dims),
            ))
        ) {
            let factors = Factors::from_vec(7, dims, values).unwrap();
            let longest = (0..7).map(|row| dot(factors.row(row), factors.row(row)).sqrt()).fold(0.0, f32::max);
            let mut bounds = vec![0.0; 7];
            Rough::of(&factors).bounds(&Rough::query(&query), 0, longest, &mut bounds);
            let length = dot(&query, &query).sqrt();
            for (row, bound) in bounds.iter().enumerate() {
                let product = dot(factors.row(row), &query);
                prop_assert!(product <= *bound, "{product} {bound}");
                // Not much more, either: one part in fifty of the two lengths.
                prop_assert!(bound - product <= 0.04 * length * longest + 1e-6, "{product} {bound}");
            }
        }
    }

    #[test]
    fn zeros_are_zeros() {
        let mut bounds = vec![1.0; 2];
        Rough::of(&Factors::zeros(2, 3)).bounds(&Rough::query(&[1.0, 2.0, 3.0]), 0, 0.0, &mut bounds);
        assert_eq!(bounds, [0.0, 0.0]);
    }
}
