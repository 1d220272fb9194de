//! Dates and times next to a key: rules out files by the statistics in the log, without a filter.

use std::collections::HashMap;

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, Result};
use object_store::path::Path;

use crate::lake::LakeTable;

/// Writers may truncate timestamps in statistics to milliseconds (Delta protocol, "Per-file Statistics").
const CUT_OFF_AT_MOST: i64 = 999;

/// The first and the last date or time of a column in a data file, as [`ticks`].
pub(in crate::lake) type Span = (i64, i64);

/// Whether values of a type convert to [`ticks`] that are comparable with the statistics in the log.
pub(in crate::lake) fn is_time(of: &DataType) -> bool {
    matches!(of, DataType::Date32 | DataType::Timestamp(TimeUnit::Microsecond, _))
}

/// The dates (days) or times (microseconds) of a column, with consecutive duplicates removed.
pub(super) fn ticks(column: &ArrayRef) -> Result<Vec<i64>> {
    let mut ticks: Vec<i64> = numbers(column)?.iter().flatten().collect();
    ticks.dedup();
    Ok(ticks)
}

/// The spans of a column in the data files of a table, keyed by file location, for the files whose statistics have
/// them.
pub(in crate::lake) fn spans(table: &LakeTable, column: &str) -> HashMap<Path, Span> {
    let found = || {
        let log = table.state()?.log_data();
        let column = Column::from_name(column);
        let (first, last) = (log.min_values(&column)?, log.max_values(&column)?);
        let beyond = match last.data_type() {
            DataType::Timestamp(..) => CUT_OFF_AT_MOST,
            _ => 0,
        };
        let (first, last) = (numbers(&first).ok()?, numbers(&last).ok()?);
        let spans = log.iter().zip(first.iter().zip(&last));
        let spans = spans.filter_map(|(file, (first, last))| {
            Some((table.place(&file.path()).ok()?, (first?, last?.saturating_add(beyond))))
        });
        Some(spans.collect())
    };
    found().unwrap_or_default()
}

fn numbers(times: &ArrayRef) -> Result<Int64Array> {
    Ok(cast(times, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
}
