//! The row that records how a model was trained: `kind = 'model'`, with a struct in its column `model`.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{
    ArrayRef, Float32Array, Float64Array, Int32Array, Int64Array, ListArray, StringArray, StructArray,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::Result;

use crate::als::Params;

static LOSS: LazyLock<FieldRef> = LazyLock::new(|| Arc::new(Field::new("element", DataType::Float64, true)));

static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    let field = |name: &str, data_type: DataType| Field::new(name, data_type, true);
    Fields::from(vec![
        field("factors", DataType::Int32),
        field("iterations", DataType::Int32),
        field("regularization", DataType::Float32),
        field("alpha", DataType::Float32),
        field("nu", DataType::Float32),
        field("init_scale", DataType::Float32),
        field("solver", DataType::Utf8),
        field("seed", DataType::Int64),
        field("users", DataType::Int64),
        field("items", DataType::Int64),
        field("interactions", DataType::Int64),
        field("loss", DataType::Float64),
        field("losses", DataType::List(LOSS.clone())),
        field("holdout", DataType::Float32),
        field("held_out_score", DataType::Float64),
    ])
});

/// The type of the column.
pub(super) fn data_type() -> DataType {
    DataType::Struct(FIELDS.clone())
}

/// The column in the rows of vectors: NULLs, shared by slices.
pub(super) fn nulls(rows: usize) -> StructArray {
    StructArray::new_null(FIELDS.clone(), rows)
}

/// How a model was trained.
#[derive(Debug)]
pub(crate) struct ModelRow {
    pub params: Params,
    /// The iterations that were run; fewer than requested if training stopped early.
    pub iterations: usize,
    pub users: usize,
    pub items: usize,
    /// The number of training interactions.
    pub interactions: usize,
    /// The loss of the factors in the table.
    pub loss: f64,
    /// The loss by iteration, or only the last one.
    pub losses: Vec<f64>,
    pub holdout: f32,
    pub held_out_score: Option<f64>,
}

impl ModelRow {
    /// A struct array with one row.
    pub fn array(&self) -> Result<StructArray> {
        let float = |value: f32| -> ArrayRef { Arc::new(Float32Array::from(vec![value])) };
        let double = |value: Option<f64>| -> ArrayRef { Arc::new(Float64Array::from(vec![value])) };
        // Parameters are validated to be small, and more than 2^63 rows would not fit in memory.
        let int = |value: usize| -> ArrayRef { Arc::new(Int32Array::from(vec![value as i32])) };
        let long = |value: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![value])) };
        let losses = ListArray::try_new(
            LOSS.clone(),
            OffsetBuffer::from_lengths([self.losses.len()]),
            Arc::new(Float64Array::from(self.losses.clone())),
            None,
        )?;
        let params = &self.params;
        let columns = vec![
            int(params.factors),
            int(self.iterations),
            float(params.regularization),
            float(params.alpha),
            float(params.nu),
            float(params.init_scale),
            Arc::new(StringArray::from(vec![params.solver.to_string()])),
            long(params.seed.cast_signed()),
            long(self.users as i64),
            long(self.items as i64),
            long(self.interactions as i64),
            double(Some(self.loss)),
            Arc::new(losses),
            float(self.holdout),
            double(self.held_out_score),
        ];
        Ok(StructArray::try_new(FIELDS.clone(), columns, None)?)
    }
}
