#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::fs;
use std::io::Write;
use std::path::Path;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use async_trait::async_trait;
use datafusion::prelude::SessionContext;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tempfile::TempDir;

use super::FilesSource;
use crate::config::{FileFormat, FilesConfig};
use crate::source::{Committed, OnLoss, Positions, ReadOptions, Source, SourceError};

const ACCEPT: ReadOptions = ReadOptions {
    on_loss: OnLoss::Accept,
    from_timestamp_millis: None,
    records_max: None,
};

struct At<'a>(&'a Positions);

#[async_trait]
impl Committed for At<'_> {
    async fn position(&self, place: &str) -> Result<Option<i64>, SourceError> {
        Ok(self.0.get(place).copied())
    }
}

fn source(path: &Path) -> FilesSource {
    FilesSource::new(FilesConfig {
        path: path.display().to_string(),
        root: if path.is_dir() { path } else { path.parent().unwrap() }.to_owned(),
        format: FileFormat::Ndjson,
    })
    .unwrap()
}

/// Reads what is new, and moves the positions: file, line, text.
async fn read(source: &FilesSource, positions: &mut Positions) -> Result<Vec<(String, i64, String)>, SourceError> {
    let pending = source.pending(&At(positions), ReadOptions::default()).await?;
    positions.extend(pending.next);
    let batches = SessionContext::new()
        .read_table(pending.provider)
        .unwrap()
        .collect()
        .await
        .unwrap();
    let mut rows = vec![];
    for batch in batches {
        let topics = batch.column_by_name("topic").unwrap().as_string::<i32>();
        let offsets = batch.column_by_name("offset").unwrap().as_primitive::<Int64Type>();
        let values = batch.column_by_name("value").unwrap().as_binary::<i32>();
        for row in 0..batch.num_rows() {
            let text = String::from_utf8_lossy(values.value(row)).into_owned();
            rows.push((topics.value(row).to_owned(), offsets.value(row), text));
        }
    }
    rows.sort();
    Ok(rows)
}

fn texts(rows: Vec<(String, i64, String)>) -> Vec<String> {
    rows.into_iter().map(|(_, _, text)| text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_growing_file_is_read_on_from_where_it_ended() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("a.json");
    let source = source(&folder.path().join("*.json"));
    let mut positions = Positions::new();
    fs::write(&file, "{\"n\":1}\r\n\n{\"n\":2}\n{\"n\":").unwrap();
    let rows = read(&source, &mut positions).await.unwrap();
    assert_eq!(
        rows,
        [
            ("a.json".into(), 1, "{\"n\":1}".into()),
            ("a.json".into(), 3, "{\"n\":2}".into())
        ]
    );
    assert!(
        read(&source, &mut positions).await.unwrap().is_empty(),
        "the line being written waits"
    );
    fs::write(&file, "{\"n\":1}\r\n\n{\"n\":2}\n{\"n\":3}").unwrap();
    let rows = read(&source, &mut positions).await.unwrap();
    assert_eq!(
        rows,
        [("a.json".into(), 4, "{\"n\":3}".into())],
        "complete without a line break"
    );
    fs::write(&file, "{\"n\":1}\r\n\n{\"n\":2}\n{\"n\":3}\n{\"n\":4}\n").unwrap();
    let rows = read(&source, &mut positions).await.unwrap();
    assert_eq!(rows, [("a.json".into(), 5, "{\"n\":4}".into())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn gzip_members_are_read_and_added_to() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("a.json.gz");
    let member = |text: &str| {
        let mut gzip = GzEncoder::new(vec![], Compression::default());
        gzip.write_all(text.as_bytes()).unwrap();
        gzip.finish().unwrap()
    };
    let source = source(folder.path());
    let mut positions = Positions::new();
    fs::write(&file, member("1\n2\n")).unwrap();
    assert_eq!(texts(read(&source, &mut positions).await.unwrap()), ["1", "2"]);
    fs::write(&file, [member("1\n2\n"), member("3\n4\n")].concat()).unwrap();
    assert_eq!(texts(read(&source, &mut positions).await.unwrap()), ["3", "4"]);
    // A file that is damaged or still being written stops nobody: what can be read is, and the rest once it is there.
    fs::write(folder.path().join("b.json.gz"), b"this is not gzip").unwrap();
    let text: String = (0..5_000).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    let whole = member(&text);
    let file = folder.path().join("c.json.gz");
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let before = read(&source, &mut positions).await.unwrap().len();
    assert!(before < 5_000, "{before}");
    fs::write(&file, &whole).unwrap();
    let after = read(&source, &mut positions).await.unwrap();
    let lines: Vec<i64> = after.iter().map(|(_, line, _)| *line).collect();
    assert_eq!(lines, (before as i64 + 1..=5_000).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_or_cut_short_is_an_error_and_what_is_empty_is_not() {
    let folder = TempDir::new().unwrap();
    let mut positions = Positions::new();
    let error = read(&source(&folder.path().join("no/where/*.json")), &mut positions)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("there is no such folder"), "{error}");
    let source = source(folder.path());
    assert!(read(&source, &mut positions).await.unwrap().is_empty());
    let file = folder.path().join("a.json");
    fs::write(&file, "").unwrap();
    fs::write(folder.path().join("README.md"), "not data").unwrap();
    assert!(read(&source, &mut positions).await.unwrap().is_empty());
    fs::write(&file, "1\n2\n").unwrap();
    assert_eq!(read(&source, &mut positions).await.unwrap().len(), 2);
    fs::write(&file, "1\n").unwrap();
    let error = read(&source, &mut positions).await.unwrap_err().to_string();
    assert!(
        error.contains("a.json was read up to 4") && error.contains("cut short"),
        "{error}"
    );
    fs::write(&file, "7\n8\n9\n").unwrap();
    let error = read(&source, &mut positions).await.unwrap_err().to_string();
    assert!(
        error.contains("it begins with something else") && error.contains("--accept-loss"),
        "{error}"
    );
    let pending = source.pending(&At(&positions), ACCEPT).await.unwrap();
    assert_eq!(pending.records, 3, "from the first line");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_stops_reading() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("a.json"), "1\n".repeat(1_000)).unwrap();
    let pending = source(folder.path())
        .pending(&At(&Positions::new()), ReadOptions::default())
        .await
        .unwrap();
    assert_eq!(pending.records, 1_000);
    let context = SessionContext::new();
    let rows = context
        .read_table(pending.provider)
        .unwrap()
        .limit(0, Some(7))
        .unwrap()
        .collect()
        .await
        .unwrap();
    assert_eq!(rows.iter().map(|batch| batch.num_rows()).sum::<usize>(), 7);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn however_a_file_grows_each_line_comes_once(cuts in proptest::collection::vec(0_usize..1_000, 0..6)) {
        let lines: Vec<String> = (0..40).map(|n| format!("{{\"n\":{n},\"text\":\"{}\"}}", "x".repeat(n % 7))).collect();
        let whole = lines.join("\n") + "\n";
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % whole.len()).collect();
        cuts.push(whole.len());
        cuts.sort_unstable();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let folder = TempDir::new().unwrap();
        let source = source(folder.path());
        let (mut positions, mut rows) = (Positions::new(), vec![]);
        for cut in cuts {
            fs::write(folder.path().join("a.json"), &whole[..cut]).unwrap();
            rows.extend(runtime.block_on(read(&source, &mut positions)).unwrap());
        }
        let numbers: Vec<i64> = rows.iter().map(|(_, line, _)| *line).collect();
        prop_assert_eq!(numbers, (1..=40).collect::<Vec<i64>>());
        prop_assert_eq!(texts(rows), lines);
    }
}
