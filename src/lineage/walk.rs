//! Follows columns through a logical plan, from its tables upward: joins, unions, windows, recursive queries.

use std::collections::BTreeMap;

use datafusion::common::{DFSchema, JoinType};
use datafusion::datasource::source_as_provider;
use datafusion::error::Result;
use datafusion::logical_expr::{Distinct, Expr, Join, LogicalPlan, TableScan, Unnest};

use super::{NamedTable, Origin, Origins};

/// The columns that an expression can refer to, with their origins.
#[derive(Debug, Clone)]
pub(super) struct Scope<'a> {
    pub schema: &'a DFSchema,
    pub origins: Vec<Origins>,
}

/// Walks a plan from its tables upward.
#[derive(Debug, Default)]
pub(super) struct Walk<'a> {
    pub predicates: Origins,
    /// The columns of enclosing queries that a correlated subquery can refer to.
    pub outer: Vec<Scope<'a>>,
    /// Recursive queries being followed, by name.
    recursive: BTreeMap<String, Vec<Origins>>,
}

impl<'a> Walk<'a> {
    /// The origins of a plan's columns, in the order of its schema.
    pub fn plan(&mut self, plan: &'a LogicalPlan) -> Result<Vec<Origins>> {
        match plan {
            LogicalPlan::Projection(node) => {
                let scope = self.scope(&node.input)?;
                self.values(&node.expr, &scope)
            }
            LogicalPlan::Filter(node) => {
                let scope = self.scope(&node.input)?;
                self.decides(&node.predicate, &scope)?;
                Ok(scope.origins)
            }
            LogicalPlan::Sort(node) => {
                let scope = self.scope(&node.input)?;
                for order in &node.expr {
                    self.decides(&order.expr, &scope)?;
                }
                Ok(scope.origins)
            }
            LogicalPlan::Window(node) => {
                let scope = self.scope(&node.input)?;
                let computed = self.values(&node.window_expr, &scope)?;
                Ok([scope.origins, computed].concat())
            }
            LogicalPlan::Aggregate(node) => {
                let scope = self.scope(&node.input)?;
                for group in &node.group_expr {
                    self.decides(group, &scope)?;
                }
                // A grouping set is several expressions, and adds a column that distinguishes them.
                let groups = node.group_expr_len()?;
                let mut origins = match node.group_expr.as_slice() {
                    [Expr::GroupingSet(set)] => {
                        let mut origins = vec![];
                        for expression in set.distinct_expr() {
                            origins.push(self.value(expression, &scope)?);
                        }
                        origins
                    }
                    expressions => self.values(expressions, &scope)?,
                };
                origins.resize(groups, Origins::new());
                origins.extend(self.values(&node.aggr_expr, &scope)?);
                Ok(origins)
            }
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Union(union) => {
                let mut all: Vec<Origins> = vec![];
                for input in &union.inputs {
                    all = merged(all, self.plan(input)?);
                }
                Ok(all)
            }
            LogicalPlan::Distinct(Distinct::On(node)) => {
                let scope = self.scope(&node.input)?;
                let order = node.sort_expr.iter().flatten().map(|order| &order.expr);
                for expression in node.on_expr.iter().chain(order) {
                    self.decides(expression, &scope)?;
                }
                self.values(&node.select_expr, &scope)
            }
            LogicalPlan::Unnest(node) => self.unnest(node),
            LogicalPlan::RecursiveQuery(node) => {
                let first = self.plan(&node.static_term)?;
                self.recursive.insert(node.name.clone(), first.clone());
                let again = self.plan(&node.recursive_term)?;
                self.recursive.remove(&node.name);
                Ok(merged(first, again))
            }
            LogicalPlan::TableScan(scan) => self.table(scan),
            LogicalPlan::Values(_) | LogicalPlan::EmptyRelation(_) => {
                Ok(vec![Origins::new(); plan.schema().fields().len()])
            }
            other => self.other(other),
        }
    }

    /// The columns that expressions over a plan can refer to.
    fn scope(&mut self, input: &'a LogicalPlan) -> Result<Scope<'a>> {
        let origins = self.plan(input)?;
        let schema = input.schema();
        Ok(Scope { schema, origins })
    }

    fn join(&mut self, join: &'a Join) -> Result<Vec<Origins>> {
        let (left, right) = (self.scope(&join.left)?, self.scope(&join.right)?);
        for (of_left, of_right) in &join.on {
            self.decides(of_left, &left)?;
            self.decides(of_right, &right)?;
        }
        if let Some(filter) = &join.filter {
            // The filter may refer to columns of both sides, even if the result has those of only one.
            let columns = filter.column_refs();
            for side in [&left, &right] {
                let of_side = columns
                    .iter()
                    .filter_map(|column| side.schema.maybe_index_of_column(column));
                self.predicates
                    .extend(of_side.flat_map(|index| side.origins[index].iter().cloned()));
            }
            self.subqueries(filter)?;
        }
        let mark = || vec![Origins::new()];
        Ok(match join.join_type {
            JoinType::LeftSemi | JoinType::LeftAnti => left.origins,
            JoinType::RightSemi | JoinType::RightAnti => right.origins,
            JoinType::LeftMark => [left.origins, mark()].concat(),
            JoinType::RightMark => [right.origins, mark()].concat(),
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
                [left.origins, right.origins].concat()
            }
        })
    }

    fn unnest(&mut self, unnest: &'a Unnest) -> Result<Vec<Origins>> {
        let origins = self.plan(&unnest.input)?;
        let of = |index: &usize| origins.get(*index).cloned().unwrap_or_default();
        Ok(unnest.dependency_indices.iter().map(of).collect())
    }

    fn table(&mut self, scan: &'a TableScan) -> Result<Vec<Origins>> {
        let fields = scan.projected_schema.fields();
        if let Some(origins) = self.recursive.get(scan.table_name.table()) {
            return Ok(origins.clone());
        }
        let provider = source_as_provider(&scan.source).ok();
        let named = provider
            .as_ref()
            .and_then(|provider| provider.downcast_ref::<NamedTable>());
        let table = match named {
            Some(named) => named.name.clone(),
            None => scan.table_name.to_string(),
        };
        let origin = |column: &String| Origin {
            table: table.clone(),
            column: column.clone(),
        };
        Ok(fields
            .iter()
            .map(|field| Origins::from([origin(field.name())]))
            .collect())
    }

    /// A node that passes its input through, or an unknown one.
    fn other(&mut self, plan: &'a LogicalPlan) -> Result<Vec<Origins>> {
        let inputs = plan.inputs();
        let mut scopes = vec![];
        for input in &inputs {
            scopes.push(self.scope(input)?);
        }
        let fields = plan.schema().fields();
        if let (false, [only]) = (matches!(plan, LogicalPlan::Extension(_)), scopes.as_slice())
            && only.origins.len() == fields.len()
        {
            return Ok(only.origins.clone());
        }
        let everything: Origins = scopes
            .iter()
            .flat_map(|scope| &scope.origins)
            .flatten()
            .cloned()
            .collect();
        let passed = |name: &str| {
            let of_inputs = scopes.iter().map(|scope| {
                let index = scope.schema.index_of_column_by_name(None, name)?;
                scope.origins.get(index)
            });
            let of_inputs: Vec<&Origins> = of_inputs.collect::<Option<_>>()?;
            Some(of_inputs.into_iter().flatten().cloned().collect())
        };
        let origins = fields
            .iter()
            .map(|field| passed(field.name()).unwrap_or_else(|| everything.clone()));
        Ok(origins.collect())
    }
}

/// The union of the origins, column by column.
fn merged(mut all: Vec<Origins>, more: Vec<Origins>) -> Vec<Origins> {
    all.resize(all.len().max(more.len()), Origins::new());
    for (origins, more) in all.iter_mut().zip(more) {
        origins.extend(more);
    }
    all
}
