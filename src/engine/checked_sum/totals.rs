//! A single total has 128 bits and is checked at the end. There are many totals of groups, so each has the column's
//! type and is checked at every addition. NULLs are skipped; the total of none is NULL.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowNativeTypeOp, ArrowPrimitiveType, BooleanArray, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::compute::nullif;
use arrow::datatypes::DataType;
use datafusion::common::cast::as_primitive_array;
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_datafusion_err};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};

fn past_range<T: ArrowPrimitiveType>() -> DataFusionError {
    let name = match T::DATA_TYPE {
        DataType::UInt64 => "bigint unsigned",
        _ => "bigint",
    };
    exec_datafusion_err!(
        "sum: the total is out of range for {name}\n  help: sum decimals or doubles: sum(cast(x as decimal(38, 0))), \
         sum(cast(x as double))"
    )
}

/// One total, and how many numbers are in it.
pub(super) struct Total<T> {
    total: i128,
    numbers: usize,
    kind: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for Total<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Total({} of {} numbers)", self.total, self.numbers)
    }
}

impl<T: ArrowPrimitiveType> Total<T>
where
    i128: From<T::Native>,
{
    pub fn new() -> Self {
        Self {
            total: 0,
            numbers: 0,
            kind: PhantomData,
        }
    }

    /// The sum of a column, and how many numbers it has.
    fn sum_of(column: &ArrayRef) -> Result<(i128, usize)> {
        let values = as_primitive_array::<T>(column)?;
        let total: i128 = match values.null_count() {
            0 => values.values().iter().map(|value| i128::from(*value)).sum(),
            _ => values.iter().flatten().map(i128::from).sum(),
        };
        Ok((total, values.len() - values.null_count()))
    }
}

impl<T: ArrowPrimitiveType> Accumulator for Total<T>
where
    i128: From<T::Native>,
    T::Native: TryFrom<i128>,
{
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (total, numbers) = Self::sum_of(&values[0])?;
        self.total += total;
        self.numbers += numbers;
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (total, numbers) = Self::sum_of(&values[0])?;
        self.total -= total;
        self.numbers = self.numbers.saturating_sub(numbers);
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let total = match self.numbers {
            0 => None,
            _ => Some(T::Native::try_from(self.total).map_err(|_| past_range::<T>())?),
        };
        ScalarValue::new_primitive::<T>(total, &T::DATA_TYPE)
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// The total of distinct numbers, which DataFusion's own accumulator finds.
pub(super) struct DistinctTotal<T> {
    numbers: Box<dyn Accumulator>,
    kind: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for DistinctTotal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DistinctTotal({:?})", self.numbers)
    }
}

impl<T> DistinctTotal<T> {
    pub fn new(numbers: Box<dyn Accumulator>) -> Self {
        Self {
            numbers,
            kind: PhantomData,
        }
    }
}

impl<T: ArrowPrimitiveType> Accumulator for DistinctTotal<T>
where
    i128: From<T::Native>,
    T::Native: TryFrom<i128>,
{
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.numbers.update_batch(values)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.numbers.merge_batch(states)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.numbers.state()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        // Its state is the numbers themselves, as a list.
        let state = self.numbers.state()?;
        let [ScalarValue::List(numbers)] = state.as_slice() else {
            return self.numbers.evaluate();
        };
        let mut total = Total::<T>::new();
        total.update_batch(&[numbers.value(0)])?;
        total.evaluate()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.numbers.size()
    }
}

/// A total for each group.
pub(super) struct Totals<T: ArrowPrimitiveType> {
    totals: Vec<T::Native>,
    /// Whether the group has a number: the total of none is NULL.
    has_numbers: Vec<bool>,
}

impl<T: ArrowPrimitiveType> Totals<T> {
    pub fn new() -> Self {
        Self {
            totals: vec![],
            has_numbers: vec![],
        }
    }

    fn add(&mut self, group: usize, value: T::Native) -> Result<()> {
        let total = &mut self.totals[group];
        *total = total.add_checked(value).map_err(|_| past_range::<T>())?;
        self.has_numbers[group] = true;
        Ok(())
    }

    fn take(&mut self, groups: EmitTo) -> ArrayRef {
        let totals = groups.take_needed(&mut self.totals);
        let has_numbers = groups.take_needed(&mut self.has_numbers);
        Arc::new(PrimitiveArray::<T>::new(
            totals.into(),
            Some(NullBuffer::from(has_numbers)),
        ))
    }
}

impl<T: ArrowPrimitiveType> GroupsAccumulator for Totals<T> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        groups: usize,
    ) -> Result<()> {
        let values = as_primitive_array::<T>(&values[0])?;
        self.totals.resize(groups, T::default_value());
        self.has_numbers.resize(groups, false);
        if values.null_count() == 0 && filter.is_none() {
            let mut rows = group_indices.iter().zip(values.values());
            return rows.try_for_each(|(group, value)| self.add(*group, *value));
        }
        let counts = |row: usize| filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        for (row, group) in group_indices.iter().enumerate() {
            if values.is_valid(row) && counts(row) {
                self.add(*group, values.value(row))?;
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef], group_indices: &[usize], groups: usize) -> Result<()> {
        self.update_batch(states, group_indices, None, groups)
    }

    fn evaluate(&mut self, groups: EmitTo) -> Result<ArrayRef> {
        Ok(self.take(groups))
    }

    fn state(&mut self, groups: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.take(groups)])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let Some(filter) = filter else {
            return Ok(vec![values[0].clone()]);
        };
        let is_left_out: BooleanArray = filter.iter().map(|counts| Some(counts != Some(true))).collect();
        Ok(vec![nullif(&values[0], &is_left_out)?])
    }

    fn size(&self) -> usize {
        self.totals.capacity() * size_of::<T::Native>() + self.has_numbers.capacity()
    }
}
