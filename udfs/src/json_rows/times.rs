//! Times as JSON texts, written digit by digit. Arrow formats each with `chrono`, which takes longer than the rest of a
//! row; the texts are the same.

use std::sync::LazyLock;

use chrono::{DateTime, Datelike, Timelike};
use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::{
    DataType, FieldRef, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::writer::{NullableEncoder, make_encoder};
use datafusion::arrow::json::{Encoder, EncoderOptions};

const NANOS_OF_A_SECOND: i64 = 1_000_000_000;

/// Times without a zone, or of UTC.
pub(super) struct Times<'a> {
    values: &'a [i64],
    per_second: i64,
    is_utc: bool,
    /// Arrow's encoder, for years that do not have four digits.
    others: NullableEncoder<'a>,
}

impl<'a> Times<'a> {
    /// `None` for other zones.
    ///
    /// # Errors
    /// When Arrow cannot write them.
    pub fn new(field: &'a FieldRef, array: &'a dyn Array) -> Result<Option<Self>, ArrowError> {
        static ARROWS: LazyLock<EncoderOptions> = LazyLock::new(EncoderOptions::default);
        let DataType::Timestamp(unit, zone) = array.data_type() else {
            return Ok(None);
        };
        if zone.as_deref().is_some_and(|zone| !matches!(zone, "UTC" | "+00:00")) {
            return Ok(None);
        }
        let (values, per_second) = match unit {
            TimeUnit::Second => (&array.as_primitive::<TimestampSecondType>().values()[..], 1),
            TimeUnit::Millisecond => (&array.as_primitive::<TimestampMillisecondType>().values()[..], 1_000),
            TimeUnit::Microsecond => (
                &array.as_primitive::<TimestampMicrosecondType>().values()[..],
                1_000_000,
            ),
            TimeUnit::Nanosecond => (
                &array.as_primitive::<TimestampNanosecondType>().values()[..],
                NANOS_OF_A_SECOND,
            ),
        };
        Ok(Some(Self {
            values,
            per_second,
            is_utc: zone.is_some(),
            others: make_encoder(field, array, &ARROWS)?,
        }))
    }
}

impl Encoder for Times<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let value = self.values[row];
        let nanos = value.rem_euclid(self.per_second) * (NANOS_OF_A_SECOND / self.per_second);
        let time = u32::try_from(nanos)
            .ok()
            .and_then(|nanos| DateTime::from_timestamp(value.div_euclid(self.per_second), nanos));
        let Some(time) = time else {
            // Arrow would write its error, quotes and all.
            return out.extend_from_slice(b"null");
        };
        if !(1..=9_999).contains(&time.year()) {
            return self.others.encode(row, out);
        }
        out.push(b'"');
        push_digits::<4>(time.year().unsigned_abs(), out);
        for (before, part) in [
            (b'-', time.month()),
            (b'-', time.day()),
            (b'T', time.hour()),
            (b':', time.minute()),
            (b':', time.second()),
        ] {
            out.push(before);
            push_digits::<2>(part, out);
        }
        push_fraction(time.nanosecond(), out);
        if self.is_utc {
            out.push(b'Z');
        }
        out.push(b'"');
    }
}

/// Nothing, or as many digits as are needed: three, six or nine.
fn push_fraction(nanos: u32, out: &mut Vec<u8>) {
    if nanos == 0 {
        return;
    }
    out.push(b'.');
    if nanos.is_multiple_of(1_000_000) {
        push_digits::<3>(nanos / 1_000_000, out);
    } else if nanos.is_multiple_of(1_000) {
        push_digits::<6>(nanos / 1_000, out);
    } else {
        push_digits::<9>(nanos, out);
    }
}

fn push_digits<const N: usize>(mut number: u32, out: &mut Vec<u8>) {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
    }
    out.extend_from_slice(&digits);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use datafusion::arrow::array::{ArrayRef, Int64Array};
    use datafusion::arrow::compute::cast;
    use datafusion::arrow::datatypes::Field;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// In microseconds, the years 1 to 9999.
    const FOUR_DIGITS: std::ops::Range<i64> = -62_135_596_800_000_000..253_402_300_800_000_000;

    /// Where Arrow writes an error, the text is NULL.
    fn texts(mut encoder: impl FnMut(usize, &mut Vec<u8>), rows: usize) -> Vec<String> {
        let text = |row| {
            let mut out = vec![];
            encoder(row, &mut out);
            String::from_utf8(out).unwrap()
        };
        let texts = (0..rows).map(text);
        let without_errors = texts.map(|text| {
            if text.starts_with("\"ERROR") {
                "null".to_owned()
            } else {
                text
            }
        });
        without_errors.collect()
    }

    proptest! {
        #[test]
        fn texts_are_those_of_arrow(
            values in vec(prop_oneof![any::<i64>(), FOUR_DIGITS, FOUR_DIGITS.prop_map(|n| n / 1_000 * 1_000)], 1..20),
            unit in prop_oneof![
                Just(TimeUnit::Second), Just(TimeUnit::Millisecond), Just(TimeUnit::Microsecond), Just(TimeUnit::Nanosecond)
            ],
            zone in prop_oneof![Just(None::<&str>), Just(Some("UTC")), Just(Some("+00:00"))],
        ) {
            let numbers: ArrayRef = Arc::new(Int64Array::from(values));
            let times = cast(&numbers, &DataType::Timestamp(unit, zone.map(Into::into))).unwrap();
            let field: FieldRef = Arc::new(Field::new("at", times.data_type().clone(), true));
            let options = EncoderOptions::default();
            let mut expected = make_encoder(&field, &times, &options).unwrap();
            let mut found = Times::new(&field, &times).unwrap().unwrap();
            prop_assert_eq!(
                texts(|row, out| found.encode(row, out), times.len()),
                texts(|row, out| expected.encode(row, out), times.len())
            );
        }
    }
}
