//! A response whose body is JSON already.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

/// A response with a body that is already JSON.
pub(super) fn json(body: impl Into<Bytes>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body.into()).into_response()
}
