//! Turns tables in arguments into subqueries before a statement is planned: DataFusion looks up only the tables it
//! finds in a FROM clause.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, ObjectName, Query, SetExpr, TableFactor, TableWithJoins, Value, VisitMut,
    VisitorMut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::{Kind, RelationFunction};

/// `als_train(gold.session_items, …)` becomes `als_train((select * from gold.session_items), …)`, for these functions;
/// everything else is left unchanged.
pub fn relations_as_subqueries(statement: &mut Statement, functions: &[Arc<dyn RelationFunction>]) {
    match statement {
        Statement::Statement(statement) => {
            // The rewriter never breaks: its break type has no values.
            let _: ControlFlow<()> = statement.visit(&mut Rewriter { functions });
        }
        Statement::Explain(explain) => relations_as_subqueries(&mut explain.statement, functions),
        _ => {}
    }
}

struct Rewriter<'a> {
    functions: &'a [Arc<dyn RelationFunction>],
}

impl VisitorMut for Rewriter<'_> {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table {
            name, args: Some(args), ..
        } = factor
        {
            let name = name.to_string();
            let function = self.functions.iter().find(|f| name.eq_ignore_ascii_case(f.name()));
            if let Some(function) = function {
                let mut given = vec![];
                for arg in &mut args.args {
                    rewrite(function.as_ref(), arg, &mut given);
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// Turns an argument into a subquery if its parameter takes a relation. Other errors in it are left to the planner.
fn rewrite(function: &dyn RelationFunction, arg: &mut FunctionArg, given: &mut Vec<&'static str>) {
    let parameters = function.parameters();
    let (parameter, arg) = match arg {
        FunctionArg::Named { name, arg, .. } => (parameters.iter().find(|p| p.is_named(&name.value)), arg),
        FunctionArg::ExprNamed { name, arg, .. } => (parameters.iter().find(|p| p.is_named(&name.to_string())), arg),
        FunctionArg::Unnamed(arg) => (parameters.iter().find(|p| !given.contains(&p.name)), arg),
    };
    let Some(parameter) = parameter else { return };
    given.push(parameter.name);
    let FunctionArgExpr::Expr(expression) = arg else { return };
    if parameter.kind == Kind::Relation {
        let table = match expression {
            Expr::Identifier(name) => Some(ObjectName::from(vec![name.clone()])),
            Expr::CompoundIdentifier(parts) => Some(ObjectName::from(parts.clone())),
            Expr::Value(value) => match &value.value {
                Value::SingleQuotedString(name) => quoted(name),
                _ => None,
            },
            _ => None,
        };
        if let Some(query) = table.and_then(all_of) {
            *expression = Expr::Subquery(query);
        }
    }
}

/// Parses the name of a table, as in SQL.
fn quoted(text: &str) -> Option<ObjectName> {
    let mut parser = Parser::new(&GenericDialect {}).try_with_sql(text).ok()?;
    let name = parser.parse_object_name(false).ok()?;
    (parser.peek_token().token == Token::EOF).then_some(name)
}

/// `select * from TABLE`. The name keeps its location in the statement, for errors.
fn all_of(table: ObjectName) -> Option<Box<Query>> {
    let mut query = Parser::new(&GenericDialect {})
        .try_with_sql("select * from it")
        .and_then(|mut parser| parser.parse_query())
        .ok()?;
    if let SetExpr::Select(select) = query.body.as_mut()
        && let Some(TableWithJoins {
            relation: TableFactor::Table { name, .. },
            ..
        }) = select.from.first_mut()
    {
        *name = table;
    }
    Some(query)
}
