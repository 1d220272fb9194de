//! The fields of an object exactly as they were sent: digits, escapes, repeated names and all.

use std::fmt::{self, Write as _};

use datafusion::arrow::array::StringBuilder;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A number with more integer digits than this is kept as it was sent.
const DIGITS_MAX: i64 = 64;

/// A field of an object.
pub(super) struct Field<'a> {
    /// Its index among the declared columns.
    pub column: Option<usize>,
    /// With its quotes.
    name: &'a str,
    /// Without surrounding whitespace.
    pub value: &'a str,
}

/// All fields of one object, in order. Filled only for rows that need it.
#[derive(Default)]
pub(super) struct Sent<'a>(Vec<Field<'a>>);

impl<'a> Sent<'a> {
    /// Reads the fields of a text, replacing the previous ones.
    pub fn read(&mut self, text: &'a str, names: &[&str]) -> Result<(), serde_json::Error> {
        self.0.clear();
        let mut parser = serde_json::Deserializer::from_str(text);
        let fields = Fields {
            names,
            into: &mut self.0,
        };
        fields.deserialize(&mut parser)?;
        parser.end()
    }

    /// Clears the fields of the previous row.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn fields(&self) -> &[Field<'a>] {
        &self.0
    }

    /// The value of a declared column.
    pub fn value(&self, column: usize) -> &'a str {
        let field = self.0.iter().find(|field| field.column == Some(column));
        field.map_or("null", |field| field.value)
    }

    /// Appends the fields without a column, and those of `misfits`, as one object; NULL if there are none. A null field
    /// counts as missing.
    pub fn append_rest(&self, misfits: &[usize], rest: &mut StringBuilder) {
        let is_kept = |field: &&Field<'_>| field.column.is_none_or(|column| misfits.contains(&column));
        let mut before = '{';
        // Writing to a builder does not fail.
        for field in self.0.iter().filter(is_kept).filter(|field| field.value != "null") {
            _ = write!(rest, "{before}{}:{}", field.name, field.value);
            before = ',';
        }
        if before == '{' {
            rest.append_null();
        } else {
            rest.append_value("}");
        }
    }
}

/// Reads all fields of an object.
struct Fields<'n, 'f, 'a> {
    names: &'n [&'n str],
    into: &'f mut Vec<Field<'a>>,
}

impl<'a> DeserializeSeed<'a> for Fields<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Fields<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            self.into.push(Field {
                column: column(name.get(), self.names),
                name: name.get(),
                value: value.get(),
            });
        }
        Ok(())
    }
}

/// The column that a quoted name belongs to.
fn column(name: &str, names: &[&str]) -> Option<usize> {
    if name.contains('\\') {
        let name: String = serde_json::from_str(name).ok()?;
        return names.iter().position(|known| *known == name);
    }
    let name = name.strip_prefix('"')?.strip_suffix('"')?;
    names.iter().position(|known| *known == name)
}

/// The digits of a JSON number that is an integer in any notation: `355908.0` and `3.55908e5` are 355908.
pub(super) fn integer_digits(number: &str) -> Option<String> {
    let (number, sign) = number.strip_prefix('-').map_or((number, ""), |number| (number, "-"));
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = format!("{whole}{fraction}");
    let mut shift = exponent
        .parse::<i64>()
        .ok()?
        .checked_sub(fraction.len().try_into().ok()?)?;
    while shift < 0 && digits.ends_with('0') {
        digits.pop();
        shift += 1;
    }
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Some("0".to_owned());
    }
    let zeros = usize::try_from(shift).ok().filter(|_| shift <= DIGITS_MAX)?;
    Some(format!("{sign}{digits}{}", "0".repeat(zeros)))
}

#[cfg(test)]
mod tests {
    use super::integer_digits;

    #[test]
    fn an_integer_has_its_digits_whatever_way_it_is_written() {
        for (sent, digits) in [
            ("355908.0", Some("355908")),
            ("355908", Some("355908")),
            ("-7.00", Some("-7")),
            ("1e3", Some("1000")),
            ("1.2345678E7", Some("12345678")),
            ("1000e-3", Some("1")),
            ("0.5e1", Some("5")),
            ("-0", Some("0")),
            ("-0.0", Some("0")),
            ("0e-9", Some("0")),
            ("9223372036854775808", Some("9223372036854775808")),
            ("123456789012345678901234.0", Some("123456789012345678901234")),
            ("12.5", None),
            ("1e-3", None),
            ("1e999", None),
            ("1e99999999999999999999", None),
            ("1.5e-9223372036854775808", None),
        ] {
            assert_eq!(integer_digits(sent).as_deref(), digits, "{sent}");
        }
    }
}
