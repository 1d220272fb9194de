//! From SQL to a plan: the one way in, because tables may be arguments of functions, and `var('…', …)` has its value
//! from outside.

use clickrec_udfs::Variables;
use datafusion::dataframe::DataFrame;
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;

use super::{known_wrong, not_in, statement};

/// Plans a statement. Nothing runs.
///
/// # Errors
/// When it does not parse or plan, or when DataFusion is known to answer it wrongly; the error's diagnostic has the place
/// where DataFusion knows it.
pub async fn plan(session: &SessionContext, sql: &str) -> Result<LogicalPlan> {
    let state = session.state();
    let dialect = state.config().options().sql_parser.dialect;
    let mut statement = state.sql_to_statement(sql, &dialect)?;
    known_wrong::check_statement(&statement)?;
    if let Some(variables) = state.config().get_extension::<Variables>() {
        clickrec_udfs::substitute(&mut statement, &variables)?;
    }
    clickrec_udfs::relations_as_subqueries(&mut statement);
    statement::prepare(&mut statement);
    let plan = state.statement_to_plan(statement).await;
    let plan = plan.map_err(statement::with_help)?;
    known_wrong::check_subqueries(&plan)?;
    let plan = not_in::null_aware(plan)?;
    known_wrong::check_filters(&plan)?;
    Ok(plan)
}

/// Plans a query, to be run. A statement that defines something (`create view`) has done so.
///
/// # Errors
/// As [`plan`].
pub async fn query(session: &SessionContext, sql: &str) -> Result<DataFrame> {
    session.execute_logical_plan(plan(session, sql).await?).await
}
