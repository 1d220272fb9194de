#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::prelude::SessionContext;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tempfile::TempDir;

use super::{FilesConfig, FilesSource};
use crate::sources::formats::{Format, FormatOptions, default_format, format};
use crate::sources::{Committed, FromTheStart, OnLoss, Positions, ReadOptions, Source, SourceError};

const ACCEPT: ReadOptions = ReadOptions {
    on_loss: OnLoss::Accept,
    from_timestamp_millis: None,
    records_max: None,
    trusts_files: false,
};

mod layouts;
mod looked_at;
mod model;
mod moved;
mod rows;
mod snapshot_model;
mod snapshots;
mod tables;

struct At<'a>(&'a Positions);

#[async_trait]
impl Committed for At<'_> {
    async fn position(&self, place: &str) -> Result<Option<i64>, SourceError> {
        Ok(self.0.get(place).copied())
    }

    async fn all(&self) -> Result<Option<Positions>, SourceError> {
        Ok(Some(self.0.clone()))
    }
}

fn config(path: String, root: &Path, format: Arc<dyn Format>) -> FilesConfig {
    FilesConfig {
        path,
        root: root.to_owned(),
        format,
        options: FormatOptions::default(),
        growing: true,
        is_snapshot: false,
    }
}

/// The format of a name, without options.
fn of(name: &str) -> Arc<dyn Format> {
    format(name, &FormatOptions::default()).unwrap().unwrap()
}

fn source(path: &Path) -> FilesSource {
    let root = if path.is_dir() { path } else { path.parent().unwrap() };
    FilesSource::new(config(path.display().to_string(), root, of(default_format()))).unwrap()
}

fn source_of(folder: &Path, format: Arc<dyn Format>) -> FilesSource {
    FilesSource::new(config(folder.display().to_string(), folder, format)).unwrap()
}

fn gzipped(text: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(vec![], Compression::default());
    gzip.write_all(text).unwrap();
    gzip.finish().unwrap()
}

type Rows = Vec<(String, i64, String)>;

/// Reads what is new, and advances the positions. Returns file, line and text.
async fn read(source: &FilesSource, positions: &mut Positions) -> Result<Rows, SourceError> {
    read_with(source, positions, ReadOptions::default()).await
}

async fn read_with(source: &FilesSource, positions: &mut Positions, options: ReadOptions) -> Result<Rows, SourceError> {
    let pending = source.pending(&At(positions), options).await?;
    // As a step does: without records, it does not commit.
    if pending.records > 0 || pending.keep {
        positions.extend(pending.next);
    }
    let records = pending.records;
    let rows = rows_of(pending.provider).await;
    assert_eq!(rows.len() as u64, records, "as many as were promised");
    Ok(rows)
}

/// All rows of a table, sorted.
async fn rows_of(table: Arc<dyn TableProvider>) -> Rows {
    let table = SessionContext::new().read_table(table).unwrap();
    let batches = table.collect().await.unwrap();
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
    rows
}

fn texts(rows: Rows) -> Vec<String> {
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
    // A file that is damaged or still being written blocks nothing: its readable part is read, and the rest once it is
    // there.
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
    assert!(error.to_string().contains("no such folder"), "{error}");
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
        error.contains("a.json was read up to position 4") && error.contains("truncated"),
        "{error}"
    );
    fs::write(&file, "7\n8\n9\n").unwrap();
    let error = read(&source, &mut positions).await.unwrap_err().to_string();
    assert!(
        error.contains("it no longer begins with what was read") && error.contains("--accept-loss"),
        "{error}"
    );
    let rows = read_with(&source, &mut positions, ACCEPT).await.unwrap();
    let lines: Vec<i64> = rows.iter().map(|(_, line, _)| *line).collect();
    assert_eq!(
        lines,
        [3, 4, 5],
        "from its first line, which is another record than the first one before"
    );
    assert!(read(&source, &mut positions).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_is_read_whatever_its_name() {
    let folder = TempDir::new().unwrap();
    for name in [
        "a.json",
        "my clicks.json",
        "100%.json",
        "100%25.json",
        "a[1].json",
        "größe ü.json",
        "a*b.json",
        "clicks",
        "x=1.log",
    ] {
        let file = folder.path().join(name);
        fs::write(&file, "{}\n").unwrap();
        let rows = read(&source(&file), &mut Positions::new()).await.unwrap();
        assert_eq!(rows, [(name.to_owned(), 1, "{}".to_owned())]);
    }
    let all = read(&source(&folder.path().join("*=*.log")), &mut Positions::new())
        .await
        .unwrap();
    assert_eq!(all.len(), 1);
    let whole = read(&source(folder.path()), &mut Positions::new()).await.unwrap();
    assert_eq!(whole.len(), 7);
    let url = format!("file://{}/my%20clicks.json", folder.path().display());
    let by_url = FilesSource::new(config(url, folder.path(), of(default_format())));
    assert_eq!(read(&by_url.unwrap(), &mut Positions::new()).await.unwrap().len(), 1);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn links_are_read_and_hidden_and_unfinished_files_are_not() {
    let (folder, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    fs::write(elsewhere.path().join("real.json"), "1\n").unwrap();
    std::os::unix::fs::symlink(elsewhere.path().join("real.json"), folder.path().join("link.json")).unwrap();
    std::os::unix::fs::symlink("nowhere.json", folder.path().join("broken.json")).unwrap();
    for name in [
        ".hidden.json",
        "_SUCCESS",
        "a.json.tmp",
        "b.json.crdownload",
        "c.json.gz.part",
        "_delta_log/0.json",
    ] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "2\n").unwrap();
    }
    for path in [folder.path().to_owned(), folder.path().join("*.json*")] {
        let rows = read(&source(&path), &mut Positions::new()).await.unwrap();
        let names: Vec<&str> = rows.iter().map(|(name, ..)| name.as_str()).collect();
        assert!(
            names.contains(&"link.json") && !names.iter().any(|name| name.contains("hidden")),
            "{names:?}"
        );
        assert!(
            !names
                .iter()
                .any(|name| name.contains(".tmp") || name.contains("part") || name.contains("_delta_log")),
            "{names:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_is_read_with_a_bom_and_without_empty_lines_and_utf16_is_not() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("a.json"), "\u{feff}{\"n\":1}\r\n\r\n\n{\"n\":2}\r\n").unwrap();
    fs::write(folder.path().join("b.json"), "\u{feff}").unwrap();
    fs::write(folder.path().join("c.json"), b"\xff\xfe{\0}\0\n\0").unwrap();
    let mut positions = Positions::new();
    let rows = read(&source(folder.path()), &mut positions).await.unwrap();
    let expected = [
        ("a.json".to_owned(), 1, "{\"n\":1}".to_owned()),
        ("a.json".to_owned(), 4, "{\"n\":2}".to_owned()),
    ];
    assert_eq!(rows, expected);
    assert!(read(&source(folder.path()), &mut positions).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_last_line_that_may_still_grow_waits() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("a.json");
    let (source, mut positions) = (source(folder.path()), Positions::new());
    fs::write(&file, "1\n12").unwrap();
    assert_eq!(texts(read(&source, &mut positions).await.unwrap()), ["1"]);
    assert!(read(&source, &mut positions).await.unwrap().is_empty());
    fs::write(&file, "1\n123\n").unwrap();
    assert_eq!(texts(read(&source, &mut positions).await.unwrap()), ["123"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_as_new_as_their_listing_however_old_the_file() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("a.json"), "{}\n").unwrap();
    let file = fs::File::options()
        .write(true)
        .open(folder.path().join("a.json"))
        .unwrap();
    let before = std::time::SystemTime::now();
    for mtime in [std::time::UNIX_EPOCH, before + std::time::Duration::from_secs(1 << 30)] {
        file.set_modified(mtime).unwrap();
        let pending = source(folder.path())
            .pending(&FromTheStart, ReadOptions::default())
            .await
            .unwrap();
        let rows = SessionContext::new()
            .read_table(pending.provider)
            .unwrap()
            .collect()
            .await
            .unwrap();
        let at = rows[0]
            .column_by_name("timestamp")
            .unwrap()
            .as_primitive::<TimestampMicrosecondType>()
            .value(0);
        let now = before.duration_since(std::time::UNIX_EPOCH).unwrap().as_micros() as i64;
        assert!((at - now).abs() < 60_000_000, "{at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_compressions_are_read_with_all_their_members() {
    let folder = TempDir::new().unwrap();
    for (program, ending) in [("gzip", "gz"), ("bzip2", "bz2"), ("xz", "xz"), ("zstd", "zst")] {
        let member = |text: &str| {
            let child = Command::new(program)
                .arg("-c")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn();
            let mut child = child.ok()?;
            child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
            Some(child.wait_with_output().unwrap().stdout)
        };
        let (Some(one), Some(other)) = (member("1\n2\n"), member("3\n")) else {
            continue;
        };
        let name = format!("{program}.json.{ending}");
        fs::write(folder.path().join(&name), [one.clone(), other].concat()).unwrap();
        let rows = read(&source(&folder.path().join(name)), &mut Positions::new())
            .await
            .unwrap();
        assert_eq!(texts(rows), ["1", "2", "3"], "{program}");
        let file = folder.path().join(program);
        fs::write(&file, one).unwrap();
        let rows = read(&source(&file), &mut Positions::new()).await.unwrap();
        assert_eq!(texts(rows), ["1", "2"], "{program}, by its first bytes");
    }
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
