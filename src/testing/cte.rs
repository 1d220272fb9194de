//! `cte: NAME`: extracts one relation from the statement's own WITH.

use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::sqlparser::ast::{Query, Statement as SqlStatement};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

/// The names of a statement's CTEs, in order.
pub(super) fn names(sql: &str) -> Vec<String> {
    let query = parse(sql);
    let with = query.and_then(|query| query.with);
    let ctes = with.into_iter().flat_map(|with| with.cte_tables);
    ctes.map(|cte| cte.alias.name.value).collect()
}

/// A statement that returns the rows of one CTE, and keeps all others because it may read them.
pub(super) fn statement(sql: &str, cte: &str) -> Option<String> {
    let with = parse(sql)?.with?;
    let found = with.cte_tables.iter().find(|known| known.alias.name.value == cte)?;
    let all = format!("select * from {}", found.alias.name);
    let mut query = Parser::new(&GenericDialect {})
        .try_with_sql(&all)
        .ok()?
        .parse_query()
        .ok()?;
    query.with = Some(with);
    Some(query.to_string())
}

fn parse(sql: &str) -> Option<Query> {
    match DFParser::parse_sql(sql).ok()?.pop_front()? {
        Statement::Statement(statement) => match *statement {
            SqlStatement::Query(query) => Some(*query),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const SQL: &str = "with a as (select 1 as x), b as (select x + 1 as x from a) select x from b order by x limit 3";

    #[test]
    fn a_cte_keeps_those_before_it_and_loses_the_rest() {
        let statement = statement(SQL, "b").unwrap();
        assert_eq!(
            statement,
            "WITH a AS (SELECT 1 AS x), b AS (SELECT x + 1 AS x FROM a) SELECT * FROM b"
        );
    }

    #[test]
    fn unknown_ctes_are_told() {
        assert_eq!(names(SQL), ["a", "b"]);
        assert_eq!(statement(SQL, "c"), None);
        assert_eq!(statement("select 1", "a"), None);
    }
}
