//! Column lineage, derived from a query's logical plan: for each result column, the table columns that its values are
//! computed from; and for the whole result, the columns that determine its rows, their groups and their order (where,
//! join, group by, having, order by, partition by).
//!
//! It uses the plan before the optimizer rewrites it. A table function is a black box: a column that all its inputs
//! have under the same name is passed through, and any other may depend on every column that it reads.

mod expression;
mod table;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::BTreeSet;

use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use serde::Serialize;

pub use table::NamedTable;

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Origin {
    /// The table: the name of its [`NamedTable`], or the name in the statement.
    pub table: String,
    /// The column.
    pub column: String,
}

/// Columns of tables.
pub type Origins = BTreeSet<Origin>;

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
