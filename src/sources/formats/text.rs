//! The format `text`: one record per line, whatever it holds.

use super::lines::{LineSplitter, unfinished};
use super::{Format, Layout, Splitter, TextFormat};

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

    fn layout(&self) -> Layout<'_> {
        Layout::Text(self)
    }
}

impl TextFormat for Text {
    /// Any text may continue.
    fn is_complete(&self, _: &[u8]) -> bool {
        false
    }

    fn unfinished(&self, place: &str, bytes: u64) -> String {
        unfinished(place, bytes, "has no line break")
    }

    fn splitter(&self, _: &[u8]) -> Box<dyn Splitter> {
        Box::<LineSplitter>::default()
    }
}
