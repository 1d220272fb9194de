//! `clickrec evaluate --data`: published data sets as they are, and files whose fields are not clear.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::parquet::arrow::ArrowWriter;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::init_from::sample;
use crate::support::Shop;

/// Tests on the last four in ten sessions; the report, and what is said about the file.
fn evaluated(shop: &Shop, args: &[&str]) -> (Value, String) {
    let model = ["--test-share", "0.4", "--model", "popularity", "--k", "5", "--json"];
    let output = shop.run(&[&["evaluate"][..], args, &model].concat());
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{args:?}: {told}");
    (serde_json::from_slice(&output.stdout).unwrap(), told)
}

/// The numbers of sessions to train and to test on.
fn sessions(report: &Value) -> [u64; 2] {
    ["train_sessions", "test_sessions"].map(|name| report[name].as_u64().unwrap())
}

/// Forty sessions of three views, an hour apart, and a purchase in every second one, in the layout of DIGINETICA's
/// files.
fn diginetica() -> String {
    let mut lines = "sessionId;userId;itemId;timeframe;eventdate;ordernumber\n".to_owned();
    for session in 0..40 {
        let day = 1 + session / 2;
        for view in 0..3 {
            let item = 100 + (session + view) % 7;
            writeln!(
                lines,
                "{session};NA;{item};{};2016-05-{day:02};NA",
                3_600_000 * (session % 2) + 1_000 * view
            )
            .unwrap();
        }
        if session % 2 == 0 {
            writeln!(lines, "{session};NA;100;9000;2016-05-{day:02};{}", 7_000 + session).unwrap();
        }
    }
    lines
}

/// Ten sessions of three clicks without times, in a Parquet file.
fn parquet() -> Vec<u8> {
    let clicks = || (0..30_i64).map(|n| (n / 3, n % 3));
    let items = clicks().map(|(session, step)| format!("item {}", (session + step) % 4));
    let columns: [(&str, ArrayRef); 3] = [
        (
            "visit_id",
            Arc::new(Int64Array::from_iter_values(clicks().map(|(visit, _)| visit))),
        ),
        (
            "step",
            Arc::new(Int64Array::from_iter_values(clicks().map(|(_, step)| step))),
        ),
        ("sku", Arc::new(StringArray::from_iter_values(items))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut file = vec![];
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    file
}

#[test]
fn published_data_sets_are_read_as_they_are() {
    let shop = Shop::new();
    let file = fs::File::create(shop.path("yoochoose-clicks.dat.gz")).unwrap();
    let mut packed = GzEncoder::new(file, Compression::fast());
    packed
        .write_all(&fs::read(sample("yoochoose_clicks.dat")).unwrap())
        .unwrap();
    packed.finish().unwrap();
    fs::write(shop.path("train-item-views.csv"), diginetica()).unwrap();
    fs::write(shop.path("clicks.parquet"), parquet()).unwrap();
    let (otto, retailrocket) = (sample("otto_sessions.jsonl"), sample("retailrocket_events.csv"));
    for (file, expected, phrases) in [
        (
            otto.to_str().unwrap(),
            [11, 8],
            &[
                "preset `otto`: session = session, item = events[].aid, time = events[].ts (milliseconds since 1970)",
                "258 events;",
            ][..],
        ),
        (
            retailrocket.to_str().unwrap(),
            [52, 11],
            &[
                "preset `retailrocket`",
                "sessions = visits of visitorid",
                "item = itemid",
                "type = event",
            ],
        ),
        (
            "yoochoose-clicks.dat.gz",
            [23, 15],
            &[
                "csv without a header",
                "preset `yoochoose`",
                "session = session_id",
                "time = timestamp",
            ],
        ),
        (
            "train-item-views.csv",
            [24, 16],
            &[
                "preset `diginetica`",
                "time = eventdate",
                "a purchase where ordernumber has a value",
                "140 events;",
            ],
        ),
        (
            "clicks.parquet",
            [6, 4],
            &[
                "parquet: session = visit_id, item = sku, order = step, every event counts as a view",
                "30 events;",
            ],
        ),
    ] {
        let (report, told) = evaluated(&shop, &["--data", file]);
        assert_eq!(sessions(&report), expected, "{file}: {told}");
        assert!(report["data"].as_str().unwrap().starts_with(file), "{report}");
        for phrase in phrases.iter().chain(&["--field session=FIELD"]) {
            assert!(told.contains(phrase), "`{phrase}` is not in {told}");
        }
    }
}

#[test]
fn what_is_not_clear_is_asked_for_and_what_is_left_out_is_counted() {
    let shop = Shop::new();
    let mut lines = String::new();
    for n in 0..60 {
        let click = json!({
            "sid": format!("s{}", n / 3),
            "sku": format!("a{}", n % 5),
            "created_at": 1_772_359_200 + 600 * n,
            "time": 1_772_359_200 + 601 * n,
        });
        writeln!(lines, "{click}").unwrap();
    }
    writeln!(
        lines,
        "{}",
        json!({ "sid": "s1", "created_at": 1_772_359_200, "time": 1_772_359_200 })
    )
    .unwrap();
    fs::write(shop.path("clicks.ndjson"), &lines).unwrap();
    let (code, error) = shop.fails(&["evaluate", "--data", "clicks.ndjson"]);
    assert_eq!(code, 1);
    let open = "it is not clear that created_at is the time: `time` would fit almost as well";
    for phrase in [open, "--field time=FIELD", "the fields are", "sku"] {
        assert!(error.contains(phrase), "`{phrase}` is not in {error}");
    }
    let (report, told) = evaluated(&shop, &["--data", "clicks.ndjson", "--field", "time=created_at"]);
    assert_eq!(sessions(&report), [12, 8]);
    let left_out = "60 events, 1 left out: item_id is missing (1)";
    assert!(told.contains("time = created_at") && told.contains(left_out), "{told}");

    for (args, expected) in [
        (&["--field", "time=when"][..], "clicks.ndjson has no field `when`"),
        (&["--preset", "otto"], "does not match the preset `otto`"),
        (&["--field", "time=time,type=sku"], "none of 61 records is an event"),
    ] {
        let (code, error) = shop.fails(&[&["evaluate", "--data", "clicks.ndjson"][..], args].concat());
        assert!(
            code == 1 && error.contains(expected) && error.contains("help: "),
            "{args:?}: {error}"
        );
    }
}
