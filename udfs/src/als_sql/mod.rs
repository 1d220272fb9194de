//! Alternating least squares as SQL: each half-step is a join of the interactions with the other side's factors, and an
//! aggregate per row that solves it. The shared Gramian is another aggregate. No process therefore holds the matrix,
//! and joins and aggregates run wherever the engine runs them. Rows are solved exactly, as with `solver => 'cholesky'`.
//!
//! - `train`: the queries, one after another.
//! - `columns`: columns of vectors.
//! - `gramian`: `YᵀY` of a column of vectors.
//! - `solve`: a row from the vectors and weights of its interactions.
//! - `weight`: rejects invalid training rows.
//! - `loss_of`: what an interaction adds to the loss.
//! - `start`: the initial vectors of items.
//! - [`aggregate_to_wire`], [`scalar_to_wire`], [`aggregate_from_wire`], [`scalar_from_wire`]: serialize the functions,
//!   which contain what rows share.

mod columns;
mod gramian;
mod loss_of;
mod solve;
mod start;
mod train;
mod weight;

use std::sync::Arc;

use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

use gramian::als_gramian;
use loss_of::als_error;
use solve::{Solve, als_solve};
use start::{Start, als_start};
use weight::als_weight;

pub(crate) use train::Training;

/// Serializes the state of a function of this module; `None` for all others.
///
/// # Errors
/// When a number cannot be serialized.
pub fn aggregate_to_wire(function: &AggregateUDF) -> Option<Result<Vec<u8>>> {
    let bytes = match solve::of(function) {
        Some(solve) => serde_json::to_vec(solve),
        None if function.name() == als_gramian().name() => Ok(vec![b'{', b'}']),
        None => return None,
    };
    Some(bytes.map_err(external))
}

/// Deserializes a function from [`aggregate_to_wire`].
///
/// # Errors
/// When it comes from another version.
pub fn aggregate_from_wire(name: &str, bytes: &[u8]) -> Result<Arc<AggregateUDF>> {
    match name {
        "als_solve" => als_solve(serde_json::from_slice(bytes).map_err(external)?),
        _ => Ok(als_gramian()),
    }
}

/// As [`aggregate_to_wire`], for `als_start` and `als_error`.
///
/// # Errors
/// When a number cannot be serialized.
pub fn scalar_to_wire(function: &ScalarUDF) -> Option<Result<Vec<u8>>> {
    if function.name() == als_weight().name() {
        return Some(Ok(vec![b'{', b'}']));
    }
    let bytes = match (start::of(function), loss_of::of(function)) {
        (Some(start), _) => serde_json::to_vec(start),
        (_, Some(alpha)) => serde_json::to_vec(&alpha),
        (None, None) => return None,
    };
    Some(bytes.map_err(external))
}

/// Deserializes a function from [`scalar_to_wire`].
///
/// # Errors
/// When it comes from another version.
pub fn scalar_from_wire(name: &str, bytes: &[u8]) -> Result<Arc<ScalarUDF>> {
    Ok(match name {
        "als_weight" => als_weight(),
        "als_start" => als_start(serde_json::from_slice(bytes).map_err(external)?),
        _ => als_error(serde_json::from_slice(bytes).map_err(external)?),
    })
}

fn external(error: serde_json::Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
