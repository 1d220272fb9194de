//! The format `text`: one record per line, whatever it holds.

use super::Format;
use super::lines::unfinished;

/// Lines of a log, which SQL parses.
#[derive(Debug)]
pub(super) struct Text;

impl Format for Text {
    fn name(&self) -> &'static str {
        "text"
    }

    fn endings(&self) -> &'static [&'static str] {
        &[".log", ".txt"]
    }

    /// Any text may continue.
    fn is_complete(&self, _: &[u8]) -> bool {
        false
    }

    fn unfinished(&self, place: &str, bytes: u64) -> String {
        unfinished(place, bytes, "has no line break")
    }
}
