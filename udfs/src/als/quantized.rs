//! An approximate copy of vectors, quantized to eight bits per number, with bounds on the error of products. `top_k`
//! searches it first where few queries would wait for memory.

use super::Factors;
use super::kernels::dot;
use super::quantized_query::{QuantizedQuery, fill, product};

/// The largest integer that represents a number of an item.
const ITEM_MAX: f32 = 127.0;
/// The same for a query, or less if sums of products would overflow.
const QUERY_MAX: f32 = 4_095.0;
/// The effect of `f32` rounding on a bound, relative to the product of the two lengths.
const ROUNDING: f32 = 1e-5;

/// Vectors whose numbers are rounded to multiples of a step that each vector has for itself. They take a quarter of the
/// memory, so a search reads a quarter as much; `‖query‖ · error` bounds the error of a vector's product (Cauchy,
/// Schwarz).
#[derive(Debug, Clone)]
pub(super) struct Quantized {
    dims: usize,
    values: Vec<i8>,
    steps: Vec<f32>,
    /// The length of each vector's rounding error.
    errors: Vec<f32>,
}

impl Quantized {
    pub fn of(factors: &Factors) -> Self {
        let (dims, rows) = (factors.dims(), factors.rows());
        let mut quantized = Self {
            dims,
            values: Vec::with_capacity(rows * dims),
            steps: Vec::with_capacity(rows),
            errors: Vec::with_capacity(rows),
        };
        for row in 0..rows {
            let row = factors.row(row);
            let step = step(row, ITEM_MAX);
            let rounded = row.iter().map(|value| (value / step).round() as i8);
            quantized.values.extend(rounded);
            let kept = &quantized.values[quantized.values.len() - dims..];
            quantized
                .errors
                .push(off(row, kept.iter().map(|value| f32::from(*value)), step));
            quantized.steps.push(step);
        }
        quantized
    }

    pub fn query(query: &[f32]) -> QuantizedQuery {
        let fits = (i32::MAX as f32 / (ITEM_MAX * query.len().max(1) as f32)).floor();
        let step = step(query, QUERY_MAX.min(fits));
        let values: Vec<i16> = query.iter().map(|value| (value / step).round() as i16).collect();
        QuantizedQuery {
            error: off(query, values.iter().map(|value| f32::from(*value)), step),
            length: dot(query, query).sqrt(),
            values,
            step,
        }
    }

    /// Upper bounds of the products of the query with the vectors from `first` on; none is longer than `longest`.
    pub fn bounds(&self, query: &QuantizedQuery, first: usize, longest: f32, bounds: &mut [f32]) {
        let last = first + bounds.len();
        let values = &self.values[first * self.dims..last * self.dims];
        // A rounded vector is at most twice as long as the original.
        let of_query = query.error * 2.0 * longest + ROUNDING * query.length * longest;
        let (steps, errors) = (&self.steps[first..last], &self.errors[first..last]);
        #[cfg(target_arch = "x86_64")]
        if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
            #[allow(unsafe_code, reason = "only some processors have what the function needs")]
            // SAFETY: this CPU has the features.
            unsafe {
                avx2::fill((bounds, values), (steps, errors), query, of_query);
            }
            return;
        }
        fill((bounds, values), (steps, errors), query, of_query, product);
    }
}

/// The step that maps the largest number to `most`; 1 if all are zero.
fn step(row: &[f32], most: f32) -> f32 {
    let largest = row.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    match largest / most {
        step if step > 0.0 => step,
        _ => 1.0,
    }
}

/// The length of the difference between a row and its rounded numbers.
fn off(row: &[f32], rounded: impl Iterator<Item = f32>, step: f32) -> f32 {
    let squares = row
        .iter()
        .zip(rounded)
        .map(|(value, rounded)| (value - step * rounded).powi(2));
    squares.sum::<f32>().sqrt()
}

/// AVX2 multiplies sixteen pairs and adds neighbors in one instruction, which compilers do not use by themselves.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m128i, __m256i, _mm_add_epi32, _mm_cvtepi32_ps, _mm_fmadd_ps, _mm_loadu_ps, _mm_loadu_si128, _mm_mul_ps,
        _mm_set_epi32, _mm_set1_ps, _mm_storeu_ps, _mm256_add_epi32, _mm256_castsi256_si128, _mm256_cvtepi8_epi16,
        _mm256_extracti128_si256, _mm256_hadd_epi32, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_setzero_si256,
    };

    use super::QuantizedQuery;

    /// Numbers multiplied at once, and the number of vectors whose sums are combined.
    const LANES: usize = 16;
    const ROWS: usize = 4;

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn fill(
        (bounds, values): (&mut [f32], &[i8]),
        (steps, errors): (&[f32], &[f32]),
        query: &QuantizedQuery,
        of_query: f32,
    ) {
        let dims = query.values.len();
        let (bounds, last_bounds) = bounds.as_chunks_mut::<ROWS>();
        let (steps, last_steps) = steps.as_chunks::<ROWS>();
        let (errors, last_errors) = errors.as_chunks::<ROWS>();
        let (values, last_values) = values.split_at(bounds.len() * ROWS * dims);
        let (step, length, of_query_all) = (
            _mm_set1_ps(query.step),
            _mm_set1_ps(query.length),
            _mm_set1_ps(of_query),
        );
        let rows = values.chunks_exact((ROWS * dims).max(1)).zip(steps.iter().zip(errors));
        for (bounds, (rows, (steps, errors))) in bounds.iter_mut().zip(rows) {
            let products = _mm_cvtepi32_ps(products(rows, &query.values));
            #[allow(unsafe_code, reason = "loads and stores take pointers")]
            // SAFETY: each array is as long as what is loaded from it or stored to it; no alignment is required.
            unsafe {
                let rounding = _mm_fmadd_ps(_mm_loadu_ps(errors.as_ptr()), length, of_query_all);
                let steps = _mm_mul_ps(_mm_loadu_ps(steps.as_ptr()), step);
                _mm_storeu_ps(bounds.as_mut_ptr(), _mm_fmadd_ps(products, steps, rounding));
            }
        }
        super::fill(
            (last_bounds, last_values),
            (last_steps, last_errors),
            query,
            of_query,
            super::product,
        );
    }

    /// The products of four vectors with the query.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    fn products(rows: &[i8], query: &[i16]) -> __m128i {
        let (query, query_rest) = query.as_chunks::<LANES>();
        let dims = query.len() * LANES + query_rest.len();
        let row = |place: usize| rows[place * dims..(place + 1) * dims].as_chunks::<LANES>();
        let ((a, a_rest), (b, b_rest), (c, c_rest), (d, d_rest)) = (row(0), row(1), row(2), row(3));
        let mut sums = [_mm256_setzero_si256(); ROWS];
        for (at, query) in query.iter().enumerate() {
            #[allow(unsafe_code, reason = "loads take pointers")]
            // SAFETY: the array is as long as what is loaded from it; no alignment is required.
            let query = unsafe { _mm256_loadu_si256(query.as_ptr().cast()) };
            for (sum, row) in sums.iter_mut().zip([a, b, c, d]) {
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(wide(&row[at]), query));
            }
        }
        let [a, b, c, d] = sums;
        let four = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
        let four = _mm_add_epi32(_mm256_castsi256_si128(four), _mm256_extracti128_si256::<1>(four));
        if query_rest.is_empty() {
            return four;
        }
        let rest = |row| super::product(row, query_rest);
        _mm_add_epi32(
            four,
            _mm_set_epi32(rest(d_rest), rest(c_rest), rest(b_rest), rest(a_rest)),
        )
    }

    /// Widens sixteen numbers to the width of a query's.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn wide(numbers: &[i8; LANES]) -> __m256i {
        #[allow(unsafe_code, reason = "loads take pointers")]
        // SAFETY: the array is as long as what is loaded from it; no alignment is required.
        let numbers = unsafe { _mm_loadu_si128(numbers.as_ptr().cast()) };
        _mm256_cvtepi8_epi16(numbers)
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
            Quantized::of(&factors).bounds(&Quantized::query(&query), 0, longest, &mut bounds);
            let length = dot(&query, &query).sqrt();
            for (row, bound) in bounds.iter().enumerate() {
                let product = dot(factors.row(row), &query);
                prop_assert!(product <= *bound, "{product} {bound}");
                // The bound is not too loose either: one part in fifty of the two lengths.
                prop_assert!(bound - product <= 0.04 * length * longest + 1e-6, "{product} {bound}");
            }
        }
    }

    #[test]
    fn zeros_are_zeros() {
        let mut bounds = vec![1.0; 2];
        Quantized::of(&Factors::zeros(2, 3)).bounds(&Quantized::query(&[1.0, 2.0, 3.0]), 0, 0.0, &mut bounds);
        assert_eq!(bounds, [0.0, 0.0]);
    }
}
