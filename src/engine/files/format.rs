//! Formats of files: which one the end of a name says, and the options of DataFusion's readers and writers.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;
use std::sync::Arc;

use datafusion::common::{plan_datafusion_err, plan_err};
use datafusion::datasource::file_format::arrow::ArrowFormatFactory;
use datafusion::datasource::file_format::csv::CsvFormatFactory;
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::datasource::file_format::json::JsonFormatFactory;
use datafusion::datasource::file_format::parquet::ParquetFormatFactory;
use datafusion::datasource::file_format::{FileFormat, FileFormatFactory};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;

/// Options of a format, under DataFusion's names.
pub type Options = BTreeMap<String, String>;

/// A format that DataFusion reads and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Arrow,
    Csv,
    Json,
    Parquet,
}

impl Format {
    pub const ALL: [Self; 4] = [Self::Arrow, Self::Csv, Self::Json, Self::Parquet];

    /// Its name in `stored as`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Arrow => "arrow",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Parquet => "parquet",
        }
    }

    /// The table function that reads it.
    pub fn function(self) -> &'static str {
        match self {
            Self::Arrow => "read_arrow",
            Self::Csv => "read_csv",
            Self::Json => "read_json",
            Self::Parquet => "read_parquet",
        }
    }

    fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Arrow => &["arrow", "arrows", "feather", "ipc"],
            Self::Csv => &["csv", "tsv"],
            Self::Json => &["json", "ndjson", "jsonl"],
            Self::Parquet => &["parquet"],
        }
    }

    /// Text may be compressed as a whole; the other formats compress within.
    pub fn is_text(self) -> bool {
        matches!(self, Self::Csv | Self::Json)
    }

    /// The format and the options that the end of a name says: `events.tsv.gz` is CSV with tabs, compressed.
    pub fn of_path(path: &str) -> Option<(Self, Options)> {
        let path = path.to_lowercase();
        let (stem, last) = path.rsplit_once('.')?;
        let is_compression = FileCompressionType::from_str(last).is_ok_and(|known| known.is_compressed());
        let ending = match is_compression {
            true => stem.rsplit_once('.')?.1,
            false => last,
        };
        let format = Self::ALL
            .into_iter()
            .find(|format| format.endings().contains(&ending))?;
        let mut options = Options::new();
        if ending == "tsv" {
            options.insert("delimiter".to_owned(), "\t".to_owned());
        }
        if is_compression {
            options.insert("compression".to_owned(), last.to_owned());
        }
        (format.is_text() || !is_compression).then_some((format, options))
    }

    /// DataFusion's reader and writer.
    ///
    /// # Errors
    /// When the format has no such option, or a value is wrong.
    pub fn open(self, state: &SessionState, options: &Options) -> Result<Arc<dyn FileFormat>> {
        let named = options
            .iter()
            .map(|(name, value)| (format!("format.{name}"), value.clone()));
        let named: HashMap<String, String> = named.collect();
        match self {
            Self::Arrow if !options.is_empty() => plan_err!("there are no options"),
            Self::Arrow => ArrowFormatFactory::new().create(state, &named),
            Self::Csv => CsvFormatFactory::new().create(state, &named),
            Self::Json => JsonFormatFactory::new().create(state, &named),
            Self::Parquet => ParquetFormatFactory::new().create(state, &named),
        }
    }
}

/// The error for a name that says no format.
pub fn unknown(path: &str, help: &str) -> DataFusionError {
    let endings = Format::ALL.into_iter().flat_map(Format::endings);
    let endings: Vec<String> = endings.map(|ending| format!(".{ending}")).collect();
    plan_datafusion_err!("`{path}` does not end in one of {}\n  help: {help}", endings.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_name_says_format_and_compression() {
        let of = |path: &str| Format::of_path(path).map(|(format, options)| (format, format!("{options:?}")));
        let found = |format: Format, options: &str| Some((format, options.to_owned()));
        assert_eq!(of("a/b.csv"), found(Format::Csv, "{}"));
        assert_eq!(of("B.CSV.GZ"), found(Format::Csv, "{\"compression\": \"gz\"}"));
        assert_eq!(
            of("logs/*.jsonl.zst"),
            found(Format::Json, "{\"compression\": \"zst\"}")
        );
        assert_eq!(of("b.tsv"), found(Format::Csv, "{\"delimiter\": \"\\t\"}"));
        assert_eq!(of("s3://b/x.parquet"), found(Format::Parquet, "{}"));
        for path in [
            "csv",
            "b.txt",
            "b.gz",
            "out/",
            "./csv",
            "x.parquet.gz",
            "x.avro",
            "a.csv/part",
            "",
        ] {
            assert_eq!(of(path), None, "{path}");
        }
    }
}
