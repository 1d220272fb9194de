//! Requests a token for the client itself (RFC 6749, section 4.4), and explains why there is none. ID and secret are in
//! the body (section 2.3.1): Microsoft Entra accepts nothing else, and the others accept that, too. The endpoint may
//! not send the request on to another address.

use std::time::SystemTime;

use reqwest::StatusCode;
use reqwest::header::ACCEPT;
use reqwest::redirect::Policy;

use super::answer::{Refused, refused, token};
use super::config::OAuthConfig;
use super::token::Token;
use crate::sources::http::{self, NoAnswer, Patience};

const ANSWER_BYTES_MAX: usize = 1 << 20;
/// What a provider says beyond that is left out.
const REASON_CHARS_MAX: usize = 400;

/// Why there is no token, and what to do about it.
#[derive(Debug, Clone)]
pub(super) struct NoToken {
    pub reason: String,
    pub help: &'static str,
}

enum Failure {
    NoAnswer(NoAnswer),
    /// The endpoint says why.
    Refused(StatusCode, Refused),
    /// Something else answers, or the endpoint does not say why.
    Status(StatusCode),
    /// An answer without a token that can be used, and why.
    Unusable(&'static str),
}

/// Requests a token.
///
/// # Errors
/// When there is no answer, or no token in it. Never contains the secret.
pub(super) async fn request(config: &OAuthConfig, patience: Patience) -> Result<Token, NoToken> {
    let built = http::client(patience, config.ca.as_deref()).and_then(|builder| {
        let built = builder.redirect(Policy::none()).build();
        built.map_err(|error| http::innermost(&error))
    });
    let client = built.map_err(|reason| NoToken {
        reason,
        help: "check `ca` under `oauth`, and the system's certificates",
    })?;
    let answer = http::repeat(patience, Failure::is_passing, || attempt(&client, config)).await;
    answer.map_err(|failure| {
        let (reason, help) = failure.explain();
        // A provider may repeat what it was sent.
        let reason = match config.client_secret.reveal() {
            "" => reason,
            secret => {
                let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
                reason.replace(secret, "***").replace(&encoded, "***")
            }
        };
        let reason = reason.chars().take(REASON_CHARS_MAX).collect();
        NoToken { reason, help }
    })
}

async fn attempt(client: &reqwest::Client, config: &OAuthConfig) -> Result<Token, Failure> {
    let requested_at = SystemTime::now();
    let mut form = vec![
        ("grant_type", "client_credentials"),
        ("client_id", config.client_id.as_str()),
        ("client_secret", config.client_secret.reveal()),
    ];
    form.extend(config.scope.as_deref().map(|scope| ("scope", scope)));
    let request = client
        .post(&config.token_url)
        .header(ACCEPT, "application/json")
        .form(&form);
    let answer = http::answer(request, ANSWER_BYTES_MAX).await;
    let (status, body) = answer.map_err(Failure::NoAnswer)?;
    match status {
        StatusCode::OK => token(&body, &config.client_id, requested_at).map_err(Failure::Unusable),
        status => Err(match refused(&body) {
            Some(refused) => Failure::Refused(status, refused),
            None => Failure::Status(status),
        }),
    }
}

impl Failure {
    /// Whether the same request may succeed in a moment.
    fn is_passing(&self) -> bool {
        match self {
            Self::NoAnswer(reason) => reason.is_passing(),
            Self::Refused(status, _) | Self::Status(status) => http::is_passing(*status),
            Self::Unusable(_) => false,
        }
    }

    /// What is wrong, and how to fix it. A cluster recognizes by `does not answer` what may pass.
    fn explain(&self) -> (String, &'static str) {
        const URL: &str = "check `token_url` under `oauth`: it is `token_endpoint` in the OpenID configuration of the \
                           identity provider";
        const CLIENT: &str = "check `client_id` and `client_secret` under `oauth`, and that the secret has not expired";
        match self {
            Self::NoAnswer(NoAnswer::Silent(reason)) => (
                format!("it does not answer ({reason})"),
                "check that it is running there, and check `token_url` under `oauth`",
            ),
            Self::NoAnswer(NoAnswer::Certificate(reason)) => (
                format!("its certificate is rejected ({reason})"),
                "set `ca` under `oauth` to a PEM file with the authority's certificate, and in `token_url` use the \
                 name in the endpoint's certificate",
            ),
            Self::NoAnswer(NoAnswer::TooLong(most)) => (format!("its answer is longer than {} MiB", most >> 20), URL),
            Self::Refused(status, _) | Self::Status(status) if self.is_passing() => (
                format!("it does not answer requests ({status})"),
                "check the log of the identity provider",
            ),
            Self::Refused(_, refused) => match refused.error.as_str() {
                "invalid_client" | "unauthorized_client" => {
                    (format!("it rejects the client ({})", refused.told()), CLIENT)
                }
                "invalid_scope" => (
                    format!("it rejects the scope ({})", refused.told()),
                    "check `scope` under `oauth`",
                ),
                _ => (
                    format!("it refuses a token ({})", refused.told()),
                    "check `token_url`, `client_id` and `scope` under `oauth`",
                ),
            },
            Self::Status(StatusCode::UNAUTHORIZED) => ("it rejects the client (401)".to_owned(), CLIENT),
            Self::Status(status) => (format!("it answers {status}"), URL),
            Self::Unusable(reason) => ((*reason).to_owned(), URL),
        }
    }
}
