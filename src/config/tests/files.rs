//! Sources of files: formats and their options, and files that are rewritten.

use super::{GOOD, error, load};
use crate::config::schema;
use crate::sources::files::FilesConfig;

#[test]
fn the_format_of_files_is_one_of_those_that_exist() {
    let of = |format: &str| GOOD.replace(", format: ndjson", format);
    for (format, name) in [
        ("", "ndjson"),
        (", format: text", "text"),
        (", format: parquet", "parquet"),
    ] {
        let project = load(&of(format), None, &[]).unwrap();
        let files = FilesConfig::of(&*project.sources["clicks"]).unwrap();
        assert_eq!(files.format.name(), name);
    }
    let text = error(&of(", format: xml"), None);
    assert!(text.starts_with("pipelines.yaml:5:48: unknown format `xml`"), "{text}");
    assert!(
        text.contains("the formats are `ndjson`, `text`, `json`, `csv`"),
        "{text}"
    );
    let schema = schema();
    assert_eq!(
        schema.pointer("/$defs/RawFiles/properties/format/enum"),
        Some(&serde_json::json!([
            "ndjson", "text", "json", "csv", "parquet", "avro", "arrow", null
        ]))
    );
}

#[test]
fn files_are_added_to_or_rewritten() {
    let of = |mode: &str| GOOD.replace("format: ndjson", mode);
    for (mode, is_snapshot) in [
        ("format: ndjson", false),
        ("mode: append", false),
        ("mode: snapshot", true),
    ] {
        let project = load(&of(mode), None, &[]).unwrap();
        let files = FilesConfig::of(&*project.sources["clicks"]).unwrap();
        assert_eq!(
            (files.is_snapshot, files.growing),
            (is_snapshot, !is_snapshot),
            "{mode}"
        );
    }
    for (mode, expected) in [
        ("mode: overwrite", "5:46: unknown mode `overwrite`"),
        ("mode: snapshot, growing: true", "5:65: the files of a snapshot"),
    ] {
        let text = error(&of(mode), None);
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn options_of_a_format_are_checked_where_they_are_written() {
    let of = |options: &str| GOOD.replace("format: ndjson", options);
    let good = "format: csv, header: false, columns: [\"${A:-a}\", b], delimiter: \"\\t\", growing: false";
    let project = load(&of(good), None, &[]).unwrap();
    let files = FilesConfig::of(&*project.sources["clicks"]).unwrap();
    assert_eq!(
        files.options.columns.as_deref(),
        Some(&["a".to_owned(), "b".to_owned()][..])
    );
    assert_eq!(files.options.delimiter.as_deref(), Some("\t"));
    assert!(!files.growing);
    for (options, expected) in [
        ("header: true", "5:48: the format `ndjson` has no option `header`"),
        (
            "format: csv, delimiter: ab",
            "5:64: `delimiter` is not one ASCII character: `ab`",
        ),
        ("format: csv, header: false", "5:61: files without a header need names"),
        (
            "format: csv, columns: [a]",
            "5:62: `columns` names the columns of files without a header",
        ),
        (
            "format: avro, growing: true",
            "5:63: files of the format `avro` never grow",
        ),
    ] {
        let text = error(&of(options), None);
        assert!(
            text.contains(&format!("pipelines.yaml:{expected}")),
            "{options}: {text}"
        );
    }
}
