//! Where `copy … to` may write: to disk, outside the lake, and never into a folder with other files. Symbolic links
//! lead nowhere else.

use std::fs;
use std::path::{Path, PathBuf};

use datafusion::datasource::listing::ListingTableUrl;
use datafusion::logical_expr::dml::CopyTo;
use url::Url;

use super::ShellError;

/// Refuses a target that would harm the lake, or whose files could not be told from those that are there.
pub(super) fn check_target(copy: &CopyTo, lake: &Url) -> Result<(), ShellError> {
    let refused = |why: &str| Err(ShellError::Refused(format!("copy to `{}`: {why}", copy.output_url)));
    let target = ListingTableUrl::parse(&copy.output_url)?;
    let path = match target.scheme() {
        "file" => target.get_url().to_file_path().ok(),
        _ => None,
    };
    let Some(path) = path else {
        return refused("`copy` writes to disk only\n  help: copy the file to the store with a tool of its own");
    };
    let real = real(&path);
    if is_within(&real, lake) {
        return refused(&format!(
            "only steps write to the lake\n  help: choose a folder outside {lake}"
        ));
    }
    if let Some(table) = real.ancestors().find(|folder| folder.join("_delta_log").is_dir()) {
        return refused(&format!(
            "{} is the folder of a Delta table\n  help: choose another folder",
            table.display()
        ));
    }
    if !path.is_dir() {
        return Ok(());
    }
    let mut files = fs::read_dir(&path).map_err(|error| ShellError::file("read", &copy.output_url, error))?;
    match files.next() {
        None => Ok(()),
        Some(_) => {
            refused("the folder is not empty\n  help: empty it, or name another: all files of a folder are one table")
        }
    }
}

/// Whether a real path is in the folder of the lake.
fn is_within(path: &Path, lake: &Url) -> bool {
    let lake = match lake.scheme() {
        "file" => lake.to_file_path().ok(),
        _ => None,
    };
    lake.is_some_and(|lake| path.starts_with(real(&lake)))
}

/// A path without symbolic links, as far as it exists.
fn real(path: &Path) -> PathBuf {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Ok(real), ..) => real,
        (Err(_), Some(parent), Some(name)) => real(parent).join(name),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashMap;
    use std::sync::Arc;

    use datafusion::datasource::file_format::csv::CsvFormatFactory;
    use datafusion::datasource::file_format::format_as_file_type;
    use datafusion::logical_expr::LogicalPlanBuilder;

    use super::*;

    /// What a copy to this place is refused for; `None` if it is not.
    fn refusal(target: &str, lake: &Path) -> Option<String> {
        let rows = LogicalPlanBuilder::empty(true).build().unwrap();
        let csv = format_as_file_type(Arc::new(CsvFormatFactory::new()));
        let copy = CopyTo::new(rows.into(), target.to_owned(), vec![], csv, HashMap::new());
        let lake = Url::from_directory_path(lake).unwrap();
        check_target(&copy, &lake).err().map(|error| error.to_string())
    }

    #[test]
    fn a_copy_goes_outside_of_the_lake() {
        let shop = tempfile::tempdir().unwrap();
        let lake = shop.path().join("lake");
        fs::create_dir_all(lake.join("silver/events/_delta_log")).unwrap();
        let of = |target: &str| refusal(&format!("{}/{target}", shop.path().display()), &lake);
        for target in [
            "lake",
            "lake/x.csv",
            "lake/new/x.csv",
            "other/../lake/x.csv",
            "lake/silver/events/x.csv",
        ] {
            assert!(of(target).unwrap().contains("only steps write to the lake"), "{target}");
        }
        for target in ["lake2/x.csv", "x.csv", "new/folder/"] {
            assert_eq!(of(target), None, "{target}");
        }
        fs::create_dir_all(shop.path().join("elsewhere/_delta_log")).unwrap();
        assert!(
            of("elsewhere/part/x.csv")
                .unwrap()
                .contains("the folder of a Delta table")
        );
        assert!(refusal("s3://bucket/x.csv", &lake).unwrap().contains("to disk only"));
    }

    #[cfg(unix)]
    #[test]
    fn links_do_not_lead_into_the_lake() {
        use std::os::unix::fs::symlink;

        let shop = tempfile::tempdir().unwrap();
        let at = |name: &str| shop.path().join(name);
        fs::create_dir_all(at("data/silver")).unwrap();
        fs::write(at("data/silver/old.csv"), "").unwrap();
        symlink(at("data"), at("lake")).unwrap();
        symlink(at("lake/silver"), at("out")).unwrap();
        symlink(at("data/silver/old.csv"), at("old.csv")).unwrap();
        let of = |target: &str| refusal(at(target).to_str().unwrap(), &at("lake"));
        for target in ["out/x.csv", "out/new/x.csv", "data/x.csv", "lake/x.csv", "old.csv"] {
            assert!(of(target).unwrap().contains("only steps write to the lake"), "{target}");
        }
        assert_eq!(of("x.csv"), None);
    }
}
