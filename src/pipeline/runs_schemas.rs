//! The columns of `system.runs` and `system.expectations`.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

fn number(name: &str) -> Field {
    Field::new(name, DataType::Int64, true)
}

fn time(name: &str) -> Field {
    Field::new(
        name,
        DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        true,
    )
}

/// The columns of `system.expectations`.
pub(super) fn expectations_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        text("run_id"),
        time("started_at"),
        text("step"),
        number("version"),
        text("expectation"),
        text("severity"),
        number("offending_rows"),
    ]))
}

/// The columns of `system.runs`.
pub(super) fn runs_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        text("run_id"),
        time("started_at"),
        text("pipeline"),
        text("step"),
        text("status"),
        text("reason"),
        number("rows_read"),
        number("rows_written"),
        number("version"),
        Field::new("seconds", DataType::Float64, true),
        number("records"),
        number("accepted"),
        number("repeated"),
        number("quarantined"),
        number("conflicting"),
    ]))
}
