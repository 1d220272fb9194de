//! Files of rows that grow, and formats whose records span lines.

use super::*;
use crate::sources::files::copies::Copies;

fn csv(options: FormatOptions) -> Arc<dyn Format> {
    format("csv", &options).unwrap().unwrap()
}

fn append(path: &Path, text: &str) {
    let mut file = fs::File::options().append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_growing_file_of_rows_keeps_the_names_of_its_header() {
    let folder = TempDir::new().unwrap();
    let (source, mut positions) = (source_of(folder.path(), of("csv")), Positions::new());
    let file = folder.path().join("a.csv");
    append(&file, "id,te");
    assert!(read(&source, &mut positions).await.unwrap().is_empty());
    append(&file, "xt\n");
    assert!(read(&source, &mut positions).await.unwrap().is_empty());
    append(&file, "1,a\n2,\"b\n");
    let rows = read(&source, &mut positions).await.unwrap();
    assert_eq!(rows, [("a.csv".to_owned(), 1, r#"{"id":"1","text":"a"}"#.to_owned())]);
    append(&file, "c\"\n\n3\nid,text\n4,d");
    let rows = read(&source, &mut positions).await.unwrap();
    let expected = [
        ("a.csv".to_owned(), 2, r#"{"id":"2","text":"b\nc"}"#.to_owned()),
        ("a.csv".to_owned(), 3, "3".to_owned()),
        ("a.csv".to_owned(), 4, r#"{"id":"id","text":"text"}"#.to_owned()),
    ];
    assert_eq!(rows, expected);
    // The compressed file ends with the last row, and is otherwise the same.
    let whole = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    fs::write(folder.path().join("a.csv.1.gz"), gzipped(&whole)).unwrap();
    assert_eq!(
        texts(read(&source, &mut positions).await.unwrap()),
        [r#"{"id":"4","text":"d"}"#]
    );
    assert!(read(&source, &mut positions).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_comes_late_is_no_row() {
    let folder = TempDir::new().unwrap();
    let (source, mut positions) = (source_of(folder.path(), of("csv")), Positions::new());
    fs::write(folder.path().join("a.csv"), "id\n1\n").unwrap();
    // Another file has rows, so positions are committed while this one has an empty line alone.
    let file = folder.path().join("b.csv");
    append(&file, "\n");
    assert_eq!(texts(read(&source, &mut positions).await.unwrap()), [r#"{"id":"1"}"#]);
    append(&file, "id\n2\n");
    assert_eq!(texts(read(&source, &mut positions).await.unwrap()), [r#"{"id":"2"}"#]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_of_rows_is_read_on_from_where_it_ended() {
    let folder = TempDir::new().unwrap();
    let (source, mut positions) = (source_of(folder.path(), of("csv")), Positions::new());
    let file = folder.path().join("a.csv");
    let filler = "x".repeat(1_000);
    let rows: String = (0..20_000).map(|n| format!("{n},\"{filler}\n\"\n")).collect();
    fs::write(&file, format!("n,filler\n{rows}")).unwrap();
    assert_eq!(read(&source, &mut positions).await.unwrap().len(), 20_000);
    append(&file, "20000,y\n");
    let expected = [("a.csv".to_owned(), 20_001, r#"{"n":"20000","filler":"y"}"#.to_owned())];
    assert_eq!(read(&source, &mut positions).await.unwrap(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_its_header_waits_for_other_options_and_blocks_nothing() {
    let folder = TempDir::new().unwrap();
    let mut positions = Positions::new();
    fs::write(folder.path().join("a.csv"), "1,2026-03-01\n2,2026-03-02\n").unwrap();
    fs::write(folder.path().join("b.csv"), "id,day\n3,2026-03-03\n").unwrap();
    let source = source_of(folder.path(), of("csv"));
    assert_eq!(
        texts(read(&source, &mut positions).await.unwrap()),
        [r#"{"id":"3","day":"2026-03-03"}"#]
    );
    let named = csv(FormatOptions {
        header: Some(false),
        columns: Some(vec!["id".to_owned(), "day".to_owned()]),
        ..FormatOptions::default()
    });
    let source = source_of(folder.path(), named);
    let expected = [
        ("a.csv".to_owned(), 1, r#"{"id":"1","day":"2026-03-01"}"#.to_owned()),
        ("a.csv".to_owned(), 2, r#"{"id":"2","day":"2026-03-02"}"#.to_owned()),
    ];
    assert_eq!(read(&source, &mut positions).await.unwrap(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_do_not_grow_need_no_last_line_break() {
    for (name, text, expected) in [
        ("csv", "id\n1\n12", [r#"{"id":"1"}"#, r#"{"id":"12"}"#]),
        ("text", "1\n12", ["1", "12"]),
        ("ndjson", "1\n12", ["1", "12"]),
        ("json", "[1,\n{\"n\":", ["1", "{\"n\":"]),
    ] {
        let folder = TempDir::new().unwrap();
        let format = of(name);
        fs::write(folder.path().join(format!("a{}", format.endings()[0])), text).unwrap();
        let mut config = config(folder.path().display().to_string(), folder.path(), format);
        let may_grow = FilesSource::new(config.clone()).unwrap();
        assert_eq!(read(&may_grow, &mut Positions::new()).await.unwrap().len(), 1, "{name}");
        config.growing = false;
        let source = FilesSource::new(config).unwrap();
        assert_eq!(
            texts(read(&source, &mut Positions::new()).await.unwrap()),
            expected,
            "{name}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_array_is_read_as_it_is_written() {
    let folder = TempDir::new().unwrap();
    let (source, mut positions) = (source_of(folder.path(), of("json")), Positions::new());
    let file = folder.path().join("a.json");
    append(&file, "[\n  {\n    \"n\": 1\n  },\n  {\n \"n\":");
    let rows = read(&source, &mut positions).await.unwrap();
    assert_eq!(rows, [("a.json".to_owned(), 1, "{\"n\":1}".to_owned())]);
    append(&file, " 2 },\n {\"n\": 3}\n]\n");
    let rows = read(&source, &mut positions).await.unwrap();
    let expected = [
        ("a.json".to_owned(), 2, "{\"n\":2}".to_owned()),
        ("a.json".to_owned(), 3, "{\"n\": 3}".to_owned()),
    ];
    assert_eq!(rows, expected);
    assert!(read(&source, &mut positions).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_array_that_grows_before_its_bracket_is_read_on() {
    for (separator, end) in [
        (",", "]"),
        (",\n", "\n]"),
        (" ,\n  ", "\n]\n"),
        (",", " ] \r\n\r\n"),
        (",", ""),
    ] {
        for name in ["a.json", "a.json.gz"] {
            let folder = TempDir::new().unwrap();
            let (source, mut positions) = (source_of(folder.path(), of("json")), Positions::new());
            let mut before = 0;
            for count in [0, 1, 3, 3, 4] {
                let items: Vec<String> = (1..=count).map(|n| format!("{{\n  \"n\": {n}\n}}")).collect();
                let text = format!("[{}{end}", items.join(separator)).into_bytes();
                let text = if name.ends_with(".gz") { gzipped(&text) } else { text };
                fs::write(folder.path().join(name), text).unwrap();
                let expected: Rows = (before + 1..=count)
                    .map(|n| (name.to_owned(), n, format!("{{\"n\":{n}}}")))
                    .collect();
                let rows = read(&source, &mut positions).await.unwrap();
                assert_eq!(rows, expected, "{name} with {end:?}");
                before = count;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_array_that_grows_before_its_bracket_is_read_on() {
    let folder = TempDir::new().unwrap();
    let (source, mut positions) = (source_of(folder.path(), of("json")), Positions::new());
    let filler = "x".repeat(1_000);
    let items: Vec<String> = (0..20_000)
        .map(|n| format!("{{\"n\":{n},\"filler\":\"{filler}\"}}"))
        .collect();
    let array = format!("[\n{}", items.join(",\n"));
    let file = folder.path().join("a.json");
    fs::write(&file, format!("{array}\n]\n")).unwrap();
    assert_eq!(read(&source, &mut positions).await.unwrap().len(), 20_000);
    for (end, expected) in [(",\n{\"n\":1}\n]\n", &["{\"n\":1}"][..]), (",\n{\"n\":1}]", &[][..])] {
        fs::write(&file, format!("{array}{end}")).unwrap();
        assert_eq!(texts(read(&source, &mut positions).await.unwrap()), expected, "{end:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_array_beside_its_compression_is_compared_once() {
    let folder = TempDir::new().unwrap();
    let (source, mut positions) = (source_of(folder.path(), of("json")), Positions::new());
    let array = b"[\n{\"n\":1}\n]";
    fs::write(folder.path().join("a.json"), array).unwrap();
    fs::write(folder.path().join("a.json.gz"), gzipped(array)).unwrap();
    let rows = read(&source, &mut positions).await.unwrap();
    assert_eq!(rows, [("a.json".to_owned(), 1, "{\"n\":1}".to_owned())]);
    assert_eq!(positions.get("a.json.gz#bytes"), positions.get("a.json#bytes"));
    // A row that may go on is none yet: the two files are not the same.
    let csv = source_of(folder.path(), of("csv"));
    for (name, text) in [("b.csv", &b"id\n1"[..]), ("b.csv.gz", &gzipped(b"id\n1")[..])] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let files = csv.listing().await.unwrap();
    assert!(Copies::find(&csv, &files, vec![1]).await.unwrap().growing.contains(&1));
}

/// CSV without a header.
fn named(columns: [&str; 2]) -> Arc<dyn Format> {
    csv(FormatOptions {
        header: Some(false),
        columns: Some(columns.map(str::to_owned).to_vec()),
        ..FormatOptions::default()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn new_rows_are_read_with_the_options_of_now() {
    let delimited = |delimiter: &str| {
        csv(FormatOptions {
            delimiter: Some(delimiter.to_owned()),
            ..FormatOptions::default()
        })
    };
    let cases = [
        (
            (delimited(","), "id;day\n1;a\n", r#"{"id;day":"1;a"}"#),
            (delimited(";"), "2;b\n", r#"{"id":"2","day":"b"}"#),
        ),
        (
            (of("csv"), "id,day\n1,a\n", r#"{"id":"1","day":"a"}"#),
            (named(["x", "y"]), "2,b\n", r#"{"x":"2","y":"b"}"#),
        ),
        (
            (named(["x", "y"]), "id,day\n", r#"{"x":"id","y":"day"}"#),
            (of("csv"), "2,b\n", r#"{"id":"2","day":"b"}"#),
        ),
    ];
    for ((before, text, old), (after, added, new)) in cases {
        for (name, now) in [("a.csv", "a.csv"), ("a.csv", "b.csv"), ("a.csv.gz", "a.csv.gz")] {
            let (folder, mut positions) = (TempDir::new().unwrap(), Positions::new());
            let write = |name: &str, text: &str| {
                let text = match name.ends_with(".gz") {
                    true => gzipped(text.as_bytes()),
                    false => text.as_bytes().to_vec(),
                };
                fs::write(folder.path().join(name), text).unwrap();
            };
            write(name, text);
            let rows = read(&source_of(folder.path(), before.clone()), &mut positions)
                .await
                .unwrap();
            assert_eq!(texts(rows), [old]);
            let source = source_of(folder.path(), after.clone());
            assert!(read(&source, &mut positions).await.unwrap().is_empty());
            fs::rename(folder.path().join(name), folder.path().join(now)).unwrap();
            write(now, &format!("{text}{added}"));
            assert_eq!(texts(read(&source, &mut positions).await.unwrap()), [new], "{now}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_header_is_none_with_the_options_of_now_waits_for_others() {
    let (folder, mut positions) = (TempDir::new().unwrap(), Positions::new());
    let (as_named, with_header) = (
        source_of(folder.path(), named(["x", "y"])),
        source_of(folder.path(), of("csv")),
    );
    let file = folder.path().join("a.csv");
    append(&file, "1,a\n");
    assert_eq!(
        texts(read(&as_named, &mut positions).await.unwrap()),
        [r#"{"x":"1","y":"a"}"#]
    );
    append(&file, "2,b\n");
    assert!(read(&with_header, &mut positions).await.unwrap().is_empty());
    let expected = [("a.csv".to_owned(), 2, r#"{"x":"2","y":"b"}"#.to_owned())];
    assert_eq!(read(&as_named, &mut positions).await.unwrap(), expected);
    // Rotated meanwhile.
    fs::rename(&file, folder.path().join("a.csv.1")).unwrap();
    append(&file, "3,c\n");
    assert!(read(&with_header, &mut positions).await.unwrap().is_empty());
    let expected = [("a.csv".to_owned(), 3, r#"{"x":"3","y":"c"}"#.to_owned())];
    assert_eq!(read(&as_named, &mut positions).await.unwrap(), expected);

    // Of a large file, only samples are compared.
    let filler = "x".repeat(1_000);
    let rows: String = (0..20_000).map(|n| format!("{n},{filler}\n")).collect();
    append(&file, &rows);
    assert_eq!(read(&as_named, &mut positions).await.unwrap().len(), 20_000);
    append(&file, "4,d\n");
    assert!(read(&with_header, &mut positions).await.unwrap().is_empty());
    assert_eq!(
        texts(read(&as_named, &mut positions).await.unwrap()),
        [r#"{"x":"4","y":"d"}"#]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn however_a_file_of_rows_grows_each_row_comes_once(cuts in proptest::collection::vec(0_usize..1_000, 0..6)) {
        let rows: Vec<String> = (0..30).map(|n| format!("{n},\"{}\"", "a\n\"\",".repeat(n % 4))).collect();
        let whole = format!("n,text\r\n{}\r\n", rows.join("\r\n"));
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % whole.len()).collect();
        cuts.push(whole.len());
        cuts.sort_unstable();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let folder = TempDir::new().unwrap();
        let source = source_of(folder.path(), of("csv"));
        let (mut positions, mut found) = (Positions::new(), vec![]);
        for cut in cuts {
            fs::write(folder.path().join("a.csv"), &whole[..cut]).unwrap();
            found.extend(runtime.block_on(read(&source, &mut positions)).unwrap());
        }
        let numbers: Vec<i64> = found.iter().map(|(_, row, _)| *row).collect();
        prop_assert_eq!(numbers, (1..=30).collect::<Vec<i64>>());
        for (n, text) in texts(found).into_iter().enumerate() {
            let row: serde_json::Value = serde_json::from_str(&text).unwrap();
            let number = n.to_string();
            prop_assert_eq!(row["n"].as_str(), Some(number.as_str()));
            prop_assert_eq!(row["text"].as_str().unwrap_or_default(), "a\n\",".repeat(n % 4));
        }
    }
}
