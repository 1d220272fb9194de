//! The files that a path, a pattern or a URL stands for. Paths are relative to the working folder, and `~` is that of
//! the user.

use std::fmt::Display;
use std::io::ErrorKind;
use std::path::Path;

use datafusion::common::{plan_datafusion_err, plan_err};
use datafusion::datasource::listing::ListingTableUrl;
use datafusion::error::{DataFusionError, Result};
use glob::{MatchOptions, glob_with};
use url::Url;

use crate::sources::is_pattern;

/// As a shell matches: `*` stays within a folder, and leaves out hidden files.
const LIKE_A_SHELL: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// The files and folders; none if there are none. DataFusion's own patterns would match the files of subfolders too, or
/// none at all.
///
/// # Errors
/// When a folder cannot be read, or is a Delta table's.
pub fn urls(path: &str) -> Result<Vec<ListingTableUrl>> {
    if path.contains("://") {
        if is_pattern(path) {
            return plan_err!(
                "`{path}`: patterns find only files on disk\n  help: name a file, or a folder with a final /"
            );
        }
        return Ok(vec![ListingTableUrl::parse(path)?]);
    }
    let path = expanded(path);
    if is_pattern(&path) && !Path::new(&path).exists() {
        return matching(&path);
    }
    match Path::new(&path).canonicalize() {
        Ok(found) => Ok(vec![url(&found)?]),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(vec![]),
        Err(error) => Err(unreadable(&path, error)),
    }
}

/// A path with the user's own folder in place of `~`.
pub fn expanded(path: &str) -> String {
    let of_user = |rest: &str| {
        etcetera::home_dir()
            .ok()?
            .join(rest)
            .into_os_string()
            .into_string()
            .ok()
    };
    path.strip_prefix("~/")
        .and_then(of_user)
        .unwrap_or_else(|| path.to_owned())
}

/// The error for a path that stands for no files.
pub fn missing(path: &str) -> DataFusionError {
    let here = std::env::current_dir()
        .ok()
        .filter(|_| !path.starts_with(['/', '~']) && !path.contains("://"));
    let help = here.map(|here| format!("\n  help: paths are relative to {}", here.display()));
    plan_datafusion_err!("there is no file `{path}`{}", help.unwrap_or_default())
}

fn unreadable(path: &str, error: impl Display) -> DataFusionError {
    plan_datafusion_err!("`{path}` cannot be read: {error}")
}

fn matching(pattern: &str) -> Result<Vec<ListingTableUrl>> {
    let mut files = vec![];
    for found in glob_with(pattern, LIKE_A_SHELL).map_err(|error| unreadable(pattern, error))? {
        let found = found.map_err(|error| unreadable(pattern, error))?;
        if found.is_file() {
            files.push(found.canonicalize().map_err(|error| unreadable(pattern, error))?);
        }
    }
    files.sort();
    files.iter().map(|file| url(file)).collect()
}

/// The URL of an absolute path.
fn url(path: &Path) -> Result<ListingTableUrl> {
    if path.join("_delta_log").is_dir() {
        return plan_err!(
            "`{}` is the folder of a Delta table, which also holds deleted rows\n  help: write LAYER.TABLE for a table \
             of the lake",
            path.display()
        );
    }
    let url = match path.is_dir() {
        true => Url::from_directory_path(path),
        false => Url::from_file_path(path),
    };
    let url = url.map_err(|()| unreadable(&path.display().to_string(), "the path is not absolute"))?;
    ListingTableUrl::try_new(url, None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;

    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell_and_names_with_their_characters_are_files() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("sub")).unwrap();
        for name in ["b.csv", "a.csv", ".hidden.csv", "sub/c.csv", "x[1].csv", "ü %20.csv"] {
            fs::write(folder.path().join(name), "a\n1\n").unwrap();
        }
        let found = |name: &str| -> Vec<String> {
            let urls = urls(&format!("{}/{name}", folder.path().display())).unwrap();
            let names = urls
                .iter()
                .map(|url| url.prefix().filename().unwrap_or_default().to_owned());
            names.collect()
        };
        assert_eq!(found("[ab].csv"), ["a.csv", "b.csv"]);
        assert_eq!(found("*/*.csv"), ["c.csv"]);
        assert_eq!(found("**/?.csv"), ["a.csv", "b.csv", "c.csv"]);
        assert_eq!(found("x[1].csv"), ["x[1].csv"]);
        assert_eq!(found("ü %20.csv"), ["ü %20.csv"]);
        assert!(found("*.json").is_empty() && found("no.csv").is_empty() && found("*hidden*").is_empty());
        assert!(urls(&folder.path().display().to_string()).unwrap()[0].is_collection());

        fs::create_dir(folder.path().join("_delta_log")).unwrap();
        let error = urls(&folder.path().display().to_string()).unwrap_err().to_string();
        assert!(error.contains("a Delta table"), "{error}");
    }

    #[test]
    fn the_users_folder_and_urls() {
        assert!(expanded("~/x.csv").starts_with('/') && expanded("~/x.csv").ends_with("/x.csv"));
        assert_eq!(expanded("a/~/x.csv"), "a/~/x.csv");
        assert_eq!(urls("s3://bucket/x.csv").unwrap()[0].as_str(), "s3://bucket/x.csv");
        assert!(urls("s3://bucket/*.csv").is_err());
        assert!(missing("x.csv").to_string().contains("paths are relative to /"));
        assert!(!missing("/x.csv").to_string().contains("relative"));
    }
}
