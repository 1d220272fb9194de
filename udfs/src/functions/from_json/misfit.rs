//! A value that its column cannot take.

use std::borrow::Cow;

use super::fault::Fault;
use super::place::Place;

/// A value, where it is, and what is wrong with it.
pub(super) struct Misfit<'r> {
    /// The column of the record that the value is for.
    pub column: usize,
    pub place: Place,
    pub why: Why,
    /// As errors show it.
    pub value: Option<Cow<'r, str>>,
}

/// What is wrong with a value.
pub(super) enum Why {
    /// Its field was there before.
    Twice,
    /// It does not fit its column, for this reason.
    Unfit(Cow<'static, str>),
}

impl<'r> Misfit<'r> {
    pub fn into_fault(self) -> Fault<'r> {
        let declared = self.place.declared();
        let kind = match self.why {
            Why::Twice => format!("duplicate field `{declared}`"),
            Why::Unfit(why) => format!("{declared}: {why}"),
        };
        Fault::at(kind, self.place.exact(), self.value)
    }
}
