//! What a session may do: read only, `--write`, or `--safe`; `restrictions` enforces it.

/// What a session may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read, and write files.
    Read,
    /// Also send records to topics, and run steps.
    Write,
    /// Read only the lake and topics: no files, no environment.
    Safe,
}
