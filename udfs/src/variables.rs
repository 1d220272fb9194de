//! `var('NAME', DEFAULT)`: a value that can be overridden from outside, with a default in the SQL file.
//!
//! A call is replaced by a literal before the statement is planned, so it is allowed wherever a literal is, including
//! the arguments of a table function. A value from outside is converted to the default's type.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::LazyLock;

use datafusion::common::{DataFusionError, Diagnostic, Result, Span, plan_datafusion_err};
use datafusion::logical_expr::Documentation;
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_OTHER;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Spanned, UnaryOperator, Value, VisitMut,
    VisitorMut,
};

/// The function's name in SQL.
pub const NAME: &str = "var";

/// The function's documentation, which DataFusion does not hold because the function is not registered there.
pub fn documentation() -> &'static Documentation {
    static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
        Documentation::builder(
            DOC_SECTION_OTHER,
            "The default (a number, a string or a boolean), unless --var NAME=VALUE or the project's `vars` set \
             another value.",
            "var('NAME', DEFAULT)",
        )
        .with_sql_example("select * from gold.recommendations where rank <= var('k', 10);")
        .build()
    });
    &DOCUMENTATION
}

/// Values by their names in SQL.
pub type Variables = BTreeMap<String, String>;

/// Replaces every `var('NAME', DEFAULT)` in a statement, and returns the names.
///
/// # Errors
/// A plan error when a call does not have that form, or a value from outside does not have the default's type.
pub fn substitute(statement: &mut Statement, values: &Variables) -> Result<BTreeSet<String>> {
    let mut substitution = Substitution {
        values,
        names: BTreeSet::new(),
    };
    match statement {
        Statement::Statement(statement) => match statement.visit(&mut substitution) {
            ControlFlow::Break(error) => Err(error),
            ControlFlow::Continue(()) => Ok(substitution.names),
        },
        Statement::Explain(explain) => substitute(&mut explain.statement, values),
        _ => Ok(BTreeSet::new()),
    }
}

struct Substitution<'a> {
    values: &'a Variables,
    names: BTreeSet<String>,
}

impl VisitorMut for Substitution<'_> {
    type Break = DataFusionError;

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<DataFusionError> {
        if let Expr::Function(function) = expression
            && function.name.to_string().eq_ignore_ascii_case(NAME)
            && has_name(function)
        {
            match value(function, self.values) {
                Ok((name, value)) => {
                    self.names.insert(name);
                    *expression = value;
                }
                Err(error) => {
                    let span = Span::try_from_sqlparser_span(function.name.span());
                    let diagnostic = Diagnostic::new_error(error.strip_backtrace(), span);
                    return ControlFlow::Break(error.with_diagnostic(diagnostic));
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// Whether the first argument is a string: on a column, `var` is the variance.
fn has_name(function: &Function) -> bool {
    let FunctionArguments::List(list) = &function.args else {
        return false;
    };
    match list.args.first() {
        Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(name)))) => {
            matches!(name.value, Value::SingleQuotedString(_))
        }
        _ => false,
    }
}

fn value(function: &Function, values: &Variables) -> Result<(String, Expr)> {
    let (name, default) = arguments(function).ok_or_else(|| {
        plan_datafusion_err!("{function}: write var('NAME', DEFAULT); DEFAULT is a number, a string, true or false")
    })?;
    let Some(given) = values.get(name) else {
        return Ok((name.to_owned(), default.clone()));
    };
    // The value is not printed, because it may also be a secret for ${NAME}.
    let wrong = |kind| plan_datafusion_err!("var('{name}'): its value must be {kind}, like its default {default}");
    let literal_of = |text: &str| Expr::Value(Value::Number(text.to_owned(), false).into());
    let number = |text: &str| match text.strip_prefix('-') {
        Some(positive) => Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr: Box::new(literal_of(positive)),
        },
        None => literal_of(text.trim_start_matches('+')),
    };
    let value = match literal(default) {
        Some(Value::SingleQuotedString(_)) => Ok(Expr::Value(Value::SingleQuotedString(given.clone()).into())),
        Some(Value::Boolean(_)) => match given.parse() {
            Ok(flag) => Ok(Expr::Value(Value::Boolean(flag).into())),
            Err(_) => Err(wrong("true or false")),
        },
        Some(Value::Number(text, _)) if is_whole(text) => match given.parse::<i64>() {
            Ok(_) => Ok(number(given)),
            Err(_) => Err(wrong("a whole number")),
        },
        _ if given.parse::<f64>().is_ok_and(f64::is_finite) => Ok(match is_whole(given) {
            true => number(&format!("{given}.0")),
            false => number(given),
        }),
        _ => Err(wrong("a number")),
    };
    Ok((name.to_owned(), value?))
}

fn is_whole(number: &str) -> bool {
    !number.contains(['.', 'e', 'E'])
}

/// The name and the default, if a call has exactly these.
fn arguments(function: &Function) -> Option<(&str, &Expr)> {
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    match list.args.as_slice() {
        [
            FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(name))),
            FunctionArg::Unnamed(FunctionArgExpr::Expr(default)),
        ] => match &name.value {
            Value::SingleQuotedString(name) if literal(default).is_some() => Some((name, default)),
            _ => None,
        },
        _ => None,
    }
}

/// The value of a literal, without its sign.
fn literal(expression: &Expr) -> Option<&Value> {
    match expression {
        Expr::Value(value) => match &value.value {
            value @ (Value::Number(..) | Value::SingleQuotedString(_) | Value::Boolean(_)) => Some(value),
            _ => None,
        },
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => literal(expr).filter(|value| matches!(value, Value::Number(..))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use datafusion::sql::parser::DFParser;

    use super::*;

    fn substituted(sql: &str, values: &[(&str, &str)]) -> Result<String> {
        let mut statement = DFParser::parse_sql(sql).unwrap().pop_front().unwrap();
        let values = values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        substitute(&mut statement, &values.collect())?;
        Ok(statement.to_string())
    }

    #[test]
    fn defaults_and_values_become_literals_wherever_they_stand() {
        let sql = "SELECT var('a', 1.5) FROM f((SELECT 1), k => var('k', 10)) WHERE x = var('seen', 'hide')";
        assert_eq!(
            substituted(sql, &[]).unwrap(),
            "SELECT 1.5 FROM f((SELECT 1), k => 10) WHERE x = 'hide'"
        );
        assert_eq!(
            substituted(sql, &[("a", "-2"), ("k", "20"), ("seen", "it's")]).unwrap(),
            "SELECT -2.0 FROM f((SELECT 1), k => 20) WHERE x = 'it''s'"
        );
        assert_eq!(
            substituted("SELECT var('a', -1), var('b', false), var(x)", &[("b", "true")]).unwrap(),
            "SELECT -1, true, var(x)"
        );
    }

    #[test]
    fn what_is_no_literal_or_of_another_type_is_refused() {
        for (sql, expected) in [
            ("SELECT var('k')", "write var('NAME', DEFAULT)"),
            ("SELECT var('k', x)", "write var('NAME', DEFAULT)"),
            (
                "SELECT var('k', 10)",
                "its value must be a whole number, like its default 10",
            ),
            (
                "SELECT var('k', 1.5)",
                "its value must be a number, like its default 1.5",
            ),
            ("SELECT var('k', false)", "its value must be true or false"),
        ] {
            let error = substituted(sql, &[("k", "2x")]).unwrap_err().to_string();
            assert!(error.contains(expected), "{sql}: {error}");
        }
    }
}
