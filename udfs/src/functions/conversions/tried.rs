//! `try_decode`, `try_make_date`, `try_to_unixtime`: DataFusion's functions, but NULL for rows that make them fail.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::functions::{datetime, encoding};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use super::halves::in_halves;
use super::values::{result, rows};

pub(super) fn functions() -> Vec<ScalarUDF> {
    [encoding::decode(), datetime::make_date(), datetime::to_unixtime()]
        .into_iter()
        .map(|inner| ScalarUDF::from(Tried::new(inner)))
        .collect()
}

/// Wraps a function so that no value makes it fail.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Tried {
    name: String,
    inner: Arc<ScalarUDF>,
    documentation: Option<Documentation>,
}

impl Tried {
    fn new(inner: Arc<ScalarUDF>) -> Self {
        let name = format!("try_{}", inner.name());
        let documentation = inner.documentation().map(|of_inner| Documentation {
            description: format!(
                "Like {}, but returns NULL for a value that makes it fail.",
                inner.name()
            ),
            syntax_example: format!("try_{}", of_inner.syntax_example),
            sql_example: None,
            alternative_syntax: None,
            related_udfs: None,
            ..of_inner.clone()
        });
        Self {
            name,
            inner,
            documentation,
        }
    }
}

impl ScalarUDFImpl for Tried {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn coerce_types(&self, kinds: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(kinds)
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        self.inner.return_type(kinds)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let field = self.inner.return_field_from_args(args)?;
        Ok(Arc::new(
            field.as_ref().clone().with_name(&self.name).with_nullable(true),
        ))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = rows(&args);
        let values = in_halves(rows, args.return_type(), |range| {
            let part = |arg: &ColumnarValue| match arg {
                ColumnarValue::Array(values) => ColumnarValue::Array(values.slice(range.start, range.len())),
                scalar @ ColumnarValue::Scalar(_) => scalar.clone(),
            };
            let part = ScalarFunctionArgs {
                args: args.args.iter().map(part).collect(),
                number_rows: range.len(),
                ..args.clone()
            };
            self.inner.invoke_with_args(part)?.into_array(range.len())
        })?;
        result(&args, values)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.documentation.as_ref()
    }
}
