//! Why `${NAME}` has no value.

/// Why a value could not be interpolated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// The variable is not defined anywhere.
    Variable(String),
    /// The variable's source cannot be read; says why.
    Unread(String),
    /// `${` without its `}`.
    Unclosed,
}
