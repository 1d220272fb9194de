//! Finds out what the lake's store allows (list, read, create, delete), with a probe file; and whether it keeps its
//! promise never to overwrite a file, on which commits depend. `clickrec plan` shows it.

use std::fmt;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, Result};

/// What a user may be allowed to do in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// List files.
    List,
    /// Read files.
    Read,
    /// Create files.
    Create,
    /// Delete files.
    Delete,
}

impl Permission {
    /// Whether the letters of a SAS token (`sp`) include it.
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

/// Whether a permission is granted, and if not, why.
#[derive(Debug)]
pub struct Access {
    /// The permission.
    pub permission: Permission,
    /// The store's answer.
    pub granted: Result<()>,
}

/// The name of the probe file.
const PROBE: &str = "_clickrec_probe";

/// Finds out which permissions we have below a folder, with a probe file that is deleted afterward. `create` also
/// requires that the store never overwrites an existing file, because commits depend on that.
pub async fn access(store: &dyn ObjectStore, folder: &Path) -> Vec<Access> {
    let probe = folder.clone().join(PROBE);
    let list = store.list(Some(folder)).try_next().await.map(drop);
    let create = create(store, &probe).await;
    let read = match store.get(&probe).await {
        // Without the probe there is nothing to read, but the request was permitted.
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
    let words = || PutPayload::from_static(b"created by clickrec to check its permissions; safe to delete");
    match store.put_opts(probe, words(), new()).await {
        // Left by a user without permission to delete it.
        Err(Error::AlreadyExists { .. }) => return Ok(()),
        made => _ = made?,
    }
    match store.put_opts(probe, words(), new()).await {
        Err(Error::AlreadyExists { .. }) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(Error::Generic {
            store: "lake",
            source: "the store overwrites existing files although the request forbids it: two writers would overwrite \
                     each other's commits"
                .into(),
        }),
    }
}
