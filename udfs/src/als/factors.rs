//! The factors of one side, users or items: one vector per row, in one piece of memory.

use super::AlsError;

/// One vector per row, contiguous in memory: `rows x dims`.
#[derive(Debug, Clone, PartialEq)]
pub struct Factors {
    rows: usize,
    dims: usize,
    values: Vec<f32>,
}

impl Factors {
    /// All zero.
    pub fn zeros(rows: usize, dims: usize) -> Self {
        Self {
            rows,
            dims,
            values: vec![0.0; rows * dims],
        }
    }

    /// Takes the values row by row.
    ///
    /// # Errors
    /// When there are not `rows · dims` numbers.
    pub fn from_vec(rows: usize, dims: usize, values: Vec<f32>) -> Result<Self, AlsError> {
        if values.len() != rows * dims {
            return Err(AlsError::Shape {
                expected: rows * dims,
                found: values.len(),
            });
        }
        Ok(Self { rows, dims, values })
    }

    /// The number of vectors.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The length of each vector.
    pub fn dims(&self) -> usize {
        self.dims
    }

    /// One vector.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.dims..(row + 1) * self.dims]
    }

    /// One vector, mutable.
    pub fn row_mut(&mut self, row: usize) -> &mut [f32] {
        &mut self.values[row * self.dims..(row + 1) * self.dims]
    }

    /// All vectors, one after another.
    pub fn as_slice(&self) -> &[f32] {
        &self.values
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// The vectors `start..end`, one after another.
    pub(super) fn rows_slice(&self, start: usize, end: usize) -> &[f32] {
        &self.values[start * self.dims..end * self.dims]
    }
}
