//! Decodes the values of a batch: asks the registry for their schemas, and has those of each schema decoded.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use datafusion::arrow::array::{Array, BinaryViewArray, StructArray};
use datafusion::common::Result;
use futures::future::try_join_all;

use super::body::Body;
use super::format::Format;
use super::headers::Headers;
use super::identify::{bare, identified, present};
use super::parts::Parts;
use super::schema::Schema;
use super::schemas::{RegisteredSchema, SchemaRegistry, ValueSchemas};
use super::texts::Texts;
use crate::functions::frame::SchemaId;
use crate::functions::from_json::Declared;

/// How many schemas of a batch are requested at the same time.
const REQUESTS: usize = 8;
/// After so many IDs of a batch that the registry does not know, it is asked for no further ones: values that only happen
/// to begin with a zero byte seem to have as many IDs.
const UNKNOWN_MAX: usize = 256;

/// The values that have one schema.
type BySchema<'a> = BTreeMap<SchemaId, Vec<Body<'a>>>;

/// The values of a batch as columns.
pub(super) async fn decoded(
    values: &BinaryViewArray,
    headers: Option<&Headers>,
    schemas: &ValueSchemas,
    format: &dyn Format,
    declared: &Declared<'_>,
) -> Result<StructArray> {
    let mut decoding = Decoding {
        format,
        declared,
        parts: Parts::new(values.len()),
        texts: Texts::new(values.len()),
    };
    match schemas {
        ValueSchemas::One(schema) => {
            let mut bodies = vec![];
            for row in 0..values.len() {
                let found = present(values, row).map_err(str::to_owned);
                match found.and_then(|bytes| bare(row, bytes, format)) {
                    Ok(body) => bodies.push(body),
                    Err(reason) => decoding.texts.refuse(row, reason),
                }
            }
            decoding.decode(schema, &bodies, &format!("not a {} of the schema", format.value()))?;
        }
        ValueSchemas::Registry(registry) => {
            let mut by_schema = BySchema::new();
            for row in 0..values.len() {
                let header = headers.and_then(|headers| headers.schema_id(row));
                let found = present(values, row).map_err(str::to_owned);
                match found.and_then(|bytes| identified(row, bytes, header, format)) {
                    Ok((id, body)) => by_schema.entry(id).or_default().push(body),
                    Err(reason) => decoding.texts.refuse(row, reason),
                }
            }
            let found = requested(&**registry, &by_schema).await?;
            for (id, bodies) in &by_schema {
                decoding.decode_of_id(*id, bodies, found.get(id))?;
            }
        }
    }
    decoding.parts.finish(&decoding.texts, declared)
}

/// The schemas of IDs; the IDs of many values come first, because an ID that only one value has may be none.
async fn requested(
    registry: &dyn SchemaRegistry,
    by_schema: &BySchema<'_>,
) -> Result<BTreeMap<SchemaId, RegisteredSchema>> {
    let mut ids: Vec<(Reverse<usize>, SchemaId)> = by_schema
        .iter()
        .map(|(id, bodies)| (Reverse(bodies.len()), *id))
        .collect();
    ids.sort_unstable();
    let (mut found, mut unknown) = (BTreeMap::new(), 0);
    for some in ids.chunks(REQUESTS) {
        if unknown >= UNKNOWN_MAX {
            break;
        }
        let requests: Vec<_> = some.iter().map(|(_, id)| registry.schema(*id)).collect();
        let answers = try_join_all(requests).await?;
        unknown += answers
            .iter()
            .filter(|answer| **answer == RegisteredSchema::Unknown)
            .count();
        found.extend(some.iter().map(|(_, id)| *id).zip(answers));
    }
    Ok(found)
}

/// A batch in progress.
struct Decoding<'d> {
    format: &'d dyn Format,
    declared: &'d Declared<'d>,
    parts: Parts,
    texts: Texts,
}

impl Decoding<'_> {
    /// Decodes values of one schema. `broken` is the reason for those that are none.
    fn decode(&mut self, schema: &Schema, bodies: &[Body<'_>], broken: &str) -> Result<()> {
        if bodies.is_empty() {
            return Ok(());
        }
        match self.format.columns(schema, bodies, self.declared)? {
            Some(part) => self.parts.add(bodies, part),
            None => self.format.decode(schema, bodies, broken, &mut self.texts)?,
        }
        Ok(())
    }

    /// Decodes the values with an ID, or says why not. `found` is what the registry says of it, if it was asked.
    fn decode_of_id(&mut self, id: SchemaId, bodies: &[Body<'_>], found: Option<&RegisteredSchema>) -> Result<()> {
        let format = self.format;
        let reason = match found {
            Some(RegisteredSchema::Known(schema)) if format.decodes(schema) => {
                return self.decode(schema, bodies, &format!("not a {} of {id}", format.value()));
            }
            Some(RegisteredSchema::Known(schema)) => format!(
                "{id} is {}, not {}: read it with {}",
                schema.schema_type(),
                format.name().to_uppercase(),
                schema.function()
            ),
            Some(RegisteredSchema::Unknown) => format!("{id} is not in the registry"),
            Some(RegisteredSchema::Unusable(reason)) => reason.to_string(),
            None => format!("{id} was not requested: {UNKNOWN_MAX} others of the batch are not in the registry"),
        };
        bodies
            .iter()
            .for_each(|body| self.texts.refuse(body.row, reason.clone()));
        Ok(())
    }
}
