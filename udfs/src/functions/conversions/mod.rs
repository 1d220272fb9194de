//! Conversions of real-world values. Each one that can fail has a `try_…` variant that returns NULL instead, so that no
//! record can stop a step; both share a kernel, so they agree wherever there is a value.

mod arithmetic;
mod at_time_zone;
mod formats;
mod halves;
#[cfg(test)]
mod tests;
mod to_date;
mod to_timestamp;
mod tried;
mod values;

use datafusion::logical_expr::ScalarUDF;

pub(super) use formats::{Format, not_a_format};

/// All conversion functions.
pub(super) fn functions() -> Vec<ScalarUDF> {
    [
        to_timestamp::functions(),
        to_date::functions(),
        at_time_zone::functions(),
        arithmetic::functions(),
        tried::functions(),
    ]
    .concat()
}
