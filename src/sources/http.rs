//! Requests to the services that a source needs (a schema registry, a token endpoint): limited in time and size, and
//! repeated while there is no answer.

use std::error::Error;
use std::time::{Duration, Instant};

use reqwest::{Certificate, ClientBuilder, RequestBuilder, StatusCode};

/// The pause before the second attempt; it doubles with each further one, up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(2);

/// How long an answer may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Of one attempt.
    pub attempt: Duration,
    /// After this time, there is no further attempt.
    pub attempts: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempt: Duration::from_secs(5),
            attempts: Duration::from_secs(10),
        }
    }
}

/// Why there is no answer.
pub(super) enum NoAnswer {
    /// Nobody answers in time, with the library's reason.
    Silent(String),
    /// The certificate is rejected, with the library's reason.
    Certificate(String),
    /// The answer has more bytes than this.
    TooLong(usize),
}

impl NoAnswer {
    fn of(error: reqwest::Error) -> Self {
        let reason = innermost(&error);
        match reason.contains("certificate") {
            true => Self::Certificate(reason),
            false => Self::Silent(reason),
        }
    }

    /// Whether the same request may succeed in a moment.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Silent(_))
    }
}

/// Whether the same request may be answered otherwise in a moment.
pub(super) fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

/// A client that trusts the certificate authorities in a PEM file, too.
///
/// # Errors
/// What is wrong with the file.
pub(super) fn client(patience: Patience, ca: Option<&str>) -> Result<ClientBuilder, String> {
    let mut builder = reqwest::Client::builder()
        .timeout(patience.attempt)
        .user_agent("clickrec");
    if let Some(path) = ca {
        let pem = std::fs::read(path).map_err(|error| format!("{path} cannot be read: {error}"))?;
        let certificates = Certificate::from_pem_bundle(&pem).unwrap_or_default();
        if certificates.is_empty() {
            return Err(format!("{path} contains no PEM certificate"));
        }
        for certificate in certificates {
            builder = builder.add_root_certificate(certificate);
        }
    }
    Ok(builder)
}

/// The status and the body of the answer.
///
/// # Errors
/// When there is none, or it is longer than that.
pub(super) async fn answer(request: RequestBuilder, bytes_max: usize) -> Result<(StatusCode, Vec<u8>), NoAnswer> {
    let mut response = request.send().await.map_err(NoAnswer::of)?;
    let mut body = vec![];
    while let Some(piece) = response.chunk().await.map_err(NoAnswer::of)? {
        if body.len() + piece.len() > bytes_max {
            return Err(NoAnswer::TooLong(bytes_max));
        }
        body.extend_from_slice(&piece);
    }
    Ok((response.status(), body))
}

/// Makes attempts until one succeeds, fails for good, or patience is at an end.
///
/// # Errors
/// That of the last attempt.
pub(super) async fn repeat<T, E, F>(
    patience: Patience,
    is_passing: fn(&E) -> bool,
    attempt: impl Fn() -> F,
) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    let (started, mut pause) = (Instant::now(), FIRST_PAUSE);
    loop {
        let failure = match attempt().await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        if !is_passing(&failure) || started.elapsed() + pause >= patience.attempts {
            return Err(failure);
        }
        tokio::time::sleep(pause).await;
        pause = (2 * pause).min(LAST_PAUSE);
    }
}

/// What caused an error; the library's own text repeats the URL.
pub(super) fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &(dyn Error + 'static) = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
