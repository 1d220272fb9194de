//! `x in (select …)` is unknown, not false, if it finds no equal value but a NULL. DataFusion plans this correctly for
//! some queries only, and returns extra rows for others.
//!
//! Two forms are correct as conjuncts of a `where`: `x in (…)`, because unknown counts as false there, and `column not
//! in (…)` with an uncorrelated subquery. Every other `in` over NULLs is rewritten to a `case`.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::expr::{BinaryExpr, Case, InSubquery};
use datafusion::logical_expr::{
    Expr, ExprSchemable, Filter, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, binary_expr, exists, lit,
    scalar_subquery,
};

/// Rewrites every `in (select …)` in a filter so that it follows SQL.
///
/// # Errors
/// When an expression does not match the columns below it.
pub(super) fn null_aware(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|plan| match plan {
        LogicalPlan::Filter(filter) if filter.predicate.exists(is_in_subquery)? => {
            let predicate = term(filter.predicate, filter.input.schema(), true)?;
            let filter = Filter::try_new(predicate, filter.input)?;
            Ok(Transformed::yes(LogicalPlan::Filter(filter)))
        }
        plan => Ok(Transformed::no(plan)),
    })
    .data()
}

#[allow(clippy::unnecessary_wraps, reason = "as tree nodes take it")]
fn is_in_subquery(expr: &Expr) -> Result<bool> {
    Ok(matches!(expr, Expr::InSubquery(_)))
}

/// Rewrites a term of a filter, where unknown counts as false. `all` says whether the term must hold for each row.
fn term(expr: Expr, schema: &DFSchema, all: bool) -> Result<Expr> {
    match expr {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: op @ (Operator::And | Operator::Or),
            right,
        }) => {
            let all = all && op == Operator::And;
            Ok(binary_expr(term(*left, schema, all)?, op, term(*right, schema, all)?))
        }
        Expr::Not(inner) if matches!(*inner, Expr::InSubquery(_)) => match *inner {
            Expr::InSubquery(mut within) => {
                within.negated = !within.negated;
                term(Expr::InSubquery(within), schema, all)
            }
            other => Ok(!other),
        },
        Expr::InSubquery(within) if !within.negated || (all && is_planned_right(&within)) => {
            Ok(Expr::InSubquery(within))
        }
        other => other
            .transform_up(|expr| match expr {
                Expr::InSubquery(within) => Ok(Transformed::yes(three_valued(within, schema)?)),
                expr => Ok(Transformed::no(expr)),
            })
            .data(),
    }
}

/// Whether DataFusion plans it as a NULL-aware anti join, which takes a single pair of keys.
fn is_planned_right(within: &InSubquery) -> bool {
    !within.expr.column_refs().is_empty() && within.subquery.subquery.all_out_ref_exprs().is_empty()
}

/// True if the value is found; otherwise unknown if there is a NULL among the values or the value itself is NULL; else
/// false.
fn three_valued(within: InSubquery, schema: &DFSchema) -> Result<Expr> {
    let values = &within.subquery;
    let value_schema = values.subquery.schema();
    if !within.expr.nullable(schema)? && !value_schema.field(0).is_nullable() {
        return Ok(Expr::InSubquery(within));
    }
    let value = || Expr::Column(Column::from(value_schema.qualified_field(0)));
    let is_constant = within.expr.column_refs().is_empty() && !within.expr.contains_outer();
    let found = if is_constant && values.outer_ref_columns.is_empty() {
        has_rows(values, Some(value().eq((*within.expr).clone())))?
    } else {
        Expr::InSubquery(InSubquery::new(within.expr.clone(), values.clone(), false))
    };
    let of_null = (*within.expr).clone().is_null().and(has_rows(values, None)?);
    let unknown = of_null.or(has_rows(values, Some(value().is_null()))?);
    let cases = [(found, lit(true)), (unknown, lit(ScalarValue::Boolean(None)))];
    let cases = cases.map(|(when, then)| (Box::new(when), Box::new(then)));
    let is_in = Expr::Case(Case::new(None, cases.into(), Some(Box::new(lit(false)))));
    Ok(if within.negated { !is_in } else { is_in })
}

/// Whether the subquery has a row that satisfies the predicate. An uncorrelated subquery is counted once.
fn has_rows(values: &Subquery, predicate: Option<Expr>) -> Result<Expr> {
    let mut rows = LogicalPlanBuilder::from(values.subquery.as_ref().clone());
    if let Some(predicate) = predicate {
        rows = rows.filter(predicate)?;
    }
    if !values.outer_ref_columns.is_empty() {
        return Ok(exists(Arc::new(rows.build()?)));
    }
    let number = rows
        .limit(0, Some(1))?
        .aggregate(Vec::<Expr>::new(), vec![count(lit(1))])?;
    Ok(scalar_subquery(Arc::new(number.build()?)).gt(lit(0_i64)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods)]

    use crate::engine::test_session::session;
    use crate::engine::{Bindings, plan, query};

    const TABLES: &str = "with o as (select * from (values (1, 1), (2, 2), (null, 3)) as o (id, k)), \
                          i as (select * from (values (2, 1), (null, 2)) as i (id, k)), \
                          n as (select 2 as id) select count(*) as rows from o where ";

    /// The values contain a NULL, so none of these queries should return rows.
    const WRONG: &[&str] = &[
        "3 not in (select id from i)",
        "3 not in (select i.id from i where i.k = o.k) and k = 2",
        "(id not in (select id from i) or id = 7)",
        "not (id in (select id from i) and k > 0)",
    ];

    #[tokio::test]
    async fn a_null_among_the_values_leaves_no_rows() {
        let session = session(&Bindings::default()).await;
        for wrong in WRONG {
            let filtered = format!("{TABLES} {wrong}").replace("count(*) as rows", "*");
            let rows = query(&session, &filtered).await.unwrap().count().await.unwrap();
            assert_eq!(rows, 0, "{wrong}");
        }
    }

    /// If this fails, DataFusion has been fixed, and this rewrite can be removed.
    #[tokio::test]
    async fn the_engine_alone_is_still_wrong() {
        let session = session(&Bindings::default()).await;
        for wrong in WRONG {
            let filtered = format!("{TABLES} {wrong}").replace("count(*) as rows", "*");
            let rows = session.sql(&filtered).await.unwrap().count().await.unwrap();
            assert_ne!(rows, 0, "{wrong}");
        }
    }

    #[tokio::test]
    async fn what_the_engine_plans_right_stays_as_it_is() {
        let session = session(&Bindings::default()).await;
        for right in [
            "id not in (select id from i)",
            "k > 1 and id not in (select id from i where id is not null)",
            "id in (select id from i) or id = 2",
            "3 not in (select id from n)",
            "not exists (select 1 from i where i.id = o.id)",
            "id not in (1, 2)",
        ] {
            let sql = format!("{TABLES} {right}");
            let ours = plan(&session, &sql).await.unwrap();
            let theirs = session.state().create_logical_plan(&sql).await.unwrap();
            assert_eq!(
                ours.display_indent().to_string(),
                theirs.display_indent().to_string(),
                "{right}"
            );
        }
    }
}
