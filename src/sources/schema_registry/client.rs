//! Requests to a registry, and their errors in our words. How requests are limited and repeated is `sources/http.rs`.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::RegistryConfig;
use crate::settings::Secret;
use crate::sources::SourceError;
use crate::sources::http::{self, NoAnswer, Patience};

const ANSWER_BYTES_MAX: usize = 16 << 20;
/// The API's codes for a subject, a version and a schema that are not there.
const NOT_FOUND: [i64; 3] = [40_401, 40_402, 40_403];

/// A client of a registry.
pub(super) struct Client {
    config: RegistryConfig,
    patience: Patience,
    http: OnceLock<reqwest::Client>,
    /// Which of the addresses answered last.
    answering: AtomicUsize,
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
            answering: AtomicUsize::new(0),
        }
    }

    pub fn config(&self) -> &RegistryConfig {
        &self.config
    }

    /// The answer for a path; `None` if the registry does not have what it names.
    ///
    /// # Errors
    /// When the registry does not answer, or refuses to.
    pub async fn get(&self, path: &str) -> Result<Option<Vec<u8>>, SourceError> {
        let http = self.http()?;
        let answer = http::repeat(self.patience, Failure::is_passing, || self.attempts(http, path)).await;
        answer.map_err(|failure| self.error(&failure))
    }

    /// Parses an answer.
    ///
    /// # Errors
    /// When it is not what a registry returns.
    pub fn parsed<T: DeserializeOwned>(&self, answer: &[u8]) -> Result<T, SourceError> {
        serde_json::from_slice(answer).map_err(|_| self.error(&Failure::NotARegistry))
    }

    /// An attempt at each address, until one answers.
    async fn attempts(&self, http: &reqwest::Client, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        let urls = &self.config.urls;
        let first = self.answering.load(Ordering::Relaxed);
        let mut last = Failure::NoAnswer(NoAnswer::Silent("no address".to_owned()));
        for place in (0..urls.len()).map(|next| (first + next) % urls.len()) {
            match self.attempt(http, &format!("{}{path}", urls[place])).await {
                Ok(answer) => {
                    self.answering.store(place, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(failure) if failure.is_passing() => last = failure,
                Err(failure) => return Err(failure),
            }
        }
        Err(last)
    }

    async fn attempt(&self, http: &reqwest::Client, address: &str) -> Result<Option<Vec<u8>>, Failure> {
        let mut request = http.get(address);
        if let Some(token) = &self.config.token {
            request = request.bearer_auth(token.reveal());
        } else if let Some(username) = &self.config.username {
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
            what: format!("the schema registry at {}", self.config.urls.join(", ")),
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
                "check that it is running there, and check `url` under `schema_registry`",
            ),
            Self::NoAnswer(NoAnswer::Certificate(reason)) => (
                format!("its certificate is rejected ({reason})"),
                "set `ca` under `schema_registry` to a PEM file with the authority's certificate, and in `url` use the \
                 name in the registry's certificate",
            ),
            Self::Status(StatusCode::UNAUTHORIZED) => (
                "it rejects the user name or the password (401)".to_owned(),
                "check `username` and `password`, or `token`, under `schema_registry`",
            ),
            Self::Status(StatusCode::FORBIDDEN) => (
                "this user may not read schemas (403)".to_owned(),
                "grant the `username` or `token` under `schema_registry` the permission to read schemas",
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
    problem.is_ok_and(|problem| NOT_FOUND.contains(&problem.error_code))
}
