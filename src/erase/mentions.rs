//! A condition on text and bytes: whether a value holds an id, as a field of JSON or as a word (`words.rs`).

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, ident,
};

use super::words::{Fields, Words};

/// What to look for.
#[derive(Debug)]
pub(super) enum Search {
    Fields(Fields),
    Words(Words),
}

impl Search {
    fn is_in(&self, value: &[u8]) -> bool {
        match self {
            Self::Fields(fields) => fields.are_in(value),
            Self::Words(words) => words.in_text(value),
        }
    }
}

/// Whether a column of text or bytes holds what the search wants.
pub(super) fn holds(column: &str, search: &Arc<Search>) -> Expr {
    let function = Mentions {
        signature: Signature::any(1, Volatility::Immutable),
        search: search.clone(),
    };
    ScalarUDF::from(function).call(vec![ident(column)])
}

#[derive(Debug)]
struct Mentions {
    signature: Signature,
    search: Arc<Search>,
}

impl PartialEq for Mentions {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.search, &other.search)
    }
}

impl Eq for Mentions {}

impl Hash for Mentions {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.search).hash(state);
    }
}

impl ScalarUDFImpl for Mentions {
    fn name(&self) -> &str {
        "mentions"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let values = cast(&args.args[0].to_array(args.number_rows)?, &DataType::Binary)?;
        let found = values.as_binary::<i32>().iter();
        let found: BooleanArray = found.map(|value| value.map(|value| self.search.is_in(value))).collect();
        Ok(ColumnarValue::Array(Arc::new(found)))
    }
}
