//! Reads parameters, paths and bodies of requests, and reports those that do not parse as our own errors; a time is
//! from 1678 to 2261, and an empty one is none. Ends of a range may be local times of the shop (`Moment`). Ranges are
//! checked where they apply: `k` of recommendations in
//! `recommendations` (`ValidRequest`), numbers of rows in `serve/shop.rs` (`rows`).

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use utoipa::{IntoParams, ToSchema};

use crate::config::TimeZone;
use crate::recommender::SessionId;
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

/// Which session the ID of a path means.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Meant {
    /// Take the ID as the name of one session. Without this, it is the ID that the shop gave: if it was cut into several
    /// sessions, the newest of them answers.
    exact: Option<bool>,
}

impl Meant {
    pub fn meaning(&self) -> SessionId {
        match self.exact {
            Some(true) => SessionId::Exact,
            _ => SessionId::Given,
        }
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
    /// The start of the range, inclusive. Without an offset (`2026-01-31T12:00`, `2026-01-31`), it is a local time of the
    /// project's time zone.
    #[serde(default, deserialize_with = "end_of_range")]
    #[param(value_type = Option<DateTime<Utc>>)]
    from: Option<Moment>,
    /// The end of the range, exclusive; also a local time if it has no offset.
    #[serde(default, deserialize_with = "end_of_range")]
    #[param(value_type = Option<DateTime<Utc>>)]
    to: Option<Moment>,
}

impl Range {
    /// Its start, in the shop's time zone.
    pub fn start(&self, zone: TimeZone) -> Option<DateTime<Utc>> {
        self.from.map(|from| from.at(zone))
    }

    /// Its end, in the shop's time zone.
    pub fn end(&self, zone: TimeZone) -> Option<DateTime<Utc>> {
        self.to.map(|to| to.at(zone))
    }
}

/// A time as clients write it.
#[derive(Debug, Clone, Copy)]
enum Moment {
    Instant(DateTime<Utc>),
    Local(NaiveDateTime),
}

impl Moment {
    fn at(self, zone: TimeZone) -> DateTime<Utc> {
        match self {
            Self::Instant(at) => at,
            Self::Local(local) => zone.moment(local),
        }
    }
}

/// Years that every part of the program can represent.
fn is_in_range(year: i32) -> bool {
    (1678..2262).contains(&year)
}

const YEARS: &str = "expected a year from 1678 to 2261";

fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
}

/// Parses RFC 3339; an empty string means none.
pub(super) fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let Some(text) = given(deserializer)? else {
        return Ok(None);
    };
    let moment = DateTime::parse_from_rfc3339(&text)
        .map_err(|_| D::Error::custom("expected a time such as 2026-01-31T12:00:00Z"))?
        .to_utc();
    match is_in_range(moment.year()) {
        true => Ok(Some(moment)),
        false => Err(D::Error::custom(YEARS)),
    }
}

/// Parses RFC 3339, also without the offset, the seconds, or the time of day; an empty string means none.
fn end_of_range<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Moment>, D::Error> {
    let Some(text) = given(deserializer)? else {
        return Ok(None);
    };
    let moment = DateTime::parse_from_rfc3339(&text)
        .map(|at| Moment::Instant(at.to_utc()))
        .ok()
        .or_else(|| local(&text).map(Moment::Local));
    let year = match moment {
        Some(Moment::Instant(at)) => at.year(),
        Some(Moment::Local(local)) => local.year(),
        None => {
            return Err(D::Error::custom(
                "expected a time such as 2026-01-31T12:00:00Z, or 2026-01-31T12:00 or 2026-01-31 in the project's time zone",
            ));
        }
    };
    match is_in_range(year) {
        true => Ok(moment),
        false => Err(D::Error::custom(YEARS)),
    }
}

fn local(text: &str) -> Option<NaiveDateTime> {
    let formats = [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M",
    ];
    let mut times = formats.iter();
    times
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .or_else(|| {
            Some(
                NaiveDate::parse_from_str(text, "%Y-%m-%d")
                    .ok()?
                    .and_time(NaiveTime::MIN),
            )
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn from(text: &str, zone: &str) -> Result<String, String> {
        let range: Range = serde_json::from_value(json!({ "from": text })).map_err(|error| error.to_string())?;
        Ok(range.start(zone.parse().unwrap()).unwrap().to_rfc3339())
    }

    #[test]
    fn a_time_without_an_offset_is_local() {
        for (text, expected) in [
            ("2026-03-29T12:00:00Z", "2026-03-29T12:00:00+00:00"),
            ("2026-03-29T12:00:00-07:00", "2026-03-29T19:00:00+00:00"),
            ("2026-03-29T12:00:00.5", "2026-03-29T10:00:00.500+00:00"),
            ("2026-03-29 12:00", "2026-03-29T10:00:00+00:00"),
            ("2026-03-29", "2026-03-28T23:00:00+00:00"),
            ("2026-03-30", "2026-03-29T22:00:00+00:00"),
        ] {
            assert_eq!(from(text, "Europe/Berlin").unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for (text, expected) in [
            ("yesterday", "2026-01-31 in the project's time zone"),
            // An offset of a URL in which + was not encoded.
            ("2026-03-29T12:00:00 01:00", "expected a time such as"),
            ("1500-01-01", YEARS),
            ("9999-01-01T00:00:00Z", YEARS),
        ] {
            let error = from(text, "UTC").unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
