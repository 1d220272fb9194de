//! Turns predicates on `topic`, `partition`, `offset` and `timestamp` into offset ranges, so that a query reads only these.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, RecordBatch, StringArray};
use datafusion::catalog::Session;
use datafusion::common::{Column, Result, ScalarValue, ToDFSchema, exec_datafusion_err};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown};

use super::KafkaConfig;
use super::client::consumer;
use super::range::Range;
use super::times::{TimeOffset, offsets_at};

const TOPIC: &str = "topic";
const PARTITION: &str = "partition";
const OFFSET: &str = "offset";
const TIMESTAMP: &str = "timestamp";

/// How far the scan can apply a predicate.
pub(super) fn support(filter: &Expr) -> TableProviderFilterPushDown {
    if is_of_place(filter) || comparison(filter, OFFSET).and_then(offset_of).is_some() {
        TableProviderFilterPushDown::Exact
    } else if since(filter).is_some() {
        TableProviderFilterPushDown::Inexact
    } else {
        TableProviderFilterPushDown::Unsupported
    }
}

/// The ranges that can contain rows for which the filters are true.
pub(super) async fn narrow(
    config: &Arc<KafkaConfig>,
    mut ranges: Vec<Range>,
    filters: &[Expr],
    session: &dyn Session,
) -> Result<Vec<Range>> {
    for filter in filters {
        if is_of_place(filter) {
            ranges = places(ranges, filter, session)?;
        } else if let Some((operator, offset)) = comparison(filter, OFFSET).and_then(offset_of) {
            ranges.iter_mut().for_each(|range| cut(range, operator, offset));
        } else if let Some(millis) = since(filter) {
            let config = config.clone();
            let moved = tokio::task::spawn_blocking(move || start_at(&config, ranges, millis)).await;
            ranges = moved.map_err(|error| exec_datafusion_err!("{error}"))?;
        }
    }
    Ok(ranges)
}

/// A predicate over `topic` and `partition` alone can be evaluated for each partition.
fn is_of_place(filter: &Expr) -> bool {
    let columns = filter.column_refs();
    let are_of_place = columns.iter().all(|column| [TOPIC, PARTITION].contains(&column.name()));
    !columns.is_empty() && are_of_place && !filter.is_volatile()
}

fn places(ranges: Vec<Range>, filter: &Expr, session: &dyn Session) -> Result<Vec<Range>> {
    let topics = StringArray::from_iter_values(ranges.iter().map(|range| &*range.topic));
    let numbers = Int32Array::from_iter_values(ranges.iter().map(|range| range.partition));
    let batch = RecordBatch::try_from_iter([
        (TOPIC, Arc::new(topics) as ArrayRef),
        (PARTITION, Arc::new(numbers) as ArrayRef),
    ])?;
    let schema = batch.schema().to_dfschema()?;
    let predicate = session.create_physical_expr(unqualified(filter), &schema)?;
    let kept = predicate.evaluate(&batch)?.into_array(batch.num_rows())?;
    let kept = kept.as_boolean();
    let is_kept = |row: usize| kept.is_valid(row) && kept.value(row);
    Ok(ranges
        .into_iter()
        .enumerate()
        .filter(|(row, _)| is_kept(*row))
        .map(|(_, range)| range)
        .collect())
}

fn unqualified(filter: &Expr) -> Expr {
    use datafusion::common::tree_node::{Transformed, TreeNode};
    let plain = filter.clone().transform(|node| {
        Ok(match node {
            Expr::Column(column) => Transformed::yes(Expr::Column(Column::new_unqualified(column.name))),
            other => Transformed::no(other),
        })
    });
    plain.map_or_else(|_| filter.clone(), |plain| plain.data)
}

/// Matches `column operator literal`, with the literal on either side.
fn comparison<'a>(filter: &'a Expr, column: &str) -> Option<(Operator, &'a ScalarValue)> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = filter else {
        return None;
    };
    match (left.as_ref(), right.as_ref()) {
        (Expr::Column(named), Expr::Literal(value, _)) if named.name == column => Some((*op, value)),
        (Expr::Literal(value, _), Expr::Column(named)) if named.name == column => Some((op.swap()?, value)),
        _ => None,
    }
}

fn offset_of((operator, value): (Operator, &ScalarValue)) -> Option<(Operator, i64)> {
    use Operator::{Eq, Gt, GtEq, Lt, LtEq};
    match value {
        ScalarValue::Int64(Some(offset)) if matches!(operator, Eq | Gt | GtEq | Lt | LtEq) => Some((operator, *offset)),
        _ => None,
    }
}

fn cut(range: &mut Range, operator: Operator, offset: i64) {
    let after = offset.saturating_add(1);
    let (start, end) = match operator {
        Operator::Eq => (offset, after),
        Operator::Gt => (after, i64::MAX),
        Operator::GtEq => (offset, i64::MAX),
        Operator::Lt => (i64::MIN, offset),
        Operator::LtEq => (i64::MIN, after),
        _ => return,
    };
    range.start = range.start.max(start);
    range.end = range.end.min(end);
}

/// The lower bound on `timestamp` in milliseconds.
fn since(filter: &Expr) -> Option<i64> {
    match comparison(filter, TIMESTAMP)? {
        (Operator::Gt | Operator::GtEq, ScalarValue::TimestampMicrosecond(Some(micros), _)) => {
            Some(micros.div_euclid(1_000))
        }
        _ => None,
    }
}

/// Moves starts to the first record at or after a time. If the broker does not know, they stay where they are: the
/// filter is applied again anyway.
fn start_at(config: &KafkaConfig, mut ranges: Vec<Range>, millis: i64) -> Vec<Range> {
    let Ok(client) = consumer(config) else { return ranges };
    let topics: BTreeSet<Arc<str>> = ranges.iter().map(|range| range.topic.clone()).collect();
    for topic in topics {
        let filled = ranges.iter().filter(|range| range.topic == topic && !range.is_empty());
        let filled: Vec<i32> = filled.map(|range| range.partition).collect();
        let Ok(found) = offsets_at(config, &client, &topic, &filled, millis) else {
            continue;
        };
        for range in ranges.iter_mut().filter(|range| range.topic == topic) {
            match found.get(&range.partition) {
                Some(TimeOffset::At(offset)) => range.start = range.start.max(*offset),
                Some(TimeOffset::AfterAll) => range.start = range.end,
                Some(TimeOffset::Unknown) | None => {}
            }
        }
    }
    ranges
}
