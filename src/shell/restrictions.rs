//! What a session may not do. Each of these places calls the checks here:
//!
//! - `query`: no statement writes anything but records to topics; with `--safe`, none reads a variable.
//! - `mod` (`session`): with `--safe`, the sources that read files are shut out.
//! - `script`: with `--safe`, no `\o` and no `\i`, which write and read files.
//! - `run_step`: with `--safe`, no `\run`; otherwise it needs `--write`.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, plan_err};
use datafusion::datasource::TableType;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::sql::parser::DFParser;

use super::{Access, ShellError};
use crate::sources::{Layer, dropped_by_headers, layer, layers};

/// Refuses a statement whose plan would write where the session may not. Nothing has run yet.
pub(super) fn check_plan(plan: &LogicalPlan, access: Access) -> Result<(), ShellError> {
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(access == Access::Write)
        .with_allow_statements(false)
        .verify_plan(plan)?;
    topics_only(plan)
}

/// Only steps write the lake's tables: any other write would lack input positions.
fn topics_only(plan: &LogicalPlan) -> Result<(), ShellError> {
    // `explain analyze` has the write below it.
    let mut refused = None;
    plan.apply_with_subqueries(|node| {
        match node {
            LogicalPlan::Dml(write) if write.table_name.schema().and_then(layer).is_none() => {
                let names = |name: fn(&Layer) -> String| layers().map(name).collect::<Vec<_>>().join(" or ");
                refused = Some(format!(
                    "`{}` is not a {}\n  help: only {} is allowed; the tables of the lake are written by the steps in \
                     pipelines.yaml",
                    write.table_name,
                    names(|layer| layer.table.to_owned()),
                    names(|layer| format!("`insert into {}.SOURCE`", layer.name)),
                ));
            }
            LogicalPlan::Dml(write) => {
                let dropped = dropped_by_headers(&write.input)?;
                refused = refused.take().or(dropped.map(|field| {
                    format!(
                        "`headers` have no field `{field}`\n  help: write a header as named_struct('key', …, 'value', …)"
                    )
                }));
            }
            LogicalPlan::Copy(_) => {
                refused = Some(
                    "`copy` is not available\n  help: use \\o FILE with \\format csv, or redirect the output of --format csv \
                     to a file"
                        .to_owned(),
                );
            }
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    refused.map_or(Ok(()), |message| Err(ShellError::Refused(message)))
}

/// Refuses `var('NAME', …)` in a statement: its value may come from the environment, and be secret.
pub(super) fn no_variables(sql: &str) -> Result<(), ShellError> {
    // The planner refuses what does not parse, and gives the position.
    let Ok(mut statements) = DFParser::parse_sql(sql) else {
        return Ok(());
    };
    for statement in &mut statements {
        let names = clickrec_udfs::substitute(statement, &clickrec_udfs::Variables::new())?;
        if let Some(name) = names.first() {
            return Err(refused(&format!("var('{name}', …)")));
        }
    }
    Ok(())
}

/// The error for what `--safe` blocks.
pub(super) fn refused(what: &str) -> ShellError {
    ShellError::Refused(format!("--safe does not allow {what}"))
}

/// A placeholder for a table: it can be planned, but not read.
#[derive(Debug)]
pub(super) struct ShutOut {
    pub name: String,
    pub schema: SchemaRef,
}

#[async_trait]
impl TableProvider for ShutOut {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        _: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan_err!("changes('{}') reads files, which --safe does not allow", self.name)
    }
}
