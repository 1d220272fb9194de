//! Files that are rewritten as a whole: their newest state counts, all of it or nothing.

use std::time::{Duration, SystemTime};

use super::tables::{numbers, parquet};
use super::*;
use crate::sources::{Pending, SourceTable};

pub(super) fn snapshot(path: &Path, format: Arc<dyn Format>) -> FilesSource {
    snapshot_with(path, format, FormatOptions::default())
}

fn snapshot_with(path: &Path, format: Arc<dyn Format>, options: FormatOptions) -> FilesSource {
    let root = if path.is_dir() { path } else { path.parent().unwrap() };
    let config = FilesConfig {
        options,
        growing: false,
        is_snapshot: true,
        ..config(path.display().to_string(), root, format)
    };
    FilesSource::new(config).unwrap()
}

pub(super) async fn pending(source: &FilesSource, positions: &Positions) -> Pending {
    let pending = source.pending(&At(positions), ReadOptions::default()).await;
    pending.unwrap()
}

/// The records of a new state, whose positions are kept; `None` if there is nothing to do.
async fn taken(source: &FilesSource, positions: &mut Positions) -> Option<Rows> {
    let pending = pending(source, positions).await;
    assert_eq!(pending.not_taken, None);
    if !pending.keep {
        assert_eq!(pending.records, 0);
        return None;
    }
    *positions = pending.next;
    let rows = rows_of(pending.provider).await;
    assert_eq!(rows.len() as u64, pending.records);
    Some(rows)
}

/// Why a state was not read.
async fn refused(source: &FilesSource, positions: &Positions) -> String {
    let pending = pending(source, positions).await;
    assert!(!pending.keep && pending.records == 0 && pending.next.is_empty());
    pending.not_taken.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_state_is_read_as_a_whole_and_the_same_state_not_again() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("items.csv");
    let (source, mut positions) = (snapshot(&file, of("csv")), Positions::new());
    fs::write(&file, "id,price\n1,5\n2,6").unwrap();
    let rows = taken(&source, &mut positions).await.unwrap();
    assert_eq!(
        rows,
        [
            ("items.csv".to_owned(), 1, r#"{"id":"1","price":"5"}"#.to_owned()),
            ("items.csv".to_owned(), 2, r#"{"id":"2","price":"6"}"#.to_owned()),
        ]
    );
    assert_eq!(taken(&source, &mut positions).await, None);
    // Another content of the same size, an hour ago.
    fs::write(&file, "id,price\n1,5\n2,7").unwrap();
    let hour_ago = SystemTime::now() - Duration::from_secs(3_600);
    let set = |time| fs::File::options().write(true).open(&file).unwrap().set_modified(time);
    set(hour_ago).unwrap();
    let rows = taken(&source, &mut positions).await.unwrap();
    assert!(rows[1].2.contains("7"), "{rows:?}");
    // The same content, touched, and written again.
    set(SystemTime::now()).unwrap();
    assert_eq!(taken(&source, &mut positions).await, None);
    fs::write(&file, "id,price\n1,5\n2,7").unwrap();
    assert_eq!(taken(&source, &mut positions).await, None);
    // A header is content, too.
    fs::write(&file, "id,costs\n1,5\n2,7").unwrap();
    assert!(taken(&source, &mut positions).await.unwrap()[0].2.contains("costs"));
    fs::write(&file, "id,costs\n").unwrap();
    assert_eq!(taken(&source, &mut positions).await, Some(vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unchanged_is_not_opened_unless_a_step_needs_its_records() {
    let folder = TempDir::new().unwrap();
    let mut positions = Positions::new();
    fs::write(folder.path().join("a.json"), "1\n2\n").unwrap();
    taken(&snapshot(folder.path(), of("ndjson")), &mut positions)
        .await
        .unwrap();
    let stamp = positions["#stamp"];
    assert_ne!(stamp, 0);
    // Another process.
    let source = snapshot(folder.path(), of("ndjson"));
    let unchanged = pending(&source, &positions).await;
    assert!(!unchanged.keep && unchanged.next == positions);
    assert!(source.newest.get(stamp).is_none(), "nothing was opened");
    assert_eq!(texts(rows_of(unchanged.provider).await), ["1", "2"]);
    assert!(source.newest.get(stamp).is_some());
    // Between the look and the reading, it was replaced.
    let unchanged = pending(&source, &positions).await;
    fs::write(folder.path().join("a.json"), "3\n").unwrap();
    let table = SessionContext::new().read_table(unchanged.provider).unwrap();
    let error = table.collect().await.unwrap_err().to_string();
    assert!(
        error.contains("has just changed") && error.contains("run again"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_replaced_while_it_is_read_gives_no_mixture() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("a.json");
    let source = snapshot(folder.path(), of("ndjson"));
    fs::write(&file, "1\n2\n").unwrap();
    fs::write(folder.path().join("b.json"), "3\n").unwrap();
    let found = pending(&source, &Positions::new()).await;
    fs::write(&file, "7\n8\n").unwrap();
    let table = SessionContext::new().read_table(found.provider).unwrap();
    let error = table.collect().await.unwrap_err().to_string();
    assert!(error.contains("replaced") && error.contains("run again"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_is_not_whole_is_not_taken() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (source, mut positions) = (snapshot(folder.path(), of("ndjson")), Positions::new());
    assert_eq!(refused(&source, &positions).await, "there are no files");
    fs::write(at("a.json"), "{\"n\":1}\n").unwrap();
    assert_eq!(taken(&source, &mut positions).await.unwrap().len(), 1);
    let whole = gzipped("{\"n\":2}\n".repeat(5_000).as_bytes());
    fs::write(at("b.json.gz"), &whole[..whole.len() / 2]).unwrap();
    assert!(refused(&source, &positions).await.starts_with("b.json.gz: "));
    for (text, reason) in [
        ("{\"n\":2}\n{\"n\":", "b.json: its last record is unterminated"),
        ("", "b.json: it is empty"),
    ] {
        _ = fs::remove_file(at("b.json.gz"));
        fs::write(at("b.json"), text).unwrap();
        let told = refused(&source, &positions).await;
        assert!(told.starts_with(reason), "{told}");
    }
    fs::write(at("b.json"), b"\xff\xfe{\0}\0").unwrap();
    assert!(refused(&source, &positions).await.starts_with("b.json: it is "));
    let shown = SourceTable::new(Arc::new(source.clone()));
    let table = SessionContext::new().read_table(Arc::new(shown)).unwrap();
    let error = table.collect().await.unwrap_err().to_string();
    assert!(error.contains("cannot be read now: b.json"), "{error}");
    fs::write(at("b.json"), "{\"n\":2}\n").unwrap();
    assert_eq!(taken(&source, &mut positions).await.unwrap().len(), 2);
    fs::remove_file(at("a.json")).unwrap();
    assert_eq!(texts(taken(&source, &mut positions).await.unwrap()), ["{\"n\":2}"]);
    fs::remove_file(at("b.json")).unwrap();
    assert_eq!(refused(&source, &positions).await, "there are no files");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_is_away_is_an_error_that_passes_once_it_was_read() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("items.csv");
    let (source, mut positions) = (snapshot(&file, of("csv")), Positions::new());
    let away = async |positions: &Positions| {
        let found = source.pending(&At(positions), ReadOptions::default()).await;
        found.unwrap_err()
    };
    assert!(matches!(away(&positions).await, SourceError::Missing { .. }));
    fs::write(&file, "id\n1\n").unwrap();
    taken(&source, &mut positions).await.unwrap();
    fs::remove_file(&file).unwrap();
    let error = away(&positions).await;
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("items.csv"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_a_snapshot_too() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("items.parquet");
    let (source, mut positions) = (snapshot(&file, of("parquet")), Positions::new());
    let whole = parquet(0, 9);
    fs::write(&file, &whole).unwrap();
    assert_eq!(texts(taken(&source, &mut positions).await.unwrap()), numbers(0, 9));
    fs::write(&file, &whole).unwrap();
    assert_eq!(taken(&source, &mut positions).await, None);
    for damaged in [&whole[..whole.len() - 20], &b"id,name\n"[..], &[]] {
        fs::write(&file, damaged).unwrap();
        assert!(refused(&source, &positions).await.starts_with("items.parquet: "));
    }
    fs::write(&file, parquet(1, 9)).unwrap();
    assert_eq!(texts(taken(&source, &mut positions).await.unwrap()), numbers(1, 9));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_read_once_and_other_options_make_other_records() {
    let folder = TempDir::new().unwrap();
    let text = "id;price\n1;5\n";
    fs::write(folder.path().join("items.csv"), text).unwrap();
    fs::write(folder.path().join("items.csv.gz"), gzipped(text.as_bytes())).unwrap();
    let mut positions = Positions::new();
    let by_comma = snapshot(folder.path(), of("csv"));
    assert_eq!(taken(&by_comma, &mut positions).await.unwrap().len(), 1);
    let options = FormatOptions {
        delimiter: Some(";".to_owned()),
        ..FormatOptions::default()
    };
    let csv = format("csv", &options).unwrap().unwrap();
    let by_semicolon = snapshot_with(folder.path(), csv, options);
    let rows = taken(&by_semicolon, &mut positions).await.unwrap();
    assert_eq!(texts(rows), [r#"{"id":"1","price":"5"}"#]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_a_snapshot_filled_is_not_added_to() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("a.json"), "1\n").unwrap();
    let mut positions = Positions::new();
    taken(&snapshot(folder.path(), of("ndjson")), &mut positions)
        .await
        .unwrap();
    let error = read(&source(folder.path()), &mut positions).await.unwrap_err();
    assert!(matches!(error, SourceError::WasSnapshot { .. }), "{error}");
    assert_eq!(
        read(&source(folder.path()), &mut Positions::new()).await.unwrap().len(),
        1
    );
}
