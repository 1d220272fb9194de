//! A look at files: their beginnings, and a limited number of records from all of them.

use super::*;

fn texts(values: Vec<Vec<u8>>) -> Vec<String> {
    let texts = values.into_iter().map(|value| String::from_utf8(value).unwrap());
    texts.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn beginnings_are_decompressed_and_of_any_extension() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("x")).unwrap();
    fs::write(folder.path().join("a.dat.gz"), gzipped(b"1,2")).unwrap();
    fs::write(folder.path().join("b.dat"), "1,2\n").unwrap();
    fs::write(
        folder.path().join("c.dat"),
        [b"x".repeat(1 << 20), b"y".to_vec()].concat(),
    )
    .unwrap();
    fs::write(folder.path().join("empty.dat"), "").unwrap();
    fs::write(folder.path().join("x/d"), "no end").unwrap();
    let heads = source(folder.path()).heads().await.unwrap();
    let found: Vec<(&str, bool)> = heads.iter().map(|head| (head.below.as_str(), head.is_ended)).collect();
    assert_eq!(
        found,
        [("a.dat.gz", true), ("b.dat", true), ("c.dat", false), ("x/d", false)]
    );
    assert_eq!(heads[0].text, b"1,2");
    let only = source(&folder.path().join("b.dat")).heads().await.unwrap();
    assert_eq!((only.len(), only[0].below.as_str()), (1, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_has_records_of_all_files_and_no_header() {
    let folder = TempDir::new().unwrap();
    for name in ["a", "b", "c"] {
        let rows: String = (0..100).map(|n| format!("{name}{n}\n")).collect();
        fs::write(folder.path().join(format!("{name}.csv")), format!("id\n{rows}")).unwrap();
    }
    fs::write(folder.path().join("d.csv"), "id\nlast").unwrap();
    let source = source_of(folder.path(), of("csv"));
    let found = texts(source.sample(8).await.unwrap());
    let expected = ["a0", "a1", "b0", "b1", "c0", "c1", "last"].map(|id| format!("{{\"id\":\"{id}\"}}"));
    assert_eq!(found, expected);
    assert_eq!(source.sample(1_000).await.unwrap().len(), 301);
    let lines = source_of(folder.path(), of("ndjson"));
    assert!(lines.sample(8).await.unwrap().is_empty(), "no file is of this format");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_table_is_left_out_of_a_sample() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("a.parquet"), "PAR1 and no more").unwrap();
    let source = source_of(folder.path(), of("parquet"));
    assert!(source.sample(8).await.unwrap().is_empty());
}
