//! How fields write times: as text, in a format, or as a number of units since 1970 whose year is plausible.

use arrow::compute::kernels::cast_utils::string_to_datetime;
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, Utc};
use serde_json::Value;

/// The years 2000 to 2099, in microseconds since 1970: what `silver.clicks` accepts.
pub(super) const PLAUSIBLE: std::ops::Range<i64> = 946_684_800_000_000..4_102_444_800_000_000;

/// A notation of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeNotation {
    /// `2026-03-01T10:00:00Z`, also with a space, without a zone or without a time of day.
    Text,
    /// Text in another format.
    Format(&'static str),
    /// Units since 1970; the power of ten that makes microseconds of them.
    Epoch(i8),
}

use TimeNotation::{Epoch, Format, Text};

/// All notations, the likelier ones first. With a day of at most 12, the order of day and month cannot be told.
const ALL: [TimeNotation; 19] = [
    Text,
    Epoch(3),
    Epoch(6),
    Epoch(0),
    Epoch(-3),
    Format("%d.%m.%Y %H:%M:%S"),
    Format("%d.%m.%Y %H:%M"),
    Format("%Y/%m/%d %H:%M:%S"),
    Format("%Y/%m/%d %H:%M"),
    Format("%Y-%m-%d %H:%M"),
    Format("%m/%d/%Y %H:%M:%S"),
    Format("%m/%d/%Y %I:%M:%S %p"),
    Format("%m/%d/%Y %H:%M"),
    Format("%d/%m/%Y %H:%M:%S"),
    Format("%d/%m/%Y %H:%M"),
    Format("%d/%b/%Y:%H:%M:%S %z"),
    Format("%a, %d %b %Y %H:%M:%S %z"),
    Format("%a %b %d %H:%M:%S %z %Y"),
    Format("%Y%m%dT%H%M%SZ"),
];

impl TimeNotation {
    /// Its type in `from_json`.
    pub fn declared(self) -> String {
        match self {
            Text => "timestamp".to_owned(),
            Format(format) => format!("timestamp \"{format}\""),
            Epoch(6) => "timestamp_s".to_owned(),
            Epoch(3) => "timestamp_ms".to_owned(),
            Epoch(0) => "timestamp_us".to_owned(),
            Epoch(_) => "timestamp_ns".to_owned(),
        }
    }

    /// What its values are, for people.
    pub fn description(self) -> String {
        match self {
            Text => "times as text".to_owned(),
            Format(format) => format!("times as {format}"),
            Epoch(6) => "seconds since 1970".to_owned(),
            Epoch(3) => "milliseconds since 1970".to_owned(),
            Epoch(0) => "microseconds since 1970".to_owned(),
            Epoch(_) => "nanoseconds since 1970".to_owned(),
        }
    }

    /// A doubt that the notation leaves.
    pub fn doubt(self) -> Option<&'static str> {
        match self {
            Format(format) if format.starts_with("%m/%d") => {
                Some("the month may also be the day: compare the times with those of the shop")
            }
            _ => None,
        }
    }

    /// The microseconds since 1970 of a value; `None` if it is not in this notation.
    pub fn micros(self, value: &Value) -> Option<i64> {
        match (self, value) {
            (Text, Value::String(text)) => Some(string_to_datetime(&Utc, text).ok()?.timestamp_micros()),
            (Format(format), Value::String(text)) => in_format(text, format),
            (Epoch(power), Value::Number(number)) => scaled(&number.to_string(), power),
            (Epoch(power), Value::String(text)) => scaled(text, power),
            _ => None,
        }
    }
}

/// A time as RFC 3339.
pub(super) fn written(micros: i64) -> String {
    let at = DateTime::from_timestamp_micros(micros).unwrap_or_default();
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn in_format(text: &str, format: &str) -> Option<i64> {
    if let Ok(at) = DateTime::parse_from_str(text, format) {
        return Some(at.timestamp_micros());
    }
    let day = || NaiveDate::parse_from_str(text, format).map(|day| day.and_time(NaiveTime::MIN));
    let at = NaiveDateTime::parse_from_str(text, format).or_else(|_| day()).ok()?;
    Some(at.and_utc().timestamp_micros())
}

/// A number by its digits, times a power of ten. What is finer is cut off.
fn scaled(text: &str, power: i8) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let digits = usize::from(power.unsigned_abs());
    match power {
        ..0 => whole.get(..whole.len().checked_sub(digits)?)?.parse().ok(),
        _ => format!("{whole}{fraction:0<digits$.digits$}").parse().ok(),
    }
}

/// How many values are plausible times, by notation.
#[derive(Debug, Clone, Default)]
pub(super) struct TimeFits {
    counts: [usize; ALL.len()],
    days: usize,
}

impl TimeFits {
    pub fn add(&mut self, value: &Value) {
        if !may_be_time(value) {
            return;
        }
        for (notation, count) in ALL.iter().zip(&mut self.counts) {
            *count += usize::from(notation.micros(value).is_some_and(|at| PLAUSIBLE.contains(&at)));
        }
        self.days += usize::from(
            value
                .as_str()
                .is_some_and(|text| text.len() == 10 && text.contains('-')),
        );
    }

    /// The notation of at least nine in ten values, out of this number.
    pub fn notation(&self, values: usize) -> Option<TimeNotation> {
        let fitting = ALL.iter().zip(&self.counts).filter(|(_, count)| **count > 0);
        let best = fitting.rev().max_by_key(|(_, count)| **count);
        best.filter(|(_, count)| 10 * **count >= 9 * values)
            .map(|(notation, _)| *notation)
    }

    /// Whether they are days without a time of day.
    pub fn are_days(&self, values: usize) -> bool {
        values > 0 && self.days == values
    }
}

/// Most texts are none: they are told apart without parsing them.
fn may_be_time(value: &Value) -> bool {
    match value {
        Value::Number(_) => true,
        Value::String(text) => (8..=40).contains(&text.len()) && text.bytes().filter(u8::is_ascii_digit).count() >= 6,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::slice;

    use serde_json::json;

    use super::*;

    fn notation(values: &[Value]) -> Option<TimeNotation> {
        let mut fits = TimeFits::default();
        values.iter().for_each(|value| fits.add(value));
        fits.notation(values.len())
    }

    #[test]
    fn the_year_tells_the_unit_of_a_number() {
        let at = 1_772_359_200_000_000;
        for (value, expected) in [
            (json!(1_772_359_200), Epoch(6)),
            (json!(1_772_359_200.0), Epoch(6)),
            (json!("1772359200000"), Epoch(3)),
            (json!(1_772_359_200_000_000_i64), Epoch(0)),
            (json!("1772359200000000000"), Epoch(-3)),
        ] {
            assert_eq!(notation(slice::from_ref(&value)), Some(expected), "{value}");
            assert_eq!(expected.micros(&value), Some(at), "{value}");
        }
        for value in [json!(526_309), json!("1001"), json!(-1_772_359_200), json!(true)] {
            assert_eq!(notation(slice::from_ref(&value)), None, "{value}");
        }
    }

    #[test]
    fn fractions_are_kept_as_far_as_microseconds() {
        assert_eq!(scaled("1.5", 6), Some(1_500_000));
        assert_eq!(scaled("1.1234567", 6), Some(1_123_456));
        assert_eq!(scaled("1999.9", 0), Some(1_999));
        assert_eq!(scaled("1999", -3), Some(1));
        assert_eq!((scaled("1e9", 6), scaled("", 3), scaled("99", -3)), (None, None, None));
    }

    #[test]
    fn texts_have_notations() {
        for (text, expected) in [
            ("2026-03-01T10:00:00Z", Text),
            ("2026-03-01 10:00:00.000", Text),
            ("2026-03-01 10:00:00 UTC", Text),
            ("2026-03-01T11:00:00+01:00", Text),
            ("01.03.2026 10:00", Format("%d.%m.%Y %H:%M")),
            ("01/Mar/2026:11:00:00 +0100", Format("%d/%b/%Y:%H:%M:%S %z")),
            ("03/01/2026 10:00:00 AM", Format("%m/%d/%Y %I:%M:%S %p")),
        ] {
            assert_eq!(notation(&[json!(text)]), Some(expected), "{text}");
            assert_eq!(expected.micros(&json!(text)), Some(1_772_359_200_000_000), "{text}");
        }
        // The 13th can only be a day.
        let values = [json!("01/03/2026 10:00"), json!("13/03/2026 10:00")];
        assert_eq!(notation(&values), Some(Format("%d/%m/%Y %H:%M")));
        assert_eq!(notation(&[json!("a text of 2026"), json!("12345678")]), None);
        assert_eq!(written(1_772_359_200_500_000), "2026-03-01T10:00:00.500Z");
    }

    #[test]
    fn days_are_told_from_times() {
        let mut fits = TimeFits::default();
        fits.add(&json!("2026-03-01"));
        assert_eq!(fits.notation(1), Some(Text));
        assert!(fits.are_days(1) && !fits.are_days(2));
    }
}
