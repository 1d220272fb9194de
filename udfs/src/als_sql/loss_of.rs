//! The function `als_error(x, y, weight)`: what one interaction adds to the loss, of which `train` sums up the rest.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{AsArray, Float64Array};
use datafusion::arrow::datatypes::{DataType, Float32Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::columns::{vector, vector_type};
use crate::als::error_of;

/// `als_error(x, y, weight)`: what an interaction adds to the loss compared to a pair without one, `c (p − x·y)² −
/// (x·y)²` with `c = 1 + alpha · |weight|`, and `p` 0 for a weight below 0 and 1 for others. Together with the sum of
/// `(x·y)²` over all pairs, which the Gramians give, that is Hu et al.'s first sum.
pub fn als_error(alpha: f32) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(ErrorOf {
        signature: Signature::exact(
            vec![vector_type(), vector_type(), DataType::Float32],
            Volatility::Immutable,
        ),
        alpha,
    }))
}

/// The confidence per unit of weight, if the function is `als_error`.
pub(super) fn of(function: &ScalarUDF) -> Option<f32> {
    Some(function.inner().downcast_ref::<ErrorOf>()?.alpha)
}

#[derive(Debug)]
struct ErrorOf {
    signature: Signature,
    alpha: f32,
}

impl PartialEq for ErrorOf {
    fn eq(&self, other: &Self) -> bool {
        self.alpha.to_bits() == other.alpha.to_bits()
    }
}

impl Eq for ErrorOf {}

impl Hash for ErrorOf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.alpha.to_bits().hash(state);
    }
}

impl ScalarUDFImpl for ErrorOf {
    fn name(&self) -> &str {
        "als_error"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = args.args.iter().map(|arg| arg.to_array(args.number_rows));
        let arrays = arrays.collect::<Result<Vec<_>>>()?;
        let (users, items) = (arrays[0].as_list::<i32>(), arrays[1].as_list::<i32>());
        let weights = arrays[2].as_primitive::<Float32Type>();
        let mut errors = Vec::with_capacity(args.number_rows);
        for row in 0..args.number_rows {
            let weight = weights.value(row);
            if weight == 0.0 {
                errors.push(0.0);
                continue;
            }
            let (x, y) = (vector(users, row)?, vector(items, row)?);
            if x.len() != y.len() {
                return exec_err!("als_error: the vectors have different lengths");
            }
            let score: f64 = x.values().iter().zip(y.values()).map(|(x, y)| f64::from(x * y)).sum();
            errors.push(error_of(score, weight, self.alpha));
        }
        Ok(ColumnarValue::Array(Arc::new(Float64Array::from(errors))))
    }
}
