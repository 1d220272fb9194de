//! The origins of an expression's values: columns, windows, aggregates, subqueries.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::error::Result;
use datafusion::logical_expr::expr::Sort;
use datafusion::logical_expr::{Expr, LogicalPlan, Subquery};

use super::Origins;
use super::walk::{Scope, Walk};

impl<'a> Walk<'a> {
    /// The origins of the values of several expressions, one by one.
    pub(super) fn values(&mut self, expressions: &'a [Expr], scope: &Scope<'a>) -> Result<Vec<Origins>> {
        expressions
            .iter()
            .map(|expression| self.value(expression, scope))
            .collect()
    }

    /// The origins of an expression's values. Columns that only affect which rows count, in windows, filters of
    /// aggregates and subqueries, go to the predicates.
    pub(super) fn value(&mut self, expression: &'a Expr, scope: &Scope<'a>) -> Result<Origins> {
        let mut origins = Origins::new();
        expression.apply(|part| {
            match part {
                Expr::Column(column) => origins.extend(of_column(column, scope)),
                Expr::OuterReferenceColumn(_, column) => {
                    let outer = self.outer.iter().rev();
                    let found = outer.filter(|scope| index_of(column, scope.schema).is_some());
                    origins.extend(found.take(1).flat_map(|scope| of_column(column, scope)));
                }
                Expr::WindowFunction(function) => {
                    let params = &function.params;
                    origins.extend(self.all(&params.args, scope)?);
                    self.decide(&params.partition_by, &params.order_by, params.filter.as_deref(), scope)?;
                    return Ok(TreeNodeRecursion::Jump);
                }
                Expr::AggregateFunction(function) => {
                    let params = &function.params;
                    origins.extend(self.all(&params.args, scope)?);
                    self.decide(&[], &params.order_by, params.filter.as_deref(), scope)?;
                    return Ok(TreeNodeRecursion::Jump);
                }
                Expr::ScalarSubquery(subquery) => origins.extend(self.subquery(subquery, scope)?),
                Expr::Exists(exists) => {
                    let found = self.subquery(&exists.subquery, scope)?;
                    self.predicates.extend(found);
                }
                Expr::InSubquery(within) => {
                    let found = self.subquery(&within.subquery, scope)?;
                    self.predicates.extend(found);
                }
                Expr::SetComparison(comparison) => {
                    let found = self.subquery(&comparison.subquery, scope)?;
                    self.predicates.extend(found);
                }
                _ => {}
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(origins)
    }

    /// Marks an expression as determining the rows, or their groups or order.
    pub(super) fn decides(&mut self, expression: &'a Expr, scope: &Scope<'a>) -> Result<()> {
        let origins = self.value(expression, scope)?;
        self.predicates.extend(origins);
        Ok(())
    }

    /// Follows the subqueries of an expression whose columns are already known.
    pub(super) fn subqueries(&mut self, expression: &'a Expr) -> Result<()> {
        let nothing = Scope {
            schema: DFSchema::empty_ref(),
            origins: vec![],
        };
        self.decides(expression, &nothing)
    }

    fn all(&mut self, expressions: &'a [Expr], scope: &Scope<'a>) -> Result<Origins> {
        Ok(self.values(expressions, scope)?.into_iter().flatten().collect())
    }

    fn decide(
        &mut self,
        groups: &'a [Expr],
        order: &'a [Sort],
        filter: Option<&'a Expr>,
        scope: &Scope<'a>,
    ) -> Result<()> {
        let order = order.iter().map(|order| &order.expr);
        for expression in groups.iter().chain(order).chain(filter) {
            self.decides(expression, scope)?;
        }
        Ok(())
    }

    /// The origins of all columns of a subquery, which may refer to those of `scope`.
    fn subquery(&mut self, subquery: &'a Subquery, scope: &Scope<'a>) -> Result<Origins> {
        let plan: &'a LogicalPlan = &subquery.subquery;
        self.outer.push(scope.clone());
        let origins = self.plan(plan);
        self.outer.pop();
        Ok(origins?.into_iter().flatten().collect())
    }
}

fn of_column(column: &Column, scope: &Scope<'_>) -> Origins {
    let index = index_of(column, scope.schema);
    index
        .and_then(|index| scope.origins.get(index))
        .cloned()
        .unwrap_or_default()
}

fn index_of(column: &Column, schema: &DFSchema) -> Option<usize> {
    schema.maybe_index_of_column(column)
}
