//! Turns the rows of a CSV file into records: JSON objects of texts. A row with more or fewer fields than there are
//! columns stays as it is, for SQL to find; a missing value (`nulls`, the empty text by default) is left out.

use super::super::Rows;
use super::super::json_text::push_string;
use super::super::records::Convert;
use super::dialect::Dialect;
use super::fields::Fields;

/// Turns rows into JSON objects of texts. Missing values are left out. A row with more or fewer fields than there are
/// columns, or with quotes that do not end, stays as it is: it is not JSON, so SQL finds it.
pub(super) struct Objects {
    dialect: Dialect,
    fields: Fields,
    /// The name of each column as a JSON string, with a colon.
    keys: Vec<Vec<u8>>,
    nulls: Vec<Vec<u8>>,
    object: Vec<u8>,
}

impl Objects {
    /// Objects with these columns. Without any, all rows stay as they are.
    pub fn new(dialect: Dialect, columns: &[String], nulls: &[String]) -> Self {
        let key = |name: &String| {
            let mut key = vec![];
            push_string(name.as_bytes(), &mut key);
            key.push(b':');
            key
        };
        Self {
            dialect,
            fields: Fields::new(dialect),
            keys: columns.iter().map(key).collect(),
            nulls: nulls.iter().map(|null| null.clone().into_bytes()).collect(),
            object: vec![],
        }
    }

    /// Writes the object of a row; `false` if it has other fields.
    fn write(&mut self, row: &[u8]) -> bool {
        if !self.fields.split(row, self.keys.len()) {
            return false;
        }
        let fields = self.fields.iter();
        if fields.len() != self.keys.len() {
            return false;
        }
        self.object.clear();
        let mut before = b'{';
        for (key, field) in self.keys.iter().zip(fields) {
            if self.nulls.iter().any(|null| null == field) {
                continue;
            }
            self.object.push(before);
            self.object.extend_from_slice(key);
            push_string(field, &mut self.object);
            before = b',';
        }
        if before == b'{' {
            self.object.push(before);
        }
        self.object.push(b'}');
        true
    }
}

impl Convert for Objects {
    fn add(&mut self, record: &[u8], whole: bool, rows: &mut Rows) -> bool {
        let row = self.dialect.row(record);
        if whole && self.write(row) {
            return rows.push(&self.object);
        }
        rows.push(row)
    }
}
