//! Files that were trusted, and have not been read to their end yet. A plan need not read all of a scan (`limit`, a join
//! with nothing), and what it does not read may be damaged.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The names of trusted files that no scan has read to their end. All clones are the same list.
#[derive(Debug, Clone, Default)]
pub struct Unproven(Arc<Mutex<BTreeSet<String>>>);

impl Unproven {
    /// These files.
    pub(super) fn new(names: impl Iterator<Item = String>) -> Self {
        Self(Arc::new(Mutex::new(names.collect())))
    }

    /// A scan has read a file to its end, so that it is whole.
    pub(super) fn proved(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// A file that may be damaged.
    pub fn first(&self) -> Option<String> {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.first().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_read_once_is_proven_to_all() {
        let names = ["a", "b"].map(str::to_owned);
        let unproven = Unproven::new(names.into_iter());
        let scan = unproven.clone();
        scan.proved("a");
        scan.proved("a");
        assert_eq!(unproven.first().as_deref(), Some("b"));
        scan.proved("b");
        assert_eq!(unproven.first(), None);
    }
}
