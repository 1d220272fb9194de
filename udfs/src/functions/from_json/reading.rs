//! How a record is read, and what was wrong with it.

use std::borrow::Cow;

use super::fault::Fault;
use super::json::shown;
use super::misfit::{Misfit, Why};
use super::place::{Part, Place};

/// The state of reading one record.
///
/// A record is first read fast: serde_json parses its values straight into the builders, and the first one that is not
/// what its column expects ends the attempt. Such a record is then read carefully: each value is first taken as text,
/// which is then parsed by itself, so that what is wrong with one value affects no other, and errors can show it.
pub(super) struct Reading<'r> {
    /// Whether text also takes numbers and booleans, and integers `7.0`.
    pub widen: bool,
    pub careful: bool,
    /// The column of the record that is being read.
    column: Option<usize>,
    /// At most one for each column.
    misfits: Vec<Misfit<'r>>,
    /// The first field that is there twice.
    twice: Option<Misfit<'r>>,
}

impl<'r> Reading<'r> {
    pub fn new(widen: bool) -> Self {
        Self {
            widen,
            careful: false,
            column: None,
            misfits: vec![],
            twice: None,
        }
    }

    /// Begins a record.
    pub fn start(&mut self, careful: bool) {
        self.careful = careful;
        self.column = None;
        self.misfits.clear();
        self.twice = None;
    }

    /// Reads a column. Within structs, the column of the record counts.
    pub fn of_column<T>(&mut self, column: usize, read: impl FnOnce(&mut Self) -> T) -> T {
        if self.column.is_some() {
            return read(self);
        }
        self.column = Some(column);
        let result = read(self);
        self.column = None;
        result
    }

    /// Reads what is one step further.
    pub fn within<T>(&mut self, part: impl FnOnce() -> Part, read: impl FnOnce(&mut Self) -> T) -> T {
        if !self.careful {
            return read(self);
        }
        let (known, was_twice) = (self.misfits.len(), self.twice.is_some());
        let result = read(self);
        let new = self.misfits.iter_mut().skip(known);
        let twice = self.twice.as_mut().filter(|_| !was_twice);
        let mut new = new.chain(twice).peekable();
        if new.peek().is_some() {
            let part = part();
            new.for_each(|misfit| misfit.place.prepend(part.clone()));
        }
        result
    }

    /// Notes a value that does not fit; the first one of each column counts.
    pub fn unfit(&mut self, why: Cow<'static, str>, sent: &'r str) {
        let column = self.column.unwrap_or_default();
        if self.misfits.last().is_some_and(|misfit| misfit.column == column) {
            return;
        }
        self.misfits.push(Misfit {
            column,
            place: Place::default(),
            why: Why::Unfit(why),
            value: Some(shown(sent)),
        });
    }

    /// Notes a field that was there before; the first one counts.
    pub fn twice(&mut self, part: Part, sent: Option<&'r str>) {
        if self.twice.is_some() {
            return;
        }
        let mut place = Place::default();
        place.prepend(part);
        self.twice = Some(Misfit {
            column: 0,
            place,
            why: Why::Twice,
            value: sent.map(shown),
        });
    }

    /// The fault of a record with a field that is there twice.
    pub fn take_twice(&mut self) -> Option<Fault<'r>> {
        self.twice.take().map(Misfit::into_fault)
    }

    /// Whether a value in this field of the record did not fit.
    pub fn is_unfit(&self, field: &str) -> bool {
        self.misfits.iter().any(|misfit| misfit.place.field() == Some(field))
    }

    pub fn has_misfits(&self) -> bool {
        !self.misfits.is_empty()
    }

    /// The fault of the first column whose value does not fit.
    pub fn take_fault(&mut self) -> Option<Fault<'r>> {
        let first = self.misfits.drain(..).min_by_key(|misfit| misfit.column);
        first.map(Misfit::into_fault)
    }
}
