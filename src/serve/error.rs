//! Why the server does not start ([`ServeError`]), and why a request has no answer ([`ApiError`], with its HTTP
//! status).

use std::net::SocketAddr;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use datafusion::error::DataFusionError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::pipeline::PipelineError;
use crate::recommender::RecommenderError;

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Anyone could read the lake.
    #[error(
        "{address} is reachable from other machines, but no token is set\n  help: set CLICKREC_TOKEN in the environment to a \
         long random text (openssl rand -hex 32), which clients send as `Authorization: Bearer …`; or stay on 127.0.0.1"
    )]
    NoToken {
        /// The requested listen address.
        address: SocketAddr,
    },
    /// An error of the lake or the project.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
}

/// What clients get instead of an answer.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct ErrorBody {
    error: Told,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Told {
    /// A code for programs.
    #[schema(example = "not_found")]
    code: String,
    /// A message for people.
    message: String,
    /// How to fix the problem, if known.
    help: Option<String>,
}

/// Why a request failed. What clients see contains no paths and no configuration; the log has the rest.
#[derive(Debug)]
pub(super) enum ApiError {
    /// The request is invalid.
    BadRequest(String),
    /// The session, item or page does not exist.
    NotFound(String),
    /// The body is larger than allowed.
    TooLarge,
    /// The lake is empty.
    EmptyLake,
    /// The project lacks what the request needs, such as a table: what, and how to declare it.
    NotDeclared(String, &'static str),
    /// Rejected because of its token, Host or Origin.
    Refused(StatusCode, &'static str, &'static str),
    /// The statement is wrong or not allowed here; what to do instead, if known.
    Sql(String, Option<&'static str>),
    /// The server is overloaded.
    Overloaded,
    /// The request timed out.
    TooLong,
    /// An internal error.
    Internal(String),
}

impl ApiError {
    /// An error of a query over the tables written by the project's SQL.
    pub fn query(what: &str, error: &DataFusionError) -> Self {
        match error.find_root() {
            // The project's SQL lacks columns that the page needs; their names are not secret.
            DataFusionError::SchemaError(..) | DataFusionError::Plan(_) => {
                Self::Internal(format!("{what}: {}", first_line(&error.find_root().to_string())))
            }
            DataFusionError::ResourcesExhausted(_) => Self::Overloaded,
            _ => {
                tracing::error!(what, %error, "a query failed");
                Self::Internal(format!("cannot read {what}; the server's log has the reason"))
            }
        }
    }

    /// An error of the recommender, and what the request was for.
    pub fn recommender(what: &str, error: RecommenderError) -> Self {
        match error {
            RecommenderError::NoStep { name } => Self::NotDeclared(
                format!("the project has no step `{name}`, which recommendations need"),
                "name the step under `recommender` in pipelines.yaml",
            ),
            RecommenderError::NoSimilar => Self::NotDeclared(
                "the project declares no SQL for similar items".to_owned(),
                "write `similar: FILE.sql` under `recommender` in pipelines.yaml",
            ),
            RecommenderError::UnknownItem { .. } => Self::NotFound("the model does not know this item".to_owned()),
            other => Self::query(what, &other.into_query()),
        }
    }

    /// An error of a client's own statement; its message is returned if the statement is to blame.
    pub fn statement(error: &DataFusionError) -> Self {
        match error.find_root() {
            DataFusionError::ResourcesExhausted(_) => Self::Sql(
                "the statement needs more memory than the server allows".to_owned(),
                Some("read fewer rows or columns, or use `clickrec sql`"),
            ),
            DataFusionError::SQL(..)
            | DataFusionError::Plan(_)
            | DataFusionError::SchemaError(..)
            | DataFusionError::NotImplemented(_)
            | DataFusionError::Execution(_)
            | DataFusionError::ArrowError(..) => Self::Sql(first_line(&error.find_root().to_string()).to_owned(), None),
            _ => {
                tracing::error!(%error, "a client's statement failed");
                Self::Sql("the statement failed; the server's log has the reason".to_owned(), None)
            }
        }
    }

    fn parts(self) -> (StatusCode, &'static str, String, Option<&'static str>) {
        match self {
            Self::BadRequest(message) => (StatusCode::BAD_REQUEST, "bad_request", message, None),
            Self::NotFound(message) => (StatusCode::NOT_FOUND, "not_found", message, None),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                "the request is larger than the server accepts".to_owned(),
                None,
            ),
            Self::EmptyLake => (
                StatusCode::SERVICE_UNAVAILABLE,
                "empty_lake",
                "the lake has no events yet".to_owned(),
                Some("run `clickrec run`"),
            ),
            Self::NotDeclared(message, help) => (StatusCode::NOT_FOUND, "not_declared", message, Some(help)),
            Self::Refused(status, message, help) => (status, "refused", message.to_owned(), Some(help)),
            Self::Sql(message, help) => (StatusCode::BAD_REQUEST, "sql", message, help),
            Self::Overloaded => (
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
                "the server is overloaded".to_owned(),
                Some("try again in a moment"),
            ),
            Self::TooLong => (
                StatusCode::SERVICE_UNAVAILABLE,
                "too_long",
                "the response took too long".to_owned(),
                Some("request less data"),
            ),
            Self::Internal(message) => (StatusCode::INTERNAL_SERVER_ERROR, "internal", message, None),
        }
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code, message, help) = self.parts();
        let body = ErrorBody {
            error: Told {
                code: code.to_owned(),
                message,
                help: help.map(str::to_owned),
            },
        };
        let mut response = (status, Json(body)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = axum::http::HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(axum::http::header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
