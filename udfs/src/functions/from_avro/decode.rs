//! Decodes Avro records of one schema into tables.
//!
//! `arrow-avro` decodes the records of a batch together. It takes back nothing that a broken record has left in its
//! builders, so a decoder that has failed is thrown away. Then fewer records are decoded together, down to one, and after
//! each success twice as many again. So the cost is that of the records, and of a decoder for each broken one and a few
//! around it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_avro::reader::Decoder;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::Schema;
use datafusion::arrow::error::ArrowError;

use super::schema::{MARK, decoder, has_unions};
use crate::functions::by_schema::Body;

/// After a failure, so many times fewer records are decoded together.
const FEWER: usize = 16;

/// Calls `take` with records that were decoded together, and their table; a broken record comes alone, and without one.
pub(super) fn each_batch<'b, 'a>(
    schema: &str,
    bodies: &'b [Body<'a>],
    take: &mut impl FnMut(&'b [Body<'a>], Option<RecordBatch>) -> Result<(), ArrowError>,
) -> Result<(), ArrowError> {
    let mut records = Records {
        schema,
        most: bodies.len(),
        decoder: None,
    };
    let (mut left, mut size) = (bodies, bodies.len());
    while !left.is_empty() {
        let (next, others) = left.split_at(size.min(left.len()));
        match records.together(next) {
            Some(table) => {
                take(next, Some(table))?;
                size = size.saturating_mul(2);
            }
            None if next.len() == 1 => take(next, None)?,
            None => {
                size = (next.len() / FEWER).max(1);
                continue;
            }
        }
        left = others;
    }
    Ok(())
}

/// The table of all records; `None` if none is wanted of this schema, or a record is broken.
pub(super) fn whole(schema: &str, bodies: &[Body<'_>], is_wanted: impl FnOnce(&Schema) -> bool) -> Option<RecordBatch> {
    let decoder = decoder(schema, bodies.len()).ok()?;
    if !is_wanted(&decoder.schema()) {
        return None;
    }
    let mut records = Records {
        schema,
        most: bodies.len(),
        decoder: Some(decoder),
    };
    records.together(bodies)
}

/// A decoder, made again after each failure.
struct Records<'s> {
    schema: &'s str,
    /// How many records it may get at a time.
    most: usize,
    decoder: Option<Decoder>,
}

impl Records<'_> {
    /// The table of some records; `None` if one of them is broken.
    fn together(&mut self, bodies: &[Body<'_>]) -> Option<RecordBatch> {
        let mut decoder = match self.decoder.take() {
            Some(decoder) => decoder,
            None => decoder(self.schema, self.most).ok()?,
        };
        let decode = || {
            bodies.iter().try_for_each(|body| append(&mut decoder, body.bytes))?;
            let table = decoder.flush().ok()??;
            (table.num_rows() == bodies.len()).then_some(table)
        };
        // Libraries may panic on damaged data.
        let table = catch_unwind(AssertUnwindSafe(decode)).ok().flatten()?;
        self.decoder = (!has_unions(&table.schema())).then_some(decoder);
        Some(table)
    }
}

/// Adds a record; `None` if it is not exactly one.
fn append(decoder: &mut Decoder, record: &[u8]) -> Option<()> {
    let free = decoder.capacity();
    let is_marked = decoder.decode(&MARK).ok()? == MARK.len();
    let is_read = decoder.decode(record).ok()? == record.len();
    (is_marked && is_read && decoder.capacity() + 1 == free).then_some(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const NUMBER: &str = r#"{"type":"record","name":"N","fields":[{"name":"n","type":"int"}]}"#;

    /// How often records were decoded, and which rows are broken.
    fn decoded(bytes: &[&[u8]]) -> (usize, Vec<usize>) {
        let bodies: Vec<Body<'_>> = bytes
            .iter()
            .enumerate()
            .map(|(row, bytes)| Body {
                row,
                bytes,
                after_id: None,
            })
            .collect();
        let (mut calls, mut broken, mut seen) = (0, vec![], vec![]);
        let mut take = |bodies: &[Body<'_>], table: Option<RecordBatch>| {
            calls += 1;
            seen.extend(bodies.iter().map(|body| body.row));
            match table {
                Some(table) => assert_eq!(table.num_rows(), bodies.len()),
                None => broken.extend(bodies.iter().map(|body| body.row)),
            }
            Ok(())
        };
        each_batch(NUMBER, &bodies, &mut take).unwrap();
        assert_eq!(seen, (0..bytes.len()).collect::<Vec<_>>(), "in order, and each once");
        (calls, broken)
    }

    #[test]
    fn good_records_are_decoded_together_and_broken_ones_by_themselves() {
        let (good, bad): (&[u8], &[u8]) = (&[2], &[0x80]);
        assert_eq!(decoded(&[good; 1_000]), (1, vec![]));
        assert_eq!(decoded(&[bad; 100]), (100, (0..100).collect()));
        let mut values = [good; 1_000];
        values[500] = bad;
        let (calls, broken) = decoded(&values);
        assert_eq!(broken, [500]);
        assert!(calls < 30, "{calls}");
        let alternating: Vec<&[u8]> = (0..100).map(|n| if n % 2 == 0 { good } else { bad }).collect();
        assert_eq!(
            decoded(&alternating).1,
            (0..100).filter(|n| n % 2 == 1).collect::<Vec<_>>()
        );
        assert_eq!(decoded(&[]), (0, vec![]));
    }

    #[test]
    fn unions_are_those_of_their_own_record() {
        const UNION: &str = r#"{"type":"record","name":"U","fields":[{"name":"v","type":["int","string"]}]}"#;
        let values: [&[u8]; 5] = [&[0, 2], &[0x80], &[2, 2, b'x'], &[0, 4], &[2, 2, b'y']];
        let bodies = values.iter().enumerate().map(|(row, bytes)| Body {
            row,
            bytes,
            after_id: None,
        });
        let bodies: Vec<Body<'_>> = bodies.collect();
        let mut broken = vec![];
        let mut take = |bodies: &[Body<'_>], table: Option<RecordBatch>| {
            if table.is_none() {
                broken.extend(bodies.iter().map(|body| body.row));
            }
            Ok(())
        };
        each_batch(UNION, &bodies, &mut take).unwrap();
        assert_eq!(broken, [1]);
    }
}
