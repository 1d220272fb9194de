//! What a token endpoint answers (RFC 6749, sections 5.1 and 5.2).

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::Value;

use super::token::{Claims, Token};

#[derive(Deserialize)]
struct Granted {
    access_token: Option<String>,
    /// Seconds. Some providers write them as a text.
    expires_in: Option<Value>,
}

/// Why the endpoint refuses a token, in its own words.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct Refused {
    /// A word such as `invalid_client`.
    pub error: String,
    error_description: Option<String>,
}

/// The token in an answer.
///
/// # Errors
/// Why there is none.
pub(super) fn token(answer: &[u8], client_id: &str, requested_at: SystemTime) -> Result<Token, &'static str> {
    let granted: Granted = serde_json::from_slice(answer).map_err(|_| "its answer is not a token response")?;
    let value = granted.access_token.filter(|value| !value.is_empty());
    let value = value.ok_or("its answer contains no `access_token`")?;
    if !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("its token contains characters that tokens cannot have");
    }
    let claims = Claims::of(&value);
    let lifetime = granted.expires_in.as_ref().and_then(seconds);
    let lifetime = lifetime.or_else(|| claims.lifetime(requested_at));
    let lifetime =
        lifetime.ok_or("it does not say when its token expires: neither `expires_in` nor `exp` in the token")?;
    // Such a name would end a text of librdkafka's.
    let principal = claims.principal().unwrap_or(client_id).replace('\0', "");
    Token::new(value, principal, requested_at, lifetime)
        .ok_or("its token has expired already; check this machine's clock")
}

fn seconds(written: &Value) -> Option<Duration> {
    let seconds = match written {
        Value::String(text) => text.trim().parse().ok(),
        number => number.as_f64(),
    };
    Duration::try_from_secs_f64(seconds?).ok()
}

/// Why the endpoint refuses a token, if it says so.
pub(super) fn refused(answer: &[u8]) -> Option<Refused> {
    serde_json::from_slice(answer).ok()
}

impl Refused {
    /// The word, and what the provider says of it.
    pub fn told(&self) -> String {
        let description = self.error_description.as_deref().unwrap_or_default();
        let told = match description.is_empty() {
            true => self.error.clone(),
            false => format!("{}: {description}", self.error),
        };
        told.replace(char::is_control, " ")
    }
}
