//! A value that is never printed, not even in logs and debug output.

use std::fmt;

use subtle::ConstantTimeEq;

use super::redact;

/// A credential. `Debug` and `Display` print `***`; only [`Secret::reveal`] returns the value.
#[derive(Clone)]
pub struct Secret(String);

/// Takes the same time wherever values differ.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl Secret {
    /// Wraps a credential.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The same, and hides the value in all output from now on ([`redact`](super::redact)).
    pub fn credential(value: impl Into<String>) -> Self {
        let value = value.into();
        redact::hide(&value);
        Self(value)
    }

    /// The value itself, for the library that needs it; never for a message.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
