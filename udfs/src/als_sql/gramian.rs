//! The aggregate function `als_gramian(factors)`: the Gramian `YᵀY` of a column of vectors.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};

use super::columns::{item, vector, vector_type};

/// `als_gramian(factors)`: the sum of the vectors' outer products, as `d x d` numbers, row-major; NULL for no vectors.
pub fn als_gramian() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(Gramian {
        signature: Signature::exact(vec![vector_type()], Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Gramian {
    signature: Signature,
}

fn matrix_type() -> DataType {
    DataType::List(item(DataType::Float64))
}

impl AggregateUDFImpl for Gramian {
    fn name(&self) -> &str {
        "als_gramian"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(matrix_type())
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::<Sum>::default())
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(
            format!("{}[sum]", args.name),
            matrix_type(),
            true,
        ))])
    }
}

/// The running sum, in `f64` so that it hardly depends on the order.
#[derive(Debug, Default)]
struct Sum(Vec<f64>);

impl Sum {
    fn add(&mut self, other: impl ExactSizeIterator<Item = f64>) -> Result<()> {
        if self.0.is_empty() {
            self.0.extend(other);
            return Ok(());
        }
        if self.0.len() != other.len() {
            return exec_err!("als_gramian: the vectors have different lengths");
        }
        self.0.iter_mut().zip(other).for_each(|(sum, value)| *sum += value);
        Ok(())
    }
}

impl Accumulator for Sum {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let vectors = values[0].as_list::<i32>();
        for row in 0..vectors.len() {
            let vector = vector(vectors, row)?;
            let values = vector.values();
            let d = values.len();
            let product = |place: usize| f64::from(values[place / d]) * f64::from(values[place % d]);
            self.add((0..d * d).map(product))?;
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let sums = states[0].as_list::<i32>();
        for row in (0..sums.len()).filter(|row| sums.is_valid(*row)) {
            let sum = sums.value(row);
            self.add(sum.as_primitive::<Float64Type>().values().iter().copied())?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.0.is_empty() {
            return ScalarValue::try_from(&matrix_type());
        }
        let values: Vec<ScalarValue> = self.0.iter().map(|value| ScalarValue::from(*value)).collect();
        let list = ScalarValue::new_list_nullable(&values, &DataType::Float64);
        let list = ListArray::try_new(
            item(DataType::Float64),
            list.offsets().clone(),
            list.values().clone(),
            None,
        )?;
        Ok(ScalarValue::List(Arc::new(list)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.capacity() * size_of::<f64>()
    }
}
