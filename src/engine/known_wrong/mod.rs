//! Rejects queries that DataFusion answers with wrong rows, and says how to rewrite them.
//!
//! An error is better than a wrong answer. Each check has a query in the tests that fails once DataFusion answers it
//! correctly; the check can then be removed.

use std::iter;
use std::ops::ControlFlow;

use datafusion::common::plan_datafusion_err;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::{Exists, GroupingSet, InSubquery, SetComparison};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan, Subquery};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    self, Ident, Join, JoinConstraint, JoinOperator, ObjectNamePart, Query, Select, SelectItem, SetExpr, SetOperator,
    SetQuantifier, TableFactor, TableWithJoins, Visit, Visitor,
};

/// Rejects what can be detected only in the text of a statement.
///
/// # Errors
/// When the statement uses a construct that the engine gets wrong.
pub(super) fn check_statement(statement: &Statement) -> Result<()> {
    let found = match statement {
        Statement::Statement(statement) => statement.visit(&mut Constructs),
        _ => ControlFlow::Continue(()),
    };
    match found {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

fn wrong(what: &str, help: &str) -> DataFusionError {
    plan_datafusion_err!("{what}: the engine would return wrong rows\n  help: {help}")
}

fn stop_at(error: Option<DataFusionError>) -> ControlFlow<DataFusionError> {
    match error {
        Some(error) => ControlFlow::Break(error),
        None => ControlFlow::Continue(()),
    }
}

struct Constructs;

impl Visitor for Constructs {
    type Break = DataFusionError;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<DataFusionError> {
        stop_at(multiset_operation(&query.body))
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<DataFusionError> {
        stop_at(merged_column(select))
    }

    fn pre_visit_expr(&mut self, expression: &ast::Expr) -> ControlFlow<DataFusionError> {
        let is_similar = matches!(expression, ast::Expr::SimilarTo { .. });
        stop_at(is_similar.then(|| {
            wrong(
                "`similar to` is not supported",
                "use `like`, or a regular expression that matches the whole text: x ~ '^(…)$'",
            )
        }))
    }
}

/// DataFusion plans `except all` and `intersect all` as anti and semi joins, which do not count duplicates.
fn multiset_operation(mut body: &SetExpr) -> Option<DataFusionError> {
    while let SetExpr::SetOperation {
        op,
        set_quantifier,
        left,
        right,
    } = body
    {
        let is_join = matches!(op, SetOperator::Except | SetOperator::Intersect);
        if is_join && *set_quantifier == SetQuantifier::All {
            let operation = op.to_string().to_lowercase();
            return Some(wrong(
                &format!("`{operation} all` is not supported"),
                &format!(
                    "use `{operation}`, which counts equal rows once; to count them all, add \
                     row_number() over (partition by …) to both sides, over all columns"
                ),
            ));
        }
        if let Some(error) = multiset_operation(right) {
            return Some(error);
        }
        body = left.as_ref();
    }
    None
}

/// The column merged by `using` comes from the left table alone: it is NULL for rows that only the right table has.
fn merged_column(select: &Select) -> Option<DataFusionError> {
    let mut joins = vec![];
    for table in &select.from {
        collect_joins(table, &mut joins);
    }
    for join in joins {
        let constraint = match &join.join_operator {
            JoinOperator::Right(constraint)
            | JoinOperator::RightOuter(constraint)
            | JoinOperator::FullOuter(constraint) => constraint,
            _ => continue,
        };
        let what = match constraint {
            JoinConstraint::Natural => Some("a natural right or full join is not supported".to_owned()),
            JoinConstraint::Using(names) => {
                let names = names.iter().filter_map(|name| name.0.last());
                let names: Vec<&Ident> = names.filter_map(ObjectNamePart::as_ident).collect();
                let used = unqualified_use(select, &names);
                used.map(|used| format!("`{used}` after a right or full join with `using` is not supported"))
            }
            _ => None,
        };
        if let Some(what) = what {
            return Some(wrong(&what, "join with `on`, and select coalesce(a.x, b.x) as x"));
        }
    }
    None
}

fn collect_joins<'a>(table: &'a TableWithJoins, joins: &mut Vec<&'a Join>) {
    let joined = table.joins.iter().map(|join| &join.relation);
    for relation in iter::once(&table.relation).chain(joined) {
        if let TableFactor::NestedJoin { table_with_joins, .. } = relation {
            collect_joins(table_with_joins, joins);
        }
    }
    joins.extend(&table.joins);
}

/// An unqualified use of one of the columns in the select itself, not in its subqueries.
fn unqualified_use(select: &Select, names: &[&Ident]) -> Option<String> {
    let is_wildcard = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_));
    if select.projection.iter().any(is_wildcard) {
        return Some("*".to_owned());
    }
    let mut visitor = Unqualified { names, queries: 0 };
    let clauses = [
        select.projection.visit(&mut visitor),
        select.selection.visit(&mut visitor),
        select.group_by.visit(&mut visitor),
        select.having.visit(&mut visitor),
        select.qualify.visit(&mut visitor),
    ];
    clauses.into_iter().find_map(|clause| match clause {
        ControlFlow::Break(used) => Some(used),
        ControlFlow::Continue(()) => None,
    })
}

struct Unqualified<'a> {
    names: &'a [&'a Ident],
    /// How many subqueries deep the visitor is. It only breaks at depth 0.
    queries: usize,
}

impl Visitor for Unqualified<'_> {
    type Break = String;

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<String> {
        self.queries += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<String> {
        self.queries -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &ast::Expr) -> ControlFlow<String> {
        let is_used = |used: &Ident| {
            self.names
                .iter()
                .any(|name| name.value.eq_ignore_ascii_case(&used.value))
        };
        match expression {
            ast::Expr::Identifier(used) if self.queries == 0 && is_used(used) => ControlFlow::Break(used.to_string()),
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Rejects correlated subqueries whose meaning is lost when they are planned as joins.
///
/// # Errors
/// When the unoptimized plan contains one.
pub(super) fn check_subqueries(plan: &LogicalPlan) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|expression| match wrong_subquery(expression) {
                Some(error) => Err(error),
                None => Ok(TreeNodeRecursion::Continue),
            })
        })
    })?;
    Ok(())
}

fn wrong_subquery(expression: &Expr) -> Option<DataFusionError> {
    let (subquery, is_scalar) = match expression {
        Expr::Exists(Exists { subquery, .. })
        | Expr::InSubquery(InSubquery { subquery, .. })
        | Expr::SetComparison(SetComparison { subquery, .. }) => (subquery, false),
        Expr::ScalarSubquery(subquery) => (subquery, true),
        _ => return None,
    };
    if !is_correlated(subquery) {
        return None;
    }
    let nodes: Vec<&LogicalPlan> = iter::successors(Some(subquery.subquery.as_ref()), |node| below(node)).collect();
    let is_aggregate = nodes.last().is_some_and(|node| always_has_a_row(node));
    let has_condition = nodes.iter().any(|node| matches!(node, LogicalPlan::Filter(_)));
    let has_offset = |node: &&LogicalPlan| matches!(node, LogicalPlan::Limit(limit) if limit.skip.is_some());
    if is_scalar {
        // The row comes from a left join, which drops `having`.
        return (is_aggregate && has_condition).then(|| {
            wrong(
                "`having` in a correlated subquery without `group by` is not supported",
                "use a case instead: (select case when CONDITION then VALUE end from …)",
            )
        });
    }
    if is_aggregate {
        // The semi join loses the row that an aggregate of no rows returns.
        return Some(wrong(
            "an aggregate without `group by` in a correlated `exists`, `in`, `any` or `all` is not supported",
            "compare with the subquery's value: x = (select count(*) from …); `exists` of an aggregate is always true",
        ));
    }
    nodes.iter().any(has_offset).then(|| {
        wrong(
            "`offset` in a correlated `exists` or `in` is not supported",
            "compare the number of rows: (select count(*) from …) > 1",
        )
    })
}

fn is_correlated(subquery: &Subquery) -> bool {
    !subquery.outer_ref_columns.is_empty()
}

/// The input of a node that only filters, sorts or renames.
fn below(node: &LogicalPlan) -> Option<&LogicalPlan> {
    match node {
        LogicalPlan::Projection(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Distinct(_) => node.inputs().first().copied(),
        _ => None,
    }
}

/// Whether the node aggregates all rows into one, and returns a row even for empty input.
fn always_has_a_row(node: &LogicalPlan) -> bool {
    let LogicalPlan::Aggregate(aggregate) = node else {
        return false;
    };
    let has_empty_set = |expression: &Expr| match expression {
        Expr::GroupingSet(GroupingSet::GroupingSets(sets)) => sets.iter().any(Vec::is_empty),
        Expr::GroupingSet(_) => true,
        _ => false,
    };
    aggregate.group_expr.is_empty() || aggregate.group_expr.iter().any(has_empty_set)
}

/// Rejects conditions that consist only of a subquery, above an aggregate of all rows: the engine moves them below it,
/// where the aggregate still returns its row.
///
/// # Errors
/// When the plan contains such a condition.
pub(super) fn check_filters(plan: &LogicalPlan) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        let LogicalPlan::Filter(filter) = node else {
            return Ok(TreeNodeRecursion::Continue);
        };
        let conditions = split_conjunction(&filter.predicate);
        if conditions.into_iter().any(is_subquery_alone) && moves_below_aggregate(&filter.input)? {
            return Err(wrong(
                "a condition on a subquery alone, above an aggregate without `group by`, is not supported",
                "limit the aggregate in a subquery: select … from (select count(*) as n from … limit 1) where …",
            ));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

fn is_subquery_alone(condition: &Expr) -> bool {
    let is_uncorrelated = |part: &Expr| Ok(matches!(part, Expr::ScalarSubquery(subquery) if !is_correlated(subquery)));
    condition.column_refs().is_empty() && condition.exists(is_uncorrelated).unwrap_or(false)
}

fn moves_below_aggregate(input: &LogicalPlan) -> Result<bool> {
    let stopped_at = input.apply(|node| {
        Ok(match node {
            LogicalPlan::Limit(_) => TreeNodeRecursion::Jump,
            node if always_has_a_row(node) => TreeNodeRecursion::Stop,
            _ => TreeNodeRecursion::Continue,
        })
    })?;
    Ok(stopped_at == TreeNodeRecursion::Stop)
}

#[cfg(test)]
mod tests;
