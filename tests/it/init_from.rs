//! `clickrec init --from`: what is found in files as shops and data sets have them, and what the project then makes of
//! them. The files in `tests/it/samples/` are made up, in the layouts of the real ones.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow_avro::writer::AvroWriter;
use clickrec::sources::kafka::{EmbeddedBroker, Producer};
use datafusion::parquet::arrow::ArrowWriter;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::Shop;

/// Up to Silver, which decides what becomes of records.
pub const SILVER: [&str; 3] = ["run", "--select", "bronze.clicks,silver.*"];

/// A file in `samples/`.
pub fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/samples")
        .join(name)
}

/// A project over a sample, and what the command printed.
fn from(sample: &Path, args: &[&str]) -> (Shop, String) {
    let shop = Shop::in_an_empty_folder();
    let told = shop.ok(&[&["init", ".", "--from", sample.to_str().unwrap()][..], args].concat());
    (shop, told)
}

/// A project over a file with this content.
fn from_file(name: &str, content: impl AsRef<[u8]>, args: &[&str]) -> (Shop, String) {
    let shop = Shop::in_an_empty_folder();
    fs::create_dir(shop.path("data")).unwrap();
    fs::write(shop.path("data").join(name), content).unwrap();
    let path = format!("data/{name}");
    let told = shop.ok(&[&["init", ".", "--from", path.as_str()][..], args].concat());
    (shop, told)
}

/// Fails unless the SQL has these words, wherever its lines break.
fn assert_says(shop: &Shop, phrases: &[&str]) {
    let sql = fs::read_to_string(shop.path("sql/silver/clicks.sql")).unwrap();
    let words: Vec<&str> = sql.split_whitespace().filter(|word| *word != "--").collect();
    let text = words.join(" ");
    for phrase in phrases {
        assert!(text.contains(phrase), "{phrase}\n{sql}");
    }
}

/// Records read, accepted, repeated, quarantined and conflicting, after a run that must account for all of them.
fn counts(shop: &Shop) -> [i64; 5] {
    let run = shop.run(&SILVER);
    let log = String::from_utf8(run.stderr).unwrap();
    assert!(run.status.success() && !log.contains("WARN"), "{log}");
    shop.records_of_last_run()
}

/// The counts of records, the generated test passes, and a second run finds nothing new.
fn assert_counts(shop: &Shop, expected: [i64; 5]) {
    assert_eq!(counts(shop), expected);
    shop.ok(&["test"]);
    shop.ok(&SILVER);
    assert_eq!(shop.records_of_last_run(), expected, "nothing new");
}

#[test]
fn visitors_without_sessions_get_recommendations() {
    let (shop, told) = from(&sample("retailrocket_events.csv"), &[]);
    assert!(
        told.contains("preset `retailrocket`, recognized") && told.contains("121 records were looked at"),
        "{told}"
    );
    assert!(
        ["role", "field", "reason"].iter().all(|header| told.contains(header)),
        "{told}"
    );
    let sessions = "session_id: no field names a session; silver.events infers them";
    assert_says(
        &shop,
        &[
            "event_at timestamp_ms from $.timestamp",
            "user_id: taken from visitorid",
            sessions,
        ],
    );
    shop.ok(&["run"]);
    assert_eq!(shop.records_of_last_run(), [121, 120, 1, 0, 0]);
    let kinds = "select event_type, count(*) from silver.events group by event_type order by event_type";
    let session = "select session_id from gold.sessions order by events desc, session_id limit 1";
    let found = shop.results(&[], &[kinds, session]);
    // One of the views was delivered twice.
    assert_eq!(found[0], ["add_to_cart,10", "purchase,8", "view,102"]);
    let session = &found[1][0];
    assert!(session.starts_with("9000"), "{session}");
    assert!(!shop.ok(&["recommend", "--session", session, "--json"]).is_empty());
    shop.ok(&["test"]);
}

#[test]
fn the_events_of_a_session_become_rows_and_get_recommendations() {
    let (shop, told) = from(&sample("otto_sessions.jsonl"), &[]);
    assert!(told.contains("preset `otto`, recognized"), "{told}");
    assert_says(
        &shop,
        &["a row for each item of events, because of this: the preset `otto`"],
    );
    shop.ok(&["run"]);
    assert_eq!(shop.records_of_last_run(), [258, 258, 0, 0, 0], "events, not lines");
    let places = "select count(distinct \"offset\") from silver.events";
    assert_eq!(shop.numbers(["select count(*) from bronze.clicks", places]), [20, 20]);
    assert_eq!(shop.number("select count(*) from gold.sessions"), 20);
    assert!(!shop.ok(&["recommend", "--session", "7", "--json"]).is_empty());
    shop.ok(&["test"]);
}

#[test]
fn calls_of_segment_become_a_row_for_each_product() {
    let (shop, told) = from(&sample("segment_calls.ndjson"), &[]);
    assert!(told.contains("preset `segment`, recognized"), "{told}");
    assert_says(
        &shop,
        &[
            "when 'Product Viewed' then 'view'",
            "when 'Product Removed' then 'remove_from_cart'",
            "not mapped, so such records are not accepted: ",
        ],
    );
    // Three products of a list, two of them twice, two calls without an item, one refund.
    assert_counts(&shop, [25, 16, 0, 9, 2]);
    let orders = "select event_id, item_id, session_id from silver.events where event_type = 'purchase' order by 1";
    let reasons = "select reason, count(*) from silver.quarantine group by reason order by reason";
    let lines = "select count(*) from silver.quarantine where line > 1";
    let found = shop.results(&[], &[orders, reasons, lines]);
    let expected = [
        "ajs-0009#1,sku-1,a-1/1772359200000",
        "ajs-0009#2,sku-3,a-1/1772359200000",
        "srv-1#1,sku-1,a-1/1772359200000",
        "srv-1#2,sku-3,a-1/1772359200000",
    ];
    assert_eq!(found[0], expected);
    assert_eq!(
        found[1]
            .iter()
            .filter(|row| row.starts_with("event_id was used before"))
            .count(),
        1,
        "{found:?}"
    );
    assert_eq!(found[2], ["3"]);
    // The login in the middle ends no session, and tells whose browser it is.
    let people = shop.rows("select session_id, person_id, anonymous_id from silver.people order by 1");
    let expected = [
        "a-1/1772359200000,u-9,a-1",
        "a-2/1772359200000,anonymous:a-2,a-2",
        "bot-1/1772359200000,anonymous:bot-1,bot-1",
    ];
    assert_eq!(people, expected);
    // A field that the item has, and no column.
    let price =
        "select count(*) from silver.events where from_json(extra, 'price double from $.item.price')['price'] = 9.5";
    assert_eq!(shop.number(price), 4);
}

#[test]
fn a_file_without_a_header_is_recognized_by_its_values() {
    let (shop, told) = from(&sample("yoochoose_clicks.dat"), &[]);
    assert!(
        told.contains("preset `yoochoose`, recognized") && told.contains("csv without a header"),
        "{told}"
    );
    assert_says(
        &shop,
        &["event_type: no field says what happened, so every event counts as a view 'view' as event_type"],
    );
    assert_counts(&shop, [192, 192, 0, 0, 0]);
}

#[test]
fn clicks_and_buys_in_two_files_are_two_sources() {
    let shop = Shop::in_an_empty_folder();
    let clicks = "1,2014-04-07T10:51:09.277Z,11,0\n1,2014-04-07T10:54:09.868Z,12,S\n2,2014-04-07T10:54:46.998Z,12,0\n";
    let buys = "1,2014-04-07T10:57:00.306Z,12,12462,1\n";
    fs::create_dir(shop.path("data")).unwrap();
    fs::write(shop.path("data/yoochoose-clicks.dat"), clicks).unwrap();
    fs::write(shop.path("data/yoochoose-buys.dat"), buys).unwrap();
    let told = shop.ok(&["init", ".", "--from", "data", "--preset", "yoochoose"]);
    assert!(told.contains("preset `yoochoose`, as asked"), "{told}");
    assert_counts(&shop, [4, 4, 0, 0, 0]);
    let kinds = "select event_type, count(*) from silver.events group by event_type order by event_type";
    assert_eq!(shop.rows(kinds), ["purchase,1", "view,3"]);
}

#[test]
fn changes_of_a_database_are_read_by_their_new_rows() {
    let (shop, told) = from(&sample("debezium_schema_payload.ndjson"), &[]);
    assert!(!told.contains("preset"), "{told}");
    assert!(told.contains("18 records were looked at; 1 other"), "{told}");
    assert_says(
        &shop,
        &[
            "event_at: taken from payload.after.created_at, because of its name, and its values: microseconds since 1970",
            "item_id: taken from payload.after.product_id",
            "session_id: taken from payload.after.session_id",
        ],
    );
    // A deleted row, and its tombstone.
    assert_counts(&shop, [19, 17, 0, 2, 0]);
}

#[test]
fn days_and_milliseconds_make_the_time_of_diginetica() {
    let mut views = "sessionId;userId;itemId;timeframe;eventdate\n".to_owned();
    for n in 0..20 {
        writeln!(
            views,
            "{};NA;{};{};2016-05-09",
            n / 4,
            81_766 + n % 5,
            526_309 + 1_000 * n
        )
        .unwrap();
    }
    let (shop, told) = from_file("train-item-views.csv", &views, &[]);
    assert!(
        told.contains("preset `diginetica`, recognized") && told.contains("separated by ;"),
        "{told}"
    );
    assert_counts(&shop, [20, 20, 0, 0, 0]);
    let first = "select count(*) from silver.events where cast(event_at as varchar) = '2016-05-09T00:08:46.309Z'";
    assert_eq!(shop.number(first), 1);
}

#[test]
fn a_shop_of_its_own_is_inferred_with_comments_and_a_rest() {
    let mut lines = String::new();
    for n in 0..40 {
        let kind = ["ViewItem", "AddToBasket", "OrderPlaced", "Login"][n % 4];
        writeln!(
            lines,
            "{{\"meta\":{{\"occurred at\":\"{:02}.03.2026 10:{n:02}\"}},\"visit\":\"v{}\",\"who\":{{\"customer\":{}}},\
             \"what\":\"{kind}\",\"thing's\":{{\"sku\":{}}},\"note\":\"it's {n}\"}}",
            13 + n / 20,
            n / 8,
            n / 16,
            n % 9
        )
        .unwrap();
    }
    let mut packed = GzEncoder::new(vec![], Compression::default());
    packed.write_all(lines.as_bytes()).unwrap();
    let (shop, told) = from_file("events.log.gz", packed.finish().unwrap(), &[]);
    assert!(!told.contains("preset"), "{told}");
    assert_counts(&shop, [40, 30, 0, 10, 0]);
    assert_says(
        &shop,
        &[
            "event_at timestamp \"%d.%m.%Y %H:%M\" from $.meta[\"occurred at\"]",
            "session_id: taken from visit, because of its name nullif(trim(click['session_id']), '') as session_id",
            "user_id: taken from who.customer",
            "item_id bigint from $[\"thing''s\"].sku",
            "when 'AddToBasket' then 'add_to_cart'",
            "not mapped, so such records are not accepted: Login (10) end as event_type",
        ],
    );
    let pipelines = fs::read_to_string(shop.path("pipelines.yaml")).unwrap();
    assert!(
        pipelines.contains("files: { path: data/events.log.gz, format: ndjson }"),
        "{pipelines}"
    );
    let rest = "select count(distinct from_json(extra, 'note string')['note']) from silver.events";
    let unknown = "select reason, detail, count(*) from silver.quarantine group by reason, detail";
    assert_eq!(
        shop.results(&[], &[rest, unknown]),
        [vec!["30"], vec!["event_type is unknown,Login,10"]]
    );
}

/// Thirty events, as tables of a warehouse have them.
fn table() -> RecordBatch {
    let numbers = 0..30_i64;
    let times = TimestampMillisecondArray::from_iter_values(numbers.clone().map(|n| 1_772_359_200_000 + n * 1_000));
    let kinds = ["view", "cart", "purchase"];
    let kinds = StringArray::from_iter_values(numbers.clone().map(|n| kinds[n as usize % 3]));
    let columns: [(&str, ArrayRef); 4] = [
        ("event_time", Arc::new(times.with_timezone("UTC"))),
        (
            "user_session",
            Arc::new(StringArray::from_iter_values(
                numbers.clone().map(|n| format!("s{}", n / 5)),
            )),
        ),
        (
            "product_id",
            Arc::new(Int64Array::from_iter_values(numbers.map(|n| 9_000 + n % 7))),
        ),
        ("event_type", Arc::new(kinds)),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

#[test]
fn tables_are_inferred_like_json() {
    let rows = table();
    let mut parquet = vec![];
    let mut writer = ArrowWriter::try_new(&mut parquet, rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    let mut avro = AvroWriter::new(vec![], rows.schema().as_ref().clone()).unwrap();
    avro.write(&rows).unwrap();
    avro.finish().unwrap();
    for (name, file) in [("events.parquet", parquet), ("events.avro", avro.into_inner())] {
        let (shop, told) = from_file(name, file, &[]);
        assert!(told.contains("30 records were looked at"), "{told}");
        assert_counts(&shop, [30, 30, 0, 0, 0]);
        let items = "select count(distinct item_id) from silver.events where item_id like '90%'";
        assert_eq!(shop.number(items), 7, "{name}");
    }
}

#[test]
fn a_topic_is_looked_at_and_read() {
    let broker = EmbeddedBroker::start("events", 2).unwrap();
    let mut producer = Producer::connect(&broker.config("events")).unwrap();
    for n in 0..50 {
        let kind = ["view_item", "purchase"][n % 2];
        let value = format!(
            "{{\"event_timestamp\":{},\"event_name\":\"{kind}\",\"user_pseudo_id\":\"u{}\",\"items\":[{{\"item_id\":\"a\"}},\
             {{\"item_id\":\"b{n}\"}}]}}",
            1_772_359_200_000_000_i64 + 1_000_000 * i64::try_from(n).unwrap(),
            n / 10
        );
        // Some producers write the ID of a JSON Schema before the value.
        let id: &[u8] = if n < 25 { b"" } else { b"\0\0\0\0\x07" };
        let value = [id, value.as_bytes()].concat();
        producer.send(Some(b"key"), Some(&value)).unwrap();
    }
    assert_eq!(producer.flush().unwrap(), 50);
    let shop = Shop::in_an_empty_folder();
    let topic = format!("kafka://{}/events", broker.brokers());
    let told = shop.ok(&["init", ".", "--from", &topic]);
    assert!(
        told.contains("preset `ga4`, recognized") && told.contains("50 records were looked at"),
        "{told}"
    );
    shop.ok(&SILVER);
    assert_eq!(shop.records_of_last_run(), [100, 100, 0, 0, 0]);
    shop.ok(&["test", "--select", "silver.clicks"]);
    let (code, error) = Shop::in_an_empty_folder().fails(&["init", ".", "--from", &format!("{topic}-of-yesterday")]);
    assert!(code == 1 && error.contains("events-of-yesterday"), "{error}");
}
