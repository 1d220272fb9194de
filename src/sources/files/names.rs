//! What file names mean: the extensions that a folder is read for, compression, the numbers and dates of rotated logs,
//! and files that are hidden or still being written (`.tmp`, `.part`), which are skipped.

use super::super::formats::{FormatOptions, format};

const COMPRESSED: [&str; 6] = [".gz", ".gzip", ".bz2", ".xz", ".zst", ".zstd"];
/// The extensions of files that are still being written, or were left behind half-written.
const UNFINISHED: [&str; 11] = [
    ".tmp",
    ".temp",
    ".part",
    ".partial",
    ".filepart",
    ".inprogress",
    ".crdownload",
    ".download",
    ".swp",
    ".lock",
    "~",
];

/// The extensions of a format, for messages; `of_text` may be compressed, and logs are rotated.
pub(super) fn listed(endings: &[&str], of_text: bool) -> String {
    let rotated = endings.first().copied().unwrap_or_default();
    let all = match endings {
        [others @ .., last] if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => endings.concat(),
    };
    if !of_text {
        return all;
    }
    format!("{all}, plain or with .gz, .bz2, .xz or .zst, and with the number or date of a rotated log ({rotated}.1)")
}

/// Whether a file in a folder is data of a format with these extensions, judging by its path below that folder.
pub(super) fn is_data(path: &[&str], endings: &[&str]) -> bool {
    let Some((name, folders)) = path.split_last() else {
        return false;
    };
    let name = name.to_ascii_lowercase();
    let plain = uncompressed(rotated_of(uncompressed(&name)));
    !folders.iter().any(|folder| is_skipped(folder))
        && !is_unfinished(&name)
        && endings.iter().any(|ending| plain.ends_with(ending))
}

/// Whether a folder below the one that is read is skipped.
pub(super) fn is_skipped(folder: &str) -> bool {
    folder.starts_with(['.', '_'])
}

/// Whether a folder is read for a file at this path below it, if its format is this one.
pub fn is_read_from_folders(format_name: &str, below: &str) -> bool {
    let made = format(format_name, &FormatOptions::default()).and_then(Result::ok);
    let path: Vec<&str> = below.split('/').collect();
    made.is_some_and(|format| is_data(&path, format.endings()))
}

/// Whether a path contains a character with which `*.json` and the like match.
pub fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// Whether a file is hidden or still being written, judging by its name.
pub(super) fn is_unfinished(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with('.') || UNFINISHED.iter().any(|ending| name.ends_with(ending))
}

/// A name without its compression extension.
pub(super) fn uncompressed(name: &str) -> &str {
    let ending = COMPRESSED.iter().find(|ending| has_ending(name, ending));
    ending.map_or(name, |ending| &name[..name.len() - ending.len()])
}

/// A name's compression extension.
pub(super) fn compression(name: &str) -> Option<&'static str> {
    COMPRESSED.into_iter().find(|ending| has_ending(name, ending))
}

fn has_ending(name: &str, ending: &str) -> bool {
    let start = name.len().checked_sub(ending.len());
    start
        .and_then(|start| name.get(start..))
        .is_some_and(|end| end.eq_ignore_ascii_case(ending))
}

/// A name without the number or date added by log rotation: `clicks.json` for `clicks.json.1`, `clicks.json-20260301`.
fn rotated_of(name: &str) -> &str {
    let base = name.trim_end_matches(|letter: char| letter.is_ascii_digit() || ".-_:t".contains(letter));
    let suffix = &name[base.len()..];
    let is_rotation = suffix.starts_with(['.', '-', '_']) && suffix.ends_with(|letter: char| letter.is_ascii_digit());
    if is_rotation { base } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: [&str; 3] = [".json", ".ndjson", ".jsonl"];

    fn is_data(path: &[&str]) -> bool {
        super::is_data(path, &JSON)
    }

    #[test]
    fn a_folder_is_read_for_the_files_of_its_format() {
        for (format, below, expected) in [
            ("ndjson", "A.JSON.gz", true),
            ("ndjson", "a/b.jsonl.1", true),
            ("json", "a.jsonl", false),
            ("ndjson", "a.json.bak", false),
            ("ndjson", ".a/b.json", false),
            ("csv", "events.csv.txt", false),
            ("csv", "a.dat", false),
        ] {
            assert_eq!(is_read_from_folders(format, below), expected, "{format}: {below}");
        }
    }

    #[test]
    fn a_message_lists_the_endings() {
        assert!(listed(&JSON, true).starts_with(".json, .ndjson and .jsonl, plain"));
        assert!(listed(&[".log"], true).starts_with(".log, plain"));
        assert_eq!(listed(&[".parquet"], false), ".parquet");
    }

    #[test]
    fn a_folder_is_read_for_names_of_lines_and_rotated_logs() {
        for name in [
            "a.json",
            "A.JSON",
            "a.ndjson.GZ",
            "a.jsonl.zst",
            "clicks.json.1",
            "clicks.json.12.gz",
            "clicks.json-20260301",
            "clicks.json.2026-03-01.bz2",
            "clicks.json.gz.3",
            "clicks.json-2026-03-01T10",
            "_a.json",
            "ä b%[1].json",
        ] {
            assert!(is_data(&[name]), "{name}");
        }
        for name in [
            "a.csv",
            "a.json.bak",
            ".a.json",
            "a.json.tmp",
            "a.json.gz.part",
            "_SUCCESS",
            "json",
            "a.json2",
            "a.parquet",
            "a.json~",
            "README.md",
            "1",
        ] {
            assert!(!is_data(&[name]), "{name}");
        }
        assert!(is_data(&["date=2026-03-01", "a.json"]));
        assert!(!is_data(&["_delta_log", "00000000000000000000.json"]));
        assert!(!is_data(&["day", ".trash", "a.json"]));
    }
}
