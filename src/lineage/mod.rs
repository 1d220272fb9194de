//! Column lineage, derived from a query's logical plan: for each result column, the table columns that its values are
//! computed from; and for the whole result, the columns that determine its rows, their groups and their order (where,
//! join, group by, having, order by, partition by).
//!
//! It uses the plan before the optimizer rewrites it. A table function is a black box: a column that all its inputs
//! have under the same name is passed through, and any other may depend on every column that it reads.

mod expression;
mod origin;
mod table;
#[cfg(test)]
mod tests;
mod walk;

use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use serde::Serialize;

pub use origin::{Origin, Origins};
pub use table::NamedTable;

/// Where a result comes from.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Lineage {
    /// Origins by result column, in order.
    pub columns: Vec<(String, Origins)>,
    /// The columns that determine the rows, their groups and their order.
    pub predicates: Origins,
}

/// Traces every column of a plan back to the tables.
///
/// # Errors
/// When the plan is inconsistent.
pub fn lineage(plan: &LogicalPlan) -> Result<Lineage> {
    let mut walk = walk::Walk::default();
    let columns = walk.plan(plan)?;
    let names = plan.schema().fields().iter().map(|field| field.name().clone());
    Ok(Lineage {
        columns: names.zip(columns).collect(),
        predicates: walk.predicates,
    })
}
