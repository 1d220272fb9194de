#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use tempfile::TempDir;
use url::Url;

use super::write::Layout;
use super::*;
use crate::config::{LakeConfig, Storage};

fn lake(folder: &TempDir) -> Lake {
    Lake::new(&LakeConfig {
        url: Url::from_directory_path(folder.path()).unwrap(),
        storage: Storage::default(),
    })
}

fn commit(mode: CommitMode, position: i64) -> Commit {
    let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, true)]));
    Commit {
        mode,
        layout: Layout {
            schema,
            partition_by: vec![],
        },
        files: vec![],
        transactions: BTreeMap::from([
            (positions::SQL.to_owned(), 1),
            (positions::of_source("clicks", "topic/0"), position),
        ]),
        logic: None,
    }
}

#[tokio::test]
async fn of_two_writers_of_one_version_the_second_is_told() {
    let folder = TempDir::new().unwrap();
    let name = "bronze.clicks".parse().unwrap();
    let absent = lake(&folder).table(&name).await.unwrap();
    assert_eq!(commit(CommitMode::Append, 10).apply(&absent).await.unwrap(), 0);
    let second = commit(CommitMode::Append, 10).apply(&absent).await.unwrap_err();
    assert!(matches!(second, LakeError::Conflict { .. }), "{second:?}");

    let first = lake(&folder).table(&name).await.unwrap();
    assert_eq!(commit(CommitMode::Append, 20).apply(&first).await.unwrap(), 1);
    for mode in [CommitMode::Append, CommitMode::Overwrite] {
        let second = commit(mode, 20).apply(&first).await.unwrap_err();
        assert!(matches!(second, LakeError::Conflict { .. }), "{second:?}");
    }
    let now = lake(&folder).table(&name).await.unwrap();
    assert_eq!(now.version(), Some(1));
    let position = now
        .transaction(&positions::of_source("clicks", "topic/0"))
        .await
        .unwrap();
    assert_eq!(position, Some(20));
}

#[tokio::test]
async fn the_newest_commit_alone_tells_the_positions() {
    let folder = TempDir::new().unwrap();
    let name = "bronze.clicks".parse().unwrap();
    for (version, position) in [10, 20, 30].into_iter().enumerate() {
        let table = lake(&folder).table(&name).await.unwrap();
        assert_eq!(
            commit(CommitMode::Append, position).apply(&table).await.unwrap(),
            version as u64
        );
    }
    let mut anew = commit(CommitMode::Overwrite, 0);
    anew.transactions.remove(&positions::of_source("clicks", "topic/0"));
    let table = lake(&folder).table(&name).await.unwrap();
    anew.apply(&table).await.unwrap();
    let table = lake(&folder).table(&name).await.unwrap();
    let position = table
        .transaction(&positions::of_source("clicks", "topic/0"))
        .await
        .unwrap();
    assert_eq!(
        position, None,
        "read again without that place: its old position no longer counts"
    );
}
