//! The SQL functions, one per file; what the engine registers is at the end. `changes('…')` and its like are not here
//! but in `src/engine/functions.rs`, as they depend on the lake.
//!
//! What several functions share: `clicks` and `ids` read relations, `model_argument` and `warm_start` read a model,
//! `columns` parses declared columns, `frame` finds the schema ID before a value, `ranked` and `blocks` make rows.

mod als_train;
mod blocks;
mod canonical_json;
mod clicks;
mod columns;
mod conversions;
mod first_within;
mod frame;
mod from_avro;
mod from_json;
mod ids;
mod item_transitions;
mod model_argument;
mod ranked;
mod recommend;
mod session_knn;
mod similar_items;
mod warm_start;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::logical_expr::planner::RelationPlanner;
use datafusion::logical_expr::{ScalarUDF, WindowUDF};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::sql::parser::Statement;

use crate::relation::{self, FunctionExec, RelationFunction};

pub use columns::parse_columns;
pub use from_avro::{
    AvroSchemas, FROM_AVRO, RegisteredSchema, SchemaRegistry, SourceSchemas, check_avro_schema, from_avro,
    from_avro_documentation,
};
pub use similar_items::UnknownItem;

/// Scalar functions, but for [`from_avro`](fn@from_avro), which knows the schemas of sources.
pub fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    let conversions = conversions::functions().into_iter().map(Arc::new);
    let of_json = [
        ScalarUDF::from(from_json::FromJson::default()),
        ScalarUDF::from(canonical_json::CanonicalJson::default()),
    ];
    of_json.into_iter().map(Arc::new).chain(conversions).collect()
}

/// Window functions.
pub fn window_functions() -> Vec<Arc<WindowUDF>> {
    vec![Arc::new(WindowUDF::from(first_within::FirstWithin::default()))]
}

/// Table functions that take relations.
pub fn relation_functions() -> Vec<Arc<dyn RelationFunction>> {
    vec![
        Arc::new(als_train::AlsTrain),
        Arc::new(recommend::Recommend),
        Arc::new(similar_items::SimilarItems),
        Arc::new(session_knn::SessionKnnFunction),
        Arc::new(item_transitions::ItemTransitions),
    ]
}

/// Plans calls of the table functions that take relations.
pub fn relation_planner() -> Arc<dyn RelationPlanner> {
    relation::relation_planner(relation_functions())
}

/// Moves tables in the arguments of these functions to where DataFusion looks for tables.
pub fn relations_as_subqueries(statement: &mut Statement) {
    relation::relations_as_subqueries(statement, &relation_functions());
}

/// Deserializes a call of one of them from [`FunctionExec::to_wire`].
///
/// # Errors
/// When it comes from another version.
pub fn call_from_wire(bytes: &[u8], inputs: Vec<Arc<dyn ExecutionPlan>>) -> Result<FunctionExec> {
    FunctionExec::from_wire(bytes, inputs, &relation_functions())
}
