//! Which path, format and columns a sample gets.

#![allow(clippy::unwrap_used)]

use std::fs;

use super::*;

/// The settings of the sources for a sample of these files, without the folder's name.
async fn located(sample: &str, files: &[(&str, &str)]) -> Result<Vec<String>, String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let root = folder.path().join("shop");
    let sample = folder.path().join(sample);
    let found = locate(sample.to_str().unwrap(), &root, None).await;
    let found = found.map_err(|error| error.to_string())?;
    let prefix = format!("{}/", folder.path().display());
    Ok(found
        .sources
        .iter()
        .map(|source| format!("{}: {}", source.name, source.settings.replace(&prefix, "")))
        .collect())
}

const JSON: &str = "{\"a\":1}\n";
const CLICKS_DAT: &str = "1,2014-04-07T10:51:09.277Z,214536502,0\n1,2014-04-07T10:54:09.868Z,214536500,S\n";
const BUYS_DAT: &str = "1,2014-04-07T10:57:00.306Z,214536506,12462,1\n1,2014-04-07T10:57:01.306Z,214536500,0,0\n";

#[tokio::test]
async fn the_path_reads_the_files_of_the_sample() {
    for (sample, files, expected) in [
        (
            "a.json",
            &[("a.json", JSON)][..],
            "clicks: files: { path: a.json, format: ndjson }",
        ),
        (
            "d",
            &[("d/a.json", JSON), ("d/x/b.jsonl", JSON)],
            "clicks: files: { path: d, format: ndjson }",
        ),
        (
            "d",
            &[("d/a.log", JSON), ("d/b.log", JSON)],
            "clicks: files: { path: 'd/*.log', format: ndjson }",
        ),
        (
            "d",
            &[
                ("d/events.1.dat", JSON),
                ("d/events.2.dat", JSON),
                ("d/x.md", "Read me"),
            ],
            "clicks: files: { path: 'd/*.dat', format: ndjson }",
        ),
        (
            "d",
            &[("d/events.1", JSON), ("d/x/events.2", JSON), ("d/events.3", JSON)],
            "clicks: files: { path: 'd/*', format: ndjson }",
        ),
        (
            "d",
            &[("d/events[x].1", JSON), ("d/events[x].2", JSON), ("d/x.md", "Read me")],
            "clicks: files: { path: 'd/events[[]x[]].*', format: ndjson }",
        ),
        (
            "d",
            &[("d/a.log", JSON), ("d/README.md", "Read me")],
            "clicks: files: { path: d/a.log, format: ndjson }",
        ),
        (
            "d/*.log",
            &[("d/a.log", JSON)],
            "clicks: files: { path: 'd/*.log', format: ndjson }",
        ),
        (
            "d",
            &[
                ("d/a.csv", "session;item\n1;NA\n2;3"),
                ("d/b.csv", "session;item\n1;NULL\n"),
            ],
            "clicks: files: { path: d, format: csv, delimiter: \";\", nulls: ['', NA, 'NULL'], growing: false }",
        ),
        (
            "a.tsv",
            &[("a.tsv", "s1\t7\ns2\t8\n")],
            "clicks: files: { path: a.tsv, format: csv, header: false, columns: [column_1, column_2], delimiter: \"\\t\" }",
        ),
    ] {
        assert_eq!(
            located(sample, files).await,
            Ok(vec![expected.to_owned()]),
            "{sample}: {files:?}"
        );
    }
}

#[tokio::test]
async fn files_of_one_data_set_become_several_sources() {
    let files = [
        ("d/yoochoose-clicks.dat", CLICKS_DAT),
        ("d/yoochoose-buys.dat", BUYS_DAT),
    ];
    let sources = located("d", &files).await.unwrap();
    let mut expected = [
        "files: { path: d/yoochoose-clicks.dat, format: csv, header: false, columns: [session_id, timestamp, item_id, \
         category] }",
        "files: { path: d/yoochoose-buys.dat, format: csv, header: false, columns: [session_id, timestamp, item_id, \
         price, quantity] }",
    ]
    .to_vec();
    let mut found: Vec<&str> = sources
        .iter()
        .map(|source| source.split_once(": ").unwrap().1)
        .collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert!(sources[0].starts_with("clicks: "), "the SQL reads it");
}

#[tokio::test]
async fn what_is_no_sample_is_an_error_with_a_way_out() {
    for (sample, files, expected) in [
        ("nothing.json", &[][..], "no such file or folder"),
        ("a.json", &[("a.json", "")], "has no records"),
        ("a.json", &[("a.json", " \n\n")], "it is empty"),
        ("d", &[("d/.hidden", JSON)], "has no records"),
        ("a.bin", &[("a.bin", "a\0b")], "it is binary"),
        (
            "a.txt",
            &[("a.txt", "Dear all,\nhello.\n")],
            "neither JSON objects nor rows",
        ),
        (
            "*.x",
            &[("a.x", JSON), ("b.x", "s,t\n1,2\n")],
            "files of several formats",
        ),
        (
            "d",
            &[
                ("d/a.x", JSON),
                ("d/b.y", JSON),
                ("d/c.x", "Read me"),
                ("d/d.y", "Read me"),
            ],
            "files of several formats",
        ),
    ] {
        let error = located(sample, files).await.unwrap_err();
        assert!(
            error.contains(expected) && error.contains("help: "),
            "{sample}: {error}"
        );
    }
}

#[tokio::test]
async fn a_topic_is_named_by_a_url() {
    let root = Path::new("/shop");
    let found = locate("kafka://127.0.0.1:9092/clicks", root, None).await.unwrap();
    let settings = "kafka: { brokers: '127.0.0.1:9092', topic: clicks }";
    assert_eq!(found.sources[0].settings, settings);
    open(settings, root).unwrap();
    for sample in ["kafka://127.0.0.1:9092", "kafka:///t", "kafka://a/", "-"] {
        assert!(locate(sample, root, None).await.is_err(), "{sample}");
    }
}

#[test]
fn a_sample_inside_the_project_has_a_relative_path() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    let of = |sample: &Path| path(sample.to_str().unwrap(), folder.path()).unwrap();
    assert_eq!(of(&folder.path().join("data")), "data");
    assert_eq!(of(folder.path()), ".");
    let outside = tempfile::tempdir().unwrap();
    assert_eq!(of(outside.path()), outside.path().to_str().unwrap());
}
