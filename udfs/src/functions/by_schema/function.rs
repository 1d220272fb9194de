//! A function that decodes values: its arguments, and its calls.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::async_udf::{AsyncScalarUDF, AsyncScalarUDFImpl};
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_OTHER;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignature, Volatility,
};

use super::batch::decoded;
use super::format::Format;
use super::headers::{Headers, are_headers};
use super::schemas::{SourceSchemas, ValueSchemas};
use crate::functions::from_json::{COLUMNS, Declared, POLICY, literal, ordinal, result_field};

const HEADERS: &str = "The headers of the record, if clients write the ID of the schema into \
    a header: the column `headers`. If the header is missing, the ID precedes the value.";

const SOURCE: &str = "The source whose schemas apply; needed only if sources have different ones.";

/// The documentation of such a function, which DataFusion does not pass on for asynchronous functions.
pub(in crate::functions) fn documentation(description: &str, syntax: &str, example: &str) -> Documentation {
    Documentation::builder(DOC_SECTION_OTHER, description, syntax)
        .with_argument("value", "Bytes as a Kafka client with a schema registry writes them.")
        .with_argument("headers", HEADERS)
        .with_argument("columns", COLUMNS)
        .with_argument("policy", POLICY)
        .with_argument("source", SOURCE)
        .with_sql_example(example)
        .build()
}

/// `NAME(value, [headers,] 'COLUMN TYPE, …'[, policy[, source]])`; see the module above.
#[derive(Debug)]
pub(in crate::functions) struct DecodeFunction {
    format: &'static dyn Format,
    signature: Signature,
    schemas: SourceSchemas,
}

impl DecodeFunction {
    /// For sources with these schemas, of which those in files may be of other formats.
    pub fn new(format: &'static dyn Format, mut schemas: SourceSchemas) -> Self {
        schemas.retain(|_, schemas| match schemas {
            ValueSchemas::Registry(_) => true,
            ValueSchemas::One(schema) => format.decodes(schema),
        });
        let arguments = (2..=5).map(TypeSignature::Any).collect();
        Self {
            format,
            // Volatile for the same reason as from_json.
            signature: Signature::one_of(arguments, Volatility::Volatile),
            schemas,
        }
    }

    /// As the engine registers it.
    pub fn into_udf(self) -> ScalarUDF {
        AsyncScalarUDF::new(Arc::new(self)).into_scalar_udf()
    }

    /// The schemas of a source, from the argument at this index, if there is one.
    pub fn schemas_of(&self, argument: Option<Option<&ScalarValue>>, place: usize) -> Result<&ValueSchemas> {
        let function = self.format.function();
        let Some(argument) = argument else {
            return self.only_schemas(place);
        };
        let Some(source) = argument.and_then(|argument| argument.try_as_str().flatten()) else {
            return plan_err!(
                "{function}: the {} argument must be the name of a source, like 'clicks'",
                ordinal(place)
            );
        };
        match self.schemas.get(source) {
            Some(schemas) => Ok(schemas),
            None if self.schemas.is_empty() => self.no_schemas(),
            None => plan_err!(
                "{function}: source `{source}` has neither `schema_registry` nor {}\n  help: sources that have one: {}",
                self.format.file_settings(),
                self.sources()
            ),
        }
    }

    /// The schemas of all sources, if they are the same.
    fn only_schemas(&self, place: usize) -> Result<&ValueSchemas> {
        let (function, name) = (self.format.function(), ordinal(place));
        let mut all = self.schemas.values();
        match all.next() {
            Some(first) if all.all(|other| other == first) => Ok(first),
            Some(_) => plan_err!(
                "{function}: sources have different schemas, so name the one that the value comes from as the {name} \
                 argument\n  help: {function}(value, '…', 'quarantine', 'SOURCE'); the sources are {}",
                self.sources()
            ),
            None => self.no_schemas(),
        }
    }

    fn no_schemas(&self) -> Result<&ValueSchemas> {
        plan_err!(
            "{}: no source has schemas\n  help: set `schema_registry: {{ url: … }}`, or {}, in the settings of the Kafka \
             source",
            self.format.function(),
            self.format.file_settings()
        )
    }

    fn sources(&self) -> String {
        self.schemas.keys().cloned().collect::<Vec<_>>().join(", ")
    }
}

/// Where the declared columns are among arguments of these types: after the value, and the headers if they are there.
fn columns_place(arguments: &[FieldRef]) -> usize {
    match arguments.get(1) {
        Some(second) if are_headers(second.data_type()) => 2,
        _ => 1,
    }
}

impl PartialEq for DecodeFunction {
    fn eq(&self, other: &Self) -> bool {
        self.format.function() == other.format.function() && self.schemas == other.schemas
    }
}

impl Eq for DecodeFunction {}

impl Hash for DecodeFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.format.function().hash(state);
        self.schemas.keys().for_each(|source| source.hash(state));
    }
}

impl ScalarUDFImpl for DecodeFunction {
    fn name(&self) -> &str {
        self.format.function()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("{}: the result depends on the declared columns", self.format.function())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let place = columns_place(args.arg_fields);
        self.schemas_of(args.scalar_arguments.get(place + 2).copied(), place + 2)?;
        result_field(self.format.function(), &args, place)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        exec_err!("{} is asynchronous", self.format.function())
    }
}

#[async_trait]
impl AsyncScalarUDFImpl for DecodeFunction {
    async fn invoke_async_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let place = columns_place(&args.arg_fields);
        let declared = Declared::of(self.format.function(), &args, place)?;
        let schemas = self.schemas_of(args.args.get(place + 2).map(literal), place + 2)?;
        let values = cast(&args.args[0].to_array(args.number_rows)?, &DataType::BinaryView)?;
        let headers = match place {
            1 => None,
            _ => Some(Headers::of(&args.args[1].to_array(args.number_rows)?)?),
        };
        let (values, headers) = (values.as_binary_view(), headers.as_ref());
        let columns = decoded(values, headers, schemas, self.format, &declared).await?;
        Ok(ColumnarValue::Array(Arc::new(columns)))
    }
}
