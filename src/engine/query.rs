//! From SQL to a plan: the one way in, because tables may be arguments of functions, and `var('…', …)` has its value
//! from outside.

use clickrec_udfs::Variables;
use datafusion::dataframe::DataFrame;
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;

/// Plans a statement. Nothing runs.
///
/// # Errors
/// When it does not parse or plan; the error's diagnostic has the place where DataFusion knows it.
pub async fn plan(session: &SessionContext, sql: &str) -> Result<LogicalPlan> {
    let state = session.state();
    let dialect = state.config().options().sql_parser.dialect;
    let mut statement = state.sql_to_statement(sql, &dialect)?;
    if let Some(variables) = state.config().get_extension::<Variables>() {
        clickrec_udfs::substitute(&mut statement, &variables)?;
    }
    clickrec_udfs::relations_as_subqueries(&mut statement);
    state.statement_to_plan(statement).await
}

/// Plans a query, to be run. A statement that defines something (`create view`) has done so.
///
/// # Errors
/// As [`plan`].
pub async fn query(session: &SessionContext, sql: &str) -> Result<DataFrame> {
    session.execute_logical_plan(plan(session, sql).await?).await
}
