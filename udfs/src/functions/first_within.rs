//! `first_within(id, day, days) over (order by id, …)`: whether a row is the first of its ID, or is more than this
//! many days from every earlier row of the ID that was itself a first.
//!
//! The order determines which rows of an ID come first; rows of one ID must be adjacent. A row without an ID or a day
//! is always a first. It takes a single pass and the memory of a few days, whereas a window per ID would cost more than
//! everything else.

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use datafusion::arrow::datatypes::{DataType, Date32Type, Field, FieldRef, Int64Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::window_doc_sections::DOC_SECTION_ANALYTICAL;
use datafusion::logical_expr::{Documentation, PartitionEvaluator, Signature, Volatility, WindowUDFImpl};

const NAME: &str = "first_within";

/// The function; see the module.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct FirstWithin {
    signature: Signature,
}

impl Default for FirstWithin {
    fn default() -> Self {
        let arguments = vec![DataType::Utf8, DataType::Date32, DataType::Int64];
        Self {
            signature: Signature::exact(arguments, Volatility::Immutable),
        }
    }
}

impl WindowUDFImpl for FirstWithin {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn partition_evaluator(&self, _: PartitionEvaluatorArgs<'_>) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::<Firsts>::default())
    }

    fn field(&self, args: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(args.name(), DataType::Boolean, false)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
            Documentation::builder(
                DOC_SECTION_ANALYTICAL,
                "Whether a row is the first with its ID. A row that is more than `days` days away from every first \
                 row with its ID is a first row, too. The window's order must keep the rows of one ID together.",
                "first_within(id, day, days) over (order by id, …)",
            )
            .with_argument("id", "Text.")
            .with_argument("day", "The day of the row.")
            .with_argument(
                "days",
                "The number of days within which a row with the same ID is a repeat.",
            )
            .with_sql_example("select *, first_within(id, day, 1) over (order by id, received_at) from deliveries;")
            .build()
        });
        Some(&DOCUMENTATION)
    }
}

/// The current ID, and the days of its rows that were firsts.
#[derive(Debug, Default)]
struct Firsts {
    id: Option<String>,
    days: Vec<i32>,
}

impl Firsts {
    fn is_first(&mut self, id: Option<&str>, day: Option<i32>, days: i64) -> bool {
        // A row without an ID or a day never repeats another.
        let (Some(id), Some(day)) = (id, day) else { return true };
        if self.id.as_deref() != Some(id) {
            self.days.clear();
            let kept = self.id.get_or_insert_default();
            kept.clear();
            kept.push_str(id);
        }
        let is_near = |first: &i32| i64::from(day).abs_diff(i64::from(*first)) <= days.unsigned_abs();
        let is_first = !self.days.iter().any(is_near);
        if is_first {
            self.days.push(day);
        }
        is_first
    }
}

/// The arguments, as columns.
struct Rows<'a> {
    ids: &'a ArrayRef,
    days: &'a ArrayRef,
    within: &'a ArrayRef,
}

impl<'a> Rows<'a> {
    fn of(values: &'a [ArrayRef]) -> Result<Self> {
        match values {
            [ids, days, within, ..] => Ok(Self { ids, days, within }),
            _ => exec_err!("{NAME} takes three arguments"),
        }
    }

    fn judge(&self, row: usize, firsts: &mut Firsts) -> bool {
        let (days, within) = (
            self.days.as_primitive::<Date32Type>(),
            self.within.as_primitive::<Int64Type>(),
        );
        let day = days.is_valid(row).then(|| days.value(row));
        let ids = self.ids.as_string::<i32>();
        let id = ids.is_valid(row).then(|| ids.value(row));
        let within = if within.is_valid(row) { within.value(row) } else { 0 };
        firsts.is_first(id, day, within)
    }
}

impl PartitionEvaluator for Firsts {
    fn evaluate_all(&mut self, values: &[ArrayRef], num_rows: usize) -> Result<ArrayRef> {
        let rows = Rows::of(values)?;
        let judged: BooleanArray = (0..num_rows).map(|row| Some(rows.judge(row, self))).collect();
        Ok(Arc::new(judged))
    }

    fn evaluate(&mut self, values: &[ArrayRef], range: &Range<usize>) -> Result<ScalarValue> {
        Ok(ScalarValue::Boolean(Some(Rows::of(values)?.judge(range.start, self))))
    }

    fn supports_bounded_execution(&self) -> bool {
        true
    }

    fn is_causal(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn firsts(rows: &[(&str, i32)]) -> Vec<bool> {
        let mut firsts = Firsts::default();
        rows.iter()
            .map(|(id, day)| firsts.is_first(Some(id), Some(*day), 1))
            .collect()
    }

    #[test]
    fn the_first_of_an_id_wins_within_a_day_before_and_after() {
        assert_eq!(
            firsts(&[("a", 5), ("a", 5), ("a", 4), ("a", 6)]),
            [true, false, false, false]
        );
        assert_eq!(firsts(&[("a", 5), ("b", 5), ("c", 4)]), [true, true, true]);
        assert_eq!(firsts(&[("a", 5), ("a", 7), ("a", 3)]), [true, true, true]);
    }

    #[test]
    fn a_chain_of_days_does_not_go_on_for_ever() {
        // 6 repeats 5; 7 does not, because 6 is not a first; 8 repeats 7, and so does the second 6.
        let chain = [("a", 5), ("a", 6), ("a", 7), ("a", 8), ("a", 6), ("a", 9)];
        assert_eq!(firsts(&chain), [true, false, true, false, false, true]);
    }
}
