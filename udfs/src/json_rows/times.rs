//! Times as JSON texts, written digit by digit, but for the day, which is often that of the row before. Arrow formats
//! each with `chrono`, which takes longer than the rest of a row; the texts are the same.

use std::sync::LazyLock;

use chrono::{DateTime, Datelike, NaiveDate};
use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::{
    DataType, FieldRef, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::writer::{NullableEncoder, make_encoder};
use datafusion::arrow::json::{Encoder, EncoderOptions};

const NANOS_OF_A_SECOND: i64 = 1_000_000_000;
const SECONDS_OF_A_DAY: i64 = 86_400;
/// The number of 1 January 1970, counted from the first day of the year 1.
const FIRST_DAY: i64 = 719_163;

/// Times without a zone, or of UTC.
pub(super) struct Times<'a> {
    values: &'a [i64],
    per_second: i64,
    is_utc: bool,
    /// The day that was written last, counted from 1970, and its text.
    day: i64,
    date: [u8; 10],
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
            // No time is on this day.
            day: i64::MIN,
            date: *b"0000-00-00",
            others: make_encoder(field, array, &ARROWS)?,
        }))
    }
}

impl Times<'_> {
    /// Writes the text of another day; returns `false` if its year does not have four digits.
    fn turn_to(&mut self, day: i64) -> bool {
        let number = i32::try_from(FIRST_DAY.saturating_add(day)).ok();
        let date = number.and_then(NaiveDate::from_num_days_from_ce_opt);
        let Some(date) = date.filter(|date| (1..=9_999).contains(&date.year())) else {
            return false;
        };
        put_digits(&mut self.date[..4], date.year().unsigned_abs());
        put_digits(&mut self.date[5..7], date.month());
        put_digits(&mut self.date[8..], date.day());
        self.day = day;
        true
    }

    fn encode_by_arrow(&mut self, row: usize, seconds: i64, nanos: u32, out: &mut Vec<u8>) {
        match DateTime::from_timestamp(seconds, nanos) {
            Some(_) => self.others.encode(row, out),
            // Arrow would write its error, quotes and all.
            None => out.extend_from_slice(b"null"),
        }
    }
}

impl Encoder for Times<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let value = self.values[row];
        let (seconds, fraction) = (value.div_euclid(self.per_second), value.rem_euclid(self.per_second));
        // Below a billion.
        let nanos = (fraction * (NANOS_OF_A_SECOND / self.per_second)) as u32;
        let (day, second) = (
            seconds.div_euclid(SECONDS_OF_A_DAY),
            seconds.rem_euclid(SECONDS_OF_A_DAY) as u32,
        );
        if day != self.day && !self.turn_to(day) {
            return self.encode_by_arrow(row, seconds, nanos, out);
        }
        let mut text = *b"\"0000-00-00T00:00:00.000000000Z\"";
        text[1..11].copy_from_slice(&self.date);
        put_digits(&mut text[12..14], second / 3_600);
        put_digits(&mut text[15..17], second / 60 % 60);
        put_digits(&mut text[18..20], second % 60);
        let mut end = match put_fraction(&mut text[21..30], nanos) {
            0 => 20,
            digits => 21 + digits,
        };
        if self.is_utc {
            text[end] = b'Z';
            end += 1;
        }
        text[end] = b'"';
        out.extend_from_slice(&text[..=end]);
    }
}

/// Writes as many digits as are needed, none, three, six or nine, and returns their number.
fn put_fraction(digits: &mut [u8], nanos: u32) -> usize {
    let (number, length) = match nanos {
        0 => return 0,
        _ if nanos.is_multiple_of(1_000_000) => (nanos / 1_000_000, 3),
        _ if nanos.is_multiple_of(1_000) => (nanos / 1_000, 6),
        _ => (nanos, 9),
    };
    put_digits(&mut digits[..length], number);
    length
}

fn put_digits(digits: &mut [u8], mut number: u32) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
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
