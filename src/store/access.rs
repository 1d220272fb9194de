use std::fmt;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, Result};

/// What one may do in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// See which files there are.
    List,
    /// Read them.
    Read,
    /// Write new ones.
    Create,
    /// Take them away.
    Delete,
}

impl Permission {
    /// Whether the letters of a SAS token (`sp`) hold it.
    pub(super) fn is_in(self, letters: &str) -> bool {
        match self {
            Self::List => letters.contains('l'),
            Self::Read => letters.contains('r'),
            Self::Create => letters.contains(['c', 'w']),
            Self::Delete => letters.contains('d'),
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::List => "list",
            Self::Read => "read",
            Self::Create => "create",
            Self::Delete => "delete",
        })
    }
}

/// Whether a permission is there, and else why not.
#[derive(Debug)]
pub struct Access {
    /// Which.
    pub permission: Permission,
    /// What the store said.
    pub granted: Result<()>,
}

/// The file by which that is found out.
const PROBE: &str = "_clickrec_probe";

/// Finds out what one may do below a folder, by a file of its own that is deleted again. That a file is only created where
/// none is yet, which commits depend on, counts as part of `create`.
pub async fn access(store: &dyn ObjectStore, folder: &Path) -> Vec<Access> {
    let probe = folder.clone().join(PROBE);
    let list = store.list(Some(folder)).try_next().await.map(drop);
    let create = create(store, &probe).await;
    let read = match store.get(&probe).await {
        // Without the probe there is nothing to read, and to look for it is allowed.
        Err(Error::NotFound { .. }) => Ok(()),
        read => read.map(drop),
    };
    let delete = match store.delete(&probe).await {
        Err(Error::NotFound { .. }) => Ok(()),
        deleted => deleted,
    };
    let found = [
        (Permission::List, list),
        (Permission::Read, read),
        (Permission::Create, create),
        (Permission::Delete, delete),
    ];
    let access = |(permission, granted)| Access { permission, granted };
    found.into_iter().map(access).collect()
}

async fn create(store: &dyn ObjectStore, probe: &Path) -> Result<()> {
    let new = || PutOptions::from(PutMode::Create);
    let words = || PutPayload::from_static(b"made by clickrec to see what it may do; it can be deleted");
    match store.put_opts(probe, words(), new()).await {
        // Of one who may not delete it.
        Err(Error::AlreadyExists { .. }) => return Ok(()),
        made => _ = made?,
    }
    match store.put_opts(probe, words(), new()).await {
        Err(Error::AlreadyExists { .. }) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(Error::Generic {
            store: "lake",
            source:
                "it replaces files that are there where it is told to create them only: two writers would lose each \
                     other's commits"
                    .into(),
        }),
    }
}
