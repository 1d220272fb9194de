//! `avg(null)` and `sum(null)` are NULL. DataFusion plans them, but cannot add values without a type.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, WindowFunctionDefinition, cast};

/// Gives such arguments the type of the result.
///
/// # Errors
/// When an expression does not fit the columns below it.
pub(super) fn typed(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|plan| {
        let mut columns = DFSchema::empty();
        plan.inputs().iter().for_each(|input| columns.merge(input.schema()));
        let names = NamePreserver::new(&plan);
        plan.map_expressions(|expression| {
            if !expression.exists(is_aggregate)? {
                return Ok(Transformed::no(expression));
            }
            let name = names.save(&expression);
            let typed = expression.transform_up(|part| Ok(typed_argument(part, &columns)))?;
            Ok(match typed.transformed {
                true => typed.update_data(|expression| name.restore(expression)),
                false => typed,
            })
        })
    })
    .data()
}

#[allow(clippy::unnecessary_wraps, reason = "as tree nodes take it")]
fn is_aggregate(part: &Expr) -> Result<bool> {
    Ok(matches!(part, Expr::AggregateFunction(_) | Expr::WindowFunction(_)))
}

fn typed_argument(mut expression: Expr, columns: &DFSchema) -> Transformed<Expr> {
    let (name, arguments) = match &mut expression {
        Expr::AggregateFunction(AggregateFunction { func, params }) => (func.name(), &mut params.args),
        Expr::WindowFunction(window) => {
            let WindowFunction { fun, params } = window.as_mut();
            match fun {
                WindowFunctionDefinition::AggregateUDF(func) => (func.name(), &mut params.args),
                WindowFunctionDefinition::WindowUDF(_) => return Transformed::no(expression),
            }
        }
        _ => return Transformed::no(expression),
    };
    let result = match name {
        "avg" => DataType::Float64,
        "sum" => DataType::Int64,
        _ => return Transformed::no(expression),
    };
    let mut is_typed = false;
    for argument in arguments {
        if argument.get_type(columns).is_ok_and(|found| found == DataType::Null) {
            *argument = cast(argument.clone(), result.clone());
            is_typed = true;
        }
    }
    match is_typed {
        true => Transformed::yes(expression),
        false => Transformed::no(expression),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::engine::test_session::session;
    use crate::engine::{Bindings, query};

    #[tokio::test]
    async fn what_is_made_of_nothing_but_null_is_null() {
        let session = session(&Bindings::default()).await;
        for sql in [
            "select avg(null)",
            "select mean(null) as m",
            "select sum(null)",
            "select avg(distinct null)",
            "select avg(null) over ()",
            "select sum(null) over () as s",
            "select avg(x) from (select null as x) as t",
            "select avg(null) + 1",
            "select avg(null) from (values (1), (2)) as t (y) group by y having avg(null) is null order by avg(null)",
            "select (select avg(null))",
        ] {
            let frame = query(&session, sql).await.unwrap();
            let batches = frame.collect().await.unwrap();
            let batch = batches.iter().find(|batch| batch.num_rows() > 0).unwrap();
            assert_eq!(batch.column(0).null_count(), batch.num_rows(), "{sql}");
            assert_ne!(
                batch.schema().field(0).data_type(),
                &arrow::datatypes::DataType::Null,
                "{sql}"
            );
        }
        let named = query(&session, "select avg(null)").await.unwrap();
        assert_eq!(named.schema().field(0).name(), "avg(NULL)");
    }
}
