//! The state of a folder, to fill others with: what many tests begin with is made once.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A folder's content. It is in memory, so that nothing has to be removed when the tests end.
pub struct Saved {
    folders: Vec<PathBuf>,
    files: Vec<SavedFile>,
}

struct SavedFile {
    path: PathBuf,
    modified: SystemTime,
    content: Vec<u8>,
}

impl Saved {
    pub fn of(folder: &Path) -> Self {
        let mut saved = Self {
            folders: vec![PathBuf::new()],
            files: vec![],
        };
        let mut read = 0;
        while let Some(inner) = saved.folders.get(read).cloned() {
            read += 1;
            for entry in fs::read_dir(folder.join(&inner)).unwrap() {
                let entry = entry.unwrap();
                let path = inner.join(entry.file_name());
                let about = entry.metadata().unwrap();
                if about.is_dir() {
                    saved.folders.push(path);
                } else {
                    saved.files.push(SavedFile {
                        path,
                        modified: about.modified().unwrap(),
                        content: fs::read(entry.path()).unwrap(),
                    });
                }
            }
        }
        saved
    }

    /// Writes it to another folder. Files keep their times, by which sources and vacuum judge them.
    pub fn write_to(&self, folder: &Path) {
        for inner in &self.folders {
            fs::create_dir_all(folder.join(inner)).unwrap();
        }
        for SavedFile {
            path,
            modified,
            content,
        } in &self.files
        {
            let mut file = File::create(folder.join(path)).unwrap();
            file.write_all(content).unwrap();
            file.set_modified(*modified).unwrap();
        }
    }
}
