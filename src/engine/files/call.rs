//! What the name of a table says, where it stands for files: a path, or a call such as `read_csv('…', OPTION =>
//! VALUE)`, which becomes a name before its statement is planned.

use std::ops::ControlFlow;

use datafusion::common::plan_datafusion_err;
use datafusion::error::Result;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, TableFactor, Value, VisitMut,
    VisitorMut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::format::{self, Format, Options};

/// Replaces each `read_csv('…', …)` by a table whose name is the call: DataFusion looks tables up asynchronously, but
/// calls table functions synchronously, so these could not read a file for its columns.
pub fn calls_as_names(statement: &mut Statement) {
    if let Statement::Statement(statement) = statement {
        // The visitor never breaks: its break type has no values.
        let _: ControlFlow<()> = statement.visit(&mut Calls);
    }
}

struct Calls;

impl VisitorMut for Calls {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, args, .. } = factor
            && let Some(given) = args
            && let Some(function) = function(&name.to_string())
        {
            let given: Vec<String> = given.args.iter().map(ToString::to_string).collect();
            // No space after a comma: error messages of DataFusion separate names with both.
            let call = format!("{}({})", function.function(), given.join(","));
            *name = ObjectName::from(vec![Ident::with_quote('"', call)]);
            *args = None;
        }
        ControlFlow::Continue(())
    }
}

fn function(name: &str) -> Option<Format> {
    Format::ALL
        .into_iter()
        .find(|format| name.eq_ignore_ascii_case(format.function()))
}

/// Whether a name without a layer stands for files. Any other is a mistyped table's, or a table function's.
pub fn is_files(name: &str) -> bool {
    name.contains(['.', '/', '('])
}

/// Files, and how to read them.
#[derive(Debug, PartialEq, Eq)]
pub struct Call {
    /// As written: a path, a pattern, or a URL.
    pub path: String,
    pub format: Format,
    pub options: Options,
}

impl Call {
    /// Reads a name.
    ///
    /// # Errors
    /// When a path does not reveal the format, or a call has other arguments.
    pub fn of_name(name: &str) -> Result<Self> {
        if let Some(format) = name.split_once('(').and_then(|(name, _)| function(name)) {
            let wrong = || plan_datafusion_err!("{name}: write {}('PATH', OPTION => VALUE, …)", format.function());
            return Self::of_call(name, format).ok_or_else(wrong);
        }
        match Format::of_path(name) {
            Some((format, options)) => Ok(Self {
                path: name.to_owned(),
                format,
                options,
            }),
            None => {
                let help =
                    format!("name the format: read_csv('{name}'), read_json('{name}') or read_parquet('{name}')");
                Err(format::unknown(name, &help))
            }
        }
    }

    fn of_call(text: &str, format: Format) -> Option<Self> {
        let mut parser = Parser::new(&GenericDialect {}).try_with_sql(text).ok()?;
        let Ok(Expr::Function(Function {
            args: FunctionArguments::List(list),
            ..
        })) = parser.parse_expr()
        else {
            return None;
        };
        let (mut path, mut given) = (None, Options::new());
        for arg in &list.args {
            match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) if path.is_none() => path = Some(literal(value)?),
                FunctionArg::Named {
                    name,
                    arg: FunctionArgExpr::Expr(value),
                    ..
                } => _ = given.insert(name.value.to_lowercase(), literal(value)?),
                _ => return None,
            }
        }
        let path = path?;
        // What the name says, unless the options say otherwise.
        let of_path = Format::of_path(&path).filter(|(named, _)| *named == format);
        let mut options = of_path.map(|(_, options)| options).unwrap_or_default();
        options.append(&mut given);
        Some(Self { path, format, options })
    }
}

/// The text of a literal.
fn literal(value: &Expr) -> Option<String> {
    let Expr::Value(value) = value else { return None };
    match &value.value {
        Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => Some(text.clone()),
        Value::Number(number, _) => Some(number.clone()),
        Value::Boolean(flag) => Some(flag.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use datafusion::sql::parser::DFParser;

    use super::*;

    fn rewritten(sql: &str) -> String {
        let mut statement = DFParser::parse_sql(sql).unwrap().pop_front().unwrap();
        calls_as_names(&mut statement);
        statement.to_string()
    }

    #[test]
    fn calls_become_names_wherever_tables_stand() {
        assert_eq!(
            rewritten("select * from Read_CSV('a.csv', delimiter => ';') as a join changes('x') on true"),
            "SELECT * FROM \"read_csv('a.csv',delimiter => ';')\" AS a JOIN changes('x') ON true"
        );
        assert_eq!(
            rewritten("select 1 where 1 in (select x from read_parquet('it''s.parquet'))"),
            "SELECT 1 WHERE 1 IN (SELECT x FROM \"read_parquet('it''s.parquet')\")"
        );
    }

    #[test]
    fn names_say_what_to_read_and_how() {
        let call = Call::of_name("read_csv('it''s; here.txt',delimiter => ';',HAS_HEADER => false)").unwrap();
        assert_eq!((call.path.as_str(), call.format), ("it's; here.txt", Format::Csv));
        let options = |call: &Call| format!("{:?}", call.options);
        assert_eq!(options(&call), "{\"delimiter\": \";\", \"has_header\": \"false\"}");
        let call = Call::of_name("read_csv('a.tsv.gz',delimiter => '|')").unwrap();
        assert_eq!(options(&call), "{\"compression\": \"gz\", \"delimiter\": \"|\"}");
        let call = Call::of_name("read_json('a.tsv')").unwrap();
        assert_eq!((call.format, options(&call).as_str()), (Format::Json, "{}"));
        for wrong in [
            "read_csv()",
            "read_csv(a)",
            "read_csv('a', 'b')",
            "read_csv('a', header = true)",
            "read_csv('a', x => y)",
        ] {
            let error = Call::of_name(wrong).unwrap_err().to_string();
            assert!(error.contains("write read_csv('PATH', OPTION => VALUE, …)"), "{error}");
        }
        let error = Call::of_name("notes.txt").unwrap_err().to_string();
        assert!(error.contains("`notes.txt` does not end in one of .arrow"), "{error}");
    }
}
