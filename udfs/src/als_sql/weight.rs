//! The function `als_weight(user, item, weight)`: refuses rows that cannot be trained on (NULL, a weight that is not finite).

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::{DataType, Float32Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

/// `als_weight(user, item, weight)`: returns the weight, after checking that the row is valid for training: none of the
/// three is NULL, and the weight is finite.
pub fn als_weight() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(Weight {
        signature: Signature::any(3, Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Weight {
    signature: Signature,
}

impl ScalarUDFImpl for Weight {
    fn name(&self) -> &str {
        "als_weight"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float32)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = args.args.iter().map(|arg| arg.to_array(args.number_rows));
        let arrays = arrays.collect::<Result<Vec<_>>>()?;
        for (array, column) in arrays.iter().zip(["user", "item", "weight"]) {
            if array.null_count() > 0 {
                return exec_err!("als_train: a row has no {column} (NULL); leave such rows out of the relation");
            }
        }
        let Some(weights) = arrays[2].as_primitive_opt::<Float32Type>() else {
            return exec_err!("als_train: the weight is not a number");
        };
        if let Some(weight) = weights.values().iter().find(|weight| !weight.is_finite()) {
            return exec_err!("als_train: a weight is {weight}; weights must be finite");
        }
        Ok(ColumnarValue::Array(arrays[2].clone()))
    }
}
