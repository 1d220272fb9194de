//! `changes('…')`, `latest('…')`, `previous('…')` and `table_version('…')`, and the registration of all functions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Schema};
use clickrec_udfs::SourceSchemas;
use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion::datasource::ViewTable;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_OTHER;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::logical_expr::{EmptyRelation, Expr, LogicalPlan, LogicalPlanBuilder, cast, ident, lit};
use datafusion::prelude::SessionContext;

use super::Bindings;
use super::checked_sum::checked_sum;

/// Table functions that take no relations: name, signature, result.
pub(super) const TABLE_FUNCTIONS: &[(&str, &str, &str)] = &[
    (
        "changes",
        "changes('NAME')",
        "The rows of a source or lake table that arrived since the step last committed; all rows on the first run and \
         outside a step.",
    ),
    (
        "latest",
        "latest('LAYER.TABLE')",
        "The current rows of a lake table, whose changes do not trigger the step.",
    ),
    (
        "previous",
        "previous('COLUMN TYPE, …')",
        "The rows that the step has written so far; no rows on the first run and outside a step. You declare the \
         columns with their types, because the table may not exist yet. Columns that are new in the result are NULL.",
    ),
    (
        "read_arrow",
        "read_arrow('PATH')",
        "The rows of files in Arrow's format: a file, a folder, or a pattern such as 'logs/*.arrow'.",
    ),
    (
        "read_csv",
        "read_csv('PATH', [OPTION => VALUE, …])",
        "The rows of CSV files: a file, a folder, or a pattern such as 'logs/*.csv.gz'. Options have DataFusion's \
         names, such as delimiter => ';', has_header => false, or schema_infer_max_rec => 0, which reads all values as \
         text.",
    ),
    (
        "read_json",
        "read_json('PATH', [OPTION => VALUE, …])",
        "The objects of JSON files, one on each line or all in one array: a file, a folder, or a pattern such as \
         'logs/*.json'.",
    ),
    (
        "read_parquet",
        "read_parquet('PATH', [OPTION => VALUE, …])",
        "The rows of Parquet files: a file, a folder, or a pattern such as 'logs/*.parquet'.",
    ),
    (
        "range",
        "range([START,] STOP[, STEP])",
        "The numbers or times from START (0 by default) up to, but excluding, STOP.",
    ),
    (
        "generate_series",
        "generate_series([START,] STOP[, STEP])",
        "The numbers or times from START (0 by default) up to and including STOP.",
    ),
];

/// Registers clickrec's functions in a session.
#[allow(clippy::disallowed_methods, reason = "the engine is the one place that registers")]
pub(super) fn register(context: &SessionContext, bindings: &Bindings, schemas: &SourceSchemas) -> Result<()> {
    for function in clickrec_udfs::scalar_functions() {
        context.register_udf(function.as_ref().clone());
    }
    for function in clickrec_udfs::schema_functions(schemas) {
        context.register_udf(function);
    }
    for function in clickrec_udfs::window_functions() {
        context.register_udwf(function.as_ref().clone());
    }
    context.register_udaf(checked_sum());
    let versions = bindings.versions.clone();
    context.register_udf(ScalarUDF::from(TableVersion::new(versions)));
    context.register_relation_planner(clickrec_udfs::relation_planner())?;
    context.register_udtf(
        "changes",
        Arc::new(Named {
            function: "changes",
            tables: bindings.changes.clone(),
        }),
    );
    context.register_udtf(
        "latest",
        Arc::new(Named {
            function: "latest",
            tables: bindings.latest.clone(),
        }),
    );
    context.register_udtf(
        "previous",
        Arc::new(Previous {
            table: bindings.previous.clone(),
            added: bindings.added.clone(),
        }),
    );
    Ok(())
}

/// `changes('NAME')`: the rows of a source or lake table that arrived since the step's last commit; all rows on the
/// first run. `latest('NAME')`: the current rows of a lake table, whose changes do not trigger the step.
#[derive(Debug)]
struct Named {
    function: &'static str,
    tables: BTreeMap<String, Arc<dyn TableProvider>>,
}

impl TableFunctionImpl for Named {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        let function = self.function;
        let name = one_string(function, "the name of a table", args.exprs())?;
        match self.tables.get(&name) {
            Some(provider) => Ok(provider.clone()),
            None => {
                let known: Vec<&str> = self.tables.keys().map(String::as_str).collect();
                plan_err!(
                    "{function}('{name}'): no such source or table; available: {}",
                    known.join(", ")
                )
            }
        }
    }
}

/// `previous('COLUMN TYPE, …')`: the rows that this step has written so far; none on the first run. The columns and
/// their types must be declared because the table may not exist yet.
#[derive(Debug)]
struct Previous {
    table: Option<Arc<dyn TableProvider>>,
    /// Columns that are NULL in all of its rows, as it does not have them yet.
    added: BTreeSet<String>,
}

impl TableFunctionImpl for Previous {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        let declared = one_string("previous", "the columns with their types", args.exprs())?;
        let fields = clickrec_udfs::parse_columns("previous", &declared)?;
        let Some(table) = &self.table else {
            // A relation that is known to be empty, so that the planner removes joins with it.
            let schema = DFSchema::try_from(Schema::new(fields))?;
            let nothing = LogicalPlan::EmptyRelation(EmptyRelation {
                produce_one_row: false,
                schema: Arc::new(schema),
            });
            return Ok(Arc::new(ViewTable::new(nothing, None)));
        };
        let known = table.schema();
        let mut columns = vec![];
        for field in &fields {
            if self.added.contains(field.name()) {
                let null = lit(ScalarValue::try_from(field.data_type())?);
                columns.push(null.alias(field.name()));
                continue;
            }
            if known.index_of(field.name()).is_err() {
                return plan_err!(
                    "previous('…'): the table has no column `{}`; its columns are {}\n  help: if you have added the \
                     column to the SQL, select it in the result too, or run with --full-refresh",
                    field.name(),
                    known
                        .fields()
                        .iter()
                        .map(|field| field.name().as_str())
                        .collect::<Vec<_>>()
                        .join(", ")
                );
            }
            columns.push(cast(ident(field.name()), field.data_type().clone()).alias(field.name()));
        }
        let plan = LogicalPlanBuilder::scan("previous", provider_as_source(table.clone()), None)?
            .project(columns)?
            .build()?;
        Ok(Arc::new(ViewTable::new(plan, None)))
    }
}

/// `table_version('NAME')`: the version of a lake table that the statement sees; NULL if the table does not exist.
#[derive(Debug, PartialEq, Eq, Hash)]
struct TableVersion {
    signature: Signature,
    versions: BTreeMap<String, u64>,
}

impl TableVersion {
    fn new(versions: BTreeMap<String, u64>) -> Self {
        Self {
            signature: Signature::exact(vec![DataType::Utf8], Volatility::Stable),
            versions,
        }
    }
}

impl ScalarUDFImpl for TableVersion {
    fn name(&self) -> &str {
        "table_version"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.as_slice() {
            [ColumnarValue::Scalar(ScalarValue::Utf8(Some(name)))] => {
                let version = self.versions.get(name).and_then(|version| i64::try_from(*version).ok());
                Ok(ColumnarValue::Scalar(ScalarValue::Int64(version)))
            }
            _ => plan_err!("table_version('…') takes one string, the name of a table"),
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
            Documentation::builder(
                DOC_SECTION_OTHER,
                "The version of a lake table that the statement sees; NULL if the table does not exist.",
                "table_version('LAYER.TABLE')",
            )
            .build()
        });
        Some(&DOCUMENTATION)
    }
}

fn one_string(function: &str, what: &str, args: &[Expr]) -> Result<String> {
    match args {
        [Expr::Literal(ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)), _)] => Ok(text.clone()),
        _ => plan_err!("{function}('…') takes one string, {what}"),
    }
}
