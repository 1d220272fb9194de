//! Every file below the lake, whatever it is: for a search of all bytes, and for the tables that no step makes.

use std::path::PathBuf;

use bytes::Bytes;
use deltalake::DeltaTableError;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};
use url::Url;

use super::{DataFilesScan, Lake, LakeError, LakeTable, unnamed_files};
use crate::config::TableName;

/// A file below the lake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LakeFile {
    /// Its path below the lake.
    pub name: String,
    place: Place,
}

/// Where it is. A disk is listed directly: its store hides files that it did not finish.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Disk(PathBuf),
    Store(Path),
}

impl Lake {
    /// Every file below the lake, in the order of their paths.
    ///
    /// # Errors
    /// When the lake cannot be listed.
    pub async fn files(&self) -> Result<Vec<LakeFile>, LakeError> {
        let mut files = match self.url().to_file_path() {
            Ok(folder) => on_disk(&folder).map_err(|error| self.failed(error.into()))?,
            Err(()) => self.in_store().await?,
        };
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(files)
    }

    /// The content of a file; `None` if it is gone.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn read(&self, file: &LakeFile) -> Result<Option<Bytes>, LakeError> {
        match &file.place {
            Place::Disk(path) => match tokio::fs::read(path).await {
                Ok(bytes) => Ok(Some(bytes.into())),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(self.failed(error.into())),
            },
            Place::Store(path) => {
                let store = self.store().map_err(|error| self.failed(error))?;
                let read = async { store.get(path).await?.bytes().await };
                match read.await {
                    Ok(bytes) => Ok(Some(bytes)),
                    Err(object_store::Error::NotFound { .. }) => Ok(None),
                    Err(error) => Err(self.failed(error.into())),
                }
            }
        }
    }

    async fn in_store(&self) -> Result<Vec<LakeFile>, LakeError> {
        let store = self.store().map_err(|error| self.failed(error))?;
        let root = root(self.url()).map_err(|error| self.failed(error))?;
        let listed: Vec<ObjectMeta> = store
            .list(Some(&root))
            .try_collect()
            .await
            .map_err(|error| self.failed(error.into()))?;
        let files = listed.into_iter().map(|file| {
            let path = file.location.as_ref();
            let below = path.strip_prefix(root.as_ref()).unwrap_or(path);
            LakeFile {
                name: below.trim_start_matches('/').to_owned(),
                place: Place::Store(file.location),
            }
        });
        Ok(files.collect())
    }

    fn failed(&self, error: DeltaTableError) -> LakeError {
        LakeError::delta("read the files of", self.url())(error)
    }
}

impl LakeFile {
    /// The table that it belongs to, if it is in the folder of one.
    pub fn table(&self) -> Option<TableName> {
        let mut parts = self.name.split('/');
        let (layer, table, _) = (parts.next()?, parts.next()?, parts.next()?);
        format!("{layer}.{table}").parse().ok()
    }
}

impl LakeTable {
    /// A scan of everything in the table's folder: also of what it no longer names, or does not name yet. Values of
    /// columns that it is partitioned by are taken from the folders' names.
    ///
    /// # Errors
    /// When the folder cannot be listed, or as [`DataFilesScan::try_new`].
    pub async fn scan_with_old_files(&self) -> Result<DataFilesScan, LakeError> {
        let mut files = super::data_files::data_files_without_statistics(self);
        for old in unnamed_files(self).await? {
            files.push(deltalake::kernel::Add {
                path: old.location.to_string(),
                partition_values: folder_values(old.location.as_ref()).collect(),
                size: i64::try_from(old.size).unwrap_or(i64::MAX),
                modification_time: old.last_modified.timestamp_millis(),
                ..Default::default()
            });
        }
        DataFilesScan::try_new(self, &files, None)
    }
}

/// `day=2026-01-01/part.parquet`: the names and values of columns in a path.
fn folder_values(path: &str) -> impl Iterator<Item = (String, Option<String>)> {
    path.split('/').filter_map(|folder| {
        let (column, value) = folder.split_once('=')?;
        let decode = |text: &str| {
            percent_encoding::percent_decode_str(text)
                .decode_utf8_lossy()
                .into_owned()
        };
        let value = Some(decode(value)).filter(|value| value != "__HIVE_DEFAULT_PARTITION__");
        Some((decode(column), value))
    })
}

fn root(lake: &Url) -> Result<Path, DeltaTableError> {
    Path::from_url_path(lake.path()).map_err(|error| DeltaTableError::generic(error.to_string()))
}

fn on_disk(root: &std::path::Path) -> std::io::Result<Vec<LakeFile>> {
    let (mut folders, mut files) = (vec![root.to_owned()], vec![]);
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap_or(&path);
                files.push(LakeFile {
                    name: name.to_string_lossy().replace('\\', "/"),
                    place: Place::Disk(path),
                });
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn file(name: &str) -> LakeFile {
        LakeFile {
            name: name.to_owned(),
            place: Place::Disk(PathBuf::new()),
        }
    }

    #[test]
    fn a_file_knows_its_table() {
        let table = |name: &str| file(name).table().map(|table| table.to_string());
        assert_eq!(table("gold/items/_delta_log/0.json").as_deref(), Some("gold.items"));
        assert_eq!(table("gold/items"), None);
        assert_eq!(table("Gold/Items/a.parquet"), None);
    }

    #[test]
    fn values_are_read_from_the_names_of_folders() {
        let values: Vec<_> =
            folder_values("day=2026-01-01/name=a%20b/none=__HIVE_DEFAULT_PARTITION__/a.parquet").collect();
        let pair = |column: &str, value: Option<&str>| (column.to_owned(), value.map(str::to_owned));
        assert_eq!(
            values,
            [
                pair("day", Some("2026-01-01")),
                pair("name", Some("a b")),
                pair("none", None)
            ]
        );
    }
}
