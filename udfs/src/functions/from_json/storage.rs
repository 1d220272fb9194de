//! The values of a column while it is built. Unlike Arrow's builders, they can take back what a row has appended.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, ArrowPrimitiveType, NullBufferBuilder, PrimitiveArray, StringArray};
use datafusion::arrow::buffer::{Buffer, NullBuffer, OffsetBuffer};
use datafusion::arrow::datatypes::ArrowNativeType;
use datafusion::common::{Result, exec_err};

/// Values of a fixed size.
pub(super) struct Values<T> {
    values: Vec<T>,
    nulls: NullBufferBuilder,
}

impl<T: Default> Values<T> {
    pub fn new(rows: usize) -> Self {
        Self {
            values: Vec::with_capacity(rows),
            nulls: NullBufferBuilder::new(rows),
        }
    }

    pub fn len(&self) -> usize {
        self.values.len()
    }

    pub fn append(&mut self, value: T) {
        self.values.push(value);
        self.nulls.append_non_null();
    }

    pub fn append_null(&mut self) {
        self.values.push(T::default());
        self.nulls.append_null();
    }

    pub fn truncate(&mut self, len: usize) {
        self.values.truncate(len);
        self.nulls.truncate(len);
    }

    pub fn into_parts(self) -> (Vec<T>, Option<NullBuffer>) {
        (self.values, self.nulls.build())
    }

    pub fn finish<A>(self) -> Result<PrimitiveArray<A>>
    where
        A: ArrowPrimitiveType<Native = T>,
        T: ArrowNativeType,
    {
        let (values, nulls) = self.into_parts();
        Ok(PrimitiveArray::try_new(values.into(), nulls)?)
    }
}

/// Where the values of each row end, in a column that holds several for a row.
pub(super) struct Offsets {
    ends: Vec<i32>,
}

impl Offsets {
    pub fn new(rows: usize) -> Self {
        let mut ends = Vec::with_capacity(rows + 1);
        ends.push(0);
        Self { ends }
    }

    pub fn len(&self) -> usize {
        self.ends.len() - 1
    }

    /// Where the values of a row start; for the next row, where they will.
    pub fn start(&self, row: usize) -> usize {
        self.ends.get(row).map_or(0, |end| usize::try_from(*end).unwrap_or(0))
    }

    /// Ends a row. `finish` refuses what is too large.
    pub fn append(&mut self, end: usize) {
        self.ends.push(i32::try_from(end).unwrap_or(i32::MAX));
    }

    pub fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows + 1);
    }

    /// # Errors
    /// When there are more than 2³¹ values.
    pub fn finish(self, values: usize) -> Result<OffsetBuffer<i32>> {
        if i32::try_from(values).is_err() {
            return exec_err!("from_json: a column of one batch has more than 2 GiB of text, or 2³¹ values in lists");
        }
        Ok(OffsetBuffer::new(self.ends.into()))
    }
}

/// Text. It can be written in parts, which `end` joins to one value.
pub(super) struct Texts {
    bytes: Vec<u8>,
    offsets: Offsets,
    nulls: NullBufferBuilder,
}

impl Texts {
    pub fn new(rows: usize) -> Self {
        Self {
            bytes: Vec::new(),
            offsets: Offsets::new(rows),
            nulls: NullBufferBuilder::new(rows),
        }
    }

    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    pub fn append(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.end();
    }

    pub fn end(&mut self) {
        self.offsets.append(self.bytes.len());
        self.nulls.append_non_null();
    }

    pub fn append_null(&mut self) {
        self.offsets.append(self.bytes.len());
        self.nulls.append_null();
    }

    /// The bytes of a value.
    pub fn value(&self, row: usize) -> &[u8] {
        let range = self.offsets.start(row)..self.offsets.start(row + 1);
        self.bytes.get(range).unwrap_or_default()
    }

    /// The newest value.
    pub fn last(&self) -> String {
        let row = self.len().saturating_sub(1);
        String::from_utf8_lossy(self.value(row)).into_owned()
    }

    pub fn truncate(&mut self, rows: usize) {
        self.offsets.truncate(rows);
        self.bytes.truncate(self.offsets.start(rows));
        self.nulls.truncate(rows);
    }

    pub fn finish(self) -> Result<ArrayRef> {
        let offsets = self.offsets.finish(self.bytes.len())?;
        let texts = StringArray::try_new(offsets, Buffer::from_vec(self.bytes), self.nulls.build())?;
        Ok(Arc::new(texts))
    }
}

impl fmt::Write for Texts {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.bytes.extend_from_slice(part.as_bytes());
        Ok(())
    }
}
