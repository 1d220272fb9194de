//! `try_add(a, b)`, `try_subtract`, `try_multiply` and `try_divide`: NULL if the result does not fit its type, or the
//! divisor is zero.

use datafusion::arrow::array::{ArrayRef, Datum};
use datafusion::arrow::compute::kernels::{cmp, numeric};
use datafusion::arrow::compute::{cast, nullif};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::error::ArrowError;
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::binary::BinaryTypeCoercer;
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_MATH;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::halves::in_halves;
use super::values::{result, rows};

pub(super) fn functions() -> Vec<ScalarUDF> {
    let kinds: [(&'static str, Operator, &str, &str); 4] = [
        (
            "try_add",
            Operator::Plus,
            "The sum",
            "select try_add(9223372036854775807, 1);",
        ),
        (
            "try_subtract",
            Operator::Minus,
            "The difference",
            "select try_subtract(1, 2);",
        ),
        (
            "try_multiply",
            Operator::Multiply,
            "The product",
            "select try_multiply(3, 4);",
        ),
        (
            "try_divide",
            Operator::Divide,
            "The quotient",
            "select try_divide(purchases, sessions) from t;",
        ),
    ];
    let function = |(name, operator, what, example): (&'static str, Operator, &str, &str)| {
        let reason = match operator {
            Operator::Divide => "the divisor is zero, or the result does not fit its type",
            _ => "the result does not fit its type",
        };
        let description = format!("{what} of two values, with the type of `{operator}`; NULL if {reason}.");
        let documentation = Documentation::builder(DOC_SECTION_MATH, description, format!("{name}(a, b)"))
            .with_argument("a", "A number, a time or an interval.")
            .with_argument("b", "Another.")
            .with_sql_example(example);
        ScalarUDF::from(Arithmetic {
            name,
            operator,
            signature: Signature::user_defined(Volatility::Immutable),
            documentation: documentation.build(),
        })
    };
    kinds.into_iter().map(function).collect()
}

/// One of the functions.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Arithmetic {
    name: &'static str,
    operator: Operator,
    signature: Signature,
    documentation: Documentation,
}

impl Arithmetic {
    fn apply(&self, left: &dyn Datum, right: &dyn Datum) -> Result<ArrayRef, ArrowError> {
        match self.operator {
            Operator::Plus => numeric::add(left, right),
            Operator::Minus => numeric::sub(left, right),
            Operator::Multiply => numeric::mul(left, right),
            _ => numeric::div(left, right),
        }
    }
}

/// Replaces zero divisors with NULL.
fn without_zeros(divisors: &ArrayRef) -> Result<ArrayRef> {
    let zero = ScalarValue::new_zero(divisors.data_type())?.to_scalar()?;
    Ok(nullif(divisors, &cmp::eq(divisors, &zero)?)?)
}

impl ScalarUDFImpl for Arithmetic {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, kinds: &[DataType]) -> Result<Vec<DataType>> {
        let [left, right] = kinds else {
            return plan_err!("{} takes two values, not {}", self.name, kinds.len());
        };
        let (left, right) = BinaryTypeCoercer::new(left, &self.operator, right).get_input_types()?;
        Ok(vec![left, right])
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        match kinds {
            [left, right] => BinaryTypeCoercer::new(left, &self.operator, right).get_result_type(),
            _ => plan_err!("{} takes two values, not {}", self.name, kinds.len()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = rows(&args);
        let (left, mut right) = (args.args[0].to_array(rows)?, args.args[1].to_array(rows)?);
        if self.operator == Operator::Divide && right.data_type().is_numeric() {
            right = without_zeros(&right)?;
        }
        let values = in_halves(rows, args.return_type(), |range| {
            let (left, right) = (
                left.slice(range.start, range.len()),
                right.slice(range.start, range.len()),
            );
            Ok(cast(&self.apply(&left, &right)?, args.return_type())?)
        })?;
        result(&args, values)
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}
