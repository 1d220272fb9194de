//! The only way from SQL to a plan, because tables may be function arguments, and `var('…', …)` takes its value from
//! outside.

use clickrec_udfs::Variables;
use datafusion::dataframe::DataFrame;
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::{CopyToSource, CopyToStatement, Statement};
use datafusion::sql::sqlparser::ast;

use super::{files, known_wrong, not_in, rewrite_statement, typed_nulls};

/// Plans a statement without running it.
///
/// # Errors
/// When it does not parse or plan, or when DataFusion is known to answer it wrongly. The error's diagnostic has the
/// location, if DataFusion knows it.
pub async fn plan(session: &SessionContext, sql: &str) -> Result<LogicalPlan> {
    let state = session.state();
    let dialect = state.config().options().sql_parser.dialect;
    let mut statement = state.sql_to_statement(sql, &dialect)?;
    let variables = state.config().get_extension::<Variables>();
    prepare(&mut statement, variables.as_deref())?;
    let plan = state.statement_to_plan(statement).await;
    let plan = plan.map_err(rewrite_statement::with_help)?;
    known_wrong::check_subqueries(&plan)?;
    let plan = not_in::null_aware(plan)?;
    let plan = typed_nulls::typed(plan)?;
    known_wrong::check_filters(&plan)?;
    Ok(plan)
}

/// Checks a statement, and rewrites what DataFusion does not know.
fn prepare(statement: &mut Statement, variables: Option<&Variables>) -> Result<()> {
    match statement {
        Statement::Explain(explain) => return prepare(&mut explain.statement, variables),
        Statement::CopyTo(copy) => return prepare_copy(copy, variables),
        _ => {}
    }
    known_wrong::check_statement(statement)?;
    if let Some(variables) = variables {
        clickrec_udfs::substitute(statement, variables)?;
    }
    clickrec_udfs::relations_as_subqueries(statement);
    files::calls_as_names(statement);
    rewrite_statement::prepare(statement);
    Ok(())
}

/// The query of a `copy` is prepared like one on its own.
fn prepare_copy(copy: &mut CopyToStatement, variables: Option<&Variables>) -> Result<()> {
    files::complete_target(copy)?;
    if let CopyToSource::Query(query) = &mut copy.source {
        let mut alone = Statement::Statement(Box::new(ast::Statement::Query(query.clone())));
        prepare(&mut alone, variables)?;
        if let Statement::Statement(alone) = alone
            && let ast::Statement::Query(prepared) = *alone
        {
            *query = prepared;
        }
    }
    Ok(())
}

/// Plans a query for execution. A statement that defines something (`create view`) takes effect immediately.
///
/// # Errors
/// As [`plan`].
pub async fn query(session: &SessionContext, sql: &str) -> Result<DataFrame> {
    session.execute_logical_plan(plan(session, sql).await?).await
}
