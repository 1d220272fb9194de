//! Rewrites statements before they are planned: `… at time zone …` becomes a call, and casts of one column to several
//! types get names.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use datafusion::common::plan_datafusion_err;
use datafusion::error::DataFusionError;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, ObjectName, Select,
    SelectItem, VisitMut, VisitorMut,
};

/// Names columns that differ only in type, and turns `… at time zone …` into calls.
pub(super) fn prepare(statement: &mut Statement) {
    if let Statement::Statement(statement) = statement {
        // The visitor never breaks: its break type has no values.
        let _: ControlFlow<()> = statement.visit(&mut Preparation);
    }
}

struct Preparation;

impl VisitorMut for Preparation {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        name_casts(select);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        if let Expr::AtTimeZone { timestamp, time_zone } = expression {
            *expression = call("at_time_zone", [(**timestamp).clone(), (**time_zone).clone()]);
        }
        ControlFlow::Continue(())
    }
}

/// DataFusion names both `x::date` and `x::bigint` `x`, and rejects a select with both. Casts without an alias are
/// therefore named as they are written.
fn name_casts(select: &mut Select) {
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for item in &select.projection {
        if let SelectItem::UnnamedExpr(expression) = item {
            *uses.entry(inside_casts(expression).to_string()).or_default() += 1;
        }
    }
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expression) = item
            && matches!(expression, Expr::Cast { .. })
            && uses.get(&inside_casts(expression).to_string()) > Some(&1)
        {
            let alias = Ident::with_quote('"', expression.to_string());
            *item = SelectItem::ExprWithAlias {
                expr: expression.clone(),
                alias,
            };
        }
    }
}

fn inside_casts(expression: &Expr) -> &Expr {
    match expression {
        Expr::Cast { expr, .. } | Expr::Nested(expr) => inside_casts(expr),
        other => other,
    }
}

fn call<const N: usize>(name: &str, arguments: [Expr; N]) -> Expr {
    let unnamed = |argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: arguments.map(unnamed).into(),
            clauses: vec![],
        }),
        null_treatment: None,
        filter: None,
        over: None,
        within_group: vec![],
    })
}

/// Adds help to an error about two columns with one name; returns any other error unchanged.
pub(super) fn with_help(error: DataFusionError) -> DataFusionError {
    let message = error.strip_backtrace();
    let twice = ["require unique expression names", "duplicate unqualified field name"];
    if !twice.iter().any(|twice| message.contains(twice)) {
        return error;
    }
    let message = message
        .trim_start_matches("Error during planning: ")
        .trim_start_matches("Schema error: ");
    plan_datafusion_err!("{message}\n  help: give one of them an alias: … as name")
}
