//! What a session may not do. Each of these places calls the checks here:
//!
//! - `query`: no statement writes anything but records to topics, and files outside the lake (`copy`); with
//!   `--safe`, none writes files or reads a variable.
//! - `mod` (`session`): with `--safe`, sources that read files are excluded, and names of files are refused.
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
use datafusion::logical_expr::dml::CopyTo;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::sql::parser::{DFParser, Statement};
use url::Url;

use super::{Access, ShellError, copy};
use crate::sources::{Layer, dropped_by_headers, layer, layers};

/// Refuses a statement whose plan would write where the session may not. Nothing has run yet.
pub(super) fn check_plan(plan: &LogicalPlan, access: Access, lake: &Url) -> Result<(), ShellError> {
    let copy = copied(plan);
    let rows = copy.map_or(plan, |copy| copy.input.as_ref());
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(access == Access::Write)
        .with_allow_statements(false)
        .verify_plan(rows)?;
    topics_only(rows)?;
    match copy {
        Some(_) if access == Access::Safe => Err(refused("`copy`")),
        Some(copy) => copy::check_target(copy, lake),
        None => Ok(()),
    }
}

/// The `copy` that a plan is, or explains: `explain analyze` runs it.
fn copied(plan: &LogicalPlan) -> Option<&CopyTo> {
    match plan {
        LogicalPlan::Copy(copy) => Some(copy),
        LogicalPlan::Explain(explain) => copied(&explain.plan),
        LogicalPlan::Analyze(analyze) => copied(&analyze.input),
        _ => None,
    }
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
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    refused.map_or(Ok(()), |message| Err(ShellError::Refused(message)))
}

/// For `--safe`: refuses `copy`, and `var('NAME', …)` in a statement, whose value may come from the environment, and be
/// secret.
pub(super) fn check_text(sql: &str) -> Result<(), ShellError> {
    // The planner refuses what does not parse, and gives the position.
    let Ok(mut statements) = DFParser::parse_sql(sql) else {
        return Ok(());
    };
    for statement in &mut statements {
        if is_copy(statement) {
            return Err(refused("`copy`"));
        }
        let names = clickrec_udfs::substitute(statement, &clickrec_udfs::Variables::new())?;
        if let Some(name) = names.first() {
            return Err(refused(&format!("var('{name}', …)")));
        }
    }
    Ok(())
}

fn is_copy(statement: &Statement) -> bool {
    match statement {
        Statement::Explain(explain) => is_copy(&explain.statement),
        other => matches!(other, Statement::CopyTo(_)),
    }
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
