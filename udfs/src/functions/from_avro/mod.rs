//! `from_avro(value, 'at timestamp, user_id string from $.user.id, …')`: decodes Avro records into typed columns.
//!
//! The declared columns, the result and the policies are those of `from_json`, and a row never fails the query. A
//! column is found by its name in the schema with which the record was written, so records of several schemas may be
//! mixed: a field that a schema lacks is NULL.
//!
//! The schema is named by the ID before the record (`frame.rs`) and comes from a registry, which is asked once for each
//! ID. The IDs of a batch are known only when the batch is there, so the function is asynchronous: it may stand in a
//! select list or a filter, but not in a join condition. A registry that does not answer makes the query fail, because
//! the records are not to blame. An ID that it does not know, or whose schema is not Avro, is an error of the row.
//!
//! The records of each schema are decoded into a table, whose rows become JSON texts, which are read as `from_json`
//! reads them. So Avro, files of tables and JSON have the same values, reasons and policies.
//!
//! - `schemas`: where schemas come from.
//! - `decode`: decodes records of one schema.
//! - `texts`: the records as JSON.

mod decode;
mod schemas;
#[cfg(test)]
mod tests;
mod texts;

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use datafusion::arrow::array::{Array, AsArray, BinaryViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::async_udf::{AsyncScalarUDF, AsyncScalarUDFImpl};
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_OTHER;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignature, Volatility,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::frame::framed;
use super::from_json::{COLUMNS, Declared, POLICY, literal, parse_texts, result_field};
use decode::Body;
use texts::Texts;

pub use decode::check_avro_schema;
pub use schemas::{AvroSchemas, RegisteredSchema, SchemaRegistry, SourceSchemas};

/// The function's name in SQL.
pub const FROM_AVRO: &str = "from_avro";
/// How many schemas of a batch are requested at the same time.
const REQUESTS: usize = 8;

/// The function, for sources with these schemas.
pub fn from_avro(schemas: SourceSchemas) -> ScalarUDF {
    AsyncScalarUDF::new(Arc::new(FromAvro::new(schemas))).into_scalar_udf()
}

/// The function's documentation, which DataFusion does not pass on for asynchronous functions.
pub fn from_avro_documentation() -> &'static Documentation {
    static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
        Documentation::builder(
            DOC_SECTION_OTHER,
            "Decodes one Avro record per row, as from_json parses JSON: into a struct of the named columns, error \
             (NULL on success, otherwise the reason) and error_value. The schema is that with which the record was \
             written: the ID before the record names it, and the source's `schema_registry` knows it; or it is the \
             source's `schema`. No row makes the query fail, but a registry that does not answer does.",
            "from_avro(value, 'COLUMN TYPE, …'[, 'quarantine' | 'evolve'[, 'SOURCE']])",
        )
        .with_argument("value", "Bytes as a Kafka client with a schema registry writes them.")
        .with_argument("columns", COLUMNS)
        .with_argument("policy", POLICY)
        .with_argument(
            "source",
            "The source whose schemas apply; needed only if sources have different ones.",
        )
        .with_sql_example(
            "select click['item_id'] from (select from_avro(value, 'item_id string') as click from changes('clicks'));",
        )
        .build()
    });
    &DOCUMENTATION
}

/// The function; see the module.
#[derive(Debug)]
struct FromAvro {
    signature: Signature,
    schemas: SourceSchemas,
}

impl FromAvro {
    fn new(schemas: SourceSchemas) -> Self {
        let arguments = (2..=4).map(TypeSignature::Any).collect();
        Self {
            // Volatile for the same reason as from_json.
            signature: Signature::one_of(arguments, Volatility::Volatile),
            schemas,
        }
    }

    /// The schemas of a source, from the fourth argument if there is one.
    fn schemas_of(&self, argument: Option<Option<&ScalarValue>>) -> Result<&AvroSchemas> {
        let Some(argument) = argument else {
            return self.only_schemas();
        };
        let Some(source) = argument.and_then(|argument| argument.try_as_str().flatten()) else {
            return plan_err!("{FROM_AVRO}: the fourth argument must be the name of a source, like 'clicks'");
        };
        match self.schemas.get(source) {
            Some(schemas) => Ok(schemas),
            None => plan_err!(
                "{FROM_AVRO}: source `{source}` has neither `schema_registry` nor `schema`\n  help: sources that have: \
                 {}",
                self.sources()
            ),
        }
    }

    /// The schemas of all sources, if they are the same.
    fn only_schemas(&self) -> Result<&AvroSchemas> {
        let mut all = self.schemas.values();
        match all.next() {
            Some(first) if all.all(|other| other == first) => Ok(first),
            Some(_) => plan_err!(
                "{FROM_AVRO}: sources have different schemas, so name the one that the value comes from as the fourth \
                 argument\n  help: {FROM_AVRO}(value, '…', 'quarantine', 'SOURCE'); the sources are {}",
                self.sources()
            ),
            None => plan_err!(
                "{FROM_AVRO}: no source has schemas\n  help: set `schema_registry: {{ url: … }}`, or \
                 `schema: FILE.avsc`, in the settings of the Kafka source"
            ),
        }
    }

    fn sources(&self) -> String {
        self.schemas.keys().cloned().collect::<Vec<_>>().join(", ")
    }
}

impl PartialEq for FromAvro {
    fn eq(&self, other: &Self) -> bool {
        self.schemas == other.schemas
    }
}

impl Eq for FromAvro {}

impl Hash for FromAvro {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.schemas.keys().for_each(|source| source.hash(state));
    }
}

impl ScalarUDFImpl for FromAvro {
    fn name(&self) -> &str {
        FROM_AVRO
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("{FROM_AVRO}: the result depends on the second argument")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.schemas_of(args.scalar_arguments.get(3).copied())?;
        result_field(FROM_AVRO, &args)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        exec_err!("{FROM_AVRO} is asynchronous")
    }
}

#[async_trait]
impl AsyncScalarUDFImpl for FromAvro {
    async fn invoke_async_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let declared = Declared::of(FROM_AVRO, &args)?;
        let schemas = self.schemas_of(args.args.get(3).map(literal))?;
        let values = cast(&args.args[0].to_array(args.number_rows)?, &DataType::BinaryView)?;
        let texts = decoded(values.as_binary_view(), schemas).await?;
        Ok(ColumnarValue::Array(Arc::new(parse_texts(texts.iter(), &declared)?)))
    }
}

/// The records of a batch as JSON.
async fn decoded(values: &BinaryViewArray, schemas: &AvroSchemas) -> Result<Texts> {
    let mut texts = Texts::new(values.len());
    match schemas {
        AvroSchemas::One(schema) => {
            let mut bodies = vec![];
            for row in 0..values.len() {
                match present(values, row) {
                    Ok(bytes) => bodies.push(Body { row, bytes }),
                    Err(reason) => texts.refuse(row, reason),
                }
            }
            texts.decode(schema, &bodies, "not a record of the schema")?;
        }
        AvroSchemas::Registry(registry) => {
            let mut by_schema: BTreeMap<u32, Vec<Body<'_>>> = BTreeMap::new();
            for row in 0..values.len() {
                match present(values, row).and_then(identified) {
                    Ok((id, bytes)) => by_schema.entry(id).or_default().push(Body { row, bytes }),
                    Err(reason) => texts.refuse(row, reason),
                }
            }
            let requests: Vec<_> = by_schema.keys().map(|id| registry.schema(*id)).collect();
            let found: Vec<RegisteredSchema> = stream::iter(requests).buffered(REQUESTS).try_collect().await?;
            for ((id, bodies), schema) in by_schema.iter().zip(&found) {
                match schema {
                    RegisteredSchema::Avro(schema) => {
                        texts.decode(schema, bodies, &format!("not a record of schema ID {id}"))?;
                    }
                    RegisteredSchema::Unusable(reason) => {
                        bodies
                            .iter()
                            .for_each(|body| texts.refuse(body.row, reason.to_string()));
                    }
                }
            }
        }
    }
    Ok(texts)
}

/// The bytes of a row, or why there are none.
fn present(values: &BinaryViewArray, row: usize) -> Result<&[u8], &'static str> {
    if values.is_null(row) {
        return Err("no value (a tombstone)");
    }
    match values.value(row) {
        [] => Err("empty"),
        bytes => Ok(bytes),
    }
}

/// The schema ID and the record of a value, or why it has none.
fn identified(value: &[u8]) -> Result<(u32, &[u8]), &'static str> {
    if let Some(framed) = framed(value) {
        return Ok((framed.schema_id, framed.body));
    }
    Err(match value.trim_ascii_start().first() {
        Some(b'{' | b'[') => "not Avro: JSON, without a schema ID",
        Some(0) => "not Avro: cut off in the schema ID",
        _ => "not Avro: does not begin with a schema ID",
    })
}
