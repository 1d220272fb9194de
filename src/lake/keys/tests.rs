#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::sync::Arc;

use arrow::util::pretty::pretty_format_batches;
use datafusion::execution::SessionStateBuilder;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::SessionContext;
use proptest::collection::vec;
use proptest::prelude::*;
use tempfile::TempDir;
use url::Url;

use super::*;
use crate::config::{LakeConfig, Storage};
use crate::lake::write::Layout;
use crate::lake::{Lake, LakeTable, append, schema};

fn session() -> SessionContext {
    let state = SessionStateBuilder::new().with_default_features();
    SessionContext::new_with_state(state.with_physical_optimizer_rule(Arc::new(PruneByKeys)).build())
}

/// A table with one file per list of IDs.
async fn table(folder: &TempDir, files: &[Vec<u16>]) -> LakeTable {
    let config = LakeConfig {
        url: Url::from_directory_path(folder.path()).unwrap(),
        storage: Storage::default(),
    };
    let (lake, name) = (
        Lake::new(&config).with_memory(1 << 20),
        "silver.events".parse().unwrap(),
    );
    let session = session();
    for (number, ids) in files.iter().enumerate() {
        let day = day(number);
        let rows: Vec<String> = ids
            .iter()
            .map(|id| format!("('user {id}', {number}, '{day}')"))
            .collect();
        let sql = format!(
            "select column1 as id, column2 as file, cast(column3 as date) as day from (values {})",
            rows.join(", ")
        );
        let rows = session.sql(&sql).await.unwrap();
        let layout = Layout {
            schema: schema::storable(&name, rows.schema().as_arrow()).unwrap(),
            partition_by: vec![],
        };
        let plan = rows.create_physical_plan().await.unwrap();
        append(&lake.table(&name).await.unwrap(), &plan, &session.task_ctx(), layout)
            .await
            .unwrap();
    }
    lake.table(&name).await.unwrap()
}

/// The day of all rows of a file.
fn day(file: usize) -> String {
    format!("2025-07-{:02}", file + 1)
}

/// The rows of a query over the table, and how many files were skipped.
async fn query(table: &LakeTable, sql: &str, looks_up: bool) -> (String, usize) {
    let session = session();
    let provider = match looks_up {
        true => table.lookup_provider(&session.state()).await.unwrap(),
        false => table.provider(&session.state()).await.unwrap(),
    };
    session.register_table("events", provider).unwrap();
    let plan = session.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
    let rows = collect(plan.clone(), session.task_ctx()).await.unwrap();
    (
        pretty_format_batches(&rows).unwrap().to_string(),
        skipped(plan.as_ref()),
    )
}

fn skipped(plan: &dyn ExecutionPlan) -> usize {
    let own = plan.metrics().and_then(|metrics| metrics.sum_by_name("files_skipped"));
    own.map_or(0, |count| count.as_usize())
        + plan
            .children()
            .into_iter()
            .map(|child| skipped(child.as_ref()))
            .sum::<usize>()
}

/// Joins that look up events by the IDs of a few users.
fn lookups(ids: &[u16]) -> Vec<String> {
    let ids: Vec<String> = ids.iter().map(|id| format!("('user {id}')")).collect();
    let looked_up = format!(
        "(select distinct column1 as id from (values {})) as wanted",
        ids.join(", ")
    );
    let order = "order by 1, 2";
    let today = day(1);
    vec![
        format!(
            "select wanted.id, file from {looked_up} join events
             on cast('{today}' as date) = events.day and wanted.id = events.id {order}"
        ),
        format!("select wanted.id, file from {looked_up} join events on wanted.id = events.id {order}"),
        format!("select wanted.id, file from {looked_up} left join events on wanted.id = events.id {order}"),
        format!("select id, 0 from {looked_up} left anti join events on wanted.id = events.id {order}"),
        format!("select id, file from events left semi join {looked_up} on wanted.id = events.id {order}"),
        format!("select id, file from events left anti join {looked_up} on wanted.id = events.id {order}"),
        format!("select events.id, file from events full join {looked_up} on wanted.id = events.id {order}"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn files_without_the_keys_are_not_opened_once_they_are_known() {
    let folder = TempDir::new().unwrap();
    let files: Vec<Vec<u16>> = (0..5).map(|file| (100 * file..100 * file + 50).collect()).collect();
    let table = table(&folder, &files).await;
    let sql = &lookups(&[101, 102, 499])[0];
    let (first, read_all) = query(&table, sql, true).await;
    assert_eq!(read_all, 0, "nothing is known of the files yet");
    // Filters are built in the background.
    let mut skips = 0;
    for _ in 0..100 {
        let (again, skipped) = query(&table, sql, true).await;
        assert_eq!(first, again);
        skips = skipped;
        if skips == 4 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(skips, 4, "only the file of users 100 to 149");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_other_days_are_not_opened_though_nothing_is_known_of_their_keys() {
    let folder = TempDir::new().unwrap();
    let files: Vec<Vec<u16>> = (0..5).map(|_| (0..50).collect()).collect();
    let table = table(&folder, &files).await;
    let wanted = format!(
        "(select 'user ' || column1 as id, cast(column2 as date) as day from (values (7, '{}'), (900, '{}')))",
        day(1),
        day(3)
    );
    let sql = format!(
        "select wanted.id, file from {wanted} as wanted join events on wanted.id = events.id and wanted.day = events.day"
    );
    let (rows, skipped) = query(&table, &sql, true).await;
    assert!(rows.contains("user 7"), "{rows}");
    assert_eq!(skipped, 3, "the files of the days 2 and 4 are opened");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn joins_give_the_same_rows_whatever_is_known_of_the_files(
        files in vec(vec(0_u16..60, 1..20), 1..5),
        ids in vec(0_u16..80, 1..6),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = TempDir::new().unwrap();
            let table = table(&folder, &files).await;
            for sql in lookups(&ids) {
                let (plain, _) = query(&table, &sql, false).await;
                for _ in 0..3 {
                    assert_eq!(&plain, &query(&table, &sql, true).await.0, "{}", sql);
                }
            }
        });
    }
}
