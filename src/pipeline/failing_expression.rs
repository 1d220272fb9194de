//! Which expression of a step's SQL fails on its rows: the engine's errors name the value, not the expression.

use std::ops::ControlFlow;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::prelude::{DataFrame, SessionContext};

use super::step;
use super::step_error::plan_error;
use super::{Inputs, Node, PipelineError};
use crate::engine::Engine;

/// The innermost expression in the select list or the filter of a query that fails over these inputs, as SQL has it;
/// `None` where something else fails.
///
/// # Errors
/// When the SQL does not plan.
pub(super) async fn failing_expression(
    engine: &Engine,
    node: &Node,
    inputs: &Inputs,
) -> Result<Option<String>, PipelineError> {
    let session = engine.session(&inputs.bindings).await?;
    let result = step::result(node, &session).await?;
    let state = session.state();
    // With views put in, and types coerced.
    let plan = state
        .analyzer()
        .execute_and_check(result.logical_plan().clone(), state.config_options(), |_, _| {});
    let plan = plan.map_err(|error| plan_error(node, &error))?;
    let mut suspects = vec![];
    let collected = plan.apply(|plan| {
        let expressions: &[Expr] = match plan {
            LogicalPlan::Projection(projection) => &projection.expr,
            LogicalPlan::Filter(filter) => std::slice::from_ref(&filter.predicate),
            _ => &[],
        };
        let input = plan.inputs().first().copied().cloned();
        suspects.extend(input.map(|input| (input, expressions.to_vec())));
        Ok(TreeNodeRecursion::Continue)
    });
    collected.map_err(|error| plan_error(node, &error))?;
    // The walk meets the outermost query first.
    for (input, expressions) in suspects.into_iter().rev() {
        if let ControlFlow::Break(found) = first_that_fails(&session, &input, &expressions).await {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The first of the expressions that fails over the rows of a plan; breaks with nothing where the plan itself fails.
async fn first_that_fails(
    session: &SessionContext,
    input: &LogicalPlan,
    expressions: &[Expr],
) -> ControlFlow<Option<String>> {
    for expression in expressions {
        if runs(session, input, expression).await.is_ok() {
            continue;
        }
        return match runs(session, input, &datafusion::logical_expr::lit(1)).await {
            Ok(()) => ControlFlow::Break(Some(shown(expression))),
            Err(_) => ControlFlow::Break(None),
        };
    }
    ControlFlow::Continue(())
}

async fn runs(session: &SessionContext, input: &LogicalPlan, expression: &Expr) -> Result<(), DataFusionError> {
    let plan = LogicalPlanBuilder::from(input.clone())
        .project([expression.clone().alias("value")])?
        .build()?;
    DataFrame::new(session.state(), plan).collect().await.map(drop)
}

fn shown(expression: &Expr) -> String {
    match expression {
        Expr::Alias(alias) => format!("{} as {}", alias.expr, alias.name),
        other => other.to_string(),
    }
}
