//! Whatever is done to the files, each line that a run can see arrives exactly once: checked against a simple model of
//! a folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::*;

/// Something that happens to the files in a folder.
#[derive(Debug, Clone)]
enum Action {
    /// A new file with this many lines.
    New(usize),
    /// Appends lines to a file; the flag leaves the last one without a line break.
    Append(usize, usize, bool),
    /// Renames a file to a fresh name, in a subfolder or not.
    Rename(usize, bool),
    /// Every `clicks-N.json` becomes the next one, `clicks.json` becomes the first, and a new one begins.
    Rotate(usize),
    Gzip(usize),
    Gunzip(usize),
    /// Copies a file to a new name and truncates the original, which then grows again by this many lines.
    CopyTruncate(usize, usize),
    /// Rewrites the same bytes, with a new modification time or the same one.
    Rewrite(usize, bool),
    Delete(usize),
    /// Waits until the file system's clock has ticked.
    Settle,
    Run,
}

fn action() -> impl Strategy<Value = Action> {
    let (file, some) = (0_usize..8, 0_usize..5);
    prop_oneof![
        2 => (1_usize..5).prop_map(Action::New),
        4 => (file.clone(), some.clone(), any::<bool>()).prop_map(|(file, lines, open)| Action::Append(file, lines, open)),
        3 => (file.clone(), any::<bool>()).prop_map(|(file, folder)| Action::Rename(file, folder)),
        3 => some.clone().prop_map(Action::Rotate),
        2 => file.clone().prop_map(Action::Gzip),
        1 => file.clone().prop_map(Action::Gunzip),
        2 => (file.clone(), 0_usize..12).prop_map(|(file, lines)| Action::CopyTruncate(file, lines)),
        2 => (file.clone(), any::<bool>()).prop_map(|(file, keep)| Action::Rewrite(file, keep)),
        1 => file.prop_map(Action::Delete),
        1 => Just(Action::Settle),
        6 => Just(Action::Run),
    ]
}

/// The folder and its content.
struct Model {
    folder: TempDir,
    /// The text of each file, uncompressed.
    files: BTreeMap<String, String>,
    /// The next number for a line or a name.
    next: usize,
    /// All lines that were in a file when it was read.
    seen: BTreeSet<String>,
}

impl Model {
    fn pick(&self, file: usize) -> Option<String> {
        self.files.keys().nth(file % self.files.len().max(1)).cloned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn number(&mut self) -> usize {
        self.next += 1;
        self.next
    }

    /// Generates unique lines.
    fn lines(&mut self, lines: usize) -> String {
        (0..lines)
            .map(|_| match self.number() {
                n if n % 7 == 0 => format!("\r\n\n{{\"n\":{n}}}\r\n"),
                n => format!("{{\"n\":{n}}}\n"),
            })
            .collect()
    }

    /// Writes a file with its content in the model.
    fn save(&self, name: &str) {
        let (path, text) = (self.path(name), self.files[name].as_bytes());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if name.ends_with(".gz") {
            let mut gzip = GzEncoder::new(vec![], Compression::default());
            gzip.write_all(text).unwrap();
            fs::write(path, gzip.finish().unwrap()).unwrap();
        } else {
            fs::write(path, text).unwrap();
        }
    }

    fn rename(&mut self, from: &str, to: &str) {
        fs::create_dir_all(self.path(to).parent().unwrap()).unwrap();
        fs::rename(self.path(from), self.path(to)).unwrap();
        let text = self.files.remove(from).unwrap();
        self.files.insert(to.to_owned(), text);
    }

    /// Like gzip, which does not overwrite existing files.
    fn replace_by_new(&mut self, from: &str, to: &str) {
        if self.files.contains_key(to) {
            return;
        }
        let text = self.files.remove(from).unwrap();
        self.files.insert(to.to_owned(), text);
        self.save(to);
        fs::remove_file(self.path(from)).unwrap();
    }

    fn insert(&mut self, name: String, text: String) {
        self.files.insert(name.clone(), text);
        self.save(&name);
    }

    fn rotate(&mut self, lines: usize) {
        let chain = |number: usize| format!("clicks-{number:03}.json");
        for number in (1..99).rev() {
            for ending in ["", ".gz"] {
                let name = format!("{}{ending}", chain(number));
                if self.files.contains_key(&name) {
                    self.rename(&name, &format!("{}{ending}", chain(number + 1)));
                }
            }
        }
        if self.files.contains_key("clicks.json") {
            self.rename("clicks.json", &chain(1));
        }
        let text = self.lines(lines);
        self.insert("clicks.json".to_owned(), text);
    }

    fn act(&mut self, action: &Action) {
        let file = match action {
            Action::Append(file, ..) | Action::Rename(file, _) | Action::Gzip(file) | Action::Gunzip(file) => {
                Some(*file)
            }
            Action::CopyTruncate(file, _) | Action::Rewrite(file, _) | Action::Delete(file) => Some(*file),
            _ => None,
        };
        let name = file.and_then(|file| self.pick(file)).unwrap_or_default();
        let is_gzip = name.ends_with(".gz");
        match action {
            Action::New(lines) => {
                let (name, text) = (format!("new-{}.json", self.number()), self.lines(*lines));
                self.insert(name, text);
            }
            Action::Rotate(lines) => self.rotate(*lines),
            Action::Settle => std::thread::sleep(Duration::from_millis(25)),
            Action::Run => {}
            _ if name.is_empty() => {}
            Action::Append(_, lines, open) if !is_gzip => {
                let added = self.lines(*lines);
                let text = self.files.get_mut(&name).unwrap();
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push('\n');
                }
                text.push_str(&added);
                if *open && *lines > 0 && text.ends_with("}\n") {
                    text.pop();
                }
                self.save(&name);
            }
            Action::Rename(_, in_folder) => {
                let (ending, number) = (if is_gzip { ".gz" } else { "" }, self.number());
                let folder = if *in_folder { "sub/" } else { "" };
                self.rename(&name, &format!("{folder}moved-{number}.json{ending}"));
            }
            Action::Gzip(_) if !is_gzip => self.replace_by_new(&name, &format!("{name}.gz")),
            Action::Gunzip(_) if is_gzip => self.replace_by_new(&name, name.trim_end_matches(".gz")),
            Action::CopyTruncate(_, lines) if !is_gzip => {
                let copy = format!("copied-{}.json", self.number());
                let text = self.files[&name].clone();
                self.insert(copy, text);
                let text = self.lines(*lines);
                self.insert(name, text);
            }
            Action::Rewrite(_, keep_time) => {
                let mtime = fs::metadata(self.path(&name)).unwrap().modified().unwrap();
                let mtime = if *keep_time { mtime } else { SystemTime::UNIX_EPOCH };
                fs::remove_file(self.path(&name)).unwrap();
                self.save(&name);
                let file = fs::File::options().write(true).open(self.path(&name)).unwrap();
                file.set_modified(mtime).unwrap();
            }
            Action::Delete(_) if !name.starts_with("clicks") => {
                fs::remove_file(self.path(&name)).unwrap();
                self.files.remove(&name);
            }
            _ => {}
        }
    }

    /// Marks all lines that exist now as seen.
    fn see(&mut self) {
        let lines = self.files.values().flat_map(|text| text.lines());
        self.seen
            .extend(lines.filter(|line| !line.is_empty()).map(str::to_owned));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_done_to_files_each_line_comes_once(actions in proptest::collection::vec(action(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let folder = TempDir::new().unwrap();
        let source = source(folder.path());
        let mut model = Model { folder, files: BTreeMap::new(), next: 0, seen: BTreeSet::new() };
        let (mut positions, mut bronze, mut places) = (Positions::new(), vec![], BTreeSet::new());
        // A deleted file must have been seen first.
        let seen_first = actions.iter().flat_map(|action| match action {
            Action::Delete(_) => vec![&Action::Run, action],
            _ => vec![action],
        });
        for action in seen_first.chain([&Action::Run]) {
            model.act(action);
            if matches!(action, Action::Run) {
                model.see();
                let rows = runtime.block_on(read(&source, &mut positions));
                let rows = rows.map_err(|error| TestCaseError::fail(error.to_string()))?;
                for (file, line, text) in rows {
                    prop_assert!(places.insert((file.clone(), line)), "{} {} twice", file, line);
                    bronze.push(text);
                }
                bronze.sort();
                prop_assert_eq!(&bronze, &model.seen.iter().cloned().collect::<Vec<_>>());
            }
        }
    }
}
