//! Date and time formats, with chrono's syntax.

use chrono::format::{Item, Parsed, StrftimeItems, parse};
use chrono::{DateTime, NaiveDateTime, TimeZone, Utc};
use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::array::{Array, StringViewArray};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::ColumnarValue;

use super::values::texts;

/// The specifier for the name of a zone, which chrono cannot parse.
const ZONE_NAME: &str = "%Z";

/// One format.
#[derive(Debug)]
pub(in crate::functions) struct Format<'a> {
    items: Vec<Item<'a>>,
    /// Whether a space and the name of a zone follow.
    names_zone: bool,
}

impl<'a> Format<'a> {
    /// `None` if it is not a valid format.
    pub fn new(text: &'a str) -> Option<Self> {
        let without_zone = text.trim_end().strip_suffix(" %Z");
        let pattern = without_zone.unwrap_or(text);
        let items: Vec<Item<'a>> = StrftimeItems::new(pattern).collect();
        let is_known = !pattern.contains(ZONE_NAME) && !items.contains(&Item::Error);
        is_known.then_some(Self {
            items,
            names_zone: without_zone.is_some(),
        })
    }

    /// The instant that a text represents; UTC if it has no zone, midnight if it has no time of day.
    pub fn read(&self, text: &str) -> Option<DateTime<Utc>> {
        let (text, zone) = if self.names_zone {
            let (text, zone) = text.trim_end().rsplit_once(' ')?;
            (text, Some(zone.parse::<Tz>().ok()?))
        } else {
            (text, None)
        };
        let mut parsed = Parsed::new();
        parse(&mut parsed, text, self.items.iter()).ok()?;
        if zone.is_none()
            && let Ok(instant) = parsed.to_datetime()
        {
            return Some(instant.to_utc());
        }
        let local = parsed
            .to_naive_datetime_with_offset(0)
            .or_else(|_| parsed.to_naive_date().map(NaiveDateTime::from))
            .ok()?;
        match zone {
            Some(zone) => Some(zone.from_local_datetime(&local).earliest()?.to_utc()),
            None => Some(local.and_utc()),
        }
    }
}

/// An argument: the formats of all rows.
#[derive(Debug)]
enum Argument<'a> {
    /// The same for all rows; `None` if it is not a valid format.
    Literal(Option<Format<'a>>),
    Null,
    Column(StringViewArray),
}

impl<'a> Argument<'a> {
    fn new(function: &str, argument: &'a ColumnarValue) -> Result<Self> {
        match argument {
            ColumnarValue::Scalar(value) if value.is_null() => Ok(Self::Null),
            ColumnarValue::Scalar(value) => match text_of(value) {
                Some(text) => Ok(Self::Literal(Format::new(text))),
                None => exec_err!("{function}: a format must be text"),
            },
            ColumnarValue::Array(values) => Ok(Self::Column(texts(values)?)),
        }
    }
}

/// The formats of a call; the first one that matches is used.
#[derive(Debug)]
pub(super) struct Formats<'a>(Vec<Argument<'a>>);

impl<'a> Formats<'a> {
    /// The formats in all arguments but the first.
    pub fn new(function: &str, arguments: &'a [ColumnarValue]) -> Result<Self> {
        let arguments = arguments.iter().map(|argument| Argument::new(function, argument));
        Ok(Self(arguments.collect::<Result<_>>()?))
    }

    /// Whether a row has any formats.
    pub fn are_given(&self, row: usize) -> bool {
        self.0.iter().any(|argument| match argument {
            Argument::Literal(_) => true,
            Argument::Null => false,
            Argument::Column(formats) => formats.is_valid(row),
        })
    }

    /// The instant that a text represents in the first matching format.
    pub fn read(&self, row: usize, text: &str) -> Option<DateTime<Utc>> {
        self.0.iter().find_map(|argument| match argument {
            Argument::Literal(format) => format.as_ref()?.read(text),
            Argument::Column(formats) if formats.is_valid(row) => Format::new(formats.value(row))?.read(text),
            _ => None,
        })
    }
}

/// Fails at planning time if a literal is not a valid format.
pub(super) fn check_literals(function: &str, literals: &[Option<&ScalarValue>]) -> Result<()> {
    for literal in literals.iter().copied().flatten() {
        if let Some(text) = text_of(literal)
            && Format::new(text).is_none()
        {
            return plan_err!("{function}: {}", not_a_format(text));
        }
    }
    Ok(())
}

/// Why a text is not a format.
pub(in crate::functions) fn not_a_format(text: &str) -> String {
    format!(
        "'{text}' is not a format such as '%Y-%m-%d %H:%M:%S'; %Z is allowed only at its end, after a space\n  help: \
         https://docs.rs/chrono/latest/chrono/format/strftime/index.html lists what a format can contain"
    )
}

fn text_of(value: &ScalarValue) -> Option<&str> {
    match value {
        ScalarValue::Dictionary(_, value) => text_of(value),
        value => value.try_as_str().flatten(),
    }
}
