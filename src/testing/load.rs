//! Reads test files from paths and folders, and prepares the tests in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::prepare::prepare;
use super::raw::{RawFile, parse};
use super::rows::wrong;
use super::{Test, TestingError};
use crate::config::ConfigError;
use crate::pipeline::Runner;

/// Reads the tests in files, and in all `.yaml` files in folders. Runs nothing. Skips tests of a broken step
/// ([`Runner::broken`]).
///
/// # Errors
/// All problems in them, with file, line and column.
pub async fn load(paths: &[PathBuf], runner: &Runner) -> Result<Vec<Test>, TestingError> {
    let mut files = vec![];
    for path in paths {
        find(path, &mut files)?;
    }
    let (mut tests, mut errors) = (vec![], vec![]);
    for file in files {
        let text = read(&file)?;
        match parse(&file, &text) {
            Err(error) => errors.push(error),
            Ok(raw) => prepare_file(&file, raw, runner, &mut tests, &mut errors).await,
        }
    }
    match errors.is_empty() {
        true => Ok(tests),
        false => Err(TestingError::Invalid(errors)),
    }
}

fn read(file: &Path) -> Result<String, TestingError> {
    std::fs::read_to_string(file).map_err(failed(file))
}

fn failed(file: &Path) -> impl Fn(std::io::Error) -> TestingError {
    move |source| TestingError::File {
        file: file.to_owned(),
        source,
    }
}

/// The file, or the test files in a folder, sorted by name.
fn find(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), TestingError> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let entries = std::fs::read_dir(path).map_err(failed(path))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<Result<Vec<_>, _>>().map_err(failed(path))?;
    paths.sort();
    for path in paths {
        let is_test = path
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml");
        if path.is_dir() || is_test {
            find(&path, files)?;
        }
    }
    Ok(())
}

/// Prepares the tests of a file; an error in one does not hide errors in the next.
pub(super) async fn prepare_file(
    file: &Path,
    raw: RawFile,
    runner: &Runner,
    tests: &mut Vec<Test>,
    errors: &mut Vec<ConfigError>,
) {
    let mut names: BTreeMap<String, u64> = BTreeMap::new();
    for test in raw.tests {
        let name = &test.value.name;
        if let Some(first) = names.insert(name.value.clone(), name.referenced.line()) {
            let message = format!("the test on line {first} has the same name");
            let help = Some("rename one of them".to_owned());
            errors.push(wrong(file, name.referenced, message, help));
        }
        if runner
            .dag()
            .named(&test.value.step.value)
            .is_some_and(|node| runner.broken(node.name()).is_some())
        {
            continue;
        }
        match prepare(file, test, runner).await {
            Ok(test) => tests.push(test),
            Err(error) => errors.push(error),
        }
    }
}
