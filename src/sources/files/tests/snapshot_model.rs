//! Whatever is done to the files of a snapshot, a run takes the newest state as a whole, and only if it is another one:
//! checked against a simple model of a folder.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::snapshots::{pending, snapshot};
use super::*;

/// Something that happens to the files in a folder.
#[derive(Debug, Clone)]
enum Action {
    /// A new file with this many records.
    New(usize),
    /// Rewrites a file with this many other records.
    Write(usize, usize),
    /// Writes the same bytes again.
    Again(usize),
    /// Sets another modification time.
    Touch(usize),
    Rename(usize),
    Gzip(usize),
    Delete(usize),
    /// Cuts off a file in its last record, or empties it.
    Cut(usize, bool),
    Run,
}

fn action() -> impl Strategy<Value = Action> {
    let file = 0_usize..6;
    prop_oneof![
        3 => (0_usize..4).prop_map(Action::New),
        3 => (file.clone(), 0_usize..4).prop_map(|(file, records)| Action::Write(file, records)),
        1 => file.clone().prop_map(Action::Again),
        1 => file.clone().prop_map(Action::Touch),
        1 => file.clone().prop_map(Action::Rename),
        1 => file.clone().prop_map(Action::Gzip),
        1 => file.clone().prop_map(Action::Delete),
        1 => (file, any::<bool>()).prop_map(|(file, is_empty)| Action::Cut(file, is_empty)),
        6 => Just(Action::Run),
    ]
}

/// The folder and its content.
struct Model {
    folder: TempDir,
    /// The numbers in each file; `None` if it is damaged.
    files: BTreeMap<String, Option<Vec<usize>>>,
    /// What was in them when they were last taken.
    taken: Option<BTreeMap<String, Option<Vec<usize>>>>,
    positions: Positions,
    /// The next number for a record or a name.
    next: usize,
}

impl Model {
    fn pick(&self, file: usize) -> Option<String> {
        self.files.keys().nth(file % self.files.len().max(1)).cloned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Of four digits, so that files of equally many records have the same size.
    fn number(&mut self) -> usize {
        self.next += 1;
        1_000 + self.next
    }

    fn write(&mut self, name: String, numbers: Vec<usize>) {
        let lines = numbers.iter().map(|n| format!("{n}\n"));
        // A file without records still has a line.
        let text = lines.collect::<String>() + "\n";
        match name.ends_with(".gz") {
            true => fs::write(self.path(&name), gzipped(text.as_bytes())).unwrap(),
            false => fs::write(self.path(&name), text).unwrap(),
        }
        self.files.insert(name, Some(numbers));
    }

    fn act(&mut self, action: &Action) {
        let new = |model: &mut Self, records: usize| -> Vec<usize> { (0..records).map(|_| model.number()).collect() };
        let file = match action {
            Action::New(records) => {
                let (name, numbers) = (format!("{}.json", self.number()), new(self, *records));
                return self.write(name, numbers);
            }
            Action::Run => return,
            Action::Write(file, _)
            | Action::Again(file)
            | Action::Touch(file)
            | Action::Rename(file)
            | Action::Gzip(file)
            | Action::Delete(file)
            | Action::Cut(file, _) => *file,
        };
        let Some(name) = self.pick(file) else { return };
        let path = self.path(&name);
        match action {
            Action::New(_) | Action::Run => {}
            Action::Write(_, records) => {
                let numbers = new(self, *records);
                self.write(name, numbers);
            }
            Action::Again(_) => fs::write(&path, fs::read(&path).unwrap()).unwrap(),
            Action::Touch(_) => {
                let time = SystemTime::now() - Duration::from_secs(self.number() as u64);
                let file = fs::File::options().write(true).open(path).unwrap();
                file.set_modified(time).unwrap();
            }
            Action::Rename(_) => {
                let (_, ending) = name.split_once('.').unwrap();
                let to = format!("{}.{ending}", self.number());
                fs::rename(path, self.path(&to)).unwrap();
                let numbers = self.files.remove(&name).unwrap();
                self.files.insert(to, numbers);
            }
            Action::Gzip(_) => {
                if let (Some(Some(numbers)), false) = (self.files.get(&name).cloned(), name.ends_with(".gz")) {
                    self.files.remove(&name);
                    fs::remove_file(path).unwrap();
                    self.write(format!("{name}.gz"), numbers);
                }
            }
            Action::Delete(_) => {
                fs::remove_file(path).unwrap();
                self.files.remove(&name);
            }
            Action::Cut(_, is_empty) => {
                let text: &[u8] = if *is_empty { b"" } else { b"1\n{\"n\":" };
                let bytes = if name.ends_with(".gz") && !is_empty {
                    gzipped(text)
                } else {
                    text.to_vec()
                };
                fs::write(path, bytes).unwrap();
                self.files.insert(name, None);
            }
        }
    }

    fn rows(&self) -> Rows {
        let files = self.files.iter();
        let rows = files.flat_map(|(name, numbers)| {
            let numbers = numbers.iter().flatten().enumerate();
            numbers.map(move |(place, n)| (name.clone(), place as i64 + 1, n.to_string()))
        });
        let mut rows: Rows = rows.collect();
        rows.sort();
        rows
    }

    /// A run sees the whole state, once, or nothing of it.
    async fn check(&mut self, source: &FilesSource) {
        let pending = pending(source, &self.positions).await;
        let is_whole = !self.files.is_empty() && self.files.values().all(Option::is_some);
        assert_eq!(pending.not_taken.is_none(), is_whole, "{:?}", pending.not_taken);
        if is_whole {
            let is_new = self.taken.as_ref() != Some(&self.files);
            assert_eq!(pending.keep, is_new);
            let rows = self.rows();
            assert_eq!(pending.records, if is_new { rows.len() as u64 } else { 0 });
            assert_eq!(rows_of(pending.provider).await, rows, "also if they were read before");
        } else {
            assert!(!pending.keep);
        }
        if pending.keep {
            self.positions = pending.next;
            self.taken = Some(self.files.clone());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_done_to_files_their_newest_state_counts(actions in proptest::collection::vec(action(), 1..24)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        let mut model = Model {
            folder: TempDir::new().unwrap(),
            files: BTreeMap::new(),
            taken: None,
            positions: Positions::new(),
            next: 0,
        };
        let source = snapshot(model.folder.path(), of("ndjson"));
        for action in actions.iter().chain([&Action::Run]) {
            model.act(action);
            if let Action::Run = action {
                runtime.block_on(model.check(&source));
            }
        }
    }
}
