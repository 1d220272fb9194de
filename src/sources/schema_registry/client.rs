//! Requests to a registry, and their errors in our words. How requests are limited and repeated is `sources/http.rs`.

use std::sync::OnceLock;

use reqwest::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::RegistryConfig;
use crate::settings::Secret;
use crate::sources::SourceError;
use crate::sources::http::{self, NoAnswer, Patience};

const ANSWER_BYTES_MAX: usize = 16 << 20;
/// The API's code for a schema that is not there.
const SCHEMA_NOT_FOUND: i64 = 40_403;

/// A client of a registry.
pub(super) struct Client {
    config: RegistryConfig,
    patience: Patience,
    http: OnceLock<reqwest::Client>,
}

/// Why there is no schema.
enum Failure {
    NoAnswer(NoAnswer),
    Status(StatusCode),
    NotARegistry,
}

/// An answer that says what is wrong.
#[derive(Deserialize)]
struct Problem {
    error_code: i64,
}

impl Client {
    /// Connects on the first request.
    pub fn new(config: RegistryConfig) -> Self {
        Self::with(config, Patience::default())
    }

    pub fn with(config: RegistryConfig, patience: Patience) -> Self {
        Self {
            config,
            patience,
            http: OnceLock::new(),
        }
    }

    pub fn url(&self) -> &str {
        &self.config.url
    }

    /// The answer for a path; `None` if the registry does not have what it names.
    ///
    /// # Errors
    /// When the registry does not answer, or refuses to.
    pub async fn get(&self, path: &str) -> Result<Option<Vec<u8>>, SourceError> {
        let http = self.http()?;
        let answer = http::repeat(self.patience, Failure::is_passing, || self.attempt(http, path)).await;
        answer.map_err(|failure| self.error(&failure))
    }

    /// Parses an answer.
    ///
    /// # Errors
    /// When it is not what a registry returns.
    pub fn parsed<T: DeserializeOwned>(&self, answer: &[u8]) -> Result<T, SourceError> {
        serde_json::from_slice(answer).map_err(|_| self.error(&Failure::NotARegistry))
    }

    async fn attempt(&self, http: &reqwest::Client, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        let mut request = http.get(format!("{}{path}", self.config.url));
        if let Some(username) = &self.config.username {
            let password = self.config.password.as_ref().map(Secret::reveal);
            request = request.basic_auth(username.reveal(), password);
        }
        let (status, answer) = http::answer(request, ANSWER_BYTES_MAX)
            .await
            .map_err(Failure::NoAnswer)?;
        match status {
            StatusCode::OK => Ok(Some(answer)),
            StatusCode::NOT_FOUND if is_unknown(&answer) => Ok(None),
            status => Err(Failure::Status(status)),
        }
    }

    fn http(&self) -> Result<&reqwest::Client, SourceError> {
        if let Some(http) = self.http.get() {
            return Ok(http);
        }
        let built = http::client(self.patience, self.config.ca.as_deref())
            .and_then(|builder| builder.build().map_err(|error| http::innermost(&error)));
        let http = built.map_err(|reason| {
            let help = "check `ca` under `schema_registry`, and the system's certificates";
            self.unreachable(reason, help)
        })?;
        Ok(self.http.get_or_init(|| http))
    }

    fn error(&self, failure: &Failure) -> SourceError {
        let (reason, help) = failure.explain();
        self.unreachable(reason, help)
    }

    fn unreachable(&self, reason: String, help: &str) -> SourceError {
        SourceError::Unreachable {
            what: format!("the schema registry at {}", self.config.url),
            reason,
            help: help.to_owned(),
        }
    }
}

impl Failure {
    /// Whether the same request may succeed in a moment.
    fn is_passing(&self) -> bool {
        match self {
            Self::NoAnswer(reason) => reason.is_passing(),
            Self::Status(status) => http::is_passing(*status),
            Self::NotARegistry => false,
        }
    }

    /// What is wrong, and how to fix it. A cluster recognizes by `does not answer` what may pass.
    fn explain(&self) -> (String, &'static str) {
        const URL: &str = "check `url` under `schema_registry`; Apicurio's ends with /apis/ccompat/v7";
        match self {
            Self::NoAnswer(NoAnswer::Silent(reason)) => (
                format!("it does not answer ({reason})"),
                "check that it runs there, and `url` under `schema_registry`",
            ),
            Self::NoAnswer(NoAnswer::Certificate(reason)) => (
                format!("its certificate is rejected ({reason})"),
                "set `ca` under `schema_registry` to a PEM file with the authority's certificate, and in `url` use the \
                 name in the registry's certificate",
            ),
            Self::Status(StatusCode::UNAUTHORIZED) => (
                "it rejects the user name or the password (401)".to_owned(),
                "check `username` and `password` under `schema_registry`",
            ),
            Self::Status(StatusCode::FORBIDDEN) => (
                "this user may not read schemas (403)".to_owned(),
                "grant the `username` under `schema_registry` the permission to read schemas",
            ),
            Self::Status(status) if self.is_passing() => (
                format!("it does not answer requests ({status})"),
                "look into the registry's log",
            ),
            Self::Status(status) => (format!("it answers {status}"), URL),
            Self::NoAnswer(NoAnswer::TooLong(most)) => (format!("its answer is longer than {} MiB", most >> 20), URL),
            Self::NotARegistry => ("its answer is not that of a schema registry".to_owned(), URL),
        }
    }
}

fn is_unknown(answer: &[u8]) -> bool {
    let problem = serde_json::from_slice::<Problem>(answer);
    problem.is_ok_and(|problem| problem.error_code == SCHEMA_NOT_FOUND)
}
