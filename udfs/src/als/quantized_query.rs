//! A query in the form of `quantized`, and the loop that bounds its products with quantized vectors.

/// A query, quantized like the vectors.
#[derive(Debug)]
pub(super) struct QuantizedQuery {
    pub values: Vec<i16>,
    pub step: f32,
    pub length: f32,
    pub error: f32,
}

/// The bounds of vectors, one after another.
#[inline(always)]
pub(super) fn fill(
    (bounds, values): (&mut [f32], &[i8]),
    (steps, errors): (&[f32], &[f32]),
    query: &QuantizedQuery,
    of_query: f32,
    product: impl Fn(&[i8], &[i16]) -> i32,
) {
    let rows = values.chunks_exact(query.values.len()).zip(steps.iter().zip(errors));
    for (bound, (row, (step, error))) in bounds.iter_mut().zip(rows) {
        let product = product(row, &query.values) as f32;
        *bound = product * (step * query.step) + error * query.length + of_query;
    }
}

pub(super) fn product(row: &[i8], query: &[i16]) -> i32 {
    let pairs = row.iter().zip(query);
    pairs.map(|(row, query)| i32::from(*row) * i32::from(*query)).sum()
}
