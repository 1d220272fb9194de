//! What a statement reads, found in its syntax tree, so that YAML never has to repeat it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use clickrec_udfs::relation::Kind;
use clickrec_udfs::{Variables, substitute};
use datafusion::error::DataFusionError;
use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, Spanned,
    Statement as SqlStatement, TableFactor, Value, Visit, Visitor,
};
use datafusion::sql::sqlparser::tokenizer::Location;

use crate::config::TableName;

/// The inputs of a statement, each with the place where it is first named.
#[derive(Debug, Clone, Default)]
pub struct References {
    /// Tables of the lake, or views, named plainly.
    pub tables: BTreeMap<TableName, Location>,
    /// Arguments of `changes('…')`: sources and tables.
    pub changes: BTreeMap<String, Location>,
    /// Whether the step reads its own earlier rows.
    pub previous: Option<Location>,
    /// Tables that `warm_start => 'LAYER.TABLE'` names: the step reads them where they exist, its own among them.
    pub warm_starts: BTreeMap<TableName, Location>,
    /// Arguments of `latest('…')`: tables that are read as they are, and whose changes make nothing run.
    pub latest: BTreeMap<TableName, Location>,
    /// Tables whose `table_version('LAYER.TABLE')` is asked for.
    pub versions: BTreeMap<TableName, Location>,
    /// The names of `var('…', …)`.
    pub variables: BTreeSet<String>,
    /// The statement without comments and line breaks: what shows a change of the SQL.
    pub normalized: String,
}

/// Why a file does not hold a statement that a step may have.
#[derive(Debug)]
pub struct SyntaxError {
    /// From 1; 1 where the parser does not say.
    pub line: u64,
    /// From 1; 1 where the parser does not say.
    pub column: u64,
    /// The parser's words.
    pub message: String,
}

/// Reads the one query of a file, in which each `var('…', …)` has its value.
///
/// # Errors
/// When it does not parse, or is not exactly one `select` (or `with … select`).
pub fn references(sql: &str, variables: &Variables) -> Result<References, SyntaxError> {
    let mut statements = DFParser::parse_sql(sql).map_err(|error| located(&error.to_string()))?;
    let mut found = BTreeSet::new();
    for statement in &mut statements {
        found.extend(substitute(statement, variables).map_err(|error| at_its_place(&error))?);
    }
    let statement = match statements.iter().collect::<Vec<_>>()[..] {
        [Statement::Statement(statement)] if matches!(**statement, SqlStatement::Query(_)) => statement,
        _ => {
            let message = "the SQL must be one query: `select …` or `with … select …`".to_owned();
            return Err(SyntaxError {
                line: 1,
                column: 1,
                message,
            });
        }
    };
    let mut collector = Collector {
        found: References {
            variables: found,
            ..References::default()
        },
    };
    // Never breaks off: the collector has no break value.
    let _: ControlFlow<()> = statement.visit(&mut collector);
    collector.found.normalized = statement.to_string();
    Ok(collector.found)
}

fn at_its_place(error: &DataFusionError) -> SyntaxError {
    let place = error
        .diagnostic()
        .and_then(|diagnostic| diagnostic.span)
        .map(|span| span.start);
    let message = error.strip_backtrace();
    SyntaxError {
        line: place.map_or(1, |place| place.line),
        column: place.map_or(1, |place| place.column),
        message: message.trim_start_matches("Error during planning: ").to_owned(),
    }
}

/// `… at Line: 3, Column: 14` is all that the parser gives.
fn located(message: &str) -> SyntaxError {
    let number = |label: &str| {
        let rest = message.split(label).nth(1)?;
        rest.chars()
            .take_while(char::is_ascii_digit)
            .collect::<String>()
            .parse()
            .ok()
    };
    let text = message.split(" at Line: ").next().unwrap_or(message);
    let text = text
        .trim_start_matches("SQL error: ParserError(")
        .trim_matches(['"', ')']);
    SyntaxError {
        line: number("Line: ").unwrap_or(1),
        column: number("Column: ").unwrap_or(1),
        message: text.to_owned(),
    }
}

struct Collector {
    found: References,
}

impl Visitor for Collector {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, args, .. } = factor {
            match args {
                None => self.table(&parts(name), name.span().start),
                Some(args) => self.function(name, &args.args),
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expression {
            self.version(function);
        }
        ControlFlow::Continue(())
    }
}

impl Collector {
    /// `table_version('LAYER.TABLE')`
    fn version(&mut self, function: &Function) {
        if !function.name.to_string().eq_ignore_ascii_case("table_version") {
            return;
        }
        if let FunctionArguments::List(list) = &function.args
            && let Some(name) = list.args.first().and_then(string).and_then(|name| name.parse().ok())
        {
            self.found.versions.entry(name).or_insert(function.name.span().start);
        }
    }

    /// Only `layer.table` can be a table of the lake; one part alone is a CTE, or the planner's to refuse.
    fn table(&mut self, parts: &[&Ident], at: Location) {
        if let [layer, table] = parts {
            let name = TableName {
                layer: lower(layer),
                table: lower(table),
            };
            self.found.tables.entry(name).or_insert(at);
        }
    }

    fn function(&mut self, name: &ObjectName, args: &[FunctionArg]) {
        let at = name.span().start;
        match name.to_string().to_ascii_lowercase().as_str() {
            "changes" => {
                if let Some(input) = args.first().and_then(string) {
                    self.found.changes.entry(input.to_owned()).or_insert(at);
                }
            }
            "previous" => self.found.previous = Some(at),
            "latest" => {
                if let Some(input) = args.first().and_then(string).and_then(|input| input.parse().ok()) {
                    self.found.latest.entry(input).or_insert(at);
                }
            }
            function => self.relation_arguments(function, args, at),
        }
    }

    /// `als_train(gold.session_items, …)` or `als_train('gold.session_items', …)`: a table as an argument. A subquery
    /// is visited by itself.
    fn relation_arguments(&mut self, function: &str, args: &[FunctionArg], at: Location) {
        let functions = clickrec_udfs::relation_functions();
        let function = functions.iter().find(|known| known.name() == function);
        for (place, arg) in args.iter().enumerate() {
            let (name, value) = match arg {
                FunctionArg::Named { name, arg, .. } => (Some(name.value.as_str()), arg),
                FunctionArg::Unnamed(arg) | FunctionArg::ExprNamed { arg, .. } => (None, arg),
            };
            match value {
                FunctionArgExpr::Expr(Expr::CompoundIdentifier(parts)) => {
                    let at = parts.first().map_or_else(Location::empty, |part| part.span.start);
                    self.table(&parts.iter().collect::<Vec<_>>(), at);
                }
                FunctionArgExpr::Expr(Expr::Value(value)) => {
                    let parameter = function.and_then(|function| {
                        let parameters = function.parameters();
                        match name {
                            Some(name) => parameters.iter().find(|parameter| parameter.is_named(name)),
                            None => parameters.get(place),
                        }
                    });
                    let relation = parameter.filter(|parameter| parameter.kind == Kind::Relation);
                    if let (Some(relation), Value::SingleQuotedString(table)) = (relation, &value.value) {
                        self.quoted(relation.name, table, at);
                    }
                }
                _ => {}
            }
        }
    }

    /// A table in quotes: a step may start from its own table, and from one that does not exist yet.
    fn quoted(&mut self, parameter: &str, table: &str, at: Location) {
        let Ok(table) = table.parse::<TableName>() else { return };
        match parameter {
            "warm_start" => _ = self.found.warm_starts.entry(table).or_insert(at),
            _ => _ = self.found.tables.entry(table).or_insert(at),
        }
    }
}

fn parts(name: &ObjectName) -> Vec<&Ident> {
    name.0.iter().filter_map(|part| part.as_ident()).collect()
}

fn lower(ident: &Ident) -> String {
    if ident.quote_style.is_some() {
        ident.value.clone()
    } else {
        ident.value.to_ascii_lowercase()
    }
}

fn string(arg: &FunctionArg) -> Option<&str> {
    match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value))) => match &value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn of(sql: &str) -> Result<References, SyntaxError> {
        references(sql, &Variables::new())
    }

    fn tables(sql: &str) -> Vec<String> {
        of(sql).unwrap().tables.keys().map(ToString::to_string).collect()
    }

    #[test]
    fn finds_tables_in_every_clause_but_not_ctes() {
        let sql = "with a as (select * from silver.events) select * from a join gold.x using (id) \
                   where id in (select id from Gold.Y) and exists (select 1 from a)";
        assert_eq!(tables(sql), ["gold.x", "gold.y", "silver.events"]);
    }

    #[test]
    fn finds_relation_arguments() {
        assert_eq!(
            tables("select * from als_train(gold.session_items, user => s)"),
            ["gold.session_items"]
        );
        assert_eq!(
            tables("select * from recommend(interactions => (select * from gold.i), model => gold.f, k => 3)"),
            ["gold.f", "gold.i"]
        );
    }

    #[test]
    fn finds_changes_and_previous() {
        let found = of("select * from changes('bronze.clicks') c, previous('a string') p").unwrap();
        assert_eq!(found.changes.keys().collect::<Vec<_>>(), ["bronze.clicks"]);
        assert!(found.previous.is_some());
        assert!(found.tables.is_empty());
    }

    #[test]
    fn comments_do_not_change_the_normal_form() {
        let one = of("-- why\nselect a,\n  b from x.y -- here").unwrap();
        let two = of("select a, b from x.y").unwrap();
        assert_eq!(one.normalized, two.normalized);
    }

    #[test]
    fn errors_have_a_place() {
        let error = of("select a\nfrom x order x").unwrap_err();
        assert_eq!(error.line, 2, "{error:?}");
        assert!(of("delete from x.y").unwrap_err().message.contains("one query"));
        assert!(of("select 1; select 2").unwrap_err().message.contains("one query"));
    }
}
