//! The function `als_start(place)`: the random vector with which training by queries starts an item.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{DataType, UInt64Type};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use serde::{Deserialize, Serialize};

use super::columns::{lists, vector_type};
use crate::als::{Params, start_row};

/// What the vectors depend on besides the item.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// The hyperparameters of training.
    pub params: Params,
}

/// `als_start(place)`: the initial vector of an item, given its position among the items, from 0.
pub fn als_start(start: Start) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(StartOf {
        signature: Signature::exact(vec![DataType::UInt64], Volatility::Immutable),
        start,
    }))
}

/// The settings of the function, if it is `als_start`.
pub(crate) fn of(function: &ScalarUDF) -> Option<&Start> {
    let start = function.inner().downcast_ref::<StartOf>()?;
    Some(&start.start)
}

#[derive(Debug)]
struct StartOf {
    signature: Signature,
    start: Start,
}

impl PartialEq for StartOf {
    fn eq(&self, other: &Self) -> bool {
        self.start == other.start
    }
}

impl Eq for StartOf {}

impl Hash for StartOf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.start.params.seed.hash(state);
    }
}

impl ScalarUDFImpl for StartOf {
    fn name(&self) -> &str {
        "als_start"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(vector_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let places = args.args[0].to_array(args.number_rows)?;
        let places = places.as_primitive::<UInt64Type>();
        let d = self.start.params.factors;
        let mut values = vec![0.0; d * places.values().len()];
        for (place, vector) in places.values().iter().zip(values.chunks_exact_mut(d)) {
            start_row(*place, &self.start.params, vector);
        }
        Ok(ColumnarValue::Array(lists(values, d, places.values().len())?))
    }
}
