//! From a call as written to its node in the logical plan: assigns arguments to parameters, by name or by position,
//! plans the relations among them, and adds the place in the SQL to errors.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::{DFSchema, DataFusionError, Diagnostic, Result, ScalarValue, Span, plan_err};
use datafusion::logical_expr::Expr as LogicalExpr;
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Extension, LogicalPlan};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::sql::sqlparser::ast::{Expr, FunctionArg, FunctionArgExpr, ObjectName, Spanned, TableFactor};
use datafusion::sql::sqlparser::tokenizer::Span as SqlSpan;

use super::arguments::Value;
use super::node::FunctionNode;
use super::{Arguments, Kind, Parameter, RelationFunction};

/// Plans calls of these functions.
pub fn relation_planner(functions: Vec<Arc<dyn RelationFunction>>) -> Arc<dyn RelationPlanner> {
    Arc::new(FunctionPlanner { functions })
}

#[derive(Debug)]
struct FunctionPlanner {
    functions: Vec<Arc<dyn RelationFunction>>,
}

impl RelationPlanner for FunctionPlanner {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let function = match &relation {
            TableFactor::Table {
                name, args: Some(_), ..
            } => self.find(name),
            _ => None,
        };
        match (function, relation) {
            (
                Some(function),
                TableFactor::Table {
                    name,
                    args: Some(args),
                    alias,
                    ..
                },
            ) => {
                let written = args.args.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                let bound = read(function.as_ref(), args.args, context)
                    .and_then(|arguments| function.bind(&arguments))
                    .map_err(|error| at(error, name.span()))?;
                let schema = DFSchema::try_from_qualified_schema(function.name(), &bound.schema)?;
                let node = FunctionNode::new(function.name(), written, bound, Arc::new(schema));
                let plan = LogicalPlan::Extension(Extension { node: Arc::new(node) });
                Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
            }
            (_, relation) => Ok(RelationPlanning::Original(Box::new(relation))),
        }
    }
}

/// Adds the location in the SQL to an error, unless it has a better one.
fn at(error: DataFusionError, span: SqlSpan) -> DataFusionError {
    if error.diagnostic().is_some() {
        return error;
    }
    let message = error.strip_backtrace();
    error.with_diagnostic(Diagnostic::new_error(message, Span::try_from_sqlparser_span(span)))
}

impl FunctionPlanner {
    fn find(&self, name: &ObjectName) -> Option<Arc<dyn RelationFunction>> {
        let name = name.to_string();
        self.functions
            .iter()
            .find(|function| name.eq_ignore_ascii_case(function.name()))
            .cloned()
    }
}

/// Assigns every argument to its parameter.
fn read(
    function: &dyn RelationFunction,
    args: Vec<FunctionArg>,
    context: &mut dyn RelationPlannerContext,
) -> Result<Arguments> {
    let name = function.name();
    let mut values = BTreeMap::new();
    for arg in args {
        let (parameter, arg) = match arg {
            FunctionArg::Named { name: given, arg, .. } => (named(function, &given.value)?, arg),
            FunctionArg::ExprNamed { name: given, arg, .. } => (named(function, &given.to_string())?, arg),
            FunctionArg::Unnamed(arg) => (next(function, &values)?, arg),
        };
        let FunctionArgExpr::Expr(expression) = arg else {
            return plan_err!(
                "{name}: {} must be {}, not {arg}",
                parameter.name,
                parameter.kind.describe()
            );
        };
        let value = value(name, parameter, expression, context)?;
        if values.insert(parameter.name, value).is_some() {
            return plan_err!("{name}: {} is given twice", parameter.name);
        }
    }
    if let Some(missing) = function
        .parameters()
        .iter()
        .find(|p| p.default.is_none() && !values.contains_key(p.name))
    {
        return plan_err!(
            "{name}: `{}` is missing; it must be {}",
            missing.name,
            missing.kind.describe()
        );
    }
    Ok(Arguments { function: name, values })
}

fn named(function: &dyn RelationFunction, given: &str) -> Result<&'static Parameter> {
    let parameters = function.parameters();
    if let Some(found) = parameters.iter().find(|parameter| parameter.is_named(given)) {
        return Ok(found);
    }
    let closeness = |parameter: &&Parameter| (strsim::jaro_winkler(parameter.name, given) * 1_000.0) as u32;
    let near = parameters
        .iter()
        .max_by_key(closeness)
        .filter(|parameter| closeness(parameter) > 750);
    let help = match near {
        Some(near) => format!("did you mean `{}`?", near.name),
        None => format!(
            "the arguments are {}",
            parameters.iter().map(|p| p.name).collect::<Vec<_>>().join(", ")
        ),
    };
    plan_err!("{}: there is no argument `{given}`; {help}", function.name())
}

fn next(function: &dyn RelationFunction, given: &BTreeMap<&'static str, Value>) -> Result<&'static Parameter> {
    match function
        .parameters()
        .iter()
        .find(|parameter| !given.contains_key(parameter.name))
    {
        Some(parameter) => Ok(parameter),
        None => plan_err!(
            "{} takes at most {} arguments",
            function.name(),
            function.parameters().len()
        ),
    }
}

fn value(
    function: &str,
    parameter: &Parameter,
    expression: Expr,
    context: &mut dyn RelationPlannerContext,
) -> Result<Value> {
    let text = expression.to_string();
    let value = match (parameter.kind, expression) {
        (Kind::Relation, expression) => relation(expression, context)?.map(|plan| Value::Relation(Box::new(plan))),
        (Kind::Column, Expr::Identifier(name)) => Some(Value::Column(context.normalize_ident(name))),
        (kind, expression) => constant(kind, expression, context),
    };
    match value {
        Some(value) => Ok(value),
        None => plan_err!(
            "{function}: {} must be {}, found {text}",
            parameter.name,
            parameter.kind.describe()
        ),
    }
}

fn relation(expression: Expr, context: &mut dyn RelationPlannerContext) -> Result<Option<LogicalPlan>> {
    // Tables and CTEs have been turned into subqueries: see `rewrite`.
    let Expr::Subquery(subquery) = expression else {
        return Ok(None);
    };
    let factor = TableFactor::Derived {
        lateral: false,
        subquery,
        alias: None,
        sample: None,
    };
    context.plan(factor).map(Some)
}

/// The value of a constant expression: `10`, `3 * 10`, `'a' = 'a'`.
fn constant(kind: Kind, expression: Expr, context: &mut dyn RelationPlannerContext) -> Option<Value> {
    let expression = context.sql_to_expr(expression, &DFSchema::empty()).ok()?;
    let simplifier = ExprSimplifier::new(SimplifyContext::default());
    let expression = simplifier.coerce(expression, &DFSchema::empty()).ok()?;
    let LogicalExpr::Literal(value, _) = simplifier.simplify(expression).ok()? else {
        return None;
    };
    match (kind, value) {
        (Kind::Text, ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text))) => Some(Value::Text(text)),
        (Kind::Flag, ScalarValue::Boolean(Some(flag))) => Some(Value::Flag(flag)),
        (Kind::Integer | Kind::Number, ScalarValue::Int64(Some(number))) => Some(Value::Integer(number)),
        (Kind::Number, ScalarValue::Float64(Some(number))) => Some(Value::Number(number)),
        _ => None,
    }
}
