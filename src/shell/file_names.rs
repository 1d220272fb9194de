//! Names of files, for completion.

use std::fs;
use std::path::Path;

/// How many names of a folder are looked at: completion must be fast.
const MOST: usize = 1_000;

/// What a path may go on with: the entries of its folder, each with what it is. A folder ends in `/`.
pub(super) fn file_names(path: &str) -> Vec<(String, &'static str)> {
    let folder = path.rfind('/').map_or("", |slash| &path[..=slash]);
    let place = if folder.is_empty() { "." } else { folder };
    let Ok(entries) = fs::read_dir(Path::new(place)) else {
        return vec![];
    };
    let mut names: Vec<(String, &'static str)> = entries
        .take(MOST)
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            // A quote would end the text.
            let is_offered = !name.starts_with('.') && !name.contains('\'');
            let (end, kind) = if entry.path().is_dir() {
                ("/", "folder")
            } else {
                ("", "file")
            };
            is_offered.then(|| (format!("{folder}{name}{end}"), kind))
        })
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entries_of_a_folder_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        fs::create_dir(folder.path().join("logs")).unwrap();
        for name in ["b.csv", "a.csv", ".hidden", "it's.csv"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let names = file_names(&format!("{path}/x"));
        let expected = [("a.csv", "file"), ("b.csv", "file"), ("logs/", "folder")];
        let expected = expected.map(|(name, kind)| (format!("{path}/{name}"), kind));
        assert_eq!(names, expected);
        assert!(file_names(&format!("{path}/no/x")).is_empty());
    }
}
