//! Where the records of a text end.

/// Finds where records end in a text that arrives in chunks.
pub trait Ends: Send + Sync {
    /// Where the current record ends in this text, which follows the text before; `None` if it continues. The next call
    /// starts there.
    fn next_end(&mut self, text: &[u8]) -> Option<usize>;

    /// Where the last record that ends in this text ends; `None` if none does.
    fn last_end(&mut self, text: &[u8]) -> Option<usize> {
        let mut last = 0;
        while let Some(end) = self.next_end(&text[last..]) {
            last += end;
        }
        (last > 0).then_some(last)
    }

    /// Whether a record has begun that has not ended.
    fn has_begun(&self) -> bool;

    /// Whether something is open that a file which is written as a whole closes: quotes, brackets. As far as that
    /// shows.
    fn is_open(&self) -> bool {
        false
    }
}
