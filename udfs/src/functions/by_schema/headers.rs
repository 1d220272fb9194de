//! The headers of records, as Bronze has them.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BinaryArray, ListArray, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};

use crate::functions::frame::SCHEMA_ID_HEADER;

/// The headers of each row.
pub(super) struct Headers {
    rows: ListArray,
    keys: StringArray,
    values: BinaryArray,
}

/// Whether an argument of this type has the headers of records.
pub(super) fn are_headers(data_type: &DataType) -> bool {
    let (DataType::List(field) | DataType::LargeList(field)) = data_type else {
        return false;
    };
    let DataType::Struct(fields) = field.data_type() else {
        return false;
    };
    ["key", "value"].iter().all(|name| fields.find(name).is_some())
}

impl Headers {
    /// From the `headers` of records.
    ///
    /// # Errors
    /// When they are not lists of a text and bytes.
    pub fn of(headers: &ArrayRef) -> Result<Self> {
        let (DataType::List(field) | DataType::LargeList(field)) = headers.data_type() else {
            return exec_err!("headers are not a list");
        };
        let rows = cast(headers, &DataType::List(Arc::clone(field)))?;
        let rows = rows.as_list::<i32>().clone();
        let Some(header) = rows.values().as_struct_opt() else {
            return exec_err!("headers are not a list of structs");
        };
        let (Some(keys), Some(values)) = (header.column_by_name("key"), header.column_by_name("value")) else {
            return exec_err!("headers have no keys and values");
        };
        let (keys, values) = (cast(keys, &DataType::Utf8)?, cast(values, &DataType::Binary)?);
        Ok(Self {
            keys: keys.as_string::<i32>().clone(),
            values: values.as_binary::<i32>().clone(),
            rows,
        })
    }

    /// What the last header for the ID of the value's schema has; `None` if there is no such header.
    pub fn schema_id(&self, row: usize) -> Option<&[u8]> {
        if self.rows.is_null(row) {
            return None;
        }
        let offsets = self.rows.value_offsets();
        let places = usize::try_from(offsets[row]).ok()?..usize::try_from(offsets[row + 1]).ok()?;
        let is_id = |place: &usize| self.keys.is_valid(*place) && self.keys.value(*place) == SCHEMA_ID_HEADER;
        let place = places.rev().find(is_id)?;
        self.values.is_valid(place).then(|| self.values.value(place))
    }
}
