//! Parses declarations of columns: names are there once, types nest 32 deep at most, decimals have up to 38 digits.

use datafusion::arrow::datatypes::{Fields, TimeUnit};
use datafusion::common::{Result, plan_err};

use super::column::{Column, Kind, Step};
use super::path;
use super::scanner::Scanner;
use crate::functions::conversions::{Format, not_a_format};

const TYPES: &str = "string, bigint, int, double, float, boolean, decimal(precision, scale), date, timestamp, timestamp_s, \
                     timestamp_ms, timestamp_us, timestamp_ns, json, struct(name type, …), map(string, type), lists of them \
                     (string[]), and rest";
/// How deep types may be nested. Reading a record recurses this deep, too.
const DEPTH_MAX: usize = 32;
/// The digits of the largest decimal.
const PRECISION_MAX: u8 = 38;

/// Parses a list of columns with plain or nested types, but without paths; errors name `function`. Column names may be
/// quoted.
///
/// # Errors
/// A plan error that names the column when a type is unknown, or a name is missing or repeated.
pub fn parse_columns(function: &str, declaration: &str) -> Result<Fields> {
    let columns = parse_declaration(function, declaration)?;
    if let Some(column) = columns.iter().find(|column| column.is_elsewhere()) {
        return plan_err!(
            "{function}: column `{}` cannot have a path: there is no record",
            column.name
        );
    }
    Ok(columns.iter().map(Column::field).collect())
}

/// Parses a list of columns.
///
/// # Errors
/// The same, and for paths and formats that are not valid.
pub(in crate::functions) fn parse_declaration(function: &str, declaration: &str) -> Result<Vec<Column>> {
    let mut parser = Parser {
        function,
        text: Scanner::new(declaration),
    };
    let columns = parser.columns(0)?;
    match parser.text.rest() {
        "" => Ok(columns),
        rest => plan_err!("{function}: the declaration of the columns ends before `{rest}`"),
    }
}

struct Parser<'t> {
    function: &'t str,
    text: Scanner<'t>,
}

impl Parser<'_> {
    /// Columns separated by commas. At level 0, they are those of a record; below, the fields of a struct.
    fn columns(&mut self, level: usize) -> Result<Vec<Column>> {
        let mut columns: Vec<Column> = vec![];
        loop {
            let column = self.column(level)?;
            if columns.iter().any(|known| known.name == column.name) {
                return plan_err!("{}: column `{}` is declared twice", self.function, column.name);
            }
            if column.kind.depth() > DEPTH_MAX {
                return self.too_deep(&column.name);
            }
            if column.is_rest() && columns.iter().any(Column::is_rest) {
                return self.misplaced_rest(&column.name);
            }
            columns.push(column);
            self.text.skip_space();
            if !self.text.eat(',') {
                return Ok(columns);
            }
        }
    }

    fn column(&mut self, level: usize) -> Result<Column> {
        self.text.skip_space();
        let name = if self.text.is_at_quote() {
            self.quoted("a name")?
        } else {
            self.text.word().to_owned()
        };
        self.text.skip_space();
        let word = self.text.word();
        if word.is_empty() {
            return plan_err!(
                "{}: `{name}` needs a name and a type; the types are {TYPES}",
                self.function
            );
        }
        let kind = self.kind(&name, word, level)?;
        let path = match (&kind, self.path(&name, level)?) {
            (Kind::Rest, None) => vec![],
            (Kind::Rest, Some(_)) => return self.misplaced_rest(&name),
            (_, Some(path)) => path,
            (_, None) => vec![Step::Name(name.clone())],
        };
        Ok(Column { name, kind, path })
    }

    /// The type that begins with `word`.
    fn kind(&mut self, column: &str, word: &str, level: usize) -> Result<Kind> {
        if level == DEPTH_MAX {
            return self.too_deep(column);
        }
        let mut kind = match word.to_ascii_lowercase().as_str() {
            "decimal" | "numeric" => self.decimal(column)?,
            "timestamp" => Kind::Timestamp(self.formats(column)?),
            "date" => Kind::Date(self.formats(column)?),
            "map" => self.map(column, level)?,
            "struct" => self.fields(column, level)?,
            "rest" if level > 0 => return self.misplaced_rest(column),
            lower => match plain(lower) {
                Some(kind) => kind,
                None => {
                    return plan_err!(
                        "{}: column `{column}` has the unknown type `{word}`; the types are {TYPES}",
                        self.function
                    );
                }
            },
        };
        let mut lists = 0;
        while self.eat('[') {
            if let Kind::Rest = kind {
                return self.misplaced_rest(column);
            }
            self.expect(column, ']')?;
            lists += 1;
            if lists == DEPTH_MAX {
                return self.too_deep(column);
            }
            kind = Kind::List(Box::new(kind));
        }
        Ok(kind)
    }

    fn fields(&mut self, column: &str, level: usize) -> Result<Kind> {
        self.expect(column, '(')?;
        let fields = self.columns(level + 1)?;
        self.expect(column, ')')?;
        Ok(Kind::Struct(fields))
    }

    fn map(&mut self, column: &str, level: usize) -> Result<Kind> {
        self.expect(column, '(')?;
        self.text.skip_space();
        let key = self.text.word();
        if !matches!(plain(&key.to_ascii_lowercase()), Some(Kind::String)) {
            return plan_err!(
                "{}: the keys of the map `{column}` must be string: map(string, type)",
                self.function
            );
        }
        self.expect(column, ',')?;
        self.text.skip_space();
        let word = self.text.word();
        let values = self.kind(column, word, level + 1)?;
        self.expect(column, ')')?;
        Ok(Kind::Map(Box::new(values)))
    }

    /// `(precision)` or `(precision, scale)`.
    fn decimal(&mut self, column: &str) -> Result<Kind> {
        self.expect(column, '(')?;
        let precision = self.number();
        let scale = if self.eat(',') { self.number() } else { Some(0) };
        self.expect(column, ')')?;
        match (precision, scale) {
            (Some(precision @ 1..=PRECISION_MAX), Some(scale)) if scale <= precision => {
                Ok(Kind::Decimal(precision, scale.cast_signed()))
            }
            _ => plan_err!(
                "{}: column `{column}` needs a decimal(precision, scale) of 1 to {PRECISION_MAX} digits, `scale` of them \
                 after the point",
                self.function
            ),
        }
    }

    fn number(&mut self) -> Option<u8> {
        self.text.skip_space();
        self.text.word().parse().ok()
    }

    /// Any number of quoted formats.
    fn formats(&mut self, column: &str) -> Result<Vec<String>> {
        let mut formats = vec![];
        loop {
            self.text.skip_space();
            if !self.text.is_at_quote() {
                return Ok(formats);
            }
            let format = self.quoted("a format")?;
            if Format::new(&format).is_none() {
                return plan_err!("{}: column `{column}`: {}", self.function, not_a_format(&format));
            }
            formats.push(format);
        }
    }

    /// `from PATH`, if it comes next. The path may be quoted.
    fn path(&mut self, column: &str, level: usize) -> Result<Option<Vec<Step>>> {
        self.text.skip_space();
        if !self.text.eat_keyword("from") {
            return Ok(None);
        }
        let function = self.function;
        if level > 0 {
            return plan_err!(
                "{function}: `{column}` cannot have a path: only columns have one, not fields of a struct"
            );
        }
        self.text.skip_space();
        let parsed = if self.text.is_at_quote() {
            let quoted = self.quoted("a path")?;
            let mut text = Scanner::new(&quoted);
            path::parse(&mut text).and_then(|steps| match text.rest() {
                "" => Ok(steps),
                _ => Err("a path consists of .name, ['name'] and [0]"),
            })
        } else {
            path::parse(&mut self.text)
        };
        match parsed {
            Ok(steps) => Ok(Some(steps)),
            Err(reason) => plan_err!("{function}: column `{column}`: {reason}"),
        }
    }

    fn quoted(&mut self, what: &str) -> Result<String> {
        let rest = self.text.rest();
        match self.text.quoted() {
            Some(content) => Ok(content),
            None => plan_err!("{}: the quote around {what} is not closed: {rest}", self.function),
        }
    }

    /// Skips a character, and the space before it, if it comes next.
    fn eat(&mut self, character: char) -> bool {
        self.text.skip_space();
        self.text.eat(character)
    }

    fn expect(&mut self, column: &str, character: char) -> Result<()> {
        if self.eat(character) {
            return Ok(());
        }
        plan_err!(
            "{}: the type of column `{column}` needs a `{character}` before `{}`; the types are {TYPES}",
            self.function,
            self.text.rest()
        )
    }

    fn too_deep<T>(&self, column: &str) -> Result<T> {
        plan_err!(
            "{}: the type of column `{column}` is nested more than {DEPTH_MAX} deep\n  help: declare what is deeper as \
             json, and parse it with a second from_json",
            self.function
        )
    }

    fn misplaced_rest<T>(&self, column: &str) -> Result<T> {
        plan_err!(
            "{}: `{column}` cannot be a rest: `rest` is for one column of the record, without a path, and collects the \
             fields that no other column takes\n  help: for the text of one value, declare json",
            self.function
        )
    }
}

/// A type that is one word, in lower case.
fn plain(word: &str) -> Option<Kind> {
    Some(match word {
        "string" | "varchar" | "text" => Kind::String,
        "bigint" => Kind::BigInt,
        "int" | "integer" => Kind::Int,
        "double" => Kind::Double,
        "float" => Kind::Float,
        "boolean" | "bool" => Kind::Boolean,
        "timestamp_s" => Kind::Epoch(TimeUnit::Second),
        "timestamp_ms" => Kind::Epoch(TimeUnit::Millisecond),
        "timestamp_us" => Kind::Epoch(TimeUnit::Microsecond),
        "timestamp_ns" => Kind::Epoch(TimeUnit::Nanosecond),
        "json" => Kind::Json,
        "rest" => Kind::Rest,
        _ => return None,
    })
}
