//! The table of some files: they are listed, their columns are inferred, and what DataFusion would read wrongly is
//! rejected.

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
use super::marked::{MARK, Unmarked, unmarked};
use super::paths;

/// How many records, over all files, tell the columns and types of CSV and JSON.
const RECORDS: &str = "100000";
/// How much of a text is read at most to find its first letter.
const SPACES_MAX: usize = 1 << 20;

/// The table that a call stands for. Reads as much as the columns take.
///
/// # Errors
/// When there are no such files, or they cannot be read, or not as this format.
pub async fn table(state: &SessionState, call: &Call) -> Result<Arc<dyn TableProvider>> {
    let mut urls = paths::urls(&call.path)?;
    let Some(first) = urls.first() else {
        return Err(paths::missing(&call.path));
    };
    let mut store = store(state, call, first)?;
    let mut options = with_defaults(call);
    let mut format = opened(state, call, &options)?;
    whole_file(call, format.as_ref(), first)?;
    let ending = ending(format.as_ref(), &urls)?;
    let metas = listed(state, call, &store, &urls, &ending).await?;
    if call.format.is_text() {
        let beginnings = beginnings(call, &store, compression(format.as_ref()), &metas).await?;
        if call.format == Format::Json && !options.contains_key("newline_delimited") && are_arrays(call, &beginnings)? {
            options.insert("newline_delimited".to_owned(), "false".to_owned());
            format = opened(state, call, &options)?;
        }
        if call.format == Format::Json && beginnings.iter().any(|beginning| beginning.is_marked) {
            store = Unmarked::over(store);
            urls = unmarked(state, &store, &urls)?;
        }
    }
    let files = Files {
        state,
        call,
        store: &store,
        metas,
    };
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
            "`{}`: files are read only from disk, and from the bucket or container of the lake\n  help: copy it there",
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
        "`{}`: in a store, only gzip-compressed files are read\n  help: copy it to disk",
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

    /// Requires the same columns in all files of CSV: DataFusion matches columns by position, and skips the headers.
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
                        "`{}`: {} has different columns from {}, or has them in a different order\n  help: read them one by one, and \
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
}

/// How the text of a file begins.
struct Beginning {
    /// With a byte order mark.
    is_marked: bool,
    /// The first byte after the mark that is not a space.
    letter: Option<u8>,
}

/// How the files begin; an error if that is not how text does.
async fn beginnings(
    call: &Call,
    store: &Arc<dyn ObjectStore>,
    compression: FileCompressionType,
    metas: &[ObjectMeta],
) -> Result<Vec<Beginning>> {
    let mut found = vec![];
    for meta in metas {
        let text = first_text(store, compression, meta).await;
        let text = text.map_err(|error| unreadable(call, &error))?;
        if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
            return plan_err!(
                "`{}`: {} is UTF-16\n  help: convert it with: iconv -f UTF-16 -t UTF-8",
                call.path,
                name(meta)
            );
        }
        let is_marked = text.starts_with(MARK);
        if is_marked && call.format == Format::Json && compression.is_compressed() {
            return plan_err!(
                "`{}`: {} begins with a byte order mark, which is skipped only in uncompressed files\n  help: \
                 decompress it",
                call.path,
                name(meta)
            );
        }
        found.push(Beginning {
            is_marked,
            letter: first_letter(&text),
        });
    }
    Ok(found)
}

/// The text of a file up to its first letter, and a little further.
async fn first_text(
    store: &Arc<dyn ObjectStore>,
    compression: FileCompressionType,
    meta: &ObjectMeta,
) -> Result<Vec<u8>> {
    let bytes = store.get(&meta.location).await?.into_stream();
    let mut chunks = compression.convert_stream(bytes.map_err(DataFusionError::from).boxed())?;
    let mut text = vec![];
    while text.len() < MARK.len() || (first_letter(&text).is_none() && text.len() < SPACES_MAX) {
        let Some(chunk) = chunks.try_next().await? else { break };
        text.extend_from_slice(&chunk);
    }
    Ok(text)
}

fn first_letter(text: &[u8]) -> Option<u8> {
    let text = text.strip_prefix(MARK).unwrap_or(text);
    text.iter().find(|byte| !byte.is_ascii_whitespace()).copied()
}

/// Whether each file of JSON is one array. In a file with one object per line, DataFusion would take a list within the
/// first object for the array.
fn are_arrays(call: &Call, beginnings: &[Beginning]) -> Result<bool> {
    let arrays = beginnings
        .iter()
        .filter(|beginning| beginning.letter == Some(b'['))
        .count();
    if arrays > 0 && arrays < beginnings.len() {
        return plan_err!(
            "`{}`: some files are an array, and others have an object on each line\n  help: read them one by one, and \
             combine them with `union all by name`",
            call.path
        );
    }
    Ok(arrays > 0)
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
