//! Finds the ID of a value's schema.

use datafusion::arrow::array::{Array, BinaryViewArray};

use super::body::Body;
use super::format::Format;
use crate::functions::frame::{SchemaId, framed, in_header};

/// The bytes of a row, or why there are none.
pub(super) fn present(values: &BinaryViewArray, row: usize) -> Result<&[u8], &'static str> {
    match values.is_valid(row) {
        true => Ok(values.value(row)),
        false => Err("no value (a tombstone)"),
    }
}

/// A value that has no ID, or why it is none.
pub(super) fn bare<'a>(row: usize, bytes: &'a [u8], format: &dyn Format) -> Result<Body<'a>, String> {
    match bytes {
        [] if !format.has_empty_values() => Err("empty".to_owned()),
        bytes => Ok(Body {
            row,
            bytes,
            after_id: None,
        }),
    }
}

/// The schema's ID and the value; the ID in a header counts more than one before the value. Or why there is no ID.
pub(super) fn identified<'a>(
    row: usize,
    value: &'a [u8],
    header: Option<&'a [u8]>,
    format: &dyn Format,
) -> Result<(SchemaId, Body<'a>), String> {
    let name = format.name();
    if let Some(header) = header {
        let found = in_header(header).ok_or_else(|| format!("not {name}: the header has no schema ID"))?;
        let mut body = bare(row, value, format)?;
        body.after_id = Some(found.body);
        return Ok((found.schema_id, body));
    }
    if let Some(framed) = framed(value) {
        let body = Body {
            row,
            bytes: framed.body,
            after_id: None,
        };
        return Ok((framed.schema_id, body));
    }
    let what = match value.trim_ascii_start().first() {
        None if value.is_empty() => return Err("empty".to_owned()),
        Some(b'{' | b'[') => "JSON, without a schema ID",
        Some(0) => "cut off in the schema ID",
        _ => "does not begin with a schema ID",
    };
    Err(format!("not {name}: {what}"))
}
