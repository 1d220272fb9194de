//! The SQL functions, one per file; what the engine registers is at the end. `changes('…')` and its like are not here
//! but in `src/engine/functions.rs`, as they depend on the lake.
//!
//! What several functions share: `clicks` and `ids` read relations, `model_argument` and `warm_start` read a model,
//! `columns` parses declared columns, `frame` finds the ID of a value's schema, `by_schema` decodes values with their
//! schemas, `ranked` and `blocks` make rows, `whole_partition` answers for the rows of a window's partition at once.

mod als_train;
mod blocks;
mod by_schema;
mod canonical_json;
mod clicks;
mod columns;
mod conversions;
mod cut_session;
mod first_within;
mod frame;
mod from_avro;
mod from_json;
mod from_protobuf;
mod ids;
mod item_transitions;
mod join_session;
mod model_argument;
mod ranked;
mod recommend;
mod session_knn;
mod similar_items;
mod warm_start;
mod whole_partition;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::logical_expr::planner::RelationPlanner;
use datafusion::logical_expr::{Documentation, ScalarUDF, WindowUDF};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::sql::parser::Statement;

use crate::relation::{self, FunctionExec, RelationFunction};

pub use by_schema::{Reference, RegisteredSchema, Schema, SchemaRegistry, SourceSchemas, ValueSchemas};
pub use columns::parse_columns;
pub use frame::{Framed, Guid, SchemaId, framed};
pub use from_avro::has_unions;
pub use from_protobuf::ProtobufSchema;
pub use similar_items::UnknownItem;

/// Scalar functions, but for those of [`schema_functions`].
pub fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    let conversions = conversions::functions().into_iter().map(Arc::new);
    let of_json = [
        ScalarUDF::from(from_json::FromJson::default()),
        ScalarUDF::from(canonical_json::CanonicalJson::default()),
    ];
    of_json.into_iter().map(Arc::new).chain(conversions).collect()
}

/// The functions that decode values with the schemas of sources: `from_avro` and `from_protobuf`.
pub fn schema_functions(schemas: &SourceSchemas) -> [ScalarUDF; 2] {
    [
        from_avro::from_avro(schemas.clone()),
        from_protobuf::from_protobuf(schemas.clone()),
    ]
}

/// The documentation of one of [`schema_functions`], by its name. DataFusion does not pass it on.
pub fn schema_function_documentation(name: &str) -> Option<&'static Documentation> {
    match name {
        from_avro::FROM_AVRO => Some(from_avro::documentation()),
        from_protobuf::FROM_PROTOBUF => Some(from_protobuf::documentation()),
        _ => None,
    }
}

/// Window functions.
pub fn window_functions() -> Vec<Arc<WindowUDF>> {
    let functions = [
        WindowUDF::from(first_within::FirstWithin::default()),
        WindowUDF::from(cut_session::CutSession::default()),
        WindowUDF::from(join_session::JoinSession::default()),
    ];
    functions.into_iter().map(Arc::new).collect()
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
