//! The table of factors as an argument: what the functions that use a model read of it. An empty table is an empty
//! model.

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Float32Type};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::functions::core::expr_fn::get_field;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, cast, ident, lit};
use futures::TryStreamExt;

use super::ids::Ids;
use crate::als::Factors;
use crate::factors_table::{ITEM, MODEL, USER, schema};
use crate::relation::Arguments;

/// The settings needed to use a model.
const SETTINGS: [&str; 3] = ["regularization", "alpha", "nu"];

/// Checks that a relation has the first `columns` columns of such a table.
fn check(arguments: &Arguments, relation: &str, plan: &LogicalPlan, columns: usize) -> Result<()> {
    for field in schema().fields().iter().take(columns) {
        let found = plan.schema().qualified_field_with_unqualified_name(field.name());
        let fits = found.is_ok_and(|(_, found)| match (field.data_type(), found.data_type()) {
            (DataType::List(_), found) => found.is_list(),
            (DataType::Struct(_), DataType::Struct(found)) => SETTINGS.iter().all(|name| found.find(name).is_some()),
            (DataType::Struct(_), _) => false,
            (_, found) => !found.is_nested(),
        });
        if !fits {
            let expected = match field.data_type() {
                DataType::List(_) => "a list of numbers",
                DataType::Struct(_) => "a struct of its settings",
                _ => "text",
            };
            return plan_err!(
                "{}: `{relation}` has no column `{}` ({expected}); it must be a result of als_train",
                arguments.function(),
                field.name()
            );
        }
    }
    Ok(())
}

/// The vectors of users and items in the relation of an argument: kind, id, factors; `None` if it was not given or has
/// no columns.
pub(super) fn vector_rows(arguments: &Arguments, relation: &str) -> Result<Option<LogicalPlan>> {
    let given = arguments.relation_if_given(relation);
    let Some(plan) = given.filter(|plan| !plan.schema().fields().is_empty()) else {
        return Ok(None);
    };
    check(arguments, relation, plan, 3)?;
    let columns = schema();
    let column = |index: usize| {
        let field = columns.field(index);
        cast(ident(field.name()), field.data_type().clone()).alias(field.name())
    };
    LogicalPlanBuilder::from(plan.clone())
        .filter(ident("kind").in_list(vec![lit(USER), lit(ITEM)], false))?
        .project((0..3).map(column))?
        .build()
        .map(Some)
}

/// The items and settings in the relation of an argument, after checking that it is such a table.
pub(super) fn item_rows(arguments: &Arguments, relation: &str) -> Result<LogicalPlan> {
    let plan = arguments.relation(relation)?;
    check(arguments, relation, plan, 4)?;
    let columns = schema();
    let column = |index: usize| {
        let field = columns.field(index);
        cast(ident(field.name()), field.data_type().clone()).alias(field.name())
    };
    let setting = |name: &str| cast(get_field(ident("model"), name), DataType::Float32).alias(name);
    LogicalPlanBuilder::from(plan.clone())
        .filter(ident("kind").in_list(vec![lit(ITEM), lit(MODEL)], false))?
        .project((0..3).map(column).chain(SETTINGS.map(setting)))?
        .build()
}

/// The part of a model that new sessions need: its items, ascending by ID.
#[derive(Debug)]
pub(super) struct ItemModel {
    pub ids: Vec<String>,
    pub index: Ids,
    pub factors: Factors,
    pub regularization: f32,
    pub alpha: f32,
    pub nu: f32,
}

/// Reads the rows of [`item_rows`]. Memory is reserved before it is used.
pub(super) async fn read_items(
    function: &str,
    mut rows: SendableRecordBatchStream,
    memory: &mut MemoryReservation,
) -> Result<ItemModel> {
    let mut found: Vec<(String, Vec<f32>)> = vec![];
    let (mut dims, mut settings) = (0, None);
    while let Some(batch) = rows.try_next().await? {
        let (kinds, ids) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
        let vectors = batch.column(2).as_list::<i32>();
        for row in 0..batch.num_rows() {
            if kinds.value(row) == MODEL {
                if settings.replace(self::settings(&batch, row)).is_some() {
                    return exec_err!("{function}: the model has several rows of kind 'model'; pass only one model");
                }
                continue;
            }
            let vector = vectors.value(row);
            let vector = vector.as_primitive::<Float32Type>();
            if found.is_empty() {
                dims = vector.len();
            }
            if vector.len() != dims || vector.null_count() > 0 {
                return exec_err!(
                    "{function}: the factors of item '{}' have length {}, but those of other items have length {dims}; \
                     retrain the model",
                    ids.value(row),
                    vector.len() - vector.null_count()
                );
            }
            found.push((ids.value(row).to_owned(), vector.values().to_vec()));
        }
        let bytes = found.len() * (8 * dims + 128);
        memory
            .try_resize(bytes)
            .map_err(|error| error.context(format!("{function}: reading the model")))?;
    }
    let [regularization, alpha, nu] = match settings {
        Some(settings) => settings,
        // An empty table is an empty model.
        None if found.is_empty() => [0.0; 3],
        None => return exec_err!("{function}: the model has no row of kind 'model'; retrain it"),
    };
    let (ids, index, factors) = ascending(function, found, dims)?;
    Ok(ItemModel {
        ids,
        index,
        factors,
        regularization,
        alpha,
        nu,
    })
}

fn settings(batch: &RecordBatch, row: usize) -> [f32; 3] {
    [3, 4, 5].map(|column| batch.column(column).as_primitive::<Float32Type>().value(row))
}

/// Sorts the items by ID.
fn ascending(function: &str, mut found: Vec<(String, Vec<f32>)>, dims: usize) -> Result<(Vec<String>, Ids, Factors)> {
    found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let mut index = Ids::default();
    let mut values = Vec::with_capacity(found.len() * dims);
    for (id, vector) in &found {
        index.add(id);
        values.extend_from_slice(vector);
    }
    if index.len() != found.len() {
        return exec_err!("{function}: the model contains an item twice; pass only one model");
    }
    let factors = Factors::from_vec(found.len(), dims, values)
        .map_err(|error| datafusion::error::DataFusionError::External(Box::new(error)))?;
    Ok((found.into_iter().map(|(id, _)| id).collect(), index, factors))
}
