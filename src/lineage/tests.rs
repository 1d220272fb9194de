#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};

use super::{Lineage, NamedTable, Origins, lineage};
use crate::config::TableName;
use crate::engine::{Bindings, Engine, EngineOptions, plan};

/// The lineage of a statement over `a.t (id, x, y, tags)` and `a.u (id, z)`; `changes('a.t')` is the same table.
async fn of(sql: &str) -> Lineage {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let number = |name: &str| Field::new(name, DataType::Int64, true);
    let tags = Field::new("tags", DataType::List(Arc::new(text("element"))), true);
    let mut bindings = Bindings::default();
    for (name, fields) in [
        ("a.t", vec![number("id"), number("x"), number("y"), tags]),
        ("a.u", vec![number("id"), number("z")]),
    ] {
        let table = Arc::new(NamedTable {
            name: name.to_owned(),
            columns: Arc::new(Schema::new(fields)),
        });
        bindings.changes.insert(name.to_owned(), table.clone());
        bindings.tables.insert(name.parse::<TableName>().unwrap(), table);
    }
    let options = EngineOptions {
        memory_bytes: 64 << 20,
        spill_dir: None,
        threads: Some(1),
    };
    let session = Engine::new(&options).unwrap().session(&bindings).await.unwrap();
    lineage(&plan(&session, sql).await.unwrap()).unwrap()
}

fn text(origins: &Origins) -> String {
    let names: Vec<String> = origins
        .iter()
        .map(|origin| format!("{}.{}", origin.table, origin.column))
        .collect();
    names.join(" ")
}

/// `column: origins`, one per line, with the predicates last.
async fn traced(sql: &str) -> Vec<String> {
    let found = of(sql).await;
    let mut lines: Vec<String> = found
        .columns
        .iter()
        .map(|(name, origins)| format!("{name}: {}", text(origins)))
        .collect();
    lines.push(format!("by {}", text(&found.predicates)));
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

#[tokio::test]
async fn expressions_and_filters() {
    let sql = "select x + y as s, 1 as one, t.id from a.t where y > 0";
    assert_eq!(traced(sql).await, ["s: a.t.x a.t.y", "one:", "id: a.t.id", "by a.t.y"]);
}

#[tokio::test]
async fn joins_keep_their_sides_apart() {
    let sql = "select t.id, u.z from a.t left join a.u on t.id = u.id and t.x < u.z";
    assert_eq!(
        traced(sql).await,
        ["id: a.t.id", "z: a.u.z", "by a.t.id a.t.x a.u.id a.u.z"]
    );
    let sql = "select x from a.t left anti join a.u on t.id = u.id";
    assert_eq!(traced(sql).await, ["x: a.t.x", "by a.t.id a.u.id"]);
    let sql = "select id, z from a.t join a.u using (id)";
    assert_eq!(traced(sql).await, ["id: a.t.id", "z: a.u.z", "by a.t.id a.u.id"]);
}

#[tokio::test]
async fn ctes_and_changes_lead_to_the_table() {
    let sql = "with new as (select id, x as n from changes('a.t')), more as (select id, n * 2 as m from new)
               select more.m from more";
    assert_eq!(traced(sql).await, ["m: a.t.x", "by"]);
}

#[tokio::test]
async fn unions_come_from_all_branches() {
    let sql = "select id, x as v from a.t union all select id, z from a.u union all select 1, null";
    assert_eq!(traced(sql).await, ["id: a.t.id a.u.id", "v: a.t.x a.u.z", "by"]);
}

#[tokio::test]
async fn windows_decide_by_their_partition_and_order() {
    let sql = "select lag(x) over (partition by id order by y) as before, row_number() over (order by x) as n from a.t";
    assert_eq!(traced(sql).await, ["before: a.t.x", "n:", "by a.t.id a.t.x a.t.y"]);
}

#[tokio::test]
async fn aggregates_group_filter_and_have() {
    let sql = "select id, sum(x) filter (where y > 0) as s, count(*) as n from a.t group by id having max(x) > 3";
    assert_eq!(
        traced(sql).await,
        ["id: a.t.id", "s: a.t.x", "n:", "by a.t.id a.t.x a.t.y"]
    );
    let sql = "select id, x, count(*) as n from a.t group by grouping sets ((id), (id, x))";
    assert_eq!(traced(sql).await, ["id: a.t.id", "x: a.t.x", "n:", "by a.t.id a.t.x"]);
}

#[tokio::test]
async fn unnested_lists_are_the_list() {
    let sql = "select id, unnest(tags) as tag from a.t";
    assert_eq!(traced(sql).await, ["id: a.t.id", "tag: a.t.tags", "by"]);
    let sql = "select unnest(array_append(tags, cast(x as varchar))) as tag from a.t";
    assert_eq!(traced(sql).await, ["tag: a.t.tags a.t.x", "by"]);
}

#[tokio::test]
async fn subqueries_give_values_or_decide() {
    let sql = "select id, (select max(z) from a.u where u.id = t.id) as best from a.t where x in (select z from a.u)";
    assert_eq!(
        traced(sql).await,
        ["id: a.t.id", "best: a.u.z", "by a.t.id a.t.x a.u.id a.u.z"]
    );
    let sql = "select x from a.t where exists (select 1 from a.u where u.id = t.id)";
    assert_eq!(traced(sql).await, ["x: a.t.x", "by a.t.id a.u.id"]);
}

#[tokio::test]
async fn recursion_leads_to_where_it_began() {
    let sql = "with recursive r as (select id, x from a.t union all select r.id, u.z from r join a.u on r.x = u.id)
               select id, x from r";
    assert_eq!(traced(sql).await, ["id: a.t.id", "x: a.t.x a.u.z", "by a.t.x a.u.id"]);
}

#[tokio::test]
async fn table_functions_are_closed_boxes() {
    let sql = "select id, score from session_knn(
                   a.t, (select id, z as x, id as y from a.u), session => id, item => x, at => y)";
    assert_eq!(
        traced(sql).await,
        ["id: a.t.id a.u.id", "score: a.t.id a.t.x a.t.y a.u.id a.u.z", "by"]
    );
}
