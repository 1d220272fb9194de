//! Days and hours of the shop's time zone (`timezone`): in Gold, over clock changes, in the API, on the page, and where
//! `clickrec evaluate` splits events.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{DateTime, NaiveDate, Timelike};
use clickrec::config::TimeZone;
use clickrec::engine::{Bindings, Engine, EngineOptions, query};
use clickrec_udfs::Variables;
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use crate::browser::with_tab;
use crate::serving::Server;
use crate::support::Shop;

const DAY_SECONDS: i64 = 86_400;

fn sql(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("sql/gold").join(file)).unwrap()
}

fn table(columns: Vec<(&str, ArrayRef)>) -> Arc<dyn TableProvider> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap())
}

fn instants(times: &[i64]) -> ArrayRef {
    let micros: Vec<i64> = times.iter().map(|seconds| seconds * 1_000_000).collect();
    Arc::new(TimestampMicrosecondArray::from(micros).with_timezone("UTC"))
}

fn texts(text: &str, rows: usize) -> ArrayRef {
    Arc::new(StringArray::from(vec![text; rows]))
}

/// Sessions of one view that started at these times, in seconds since 1970.
fn sessions(times: &[i64]) -> Arc<dyn TableProvider> {
    let numbers = |number: i64| Arc::new(Int64Array::from(vec![number; times.len()])) as ArrayRef;
    table(vec![
        ("user_id", texts("u", times.len())),
        ("person_id", texts("u", times.len())),
        ("started_at", instants(times)),
        ("duration_s", numbers(0)),
        ("events", numbers(1)),
        ("views", numbers(1)),
        ("add_to_carts", numbers(0)),
        ("purchases", numbers(0)),
        ("converted", Arc::new(BooleanArray::from(vec![false; times.len()]))),
    ])
}

/// The same as events.
fn events(times: &[i64]) -> Arc<dyn TableProvider> {
    let dates: Vec<i32> = times
        .iter()
        .map(|at| i32::try_from(at.div_euclid(DAY_SECONDS)).unwrap())
        .collect();
    table(vec![
        ("session_id", texts("s", times.len())),
        ("event_at", instants(times)),
        ("event_date", Arc::new(Date32Array::from(dates))),
        ("item_id", texts("a", times.len())),
        ("event_type", texts("view", times.len())),
    ])
}

/// No sessions of people that have changed.
fn people() -> Arc<dyn TableProvider> {
    table(vec![("started_at", instants(&[])), ("ended_at", instants(&[]))])
}

/// Gold's tables of reports over sessions and events at these times, of which the first `new` are new.
async fn gold(zone: &str, times: &[i64], new: usize) -> SessionContext {
    let options = EngineOptions {
        memory_bytes: 256 << 20,
        spill_dir: None,
        threads: Some(1),
    };
    let variables = Variables::from([("timezone".to_owned(), zone.to_owned())]);
    let bindings = Bindings {
        tables: BTreeMap::from([
            ("gold.sessions".parse().unwrap(), sessions(times)),
            ("silver.events".parse().unwrap(), events(times)),
            (
                "silver.excluded_sessions".parse().unwrap(),
                table(vec![("session_id", texts("s", 0))]),
            ),
        ]),
        changes: BTreeMap::from([
            ("silver.events".to_owned(), events(&times[..new])),
            ("silver.people".to_owned(), people()),
        ]),
        ..Bindings::default()
    };
    let engine = Engine::new(&options).unwrap().with_variables(variables);
    engine.session(&bindings).await.unwrap()
}

/// The rows of a query, each as text with commas.
async fn rows(session: &SessionContext, sql: &str) -> BTreeSet<String> {
    let batches = query(session, sql).await.unwrap().collect().await.unwrap();
    let options = FormatOptions::default();
    let mut rows = BTreeSet::new();
    for batch in &batches {
        let columns = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).unwrap());
        let columns: Vec<ArrayFormatter<'_>> = columns.collect();
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = columns.iter().map(|column| column.value(row).to_string()).collect();
            assert!(rows.insert(cells.join(",")), "{sql}: {cells:?} twice");
        }
    }
    rows
}

/// How often each value occurs.
fn counted<T: Ord>(values: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    values.for_each(|value| *counts.entry(value).or_default() += 1);
    counts
}

/// Compares Gold with a count of the local times, which come from another library than DataFusion's.
async fn compare(zone: &str, times: &[i64], new: usize) {
    let session = gold(zone, times, new).await;
    let (clock, local): (TimeZone, chrono_tz::Tz) = (zone.parse().unwrap(), zone.parse().unwrap());
    let date = |at: &i64| -> NaiveDate {
        DateTime::from_timestamp(*at, 0)
            .unwrap()
            .with_timezone(&local)
            .date_naive()
    };
    let hour = |at: &i64| {
        let at = DateTime::from_timestamp(*at, 0).unwrap();
        let there = at.with_timezone(&local);
        (there.date_naive(), there.hour(), clock.start_of_hour(at).timestamp())
    };

    let engagement = sql("engagement.sql");
    let by_hour = counted(times.iter().map(hour)).into_iter();
    let by_hour: BTreeSet<String> = by_hour
        .map(|((day, hour, start), n)| format!("{day},{hour},{start},{n}"))
        .collect();
    let hours =
        format!("select day, hour, cast(extract(epoch from hour_at) as bigint), sessions from ({engagement}) as hours");
    assert_eq!(rows(&session, &hours).await, by_hour, "{zone}");

    let by_day = counted(times.iter().map(date));
    let text = |days: &BTreeMap<NaiveDate, usize>| -> BTreeSet<String> {
        days.iter().map(|(day, n)| format!("{day},{n}")).collect()
    };
    let days = format!("select day, sum(sessions) from ({engagement}) as hours group by day");
    assert_eq!(rows(&session, &days).await, text(&by_day), "{zone}");

    // Only the days of new events are counted, and these as a whole.
    let touched: BTreeSet<NaiveDate> = times[..new].iter().map(date).collect();
    let touched = by_day.into_iter().filter(|(day, _)| touched.contains(day)).collect();
    let activity = format!("select day, events from ({}) as days", sql("item_activity.sql"));
    assert_eq!(rows(&session, &activity).await, text(&touched), "{zone}");
}

#[test]
fn totals_by_day_equal_totals_by_hour_over_clock_changes() {
    let zones = [
        ("Europe/Berlin", ["2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"]),
        ("America/Denver", ["2026-03-08T09:00:00Z", "2026-11-01T08:00:00Z"]),
        ("Australia/Lord_Howe", ["2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z"]),
        // Clocks are changed at midnight, which is skipped or occurs twice.
        ("America/Havana", ["2026-03-08T05:00:00Z", "2026-11-01T05:00:00Z"]),
        ("Asia/Kathmandu", ["2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"]),
        ("UTC", ["2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"]),
    ];
    let seconds = |text: &str| text.parse::<DateTime<chrono::Utc>>().unwrap().timestamp();
    // Near a change, and within the two days around it.
    let distance = prop_oneof![-7_200_i64..7_200, -2 * DAY_SECONDS..2 * DAY_SECONDS];
    let cases = (
        prop::sample::select(zones.to_vec()),
        0..2_usize,
        prop::collection::vec(distance, 1..60),
        any::<prop::sample::Index>(),
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut runner = TestRunner::new(Config {
        cases: 48,
        failure_persistence: None,
        ..Config::default()
    });
    let found = runner.run(&cases, |((zone, changes), change, distances, new)| {
        let times: Vec<i64> = distances
            .iter()
            .map(|distance| seconds(changes[change]) + distance)
            .collect();
        runtime.block_on(compare(zone, &times, new.index(times.len()) + 1));
        Ok(())
    });
    found.unwrap();
}

fn click(at: &str, session: &str) -> String {
    format!(r#"{{"timestamp":"{at}","session_id":"{session}","item_id":"a","event_type":"view"}}"#) + "\n"
}

/// A shop in Berlin, on the day on which its clocks are set back, with a session on the day before and one on the next.
fn shop_in_utc() -> Shop {
    let shop = Shop::without_recommender();
    let clicks = [
        click("2025-10-25T21:59:59Z", "before"),
        click("2025-10-25T22:30:00Z", "s1"),
        click("2025-10-26T00:30:00Z", "s2"),
        click("2025-10-26T01:30:00Z", "s3"),
        click("2025-10-26T22:59:59Z", "s4"),
        click("2025-10-26T23:00:00Z", "after"),
    ];
    fs::write(shop.path("sample_data/1.json"), clicks.concat()).unwrap();
    shop.ok(&["run"]);
    shop
}

fn shop_in_berlin() -> Shop {
    let shop = shop_in_utc();
    shop.edit(
        "pipelines.yaml",
        "lake: ./lake",
        "timezone: Europe/Berlin\nlake: ./lake",
    );
    shop.ok(&["run"]);
    shop
}

const BY_DAY: [&str; 3] = [
    "select day, sum(sessions) from gold.engagement group by day order by day",
    "select day, events from gold.item_activity order by day",
    "select event_date, count(*) from silver.events group by event_date order by event_date",
];

#[test]
fn another_time_zone_recomputes_the_days_and_a_late_event_touches_its_own() {
    let shop = shop_in_utc();
    let in_utc = ["2025-10-25,2", "2025-10-26,4"];
    assert_eq!(shop.results(&[], &BY_DAY), [in_utc, in_utc, in_utc]);

    shop.edit(
        "pipelines.yaml",
        "lake: ./lake",
        "timezone: Europe/Berlin\nlake: ./lake",
    );
    let steps = shop.run_steps();
    for name in ["gold.engagement", "gold.item_activity"] {
        let step = steps.iter().find(|step| step["step"] == name).unwrap();
        assert_eq!(step["result"], "rebuilt", "{step}");
    }
    let results = shop.results(&[], &BY_DAY);
    let local = ["2025-10-25,1", "2025-10-26,4", "2025-10-27,1"];
    assert_eq!(results[0], local);
    assert_eq!(results[1], local);
    assert_eq!(results[2], in_utc, "the lake keeps UTC");

    // On the date of UTC before its local day.
    fs::write(shop.path("sample_data/2.json"), click("2025-10-25T23:00:00Z", "late")).unwrap();
    shop.ok(&["run"]);
    let activity = shop.rows(BY_DAY[1]);
    assert_eq!(activity, ["2025-10-25,1", "2025-10-26,5", "2025-10-27,1"]);

    // The command line wins.
    shop.ok(&["run", "--var", "timezone=UTC"]);
    assert_eq!(shop.rows(BY_DAY[1]), ["2025-10-25,3", "2025-10-26,4"]);

    shop.edit("pipelines.yaml", "timezone: Europe/Berlin", "timezone: Europe/Berlim");
    let (_, error) = shop.fails(&["plan"]);
    assert!(
        error.contains("`Europe/Berlim` is not a time zone") && error.contains("Europe/Berlin"),
        "{error}"
    );
}

#[test]
fn the_api_reads_and_counts_local_days() {
    let shop = shop_in_berlin();
    let server = Server::start(&shop, &[]);
    let get = |path: &str| server.get(path).json();
    assert_eq!(get("/api/v1/project")["timezone"], "Europe/Berlin");

    let day = "from=2025-10-26&to=2025-10-27";
    let by_day = get(&format!("/api/v1/engagement?bucket=day&{day}"));
    assert_eq!(by_day["timezone"], "Europe/Berlin");
    let point = |point: &Value| format!("{},{},{}", point["at"], point["day"], point["sessions"]).replace('"', "");
    let points = |answer: &Value| -> Vec<String> { answer["points"].as_array().unwrap().iter().map(point).collect() };
    assert_eq!(points(&by_day), ["2025-10-25T22:00:00Z,2025-10-26,4"]);
    let by_hour = get(&format!("/api/v1/engagement?bucket=hour&{day}"));
    assert_eq!(
        points(&by_hour),
        [
            "2025-10-25T22:00:00Z,2025-10-26,1",
            "2025-10-26T00:00:00Z,2025-10-26,1",
            "2025-10-26T01:00:00Z,2025-10-26,1",
            "2025-10-26T22:00:00Z,2025-10-26,1"
        ]
    );
    assert_eq!(by_hour["totals"], by_day["totals"]);
    assert_eq!(get(&format!("/api/v1/funnel?{day}"))["sessions"], 4);
    assert_eq!(get(&format!("/api/v1/items/popular?{day}"))["items"][0]["views"], 4);
    let sessions = |range: &str| {
        get(&format!("/api/v1/sessions?{range}"))["sessions"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(sessions(day), 4);
    // The first of two times; the second has an offset.
    assert_eq!(sessions("from=2025-10-26T02:30&to=2025-10-27"), 3);
    assert_eq!(sessions("from=2025-10-26T02:30:00%2B01:00&to=2025-10-27"), 2);
}

#[test]
fn the_page_shows_the_clocks_of_the_shop() {
    let shop = shop_in_berlin();
    let server = Server::start(&shop, &[]);
    with_tab("the_page_shows_the_clocks_of_the_shop", async |tab| {
        let range = "from=2025-10-25T22:00:00Z&to=2025-10-26T23:00:00Z";
        tab.goto(&format!("http://{}/?{range}", server.address)).await;
        tab.wait_for("engagement", "ready").await;
        let hours: Vec<String> = tab
            .value("[...document.querySelectorAll('[data-testid=engagement-row] th')].map((e) => e.textContent)")
            .await;
        assert_eq!(
            hours,
            [
                "26 Oct 2025, 23:00 CET",
                "26 Oct 2025, 02:00 CET",
                "26 Oct 2025, 02:00 CEST",
                "26 Oct 2025, 00:00 CEST"
            ]
        );
        assert!(tab.text(".foot").await.contains("All times are Europe/Berlin"));
        let fields: Vec<String> = tab
            .value("['filter-from', 'filter-to'].map((id) => document.getElementById(id).value)")
            .await;
        assert_eq!(fields, ["2025-10-26T00:00", "2025-10-27T00:00"]);

        // What is typed is local, too.
        tab.run("document.getElementById('filter-from').value = '2025-10-26T03:00'")
            .await;
        tab.click("#filter-custom button[type=submit]").await;
        tab.wait("location.search.includes('from=2025-10-26T02%3A00%3A00Z')")
            .await;
        tab.wait("document.querySelectorAll('[data-testid=engagement-row]').length === 1")
            .await;
        tab
    });
}

#[test]
fn the_last_days_of_an_evaluation_are_as_long_as_the_clocks_make_them() {
    let shop = Shop::new();
    // A session every six hours, for five days and a half.
    let start = "2026-10-20T00:00:00Z".parse::<DateTime<chrono::Utc>>().unwrap();
    let mut events = "session_id,item_id,timestamp\n".to_owned();
    for (session, minute) in (0..23).flat_map(|session| (0..3).map(move |minute| (session, minute))) {
        let at = start + chrono::TimeDelta::minutes(session * 360 + minute);
        events += &format!(
            "s{session},i{},{}\n",
            (session + minute) % 5,
            at.format("%Y-%m-%dT%H:%M:%SZ")
        );
    }
    fs::write(shop.path("events.csv"), events).unwrap();
    let args = [
        "--data",
        "events.csv",
        "--test-days",
        "1",
        "--model",
        "popularity",
        "--k",
        "1",
    ];
    let evaluated = |zone: &str| -> Value {
        let zone = format!("timezone={zone}");
        let args = [&["evaluate", "--json", "--var", zone.as_str()][..], &args[..]].concat();
        serde_json::from_str(&shop.ok(&args)).unwrap()
    };
    // The last session ends at 12:02 of UTC, and 13:02 in Berlin. The day before, that was 11:02 of UTC.
    for (zone, cut, tested) in [
        ("UTC", "2026-10-24T12:02:00.000001Z", 4),
        ("Europe/Berlin", "2026-10-24T13:02:00.000001+02:00", 5),
    ] {
        let report = evaluated(zone);
        assert_eq!(report["data"], format!("events.csv, cut at {cut}"));
        assert_eq!(report["test_sessions"].as_u64(), Some(tested), "{zone}");
    }
}
