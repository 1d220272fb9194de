//! `sum` of whole numbers that fails if the total is out of range. DataFusion's own wraps around to a number of the
//! opposite sign. All other sums are DataFusion's.
//!
//! - `totals`: the accumulators.

mod totals;

#[cfg(test)]
mod tests;

use arrow::datatypes::{DataType, FieldRef, Int64Type, UInt64Type};
use datafusion::common::Result;
use datafusion::functions_aggregate::sum::Sum;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, GroupsAccumulator, ReversedUDAF, SetMonotonicity,
    Signature,
};

use totals::{DistinctTotal, Total, Totals};

/// The function, under DataFusion's name and with its types.
pub(super) fn checked_sum() -> AggregateUDF {
    AggregateUDF::from(CheckedSum { sum: Sum::new() })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CheckedSum {
    sum: Sum,
}

impl AggregateUDFImpl for CheckedSum {
    fn name(&self) -> &str {
        self.sum.name()
    }

    fn signature(&self) -> &Signature {
        self.sum.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            // `sum(null)` has no type of its own.
            [DataType::Null] => Ok(DataType::Int64),
            types => self.sum.return_type(types),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match (args.return_field.data_type(), args.is_distinct) {
            (DataType::Int64, false) => Ok(Box::new(Total::<Int64Type>::new())),
            (DataType::UInt64, false) => Ok(Box::new(Total::<UInt64Type>::new())),
            (DataType::Int64, true) => Ok(Box::new(DistinctTotal::<Int64Type>::new(self.sum.accumulator(args)?))),
            (DataType::UInt64, true) => Ok(Box::new(DistinctTotal::<UInt64Type>::new(self.sum.accumulator(args)?))),
            _ => self.sum.accumulator(args),
        }
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match (args.return_field.data_type(), args.is_distinct) {
            (DataType::Int64, false) => Ok(Box::new(Total::<Int64Type>::new())),
            (DataType::UInt64, false) => Ok(Box::new(Total::<UInt64Type>::new())),
            _ => self.sum.create_sliding_accumulator(args),
        }
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.sum.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        match args.return_field.data_type() {
            DataType::Int64 => Ok(Box::new(Totals::<Int64Type>::new())),
            DataType::UInt64 => Ok(Box::new(Totals::<UInt64Type>::new())),
            _ => self.sum.create_groups_accumulator(args),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.sum.state_fields(args)
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        self.sum.reverse_expr()
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.sum.order_sensitivity()
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.sum.set_monotonicity(data_type)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.sum.documentation()
    }
}
