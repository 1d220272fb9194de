//! Where the columns of a query come from, read off its logical plan: for each column of the result the columns of tables
//! that its values are computed from, and beside them the columns that decide which rows there are, and in which groups
//! and order (where, join, group by, having, order by, partition by).
//!
//! The plan is taken as it is planned, before the optimizer rewrites it. A table function is a closed box: a column that
//! all its inputs have under the same name passes through, any other may come from every column that it reads.

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
    /// The table, by the name that its [`NamedTable`] has, or the one in the statement.
    pub table: String,
    /// The column.
    pub column: String,
}

/// Columns of tables.
pub type Origins = BTreeSet<Origin>;

/// Where a result comes from.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Lineage {
    /// By column of the result, in its order.
    pub columns: Vec<(String, Origins)>,
    /// What decides which rows there are, and in which groups and order.
    pub predicates: Origins,
}

/// Follows every column of a plan to the tables.
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
