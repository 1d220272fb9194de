//! Files as shops have them: each format reaches Silver; what grows, what does not fit and what is damaged.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::ipc::writer::FileWriter;
use arrow_avro::writer::AvroWriter;
use datafusion::parquet::arrow::ArrowWriter;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::clustering::Cluster;
use crate::support::Shop;

/// 1 March 2026, 10:00 UTC, in microseconds since 1970.
const START: i64 = 1_772_359_200_000_000;

/// Twenty events, the last of them again, and one of an unknown type.
fn events() -> RecordBatch {
    let numbers: Vec<i64> = (1..=20).chain([20, 21]).collect();
    let times = TimestampMicrosecondArray::from_iter_values(numbers.iter().map(|n| START + n * 1_000_000));
    let prices = Decimal128Array::from_iter_values(numbers.iter().map(|_| 1_990_i128));
    let texts = |text: &dyn Fn(i64) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(numbers.iter().map(|n| text(*n))))
    };
    let kind = |n| if n == 21 { "jump" } else { "view" };
    let columns: [(&str, ArrayRef); 5] = [
        ("timestamp", Arc::new(times.with_timezone("UTC"))),
        ("session_id", texts(&|_| "s1".to_owned())),
        ("item_id", texts(&|n| format!("a \"quoted\", item\n{n}"))),
        ("event_type", texts(&|n| kind(n).to_owned())),
        ("price", Arc::new(prices.with_precision_and_scale(10, 2).unwrap())),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// A file of this format.
fn written(format: &str, rows: &RecordBatch) -> Vec<u8> {
    match format {
        "json" => {
            let mut writer = arrow::json::ArrayWriter::new(vec![]);
            writer.write(rows).unwrap();
            writer.finish().unwrap();
            writer.into_inner()
        }
        "csv" => {
            let mut text = vec![];
            arrow::csv::Writer::new(&mut text).write(rows).unwrap();
            text
        }
        "parquet" => {
            let mut file = vec![];
            let mut writer = ArrowWriter::try_new(&mut file, rows.schema(), None).unwrap();
            writer.write(rows).unwrap();
            writer.close().unwrap();
            file
        }
        "avro" => {
            let mut writer = AvroWriter::new(vec![], rows.schema().as_ref().clone()).unwrap();
            writer.write(rows).unwrap();
            writer.finish().unwrap();
            writer.into_inner()
        }
        _ => {
            let mut writer = FileWriter::try_new(vec![], &rows.schema()).unwrap();
            writer.write(rows).unwrap();
            writer.into_inner().unwrap()
        }
    }
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(vec![], Compression::default());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// A project whose source has this format, perhaps with options.
fn shop_of(format: &str) -> Shop {
    let shop = Shop::up_to_silver();
    shop.edit("pipelines.yaml", "format: ndjson", &format!("format: {format}"));
    shop
}

fn append(path: &Path, text: &str) {
    let mut file = fs::File::options().append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn every_format_reaches_silver() {
    for (format, is_compressed) in [
        ("json", false),
        ("json", true),
        ("csv", false),
        ("csv", true),
        ("parquet", false),
        ("avro", false),
        ("arrow", false),
    ] {
        let shop = shop_of(format);
        let file = written(format, &events());
        match is_compressed {
            true => fs::write(shop.path(&format!("sample_data/a.{format}.gz")), gzipped(&file)).unwrap(),
            false => fs::write(shop.path(&format!("sample_data/a.{format}")), file).unwrap(),
        }
        shop.ok(&["run"]);
        assert_eq!(shop.records_of_last_run(), [22, 20, 1, 1, 0], "{format}");
        shop.assert_nothing_lost(22);
        let price = if format == "csv" { "\"19.90\"" } else { "19.90" };
        let alike = format!(
            "select count(distinct event_at) from silver.events \
             where extra = '{{\"price\":{price}}}' and item_id like 'a \"quoted\", item%'"
        );
        let places = "select min(\"offset\"), max(\"offset\"), count(distinct \"offset\") from bronze.clicks";
        let found = shop.results(&[], &[alike.as_str(), places]).concat();
        assert_eq!(found, ["20", "1,22,22"], "{format}");
        shop.ok(&["run"]);
        shop.assert_nothing_lost(22);
    }
}

#[test]
fn a_growing_csv_is_read_on_and_rows_that_do_not_fit_are_put_aside() {
    let shop = shop_of("csv");
    let file = shop.path("sample_data/a.csv");
    let row = |n: u32| format!("2026-03-01T10:00:{n:02}Z,s1,\"item\n{n}\",view\r\n");
    let header = "timestamp,session_id,item_id,event_type\r\n";
    append(&file, &format!("\u{feff}{header}{}{}", row(1), row(2)));
    shop.ok(&["run"]);
    shop.assert_nothing_lost(2);
    append(
        &file,
        &format!("2026-03-01T10:00:03Z,s1\r\n{}{header}1,2,3,4,5\r\n", row(4)),
    );
    append(&file, "2026-03-01T10:00:05Z,s1,item5,vi");
    shop.ok(&["run"]);
    shop.assert_nothing_lost(6);
    append(&file, "ew\r\n");
    shop.ok(&["run"]);
    shop.assert_nothing_lost(7);
    let as_it_is = |row: &str| {
        format!(
            "select count(*) from silver.quarantine where reason like 'not JSON%' and cast(value as varchar) = '{row}'"
        )
    };
    let counts = shop.numbers([
        "select count(*) from silver.events",
        &as_it_is("2026-03-01T10:00:03Z,s1"),
        &as_it_is("1,2,3,4,5"),
        "select count(*) from silver.quarantine where reason = 'timestamp: not an RFC 3339 time'",
    ]);
    assert_eq!(counts, [4, 1, 1, 1]);
}

#[test]
fn a_table_that_is_damaged_blocks_no_other() {
    for format in ["parquet", "avro", "arrow"] {
        let shop = shop_of(format);
        let at = |name: &str| shop.path(&format!("sample_data/{name}.{format}"));
        let whole = written(format, &events());
        fs::write(at("a"), &whole[..whole.len() - 30]).unwrap();
        fs::write(at("b"), &whole).unwrap();
        fs::write(at("c"), "session_id,item_id\n").unwrap();
        let run = shop.run(&["run"]);
        let errors = String::from_utf8(run.stderr).unwrap();
        assert!(run.status.success(), "{errors}");
        assert!(
            errors.contains(&format!("a.{format} is not read until it changes")),
            "{errors}"
        );
        assert!(
            errors.contains(&format!("c.{format} is not read: it is not")),
            "{errors}"
        );
        shop.assert_nothing_lost(22);
        fs::write(at("a"), &whole).unwrap();
        shop.ok(&["run"]);
        shop.assert_nothing_lost(44);
    }
}

/// What the file says of itself is whole, so that only reading finds the damage.
#[test]
fn a_table_that_is_damaged_inside_blocks_no_other() {
    const TEXT: &[u8] = b"quoted";
    for format in ["parquet", "avro", "arrow"] {
        let shop = shop_of(format);
        let at = |name: &str| shop.path(&format!("sample_data/{name}.{format}"));
        let whole = written(format, &events());
        let mut damaged = whole.clone();
        let place = damaged.windows(TEXT.len()).position(|text| text == TEXT).unwrap();
        damaged[place..place + TEXT.len()].fill(0xff);
        fs::write(at("a"), damaged).unwrap();
        fs::write(at("b"), &whole).unwrap();
        let run = shop.run(&["run"]);
        let errors = String::from_utf8(run.stderr).unwrap();
        assert!(run.status.success(), "{errors}");
        let warning = format!("a.{format} is not read until it changes");
        assert_eq!(errors.matches(&warning).count(), 1, "{errors}");
        shop.assert_nothing_lost(22);
        fs::write(at("a"), &whole).unwrap();
        shop.ok(&["run"]);
        shop.assert_nothing_lost(44);
    }
}

#[test]
fn a_damaged_table_that_a_step_does_not_read_to_its_end_is_left_out() {
    let shop = shop_of("parquet");
    let file = shop.path("sample_data/a.parquet");
    let items = "select 's' as session_id, cast(value as varchar) as item_id from range(0, 30000)";
    shop.ok(&["sql", "-c", &format!("copy ({items}) to 'sample_data/a.parquet'")]);
    let whole = fs::read(&file).unwrap();
    let (mut damaged, middle) = (whole.clone(), whole.len() / 2);
    damaged[middle..middle + 300].fill(0xff);
    fs::write(&file, damaged).unwrap();
    shop.edit(
        "sql/bronze/clicks.sql",
        "from changes('clicks')",
        "from changes('clicks') limit 1",
    );
    for (content, rows) in [(None, 0), (Some(&whole), 1)] {
        if let Some(content) = content {
            fs::write(&file, content).unwrap();
        }
        shop.ok(&["run", "--select", "bronze.clicks"]);
        assert_eq!(shop.number("select count(*) from bronze.clicks"), rows);
    }
}

#[test]
fn a_cluster_reads_all_formats() {
    let csv = "csv, header: false, delimiter: \";\", columns: [timestamp, session_id, item_id, event_type]";
    for (format, name) in [(csv, "a.csv"), ("parquet", "a.parquet")] {
        let shop = shop_of(format);
        let file = match name {
            "a.csv" => b"2026-03-01T10:00:01Z;s1;item1;view\n2026-03-01T10:00:02Z;s1;item2;view\n".to_vec(),
            _ => written("parquet", &events().slice(0, 2)),
        };
        fs::write(shop.path("sample_data").join(name), file).unwrap();
        let cluster = Cluster::start(&shop, &[], 1);
        shop.ok(&["run", "--select", "bronze.clicks", "--engine", &cluster.engine()]);
        let objects = "select count(*) from bronze.clicks where cast(value as varchar) like '{\"timestamp\":\"2026-%'";
        assert_eq!(shop.number(objects), 2, "{format}");
    }
}

#[test]
fn a_csv_without_its_header_is_told_and_read_once_its_columns_are_named() {
    let shop = shop_of("csv");
    append(
        &shop.path("sample_data/a.csv"),
        "2026-03-01T10:00:01Z,s1,item1,view\n2026-03-01T10:00:02Z,s1,item2,view\n",
    );
    let run = shop.run(&["run", "--select", "bronze.clicks"]);
    let errors = String::from_utf8(run.stderr).unwrap();
    assert!(run.status.success(), "{errors}");
    assert!(
        errors.contains("a.csv is not read: its first row is not a header") && errors.contains("header: false"),
        "{errors}"
    );
    let named = "csv, header: false, columns: [timestamp, session_id, item_id, event_type]";
    shop.edit("pipelines.yaml", "format: csv", &format!("format: {named}"));
    shop.ok(&["run"]);
    shop.assert_nothing_lost(2);
    assert_eq!(shop.number("select count(*) from silver.events"), 2);
}
