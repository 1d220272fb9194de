//! Why a model cannot be trained or used: [`AlsError`].

/// Why a model cannot be trained or used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AlsError {
    /// A weight that cannot be a confidence, or a sum of such weights.
    #[error("the weight of user {user} and item {item} is {weight}; weights must be finite")]
    Weight {
        /// Row.
        user: u32,
        /// Column.
        item: u32,
        /// The given weight.
        weight: f32,
    },
    /// An index outside the matrix.
    #[error("the pair of user {user} and item {item} is outside the matrix of {users} x {items}")]
    OutOfRange {
        /// Row.
        user: u32,
        /// Column.
        item: u32,
        /// Rows.
        users: usize,
        /// Columns.
        items: usize,
    },
    /// A parameter that is out of range.
    #[error("{name} is {value}; it must be {expected}")]
    Parameter {
        /// Its name.
        name: &'static str,
        /// The given value.
        value: String,
        /// The allowed values.
        expected: &'static str,
    },
    /// Vectors of different lengths.
    #[error("expected {expected} numbers, found {found}")]
    Shape {
        /// The length in the model.
        expected: usize,
        /// The given length.
        found: usize,
    },
    /// Factors that are NaN or infinite.
    #[error("the factors are not all finite numbers; weights may be too large, or the model is damaged")]
    NotFinite,
    /// A row's normal equations have no stable solution.
    #[error("the normal equations are not positive definite; raise the regularization")]
    NotPositiveDefinite,
}
