//! A value that is to be decoded.

/// A value without its frame, and its row.
#[derive(Debug, Clone, Copy)]
pub(in crate::functions) struct Body<'a> {
    pub row: usize,
    pub bytes: &'a [u8],
    /// What follows the ID in a header; `None` if the ID comes before the value, or there is none.
    pub after_id: Option<&'a [u8]>,
}
