//! The SQL functions, one per file; the registered ones are listed at the end.

mod als_train;
mod blocks;
mod canonical_json;
mod clicks;
mod columns;
mod conversions;
pub(crate) mod factors_table;
mod first_within;
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

use datafusion::logical_expr::{ScalarUDF, WindowUDF};

use crate::relation::RelationFunction;

pub use columns::parse_columns;
pub(crate) use model_row::ModelRow;
pub use similar_items::UnknownItem;

/// Scalar functions.
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
