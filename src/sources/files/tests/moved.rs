//! Files that are renamed, rotated, compressed, truncated and replaced.

use std::fs;
use std::time::{Duration, SystemTime};

use object_store::memory::InMemory;
use object_store::{ObjectStoreExt, PutPayload};

use super::*;
use crate::sources::files::new_lines::NewLines;
use crate::sources::files::read_so_far::Known;

/// The time that file systems may need to tell two timestamps apart.
const SETTLED: Duration = Duration::from_millis(30);

fn lines(from: usize, to: usize) -> String {
    (from..=to).map(|n| format!("{{\"n\":{n}}}\n")).collect()
}

fn gzip(path: &Path) {
    let mut gzip = GzEncoder::new(vec![], Compression::default());
    gzip.write_all(&fs::read(path).unwrap()).unwrap();
    fs::write(format!("{}.gz", path.display()), gzip.finish().unwrap()).unwrap();
    fs::remove_file(path).unwrap();
}

struct Log {
    folder: TempDir,
    source: FilesSource,
    positions: Positions,
    places: Vec<(String, i64)>,
}

impl Log {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        Self {
            source: source(folder.path()),
            folder,
            positions: Positions::new(),
            places: vec![],
        }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = fs::File::options().append(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::create_dir_all(self.path(to).parent().unwrap()).unwrap();
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    async fn reads(&mut self, expected: &str) {
        let rows = read(&self.source, &mut self.positions).await.unwrap();
        for (place, line, _) in &rows {
            let place = (place.clone(), *line);
            assert!(!self.places.contains(&place), "{place:?} is another record already");
            self.places.push(place);
        }
        let mut texts = texts(rows);
        texts.sort_by_key(|text| (text.len(), text.clone()));
        assert_eq!(texts, expected.lines().collect::<Vec<_>>());
    }

    async fn refused(&mut self) -> String {
        read(&self.source, &mut self.positions).await.unwrap_err().to_string()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_log_is_read_once_and_its_compression_changes_nothing() {
    let mut log = Log::new();
    log.write("clicks.json", &lines(1, 10));
    log.reads(&lines(1, 10)).await;
    log.rename("clicks.json", "clicks-1.json");
    log.write("clicks.json", &lines(11, 15));
    log.reads(&lines(11, 15)).await;
    gzip(&log.path("clicks-1.json"));
    log.reads("").await;
    log.append("clicks.json", &lines(16, 17));
    log.reads(&lines(16, 17)).await;
    log.rename("clicks-1.json.gz", "old/2026/a.json.gz");
    log.reads("").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_file_goes_on_where_it_was_read_to() {
    for name in ["b.json", "day=1/b.json", "a.json.1", "a.json-20260301"] {
        let mut log = Log::new();
        log.write("a.json", &lines(1, 3));
        log.reads(&lines(1, 3)).await;
        log.append("a.json", &lines(4, 5));
        log.rename("a.json", name);
        log.append(name, &lines(6, 6));
        log.reads(&lines(4, 6)).await;
        gzip(&log.path(name));
        log.reads("").await;
        log.write("a.json", &lines(7, 8));
        log.reads(&lines(7, 8)).await;
        log.rename("a.json", "c.json");
        log.rename("c.json", "a.json");
        log.reads("").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rotations_that_shift_numbers_read_nothing_twice() {
    let mut log = Log::new();
    let mut next = 1;
    for round in 0..5 {
        for number in (1..round).rev() {
            let older = format!("clicks.json.{}.gz", number + 1);
            match number {
                1 => {
                    log.rename("clicks.json.1", "clicks.json.2");
                    gzip(&log.path("clicks.json.2"));
                }
                _ => log.rename(&format!("clicks.json.{number}.gz"), &older),
            }
        }
        if round > 0 {
            log.append("clicks.json", &lines(next, next));
            log.rename("clicks.json", "clicks.json.1");
        }
        log.write("clicks.json", &lines(next + 1, next + 4));
        let first = if round > 0 { next } else { next + 1 };
        log.reads(&lines(first, next + 4)).await;
        next += 5;
    }
    // The oldest makes room.
    log.rename("clicks.json.4.gz", "clicks.json.5.gz");
    log.reads("").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_copied_and_cut_is_read_once_however_much_it_grows_anew() {
    for anew in [0, 2, 30] {
        let mut log = Log::new();
        log.write("clicks.json", &lines(1, 10));
        log.reads(&lines(1, 10)).await;
        log.append("clicks.json", &lines(11, 12));
        fs::copy(log.path("clicks.json"), log.path("clicks.json.1")).unwrap();
        log.write("clicks.json", &lines(13, 12 + anew));
        log.reads(&lines(11, 12 + anew)).await;
        log.append("clicks.json", &lines(100, 101));
        log.reads(&lines(100, 101)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_file_is_refused_and_read_as_a_new_one_where_that_is_accepted() {
    let old = lines(1, 200);
    let middle = old.replace("{\"n\":150}", "{\"n\":950}");
    let replaced = [
        ("the same length", middle.clone()),
        ("the same beginning, and longer", middle + &lines(201, 300)),
        ("another beginning", lines(500, 900)),
    ];
    for (what, new) in replaced {
        for in_place in [true, false] {
            let mut log = Log::new();
            log.write("a.json", &old);
            let mtime = fs::metadata(log.path("a.json")).unwrap().modified().unwrap();
            tokio::time::sleep(SETTLED).await;
            log.reads(&old).await;
            if !in_place {
                fs::remove_file(log.path("a.json")).unwrap();
            }
            log.write("a.json", &new);
            let file = fs::File::options().write(true).open(log.path("a.json")).unwrap();
            file.set_modified(mtime).unwrap();
            let error = log.refused().await;
            assert!(
                error.contains("replaced") && error.contains("--accept-loss"),
                "{what}: {error}"
            );
            let rows = read_with(&log.source, &mut log.positions, ACCEPT).await.unwrap();
            assert_eq!(rows.len(), new.lines().count(), "{what}");
            assert!(
                rows.iter().all(|(_, line, _)| *line > 200),
                "{what}: places of their own"
            );
            log.reads("").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_loss_is_accepted_for_good() {
    let mut log = Log::new();
    log.write("a.json", &lines(1, 9));
    log.reads(&lines(1, 9)).await;
    log.write("a.json", "");
    assert!(log.refused().await.contains("truncated"));
    assert!(
        read_with(&log.source, &mut log.positions, ACCEPT)
            .await
            .unwrap()
            .is_empty()
    );
    log.reads("").await;
    log.append("a.json", &lines(1, 2));
    log.reads(&lines(1, 2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_touched_deleted_and_restored_are_read_once() {
    let mut log = Log::new();
    log.write("a.json", &lines(1, 3));
    log.write("b.json", &lines(4, 6));
    log.reads(&lines(1, 6)).await;
    let file = fs::File::options().write(true).open(log.path("a.json")).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(1_000_000))
        .unwrap();
    log.reads("").await;
    fs::remove_file(log.path("b.json")).unwrap();
    log.write("c.json", &lines(7, 7));
    log.reads(&lines(7, 7)).await;
    log.write("b.json", &lines(4, 6));
    log.reads("").await;
    fs::remove_file(log.path("b.json")).unwrap();
    log.write("b.json", &lines(4, 8));
    log.reads(&lines(7, 8)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_files_of_the_same_content_are_two() {
    let mut log = Log::new();
    log.write("a.json", "{}\n");
    log.write("b.json", "{}\n");
    log.reads("{}\n{}").await;
    log.write("c.json", "{}\n");
    log.reads("{}").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_beside_its_compression_is_read_once() {
    let mut log = Log::new();
    log.write("a.json", &lines(1, 2_000));
    let mut gz = GzEncoder::new(vec![], Compression::default());
    gz.write_all(lines(1, 2_000).as_bytes()).unwrap();
    let gz = gz.finish().unwrap();
    log.reads(&lines(1, 2_000)).await;
    for end in [0, 5, gz.len() / 2, gz.len()] {
        fs::write(log.path("a.json.gz"), &gz[..end]).unwrap();
        log.reads("").await;
    }
    fs::remove_file(log.path("a.json")).unwrap();
    log.reads("").await;
    // And back.
    for end in [0, 900, 2_000] {
        log.write("a.json", &lines(1, end));
        log.reads("").await;
    }
    fs::remove_file(log.path("a.json.gz")).unwrap();
    log.append("a.json", &lines(2_001, 2_001));
    log.reads(&lines(2_001, 2_001)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_files_are_told_by_parts_of_them() {
    let mut log = Log::new();
    let filler = "x".repeat(1_000);
    let text: String = (0..20_000)
        .map(|n| format!("{{\"n\":{n},\"filler\":\"{filler}\"}}\n"))
        .collect();
    log.write("a.json", &text);
    assert_eq!(read(&log.source, &mut log.positions).await.unwrap().len(), 20_000);
    log.append("a.json", &lines(1, 2));
    log.reads(&lines(1, 2)).await;
    log.rename("a.json", "b.json");
    log.append("b.json", &lines(3, 3));
    log.reads(&lines(3, 3)).await;
    let mut text = fs::read(log.path("b.json")).unwrap();
    let last = text.len() - 3;
    text[last] = b'7';
    fs::write(log.path("b.json"), text).unwrap();
    assert!(log.refused().await.contains("replaced"));
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_of_older_versions_are_read_on_from() {
    let mut log = Log::new();
    log.write("a.json", &lines(1, 5));
    log.write("b.json", &lines(6, 9));
    gzip(&log.path("b.json"));
    let old = |name: &str, lines: i64| {
        let bytes = fs::read(log.path(name)).unwrap();
        let hash = crate::sources::files::pass::head(&bytes[..bytes.len().min(1_024)]);
        let length = bytes.len() as i64;
        [
            (name.to_owned(), lines),
            (format!("{name}#bytes"), length),
            (format!("{name}#head"), hash),
        ]
    };
    let old: Vec<_> = old("a.json", 5).into_iter().chain(old("b.json.gz", 4)).collect();
    log.positions.extend(old.clone());
    log.reads("").await;
    log.rename("a.json", "c.json");
    log.append("c.json", &lines(10, 10));
    log.reads(&lines(10, 10)).await;
    log.rename("b.json.gz", "d.json.gz");
    log.reads("").await;
    let mut log = Log::new();
    log.positions.extend(old);
    log.write("a.json", &lines(2, 6));
    assert!(log.refused().await.contains("replaced"));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_which_nothing_new_is_told_are_not_opened() {
    let mut log = Log::new();
    for n in 0..20 {
        log.write(&format!("{n}.json"), &lines(n, n));
    }
    tokio::time::sleep(SETTLED).await;
    log.reads(&lines(0, 19)).await;
    log.append("7.json", &lines(20, 20));
    let files = log.source.listing().await.unwrap();
    let known = Known::committed(&At(&log.positions), std::iter::empty()).await.unwrap();
    let new = NewLines::find(&log.source, &files, &known, ReadOptions::default())
        .await
        .unwrap();
    assert_eq!(new.opened(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_are_renamed_and_replaced_are_told_by_content() {
    let mut log = Log::new();
    let store = Arc::new(InMemory::new());
    let there = config("memory:///clicks".to_owned(), log.folder.path(), of(default_format()));
    log.source = FilesSource::new(there).unwrap();
    log.source.store = store.clone();
    let put = async |name: &str, text: String| store.put(&name.into(), PutPayload::from(text)).await.unwrap();
    put("clicks/a.json", lines(1, 3)).await;
    log.reads(&lines(1, 3)).await;
    store
        .rename(&"clicks/a.json".into(), &"clicks/b/1.json".into())
        .await
        .unwrap();
    put("clicks/a.json", lines(4, 5)).await;
    log.reads(&lines(4, 5)).await;
    put("clicks/a.json", lines(6, 7)).await;
    assert!(log.refused().await.contains("replaced"));
    put("clicks/a.json", lines(4, 6)).await;
    log.reads(&lines(6, 6)).await;
}
