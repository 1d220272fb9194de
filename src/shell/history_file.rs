//! The file of the lines typed before (`~/.local/state/clickrec/history`), which only its owner can read; `editor`
//! keeps 10,000 of them. `\history` is in `describe`.

use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

/// The file in the XDG state folder, which only its owner can read; `None` if there is no such folder.
///
/// # Errors
/// When it cannot be created.
pub(super) fn file() -> io::Result<Option<PathBuf>> {
    let Ok(base) = etcetera::base_strategy::Xdg::new() else {
        return Ok(None);
    };
    let Some(state) = base.state_dir() else { return Ok(None) };
    private(&state.join("clickrec"), "history").map(Some)
}

/// Creates a file that only its owner can read, and its folder.
fn private(folder: &Path, name: &str) -> io::Result<PathBuf> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let file = folder.join(name);
    OpenOptions::new().append(true).create(true).mode(0o600).open(&file)?;
    // Another program may have created it with other permissions.
    fs::set_permissions(&file, Permissions::from_mode(0o600))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_file_is_for_its_owner_only() {
        let state = tempfile::tempdir().unwrap();
        let folder = state.path().join("deep/clickrec");
        let file = private(&folder, "history").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        fs::write(&file, "select 1\n").unwrap();
        assert_eq!(private(&folder, "history").unwrap(), file);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&file).unwrap(), "select 1\n", "what was there stays");
    }
}
