//! The recommender as the project file declares it: what the page labels and colors.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::SecondsFormat;
use serde::Serialize;
use utoipa::ToSchema;

use crate::config::{BLEND, Color};
use crate::serve::error::ErrorBody;
use crate::serve::shop::Shop;
use crate::serve::statements::ModelVersion;

/// The recommender, as the project file declares it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Recommender {
    /// The step whose SQL answers requests.
    #[schema(example = "gold.recommendations")]
    recommendations: String,
    /// The view whose rows are the sessions to recommend for.
    #[schema(example = "gold.requests")]
    requests: String,
    /// The table of session events.
    #[schema(example = "silver.events")]
    events: String,
    /// The shop's catalog, from which answers have the details of items.
    #[schema(example = "gold.items")]
    items: Option<String>,
    /// The table that describes the model.
    description: Option<String>,
    /// The current model.
    model: Option<DeclaredModel>,
    /// The parts of a score, in the order in which they are shown.
    scores: Vec<ScorePart>,
    /// Whether similar items can be requested.
    similar: bool,
    /// The models that `clickrec evaluate` compares.
    models: Vec<String>,
}

/// A version of the model's table.
#[derive(Debug, Serialize, ToSchema)]
struct DeclaredModel {
    table: String,
    version: u64,
    trained_at: Option<String>,
}

impl From<&ModelVersion> for DeclaredModel {
    fn from(model: &ModelVersion) -> Self {
        let trained_at = model.trained_at;
        Self {
            table: model.table.to_string(),
            version: model.version,
            trained_at: trained_at.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true)),
        }
    }
}

/// A part of a score.
#[derive(Debug, Serialize, ToSchema)]
struct ScorePart {
    /// The part's column in the recommendations.
    column: String,
    /// The part's display name.
    label: String,
    #[schema(value_type = String, example = "blue")]
    color: Color,
    /// Whether the part does not depend on the session.
    fallback: bool,
}

/// What the recommender consists of
#[utoipa::path(get, path = "/api/v1/recommender", tag = "recommendations",
    responses((status = 200, body = Recommender), (status = "default", body = ErrorBody)))]
pub(super) async fn recommender(State(shop): State<Arc<Shop>>) -> Json<Recommender> {
    let declared = shop.recommender();
    let scores = declared.scores.iter().map(|score| ScorePart {
        column: score.column.clone(),
        label: score.label.clone(),
        color: score.color,
        fallback: score.is_fallback,
    });
    let compared = declared.compared().into_iter().map(|(name, _)| name);
    let statements = shop.statements();
    Json(Recommender {
        recommendations: declared.recommendations.to_string(),
        requests: declared.requests.to_string(),
        events: declared.events.to_string(),
        items: declared.items.as_ref().map(ToString::to_string),
        description: declared.description.as_ref().map(ToString::to_string),
        model: statements.and_then(|statements| statements.model.as_ref().map(DeclaredModel::from)),
        scores: scores.collect(),
        similar: declared.similar.is_some(),
        models: compared.chain([BLEND]).map(str::to_owned).collect(),
    })
}
