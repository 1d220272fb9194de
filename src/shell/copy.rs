//! Where `copy … to` may write: to disk, outside of the lake, and never into a folder with other files.

use std::fs;

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
    if is_within(target.get_url(), lake) {
        return refused(&format!(
            "only steps write to the lake\n  help: choose a place outside of {lake}"
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

fn is_within(url: &Url, folder: &Url) -> bool {
    let as_folder = |url: &Url| format!("{}/", url.as_str().trim_end_matches('/'));
    as_folder(url).starts_with(&as_folder(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_within_the_lake() {
        let lake = Url::parse("file:///shop/lake").unwrap();
        let is_within = |url: &str| is_within(&Url::parse(url).unwrap(), &lake);
        assert!(is_within("file:///shop/lake/silver/events/x.parquet"));
        assert!(is_within("file:///shop/lake/") && is_within("file:///shop/lake"));
        assert!(is_within("file:///shop/other/../lake/x.csv"));
        assert!(!is_within("file:///shop/lake2/x.csv") && !is_within("file:///shop/x.csv"));
    }
}
