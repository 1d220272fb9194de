//! The table of some files: they are listed, their columns are inferred, and what DataFusion would read wrongly is
//! turned down.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::TableProvider;
use datafusion::common::{plan_datafusion_err, plan_err};
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::call::Call;
use super::format::{Format, Options};
use super::paths;

/// How many records, over all files, tell the columns and types of CSV and JSON.
const RECORDS: &str = "100000";

/// The table that a call stands for. Reads as much as the columns take.
///
/// # Errors
/// When there are no such files, or they cannot be read, or not as this format.
pub async fn table(state: &SessionState, call: &Call) -> Result<Arc<dyn TableProvider>> {
    let urls = paths::urls(&call.path)?;
    let Some(first) = urls.first() else {
        return Err(paths::missing(&call.path));
    };
    let store = store(state, call, first)?;
    let mut options = with_defaults(call);
    let mut format = opened(state, call, &options)?;
    whole_file(call, format.as_ref(), first)?;
    let ending = ending(format.as_ref(), &urls)?;
    let files = Files {
        state,
        call,
        store: &store,
        metas: listed(state, call, &store, &urls, &ending).await?,
    };
    if call.format == Format::Json
        && !options.contains_key("newline_delimited")
        && files.are_arrays(format.as_ref()).await?
    {
        options.insert("newline_delimited".to_owned(), "false".to_owned());
        format = opened(state, call, &options)?;
    }
    let schema = files.schema(format.as_ref(), options).await?;
    let listing = ListingOptions::new(format).with_file_extension(ending);
    let config = ListingTableConfig::new_with_multi_paths(urls)
        .with_listing_options(listing)
        .infer_partitions_from_path(state)
        .await?
        .with_schema(schema);
    Ok(Arc::new(ListingTable::try_new(config)?))
}

fn with_defaults(call: &Call) -> Options {
    let mut options = Options::new();
    if matches!(call.format, Format::Csv | Format::Json) {
        options.insert("schema_infer_max_rec".to_owned(), RECORDS.to_owned());
    }
    if call.format == Format::Csv {
        // Without it, large files are cut at line breaks, also at those within quotes.
        options.insert("newlines_in_values".to_owned(), "true".to_owned());
    }
    options.extend(call.options.clone());
    options
}

fn opened(state: &SessionState, call: &Call, options: &Options) -> Result<Arc<dyn FileFormat>> {
    let format = call.format.open(state, options);
    format.map_err(|error| {
        plan_datafusion_err!(
            "{}: {}\n  help: the options are in https://datafusion.apache.org/user-guide/sql/format_options.html",
            call.format.function(),
            error.message()
        )
    })
}

fn store(state: &SessionState, call: &Call, url: &ListingTableUrl) -> Result<Arc<dyn ObjectStore>> {
    let found = state.runtime_env().object_store(url);
    found.map_err(|_| {
        plan_datafusion_err!(
            "`{}`: files are read from disk, and from the bucket or container of the lake only\n  help: copy it there",
            call.path
        )
    })
}

fn compression(format: &dyn FileFormat) -> FileCompressionType {
    format.compression_type().unwrap_or(FileCompressionType::UNCOMPRESSED)
}

/// From a stream, DataFusion decompresses only the first part of a file that consists of several, unless it is gzip.
fn whole_file(call: &Call, format: &dyn FileFormat, url: &ListingTableUrl) -> Result<()> {
    let is_whole = [FileCompressionType::UNCOMPRESSED, FileCompressionType::GZIP].contains(&compression(format));
    if is_whole || url.scheme() == "file" {
        return Ok(());
    }
    plan_err!(
        "`{}`: of compressed files in a store, only those of gzip are read\n  help: copy it to disk",
        call.path
    )
}

/// What the names in a folder must end in; files that are named themselves may have any name.
fn ending(format: &dyn FileFormat, urls: &[ListingTableUrl]) -> Result<String> {
    if !urls.iter().any(ListingTableUrl::is_collection) {
        return Ok(String::new());
    }
    match format.compression_type() {
        Some(compression) => format.get_ext_with_compression(&compression),
        None => Ok(format.get_ext()),
    }
}

/// The files that are not empty.
async fn listed(
    state: &SessionState,
    call: &Call,
    store: &Arc<dyn ObjectStore>,
    urls: &[ListingTableUrl],
    ending: &str,
) -> Result<Vec<ObjectMeta>> {
    let mut files: Vec<ObjectMeta> = vec![];
    for url in urls {
        let found = url.list_all_files(state, store.as_ref(), ending).await?;
        files.extend(found.try_collect::<Vec<_>>().await?);
    }
    if files.is_empty() {
        return Err(paths::missing(&call.path));
    }
    files.retain(|file| file.size > 0);
    match files.is_empty() {
        true => Err(empty(call)),
        false => Ok(files),
    }
}

fn empty(call: &Call) -> DataFusionError {
    plan_datafusion_err!("`{}` is empty: it has no columns", call.path)
}

/// What DataFusion says of files that are not what they should be.
fn unreadable(call: &Call, error: &DataFusionError) -> DataFusionError {
    let reason = error.strip_backtrace().replace("\ncaused by\n", ": ");
    let help = match call.format {
        Format::Csv => {
            "read_csv('…', delimiter => ';') takes this and other options, such as has_header, quote and escape"
        }
        _ => "read_csv, read_json, read_parquet and read_arrow read a file whatever its name ends in",
    };
    plan_datafusion_err!(
        "`{}` cannot be read as {}: {}\n  help: {help}",
        call.path,
        call.format.name(),
        reason.lines().next().unwrap_or_default()
    )
}

/// Files of one table.
struct Files<'a> {
    state: &'a SessionState,
    call: &'a Call,
    store: &'a Arc<dyn ObjectStore>,
    metas: Vec<ObjectMeta>,
}

impl Files<'_> {
    /// Their columns.
    async fn schema(&self, format: &dyn FileFormat, options: Options) -> Result<SchemaRef> {
        let schema = self.inferred(format, &self.metas).await?;
        if schema.fields().is_empty() {
            return Err(empty(self.call));
        }
        if self.call.format != Format::Csv {
            return Ok(schema);
        }
        if self.metas.len() > 1 {
            self.check_headers(options).await?;
        }
        Ok(widened(&schema))
    }

    async fn inferred(&self, format: &dyn FileFormat, metas: &[ObjectMeta]) -> Result<SchemaRef> {
        let schema = format.infer_schema(self.state, self.store, metas).await;
        schema.map_err(|error| unreadable(self.call, &error))
    }

    /// Requires the same columns in all files of CSV: DataFusion tells columns by their places, and skips the headers.
    async fn check_headers(&self, mut options: Options) -> Result<()> {
        options.insert("schema_infer_max_rec".to_owned(), "0".to_owned());
        let headers = self.call.format.open(self.state, &options)?;
        let mut first: Option<(&ObjectMeta, SchemaRef)> = None;
        for meta in &self.metas {
            let schema = self.inferred(headers.as_ref(), std::slice::from_ref(meta)).await?;
            match &first {
                None => first = Some((meta, schema)),
                Some((_, expected)) if *expected == schema => {}
                Some((other, _)) => {
                    return plan_err!(
                        "`{}`: {} has other columns than {}, or in another order\n  help: read them one by one, and \
                         combine them with `union all by name`",
                        self.call.path,
                        name(meta),
                        name(other)
                    );
                }
            }
        }
        Ok(())
    }

    /// Whether each file of JSON is one array. In a file with one object per line, DataFusion would take a list within
    /// the first object for the array.
    async fn are_arrays(&self, format: &dyn FileFormat) -> Result<bool> {
        let mut arrays = 0;
        for meta in &self.metas {
            let first = self.first_letter(compression(format), meta).await;
            arrays += usize::from(first.map_err(|error| unreadable(self.call, &error))? == Some(b'['));
        }
        if arrays > 0 && arrays < self.metas.len() {
            return plan_err!(
                "`{}`: some files are an array, and others have an object on each line\n  help: read them one by one, \
                 and combine them with `union all by name`",
                self.call.path
            );
        }
        Ok(arrays > 0)
    }

    /// The first byte of a file's text that is no space.
    async fn first_letter(&self, compression: FileCompressionType, meta: &ObjectMeta) -> Result<Option<u8>> {
        let bytes = self.store.get(&meta.location).await?.into_stream();
        let mut text = compression.convert_stream(bytes.map_err(DataFusionError::from).boxed())?;
        while let Some(chunk) = text.try_next().await? {
            if let Some(letter) = chunk.iter().find(|byte| !byte.is_ascii_whitespace()) {
                return Ok(Some(*letter));
            }
        }
        Ok(None)
    }
}

fn name(meta: &ObjectMeta) -> &str {
    meta.location.filename().unwrap_or_default()
}

/// Types that also hold what may come after the first records. In a column that began without values, DataFusion would
/// read NULL from there on, and from times that began with whole seconds, it would cut off fractions.
fn widened(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let kind = match field.data_type() {
            DataType::Null => DataType::Utf8,
            DataType::Timestamp(TimeUnit::Second | TimeUnit::Millisecond, zone) => {
                DataType::Timestamp(TimeUnit::Microsecond, zone.clone())
            }
            other => other.clone(),
        };
        field.as_ref().clone().with_data_type(kind)
    });
    Arc::new(Schema::new(fields.collect::<Vec<Field>>()))
}
