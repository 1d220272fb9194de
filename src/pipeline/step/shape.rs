//! How the result of a step fits its table: columns, partitions, keys. Refuses columns that do not fit the
//! table.
//!
//! Columns that the SQL adds are allowed here; `lake/commit.rs` (`change`) writes them into the table's metadata. Older
//! rows have NULL there, unless the step is rebuilt for its changed SQL (`pipeline/decide/mod.rs`).

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::dataframe::DataFrame;

use crate::config::Mode;
use crate::lake::write::Layout;
use crate::lake::{LakeError, Merge, schema};
use crate::pipeline::{Inputs, Node, PipelineError, expectation_sql};

/// The column that holds a merge's `delete` predicate while it runs.
pub const DELETED: &str = "__deleted";

/// How the result of a step goes into its table.
#[derive(Debug)]
pub struct Shape {
    pub layout: Layout,
    /// Set if its rows replace those of the same keys.
    pub merge: Option<Merge>,
    /// Whether it leaves other rows of the table where they are.
    pub keeps_rest: bool,
}

/// How a result goes into the table of the step.
pub fn shape(node: &Node, inputs: &Inputs, result: &DataFrame) -> Result<Shape, PipelineError> {
    let layout = layout(node, inputs, result.schema().as_arrow());
    Ok(Shape {
        layout: layout.map_err(|source| node.lake_error(source))?,
        merge: merge(node).map(|merge| merge.with_null_keys(expectation_sql::null_keys(node))),
        keeps_rest: inputs.decision.keeps_rest(),
    })
}

/// The merge of a step of that mode.
pub fn merge(node: &Node) -> Option<Merge> {
    let deleted = node.step.delete.as_ref().map(|_| DELETED);
    (node.step.mode == Mode::Merge).then(|| Merge::new(node.name(), &node.step.key, deleted))
}

/// How the result is laid out in the table.
fn layout(node: &Node, inputs: &Inputs, result: &Schema) -> Result<Layout, LakeError> {
    let stored = stored_schema(node, result)?;
    if inputs.decision.keeps_rest() {
        fits(node, inputs.target.schema()?.as_deref(), &stored)?;
    }
    Ok(Layout {
        schema: stored,
        partition_by: node.step.partition_by.clone(),
    })
}

/// The columns of a step's table, from those of its result.
pub fn stored_schema(node: &Node, result: &Schema) -> Result<Arc<Schema>, LakeError> {
    let columns: Vec<_> = result
        .fields()
        .iter()
        .filter(|field| field.name() != DELETED)
        .cloned()
        .collect();
    schema::storable(node.name(), &Schema::new(columns))
}

/// A result that is added to a table may have more columns than the table, in any order: columns are compared by name.
/// It must not lack one, or have one of another type.
pub fn fits(node: &Node, table: Option<&Schema>, result: &Schema) -> Result<(), LakeError> {
    for old in table.iter().flat_map(|schema| schema.fields()) {
        let reason = match result.field_with_name(old.name()) {
            Ok(new) if new.data_type() == old.data_type() => continue,
            Ok(new) => format!(
                "column `{}` has type {} in the table, but {} in the result",
                old.name(),
                old.data_type(),
                new.data_type()
            ),
            Err(_) => format!("column `{}` of the table is missing from the result", old.name()),
        };
        return Err(LakeError::Schema {
            table: node.name().to_string(),
            reason,
            help: format!(
                "keep the column as it was, or rebuild with: clickrec run --full-refresh --select {}+",
                node.name()
            ),
        });
    }
    Ok(())
}
