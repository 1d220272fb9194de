use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;

use super::*;

/// An in-memory store, and a cache on top of it.
fn stores() -> (Arc<InMemory>, CachedStore) {
    let inner = Arc::new(InMemory::new());
    (inner.clone(), CachedStore::new(inner, 8 << 20))
}

/// Bytes that depend on their offset.
fn file(size: usize) -> Bytes {
    (0..size).map(|at| (at % 251) as u8).collect()
}

async fn read(store: &dyn ObjectStore, path: &Path, range: Range<u64>) -> Bytes {
    store.get_range(path, range).await.unwrap()
}

#[tokio::test]
async fn an_entry_of_the_log_is_read_once() {
    let (inner, store) = stores();
    let entry = Path::from("silver/events/_delta_log/00000000000000000007.json");
    inner.put(&entry, "first".into()).await.unwrap();
    assert_eq!(store.get(&entry).await.unwrap().bytes().await.unwrap(), "first");
    inner.delete(&entry).await.unwrap();
    assert_eq!(store.get(&entry).await.unwrap().bytes().await.unwrap(), "first");
    assert_eq!(read(&store, &entry, 1..3).await, "ir");
    assert!(store.head(&entry).await.is_err(), "whether it is there is always asked");
}

#[tokio::test]
async fn what_is_written_over_is_never_kept() {
    let (inner, store) = stores();
    for name in ["_delta_log/_last_checkpoint", "names.csv", "_delta_log/latest.json"] {
        let path = Path::from(name);
        inner.put(&path, "first".into()).await.unwrap();
        assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "first");
        inner.put(&path, "second".into()).await.unwrap();
        assert_eq!(
            store.get(&path).await.unwrap().bytes().await.unwrap(),
            "second",
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_recreated_table_is_read_again() {
    let (inner, store) = stores();
    let entry = Path::from("_delta_log/00000000000000000000.json");
    store.put(&entry, "first".into()).await.unwrap();
    inner.put(&entry, "other".into()).await.unwrap();
    assert_eq!(store.get(&entry).await.unwrap().bytes().await.unwrap(), "first");
    let listed: Vec<_> = store.list(Some(&Path::from("_delta_log"))).try_collect().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(store.get(&entry).await.unwrap().bytes().await.unwrap(), "other");
    store.delete(&entry).await.unwrap();
    assert!(store.get(&entry).await.is_err());
}

#[tokio::test]
async fn a_small_data_file_comes_with_its_last_bytes() {
    let (inner, store) = stores();
    let (path, bytes) = (Path::from("part-1.parquet"), file(5_000));
    inner.put(&path, bytes.clone().into()).await.unwrap();
    assert_eq!(read(&store, &path, 4_992..5_000).await, bytes.slice(4_992..));
    inner.delete(&path).await.unwrap();
    assert_eq!(read(&store, &path, 4..3_000).await, bytes.slice(4..3_000));
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), bytes);
}

#[tokio::test]
async fn a_file_of_middle_size_comes_whole_once_its_size_is_known() {
    let (inner, store) = stores();
    let (path, bytes) = (Path::from("part-2.parquet"), file(700_000));
    inner.put(&path, bytes.clone().into()).await.unwrap();
    assert_eq!(read(&store, &path, 699_992..700_000).await, bytes.slice(699_992..));
    assert_eq!(read(&store, &path, 4..1_000).await, bytes.slice(4..1_000));
    inner.delete(&path).await.unwrap();
    assert_eq!(
        read(&store, &path, 100_000..200_000).await,
        bytes.slice(100_000..200_000)
    );
}

#[tokio::test]
async fn of_a_large_file_the_footer_is_kept_and_nothing_else() {
    let (inner, store) = stores();
    let size = 4_000_000;
    let (path, bytes) = (Path::from("part-3.parquet"), file(size as usize));
    inner.put(&path, bytes.clone().into()).await.unwrap();
    assert_eq!(
        read(&store, &path, size - 8..size).await,
        bytes.slice(size as usize - 8..)
    );
    assert_eq!(read(&store, &path, 4..1_000).await, bytes.slice(4..1_000));
    // A footer longer than the tail that was fetched with the last bytes.
    let long = size - 600_000..size - 8;
    assert_eq!(
        read(&store, &path, long.clone()).await,
        bytes.slice(size as usize - 600_000..size as usize - 8)
    );
    inner.delete(&path).await.unwrap();
    assert_eq!(read(&store, &path, long).await.len(), 599_992);
    assert!(store.get_range(&path, 4..1_000).await.is_err());
}

#[tokio::test]
async fn eight_bytes_in_the_middle_are_those_that_were_asked_for() {
    let (inner, store) = stores();
    let (path, bytes) = (Path::from("part-4.parquet"), file(4_000_000));
    inner.put(&path, bytes.clone().into()).await.unwrap();
    assert_eq!(
        read(&store, &path, 2_000_000..2_000_008).await,
        bytes.slice(2_000_000..2_000_008)
    );
    assert_eq!(read(&store, &path, 8..16).await, bytes.slice(8..16));
    let beyond = store.get_range(&path, 4_000_000..4_000_008).await;
    assert!(beyond.is_err(), "{beyond:?}");
}

#[tokio::test]
async fn it_takes_no_more_memory_than_it_may() {
    let inner = Arc::new(InMemory::new());
    let store = CachedStore::new(inner.clone(), 1 << 20);
    for number in 0..100 {
        let path = Path::from(format!("part-{number}.parquet"));
        store.put(&path, file(100_000).into()).await.unwrap();
    }
    assert!(store.kept.weight() <= 1 << 20, "{}", store.kept.weight());
    assert!(store.kept.len() > 2, "{}", store.kept.len());
}
