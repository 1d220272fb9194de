//! Reads published data sets: clicks in CSV, TSV or Parquet with a session, an item and a time or position per line, or
//! test files with a prefix and the next item. IDs stay text; rows without a session or an item are skipped; the size
//! of a number tells whether a time is in seconds, milliseconds, microseconds or nanoseconds; simultaneous clicks keep
//! their order.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use datafusion::common::ScalarValue;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::logical_expr::{Expr, cast, ident, lit};
use datafusion::prelude::{CsvReadOptions, ParquetReadOptions, SessionContext};
use flate2::read::MultiGzDecoder;

use super::EvaluationError;
use super::cases::Reveal;
use crate::config::TableName;
use crate::engine::{Bindings, Engine, query};

/// Column names that files are known to use, in lower case and without `_`; earlier ones are preferred.
const SESSION: [&str; 3] = ["sessionid", "session", "sid"];
const ITEM: [&str; 4] = ["itemid", "item", "iid", "productid"];
const TIME: [&str; 8] = [
    "timestamp",
    "time",
    "ts",
    "eventat",
    "eventtime",
    "datetime",
    "date",
    "timeframe",
];
const POSITION: [&str; 2] = ["position", "pos"];
const USER: [&str; 3] = ["userid", "user", "visitorid"];
const TYPE: [&str; 3] = ["eventtype", "event", "type"];
const TEST: [&str; 3] = ["testid", "prefix", "target"];

/// What determines the order of events in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Their times.
    Time,
    /// Their positions in the session; times are made up.
    Position,
}

/// A query of the events in a file of clicks, with the columns of the table of events.
///
/// # Errors
/// When the file cannot be read, or lacks a column.
pub async fn clicks(engine: &Engine, file: &Path, events: &SchemaRef) -> Result<(DataFrame, Order), EvaluationError> {
    let rows = Rows::open(engine, file).await?;
    let (sql, order) = rows.clicks(file)?;
    Ok((conform(rows.query(engine, &sql).await?, events)?, order))
}

/// The events of a test file, session by session, and which of them to predict.
///
/// # Errors
/// As [`clicks`].
pub async fn test(
    engine: &Engine,
    file: &Path,
    events: &SchemaRef,
) -> Result<(RecordBatch, Reveal, Order), EvaluationError> {
    let rows = Rows::open(engine, file).await?;
    let prefixes = TEST.map(|name| rows.column(&[name]));
    let ((sql, order), reveal) = match prefixes {
        [Some(id), Some(prefix), Some(target)] => {
            let sql = sequences(&id, &prefix, &target);
            ((sql, Order::Position), Reveal::LastStep)
        }
        _ => (rows.clicks(file)?, Reveal::EveryStep),
    };
    let rows = conform(rows.query(engine, &sql).await?, events)?;
    let sort = ["session_id", "event_at"].map(|column| ident(column).sort(true, true));
    let rows = rows.sort(sort.to_vec())?;
    let schema = rows.schema().inner().clone();
    Ok((concat_batches(&schema, &rows.collect().await?)?, reveal, order))
}

/// A file as a table, with its original column names.
struct Rows {
    table: DataFrame,
    columns: Vec<String>,
}

impl Rows {
    async fn open(engine: &Engine, file: &Path) -> Result<Self, EvaluationError> {
        // One thread, to preserve the order of lines.
        let session = engine.clone().single_threaded().session(&Bindings::default()).await?;
        let table = read(&session, file).await?;
        let columns = table
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        Ok(Self { table, columns })
    }

    /// The quoted name of the column that matches the first of these names that occurs.
    fn column(&self, names: &[&str]) -> Option<String> {
        let plain = |column: &String| column.to_lowercase().replace(['_', ' '], "");
        let found = names
            .iter()
            .find_map(|name| self.columns.iter().find(|column| plain(column) == *name))?;
        Some(format!("\"{}\"", found.replace('"', "\"\"")))
    }

    fn clicks(&self, file: &Path) -> Result<(String, Order), EvaluationError> {
        let missing = |missing| EvaluationError::Columns {
            file: file.to_owned(),
            found: self.columns.join(", "),
            missing,
        };
        let session = self.column(&SESSION).ok_or_else(|| missing("session"))?;
        let item = self.column(&ITEM).ok_or_else(|| missing("item"))?;
        let user = self.column(&USER).unwrap_or_else(|| "null".to_owned());
        let kind = self.column(&TYPE).unwrap_or_else(|| "'view'".to_owned());
        let place = self.column(&POSITION).unwrap_or_else(|| "null".to_owned());
        let numbered = format!(
            "select cast({session} as varchar) as session_id, cast({item} as varchar) as item_id, cast({user} as \
             varchar) as user_id, lower(cast({kind} as varchar)) as kind, cast({{when}} as varchar) as clicked, \
             try_cast({place} as double) as place, row_number() over () as line from import.rows"
        );
        match (self.column(&TIME), self.column(&POSITION)) {
            (Some(time), _) => Ok((timed(&numbered.replace("{when}", &time)), Order::Time)),
            (None, Some(position)) => Ok((ordered(&numbered.replace("{when}", &position)), Order::Position)),
            (None, None) => Err(missing("time or position")),
        }
    }

    async fn query(self, engine: &Engine, sql: &str) -> Result<DataFrame, EvaluationError> {
        let name = TableName {
            layer: "import".to_owned(),
            table: "rows".to_owned(),
        };
        let mut bindings = Bindings::default();
        bindings.tables.insert(name, self.table.into_view());
        let session = engine.clone().single_threaded().session(&bindings).await?;
        Ok(query(&session, sql).await?)
    }
}

/// Maps other names of event kinds to ours, and selects the columns of events.
const EVENTS: &str = "select session_id, item_id, user_id, case when kind in ('add_to_cart', 'addtocart', 'add-to-cart', \
                      'cart') then 'add_to_cart' when kind in ('purchase', 'transaction', 'buy', 'order') then \
                      'purchase' else 'view' end as event_type, to_timestamp_micros(micros) as event_at, cast(line as \
                      varchar) as event_id, cast(line as bigint) as \"offset\" from placed where session_id is not \
                      null and item_id is not null";

/// Clicks with times: the magnitude of a number tells whether it is in seconds, milliseconds, microseconds or
/// nanoseconds. Simultaneous clicks of a session keep the order of their positions or lines, a microsecond apart.
fn timed(numbered: &str) -> String {
    format!(
        "with numbered as ({numbered}), read as (select *, try_cast(clicked as double) as number from numbered), placed \
         as (select *, case when number is null then cast(extract(epoch from to_timestamp(clicked)) * 1000000 as bigint) \
         when number >= 1e17 then cast(number / 1000 as bigint) when number >= 1e14 then cast(number as bigint) when \
         number >= 1e11 then cast(number * 1000 as bigint) else cast(number * 1000000 as bigint) end + row_number() over \
         (partition by session_id, clicked order by place, line) as micros from read) {EVENTS}"
    )
}

/// Clicks without times, placed a second apart: sessions in the order of the file, clicks in the order of their
/// positions.
fn ordered(numbered: &str) -> String {
    format!(
        "with numbered as ({numbered}), sessions as (select session_id, min(line) as first_line from numbered group by \
         session_id), placed as (select numbered.*, 1000000 * (1700000000 + row_number() over (order by first_line, \
         place, line)) as micros from numbered inner join sessions on numbered.session_id = \
         sessions.session_id) {EVENTS}"
    )
}

/// A prefix of space-separated items, and the next item.
fn sequences(id: &str, prefix: &str, target: &str) -> String {
    // Each row is a session of its own, even if IDs repeat.
    let numbered = format!(
        "select session_id, item_id, null as user_id, 'view' as kind, '0' as clicked, 0.0 as place, row_number() over () \
         as line from (select concat(cast({id} as varchar), '#', row_number() over ()) as session_id, unnest(string_to_array(concat(cast({prefix} as varchar), ' ', \
         cast({target} as varchar)), ' ')) as item_id from import.rows) where item_id <> ''"
    );
    ordered(&numbered)
}

/// The columns of the table of events, in their order and types; columns that the file lacks are NULL.
fn conform(rows: DataFrame, events: &SchemaRef) -> Result<DataFrame, EvaluationError> {
    let column = |field: &arrow::datatypes::FieldRef| -> Result<Expr, EvaluationError> {
        let value = match rows.schema().has_column_with_unqualified_name(field.name()) {
            true => cast(ident(field.name()), field.data_type().clone()),
            false => lit(ScalarValue::try_new_null(field.data_type())?),
        };
        Ok(value.alias(field.name()))
    };
    let columns = events.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
    Ok(rows.select(columns)?)
}

async fn read(session: &SessionContext, file: &Path) -> Result<DataFrame, EvaluationError> {
    let failed = |reason: String| EvaluationError::File {
        file: file.to_owned(),
        reason,
    };
    let path = file
        .to_str()
        .ok_or_else(|| failed("its name is not valid UTF-8".to_owned()))?;
    if path.ends_with(".parquet") {
        let rows = session.read_parquet(path, ParquetReadOptions::default()).await;
        return rows.map_err(|error| failed(error.strip_backtrace()));
    }
    let header = header(file).map_err(|error| failed(error.to_string()))?;
    let delimiter = [b'\t', b';']
        .into_iter()
        .find(|delimiter| header.as_bytes().contains(delimiter));
    let is_packed = path.ends_with(".gz");
    let extension = path.rfind('.').map_or("", |dot| match is_packed {
        true => path[..dot].rfind('.').map_or(&path[dot..], |inner| &path[inner..]),
        false => &path[dot..],
    });
    let options = CsvReadOptions::new()
        .delimiter(delimiter.unwrap_or(b','))
        .file_extension(extension)
        // IDs stay text: `007` is not 7.
        .schema_infer_max_records(0)
        .file_compression_type(if is_packed {
            FileCompressionType::GZIP
        } else {
            FileCompressionType::UNCOMPRESSED
        });
    let rows = session.read_csv(path, options).await;
    rows.map_err(|error| failed(error.strip_backtrace()))
}

fn header(file: &Path) -> std::io::Result<String> {
    let opened = File::open(file)?;
    let reader: Box<dyn BufRead> = match file.extension().is_some_and(|extension| extension == "gz") {
        true => Box::new(BufReader::new(MultiGzDecoder::new(opened))),
        false => Box::new(BufReader::new(opened)),
    };
    let mut line = String::new();
    // A header is short, but a file that is not text may have no line breaks at all.
    let mut reader = std::io::Read::take(reader, 1 << 20);
    reader.read_line(&mut line)?;
    Ok(line)
}
