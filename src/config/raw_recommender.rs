//! `recommender` as written; unknown keys and wrong types are refused here. `validate_recommender` refuses the rest.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_yaml::Spanned;

use super::ordered_map::OrderedMap;
use super::raw::Text;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRecommender {
    /// The table of session events: `silver.events` by default.
    #[schemars(with = "Option<String>")]
    pub events: Option<Text>,
    /// The shop's catalog: a table of item_id with title, category, price, image, url, availability and created.
    #[schemars(with = "Option<String>")]
    pub items: Option<Text>,
    /// The view whose rows are the sessions to recommend for: `gold.requests` by default.
    #[schemars(with = "Option<String>")]
    pub requests: Option<Text>,
    /// The step whose SQL answers requests: `gold.recommendations` by default.
    #[schemars(with = "Option<String>")]
    pub recommendations: Option<Text>,
    /// The table whose one row describes the model.
    #[schemars(with = "Option<String>")]
    pub description: Option<Text>,
    /// Tables whose new versions mean new models; the first is the model: answers report its version and training time.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub stale_after: Vec<Text>,
    /// SQL for the `var('k', 10)` items most similar to `var('item', '')`: similar_item_id, rank, similarity.
    #[schemars(with = "Option<String>")]
    pub similar: Option<Text>,
    /// The parts of a score, in the order in which they are shown.
    #[serde(default)]
    #[schemars(with = "Vec<RawScore>")]
    pub scores: Vec<Spanned<RawScore>>,
    /// Further models that `clickrec evaluate` compares: SQL files by name.
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    pub models: Option<OrderedMap<Text>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawScore {
    /// The part's column in the recommendations.
    #[schemars(with = "String")]
    pub column: Text,
    /// The part's display name; by default, the name of the column.
    #[schemars(with = "Option<String>")]
    pub label: Option<Text>,
    /// The part's color on the page; by default, the first one that no other part has.
    #[schemars(
        with = "Option<String>",
        extend("enum" = ["blue", "green", "orange", "purple", "red", "teal", "pink", "gray", null])
    )]
    pub color: Option<Text>,
    /// Whether the part does not depend on the session, like popularity: everyone gets it.
    #[serde(default)]
    pub fallback: bool,
    /// An SQL file with which `clickrec evaluate` measures this part alone: session_id, item_id, score.
    #[schemars(with = "Option<String>")]
    pub model: Option<Text>,
}
