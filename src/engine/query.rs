//! The only way from SQL to a plan, because tables may be function arguments, and `var('…', …)` takes its value from
//! outside.

use clickrec_udfs::Variables;
use datafusion::dataframe::DataFrame;
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;

use super::{known_wrong, not_in, rewrite_statement, typed_nulls};

/// Plans a statement without running it.
///
/// # Errors
/// When it does not parse or plan, or when DataFusion is known to answer it wrongly. The error's diagnostic has the
/// location, if DataFusion knows it.
pub async fn plan(session: &SessionContext, sql: &str) -> Result<LogicalPlan> {
    let state = session.state();
    let dialect = state.config().options().sql_parser.dialect;
    let mut statement = state.sql_to_statement(sql, &dialect)?;
    known_wrong::check_statement(&statement)?;
    if let Some(variables) = state.config().get_extension::<Variables>() {
        clickrec_udfs::substitute(&mut statement, &variables)?;
    }
    clickrec_udfs::relations_as_subqueries(&mut statement);
    rewrite_statement::prepare(&mut statement);
    let plan = state.statement_to_plan(statement).await;
    let plan = plan.map_err(rewrite_statement::with_help)?;
    known_wrong::check_subqueries(&plan)?;
    let plan = not_in::null_aware(plan)?;
    let plan = typed_nulls::typed(plan)?;
    known_wrong::check_filters(&plan)?;
    Ok(plan)
}

/// Plans a query for execution. A statement that defines something (`create view`) takes effect immediately.
///
/// # Errors
/// As [`plan`].
pub async fn query(session: &SessionContext, sql: &str) -> Result<DataFrame> {
    session.execute_logical_plan(plan(session, sql).await?).await
}
