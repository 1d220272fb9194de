/// Why a model cannot be learned or used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AlsError {
    /// A weight that says nothing about confidence.
    #[error("the weight of user {user} and item {item} is {weight}; weights must be finite and not negative")]
    Weight {
        /// Row.
        user: u32,
        /// Column.
        item: u32,
        /// As given.
        weight: f32,
    },
    /// An index beyond the matrix.
    #[error("user {user}, item {item} is outside the matrix of {users} x {items}")]
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
    /// A parameter that makes no sense.
    #[error("{name} is {value}; it must be {expected}")]
    Parameter {
        /// Its name.
        name: &'static str,
        /// As given.
        value: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// Vectors that do not belong together.
    #[error("expected {expected} numbers, found {found}")]
    Shape {
        /// As the model has them.
        expected: usize,
        /// As given.
        found: usize,
    },
    /// Factors that say nothing.
    #[error("the factors are not all finite numbers; weights may be too large, or the model is damaged")]
    NotFinite,
    /// The normal equations of a row have no stable solution.
    #[error("the normal equations are not positive definite; raise the regularization")]
    NotPositiveDefinite,
}
