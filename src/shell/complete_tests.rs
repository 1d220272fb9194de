#![allow(clippy::unwrap_used)]

use super::*;
use crate::engine::ParameterHelp;
use crate::shell::known_names::Relation;

fn known_names() -> KnownNames {
    let relation = |name: &str, columns: &[&str]| Relation {
        name: name.to_owned(),
        columns: columns
            .iter()
            .map(|column| ((*column).to_owned(), "Utf8".to_owned()))
            .collect(),
    };
    let function = |name: &str, kind: FunctionKind, parameters: &[&str]| FunctionHelp {
        name: name.to_owned(),
        kind,
        syntax: vec![],
        summary: "What it does. More.".to_owned(),
        parameters: parameters
            .iter()
            .map(|name| ParameterHelp {
                name: (*name).to_owned(),
                doc: "doc".to_owned(),
            })
            .collect(),
        named: !parameters.is_empty(),
        example: None,
    };
    KnownNames {
        relations: vec![
            relation("bronze.clicks", &["topic", "offset", "value"]),
            relation("gold.sessions", &["session_id", "events", "started_at"]),
            relation("silver.events", &["event_id", "session_id", "item_id", "Odd Name"]),
        ],
        functions: vec![
            function("count", FunctionKind::Aggregate, &[]),
            function(
                "session_knn",
                FunctionKind::Table,
                &["history", "sessions", "session", "item", "k"],
            ),
            function("changes", FunctionKind::Table, &[]),
            function("coalesce", FunctionKind::Scalar, &[]),
        ],
        sources: vec!["clicks".to_owned()],
        steps: vec!["silver.events".to_owned()],
        files: true,
    }
}

/// The candidates where `|` stands, and the text that they replace.
fn at(text: &str) -> (String, Vec<String>) {
    let cursor = text.find('|').unwrap();
    let text = text.replace('|', "");
    let found = complete(&text, cursor, &known_names());
    let candidates = found.candidates.into_iter().map(|candidate| candidate.text);
    (text[found.range].to_owned(), candidates.collect())
}

fn offers(text: &str) -> Vec<String> {
    at(text).1
}

#[test]
fn tables_where_tables_are_named() {
    let (word, tables) = at("select * from |");
    assert_eq!(word, "");
    assert_eq!(
        tables,
        [
            "bronze.clicks",
            "gold.sessions",
            "silver.events",
            "session_knn(",
            "changes("
        ]
    );
    assert_eq!(
        at("select * from silv|"),
        ("silv".to_owned(), vec!["silver.events".to_owned()])
    );
    assert_eq!(at("select * from silver.e|").0, "silver.e");
    assert_eq!(offers("select * from silver.e|"), ["silver.events"]);
    assert_eq!(
        offers("select * from events|"),
        ["silver.events"],
        "a part of the name will do"
    );
    assert_eq!(offers("select * from a, gold.|"), ["gold.sessions"]);
    assert_eq!(offers("select * from gold.sessions join sil|"), ["silver.events"]);
    assert_eq!(offers("with recent as (select 1) select * from rec|"), ["recent"]);
}

#[test]
fn columns_of_the_tables_in_the_statement_before_and_after_the_cursor() {
    assert_eq!(offers("select ite| from silver.events"), ["item_id"]);
    assert_eq!(
        offers("select | from silver.events;"),
        ["event_id", "session_id", "item_id", "\"Odd Name\""]
    );
    assert_eq!(offers("select 1 from silver.events where ses|"), ["session_id"]);
    assert_eq!(offers("select off| from bronze.clicks"), ["\"offset\"", "offset"]);
    assert!(offers("select ite| from gold.sessions").is_empty());
    assert!(
        offers("select 1 from silver.events; select ite|").is_empty(),
        "another statement"
    );
}

#[test]
fn columns_by_alias() {
    let sql = "select e.|, s.started_at from silver.events e join gold.sessions as s using (session_id)";
    assert_eq!(
        offers(sql),
        ["e.event_id", "e.session_id", "e.item_id", "e.\"Odd Name\""]
    );
    assert_eq!(offers("select 1 from gold.sessions as s where s.st|"), ["s.started_at"]);
    assert_eq!(offers("select events.ite| from silver.events"), ["events.item_id"]);
    assert_eq!(
        offers("select 1 from silver.events where silver.events.it|"),
        ["silver.events.item_id"]
    );
}

#[test]
fn functions_and_keywords_in_expressions() {
    assert_eq!(offers("select co|"), ["count(", "coalesce(", "copy"]);
    assert_eq!(offers("sel|"), ["select"]);
    assert_eq!(offers("SEL|"), ["SELECT"]);
    assert_eq!(offers("select 1 from silver.events wh|"), ["when", "where"]);
}

#[test]
fn named_arguments_of_table_functions() {
    let (word, arguments) = at("select * from session_knn(silver.events, silver.events, item => item_id, se|");
    assert_eq!(word, "se");
    assert_eq!(arguments[..2], ["sessions => ", "session => "], "{arguments:?}");
    assert!(!offers("select * from session_knn(silver.events, k => 3, |").contains(&"k => ".to_owned()));
    assert!(offers("select * from session_knn(sil|").contains(&"silver.events".to_owned()));
    let columns = offers("select * from session_knn(silver.events, silver.events, item => ite|");
    assert!(columns.contains(&"item_id".to_owned()), "{columns:?}");
}

#[test]
fn names_in_quotes_where_a_function_takes_a_name() {
    assert_eq!(
        at("select * from changes('cl|"),
        ("cl".to_owned(), vec!["clicks".to_owned()])
    );
    assert_eq!(
        at("select * from changes('bronze.cl|')"),
        ("bronze.cl".to_owned(), vec!["bronze.clicks".to_owned()])
    );
    assert!(offers("select 'sil|").is_empty());
    assert!(offers("select 1 -- sil|").is_empty());
}

#[test]
fn files_in_quotes_where_a_file_may_stand() {
    // Unit tests run in the folder of the package.
    assert_eq!(
        at("select * from 'Cargo.t|"),
        ("Cargo.t".to_owned(), vec!["Cargo.toml".to_owned()])
    );
    assert_eq!(offers("copy (select 1) to 'src/sh|"), ["src/shell/"]);
    assert_eq!(offers("select * from read_csv('Cargo.t|')"), ["Cargo.toml"]);
    assert_eq!(offers("select 1 from a join 'Cargo.t|'"), ["Cargo.toml"]);
    assert!(offers("select 'Cargo.t|").is_empty());
    assert!(offers("select 1 from -- Cargo.t|").is_empty());
    let refused = KnownNames {
        files: false,
        ..known_names()
    };
    let text = "select * from 'Cargo.t";
    assert!(complete(text, text.len(), &refused).candidates.is_empty());
}

#[test]
fn commands_and_their_arguments() {
    assert_eq!(at("\\hi|"), ("\\hi".to_owned(), vec!["\\history".to_owned()]));
    assert_eq!(offers("\\d silv|"), ["silver.events"]);
    assert_eq!(offers("\\df cou|"), ["count"]);
    assert_eq!(offers("\\run |"), ["silver.events"]);
    assert_eq!(offers("\\format js|"), ["json"]);
    assert_eq!(at("\\explain select ite| from x"), ("ite".to_owned(), vec![]));
    assert_eq!(offers("\\explain select * from gold.|"), ["gold.sessions"]);
}

#[test]
fn nothing_breaks_on_any_place_of_any_text() {
    let text = "select 'é', \"ß\", e.x from silver.events e -- ü\nwhere f(a => 'b'";
    for (at, _) in text.char_indices() {
        complete(text, at, &known_names());
    }
    complete(text, text.len(), &known_names());
    complete(text, 10_000, &known_names());
}
