//! What a session may not do.

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

/// Refuses a statement whose plan would change what it may not. Nothing has run yet.
pub(super) fn check_plan(plan: &LogicalPlan, access: Access) -> Result<(), ShellError> {
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(access == Access::Write)
        .with_allow_statements(false)
        .verify_plan(plan)?;
    topics_only(plan)
}

/// A write that no step makes would have no input positions: the lake's tables are not for it.
fn topics_only(plan: &LogicalPlan) -> Result<(), ShellError> {
    // `explain analyze` has the write below it.
    let mut refused = None;
    plan.apply_with_subqueries(|node| {
        match node {
            LogicalPlan::Dml(write) if write.table_name.schema().and_then(layer).is_none() => {
                let names = |name: fn(&Layer) -> String| layers().map(name).collect::<Vec<_>>().join(" or ");
                refused = Some(format!(
                    "`{}` is not a {}\n  help: only {} writes; tables of the lake come from the steps of pipelines.yaml",
                    write.table_name,
                    names(|layer| layer.table.to_owned()),
                    names(|layer| format!("`insert into {}.SOURCE`", layer.name)),
                ));
            }
            LogicalPlan::Dml(write) => {
                let dropped = dropped_by_headers(&write.input)?;
                refused = refused.take().or(dropped.map(|field| {
                    format!(
                        "`headers` have no field `{field}`\n  help: a header is written as named_struct('key', …, 'value', …)"
                    )
                }));
            }
            LogicalPlan::Copy(_) => {
                refused = Some(
                    "`copy` is not available\n  help: \\o FILE and \\format csv, or redirect --format csv to a file"
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
    // What does not parse is refused by the planner, with its place.
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

/// What `--safe` shuts out.
pub(super) fn refused(what: &str) -> ShellError {
    ShellError::Refused(format!("{what} is shut out by --safe"))
}

/// A table in whose place stands nothing: planned, but not read.
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
        plan_err!("changes('{}') reads files, and is shut out by --safe", self.name)
    }
}
