#![allow(clippy::unwrap_used)]

use std::fs;

use arrow::util::display::array_value_to_string;
use datafusion::error::Result;
use datafusion::prelude::SessionContext;
use tempfile::TempDir;

use crate::engine::test_session::session;
use crate::engine::{Bindings, Engine, EngineOptions, FileAccess, View, query};

/// A folder of files, and a session that may read them.
struct Folder {
    folder: TempDir,
    session: SessionContext,
}

impl Folder {
    async fn new() -> Self {
        let bindings = Bindings {
            files: FileAccess::Read,
            ..Bindings::default()
        };
        Self {
            folder: tempfile::tempdir().unwrap(),
            session: session(&bindings).await,
        }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// The rows of a statement, in which DIR is the folder.
    async fn rows(&self, sql: &str) -> Result<Vec<String>> {
        let sql = sql.replace("DIR", self.folder.path().to_str().unwrap());
        let mut rows = vec![];
        for batch in query(&self.session, &sql).await?.collect().await? {
            for row in 0..batch.num_rows() {
                let values = batch.columns().iter();
                let values: Vec<String> = values
                    .map(|column| array_value_to_string(column, row).unwrap())
                    .collect();
                rows.push(values.join("|"));
            }
        }
        Ok(rows)
    }

    async fn refused(&self, sql: &str) -> String {
        self.rows(sql).await.unwrap_err().strip_backtrace()
    }
}

#[tokio::test]
async fn json_is_an_object_per_line_or_one_array() {
    let folder = Folder::new().await;
    folder.write("lines.json", "{\"a\": [{\"x\": 1}]}\n{\"a\": []}\n");
    folder.write("array.json", " [\n{\"a\": [{\"x\": 1}]},\n{\"a\": []}]\n");
    for name in ["lines", "array"] {
        let sql = format!("select count(*), max(cardinality(a)) from 'DIR/{name}.json'");
        assert_eq!(folder.rows(&sql).await.unwrap(), ["2|1"], "{name}");
    }
    let error = folder.refused("select * from 'DIR/*.json'").await;
    assert!(error.contains("some files are an array"), "{error}");
}

#[tokio::test]
async fn a_byte_order_mark_is_skipped_and_utf_16_is_told() {
    let folder = Folder::new().await;
    folder.write("array.json", "\u{feff}[\n{\"a\": 1},\n{\"a\": 2}]\n");
    folder.write("lines.json", "\u{feff}{\"a\": 1}\n{\"a\": 2}\n");
    folder.write("x.csv", "\u{feff}a,b\n1,x\n2,y\n");
    for name in ["array.json", "lines.json", "x.csv"] {
        let sql = format!("select a from 'DIR/{name}' order by a");
        assert_eq!(folder.rows(&sql).await.unwrap(), ["1", "2"], "{name}");
    }
    for name in ["utf16.json", "utf16.csv"] {
        let text: Vec<u8> = "\u{feff}a,b\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        fs::write(folder.folder.path().join(name), text).unwrap();
        let error = folder.refused(&format!("select * from 'DIR/{name}'")).await;
        assert!(error.contains("is UTF-16") && error.contains("iconv"), "{error}");
    }
}

#[tokio::test]
async fn files_of_csv_have_the_same_columns() {
    let folder = Folder::new().await;
    folder.write("1.csv", "a,b\n1,2\n");
    folder.write("2.csv", "a,b\n3,4\n");
    assert_eq!(
        folder.rows("select sum(a), sum(b) from 'DIR/*.csv'").await.unwrap(),
        ["4|6"]
    );
    folder.write("3.csv", "b,a\n5,6\n");
    let error = folder.refused("select * from 'DIR/*.csv'").await;
    assert!(error.contains("3.csv has different columns from 1.csv"), "{error}");
}

#[tokio::test]
async fn what_comes_after_the_first_records_is_kept() {
    let folder = Folder::new().await;
    folder.write(
        "x.csv",
        "a,t\n,2026-03-01T10:00:00\nlate,2026-03-01T10:00:00.25\n\"two\nlines\",\n",
    );
    let sql = "select count(a), max(t) = timestamp '2026-03-01T10:00:00.25' \
               from read_csv('DIR/x.csv', schema_infer_max_rec => 1)";
    assert_eq!(folder.rows(sql).await.unwrap(), ["2|true"]);
}

#[tokio::test]
async fn options_are_those_of_the_format() {
    let folder = Folder::new().await;
    folder.write("x.txt", "007;a,b\n008;c\n");
    let call = "read_csv('DIR/x.txt', delimiter => ';', has_header => false";
    let numbers = format!("select column_1, column_2 from {call}) order by 1");
    assert_eq!(folder.rows(&numbers).await.unwrap(), ["7|a,b", "8|c"]);
    let texts = format!("select column_1, column_2 from {call}, schema_infer_max_rec => 0) order by 1");
    assert_eq!(folder.rows(&texts).await.unwrap(), ["007|a,b", "008|c"]);
    for wrong in ["delim => ';'", "delimiter => ';;'"] {
        let error = folder
            .refused(&format!("select * from read_csv('DIR/x.txt', {wrong})"))
            .await;
        assert!(error.contains("read_csv") && error.contains("help: "), "{error}");
    }
    let error = folder
        .refused("select * from read_arrow('DIR/x.txt', compression => 'gz')")
        .await;
    assert!(error.contains("no options"), "{error}");
}

#[tokio::test]
async fn a_folder_is_listed_again_and_its_partitions_are_columns() {
    let folder = Folder::new().await;
    let copy = |value: u8, part: &str| {
        format!("copy (select {value} as a, '{part}' as part) to 'DIR/{part}/' stored as parquet partitioned by (part)")
    };
    folder.rows(&copy(1, "x")).await.unwrap();
    let all = "select a, part from read_parquet('DIR/x') order by a";
    assert_eq!(folder.rows(all).await.unwrap(), ["1|x"]);
    folder.rows(&copy(2, "x")).await.unwrap();
    assert_eq!(folder.rows(all).await.unwrap(), ["1|x", "2|x"]);
}

#[tokio::test]
async fn only_a_session_that_may_reads_files_and_its_views_never_do() {
    let may_not = session(&Bindings::default()).await;
    for sql in [
        "select * from 'x.csv'",
        "select * from read_csv('x')",
        "select * from '/x'",
    ] {
        let error = query(&may_not, sql).await.err().unwrap().strip_backtrace();
        assert!(error.contains("only the shell"), "{error}");
    }
    let error = query(&may_not, "select * from typo")
        .await
        .err()
        .unwrap()
        .strip_backtrace();
    assert!(error.contains("not found"), "{error}");

    let options = EngineOptions {
        memory_bytes: 64 << 20,
        spill_dir: None,
        threads: Some(1),
    };
    let bindings = Bindings {
        files: FileAccess::Read,
        views: vec![View {
            name: "silver.x".parse().unwrap(),
            sql: "select * from 'Cargo.toml'".to_owned(),
        }],
        ..Bindings::default()
    };
    let error = Engine::new(&options).unwrap().session(&bindings).await.err().unwrap();
    assert!(error.strip_backtrace().contains("only the shell"), "{error}");
}
