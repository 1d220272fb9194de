//! The models to compare: the project's own blend, its parts on their own, and baselines without a model.

/// A model: a statement over `gold.requests` that returns `session_id, item_id, score`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model {
    /// Its name in reports.
    pub name: &'static str,
    /// Its SQL; `None` means the project's `gold.recommendations`.
    pub sql: Option<&'static str>,
}

/// The name of the project's own SQL among the models.
pub const BLEND: &str = "blend";

/// All models, the simplest first.
pub const MODELS: [Model; 5] = [
    Model {
        name: "popularity",
        sql: Some(include_str!("popularity.sql")),
    },
    Model {
        name: "item_transitions",
        sql: Some(include_str!("item_transitions.sql")),
    },
    Model {
        name: "session_knn",
        sql: Some(include_str!("session_knn.sql")),
    },
    Model {
        name: "als",
        sql: Some(include_str!("als.sql")),
    },
    Model { name: BLEND, sql: None },
];
