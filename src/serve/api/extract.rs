//! Reads parameters, paths and bodies of requests, and reports those that do not parse as our own errors; a time is
//! from 1678 to 2261, and an empty one is none. Ranges are checked where they apply: `k` of recommendations in
//! `recommendations` (`ValidRequest`), numbers of rows in `serve/shop.rs` (`rows`).

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use utoipa::{IntoParams, ToSchema};

use crate::serve::error::ApiError;

/// The query parameters.
pub(super) struct Params<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let found = Query::<T>::from_request_parts(parts, state).await;
        let Query(found) = found.map_err(|error| ApiError::BadRequest(error.body_text()))?;
        Ok(Self(found))
    }
}

/// The `{id}` of a path.
pub(super) struct Id(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let found = Path::<String>::from_request_parts(parts, state).await;
        let Path(id) = found.map_err(|error| ApiError::BadRequest(error.body_text()))?;
        Ok(Self(id))
    }
}

/// A JSON body.
pub(super) struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(ApiError::TooLarge),
            Err(error) => Err(ApiError::BadRequest(error.body_text())),
        }
    }
}

/// A type of events that tables of Gold count, and that reports filter by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum EventType {
    View,
    AddToCart,
    Purchase,
}

impl EventType {
    /// Its name in the table of events.
    pub fn name(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::AddToCart => "add_to_cart",
            Self::Purchase => "purchase",
        }
    }
}

/// A range of time, `[from, to)`.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Range {
    /// The start of the range, inclusive.
    #[serde(default, deserialize_with = "moment")]
    pub from: Option<DateTime<Utc>>,
    /// The end of the range, exclusive.
    #[serde(default, deserialize_with = "moment")]
    pub to: Option<DateTime<Utc>>,
}

/// Parses RFC 3339, limited to years that every part of the program can represent; an empty string means none.
pub(super) fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty());
    let Some(text) = text else { return Ok(None) };
    let moment = DateTime::parse_from_rfc3339(&text)
        .map_err(|_| serde::de::Error::custom("expected a time such as 2026-01-31T12:00:00Z"))?
        .to_utc();
    let years = 1678..2262;
    match years.contains(&chrono::Datelike::year(&moment)) {
        true => Ok(Some(moment)),
        false => Err(serde::de::Error::custom("expected a year from 1678 to 2261")),
    }
}
