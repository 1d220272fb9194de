//! The functions, one a file; what is registered is listed at the end.

mod als_train;
mod blocks;
mod clicks;
mod columns;
pub(crate) mod factors_table;
mod from_json;
mod ids;
mod item_transitions;
mod model_row;
mod ranked;
mod recommend;
mod session_knn;
mod similar_items;
mod warm_start;

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

use crate::relation::RelationFunction;

pub use columns::parse_columns;
pub(crate) use model_row::ModelRow;

/// Functions of values.
pub fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    vec![Arc::new(ScalarUDF::from(from_json::FromJson::default()))]
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
