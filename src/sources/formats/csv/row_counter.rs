//! Counts the rows of a CSV file before they are read, and checks its header.

use super::super::records::RecordCounter;
use super::super::{Count, Counter, Ends};
use super::dialect::Dialect;
use super::header::names;
use super::row_ends::RowEnds;

/// Counts the rows of a file without its header, and checks the header.
pub(super) struct RowCounter {
    dialect: Dialect,
    /// The header so far, while it lasts.
    head: Option<(RowEnds, Vec<u8>)>,
    refused: Option<String>,
    rows: RecordCounter<RowEnds>,
}

impl RowCounter {
    /// Rows from this offset of the text on, perhaps after a header.
    pub fn new(dialect: Dialect, start: u64, has_header: bool) -> Self {
        let ends = RowEnds::new(dialect);
        Self {
            dialect,
            head: has_header.then(|| (ends.clone(), vec![])),
            refused: None,
            rows: RecordCounter::new(ends, start),
        }
    }

    fn end_head(&mut self) {
        if let Some((_, head)) = self.head.take() {
            self.refused = names(self.dialect, &head).err();
        }
    }
}

impl Counter for RowCounter {
    fn update(&mut self, text: &[u8]) {
        let Some((ends, head)) = &mut self.head else {
            return self.rows.update(text);
        };
        let end = ends.next_end(text);
        let (of_head, rest) = text.split_at(end.unwrap_or(text.len()));
        head.extend_from_slice(of_head);
        self.rows.skip(of_head.len());
        if end.is_some() {
            self.end_head();
            self.rows.update(rest);
        }
    }

    fn end(&mut self) {
        match &self.head {
            Some((ends, _)) if ends.has_begun() => self.end_head(),
            Some(_) => {}
            None => self.rows.end(),
        }
    }

    fn count(&self) -> Count {
        self.rows.count()
    }

    fn refused(&self) -> Option<String> {
        self.refused.clone()
    }
}
