//! What of its record headers an insert into a topic would silently lose.

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};

use super::record_schema;

/// A field that an insert of records would silently drop: a cast to headers matches fields by name, and drops those
/// that headers do not have.
///
/// # Errors
/// When the type of an expression cannot be determined.
pub fn dropped_by_headers(insert: &LogicalPlan) -> Result<Option<String>> {
    let schema = record_schema();
    let headers = schema.field_with_name("headers")?.data_type();
    let mut dropped = None;
    insert.apply_with_subqueries(|node| {
        let mut columns = DFSchema::empty();
        node.inputs().iter().for_each(|input| columns.merge(input.schema()));
        node.apply_expressions(|expression| {
            expression.apply(|expression| {
                if let Expr::Cast(cast) = expression
                    && cast.field.data_type() == headers
                    && let DataType::List(header) = cast.expr.get_type(&columns)?
                    && let DataType::Struct(fields) = header.data_type()
                {
                    let is_dropped = |field: &&FieldRef| !["key", "value"].contains(&field.name().as_str());
                    dropped = dropped
                        .take()
                        .or(fields.iter().find(is_dropped).map(|field| field.name().clone()));
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(dropped)
}
