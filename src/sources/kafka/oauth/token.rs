//! A token: when it expires, when the next one is due, and the name in it.

use std::time::{Duration, SystemTime};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde::Deserialize;

use crate::settings::Secret;

/// A longer life is not counted on.
const LIFETIME_MAX: Duration = Duration::from_secs(24 * 3600);
/// The share of its life after which a token is replaced, as in librdkafka and Kafka's own clients. A connection logs
/// in again after 90% of what was left of it at the login.
const RENEWED_AFTER: f64 = 0.8;

/// An access token. Neither `Debug` nor an error shows it.
#[derive(Debug)]
pub(in crate::sources::kafka) struct Token {
    pub value: Secret,
    /// Whose token it is; only a name for librdkafka's log.
    pub principal: String,
    pub expires_at: SystemTime,
    renewed_at: SystemTime,
}

impl Token {
    /// A token that was requested at that moment; `None` if it does not live.
    pub fn new(value: String, principal: String, requested_at: SystemTime, lifetime: Duration) -> Option<Self> {
        let lifetime = lifetime.min(LIFETIME_MAX);
        Some(Self {
            value: Secret::new(value),
            principal,
            expires_at: requested_at.checked_add(lifetime).filter(|_| !lifetime.is_zero())?,
            renewed_at: requested_at.checked_add(lifetime.mul_f64(RENEWED_AFTER))?,
        })
    }

    /// How long the next token is not yet due.
    pub fn rests(&self) -> Duration {
        until(self.renewed_at)
    }

    /// How long brokers accept it.
    pub fn lives(&self) -> Duration {
        until(self.expires_at)
    }
}

/// Zero if it is over.
fn until(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::now()).unwrap_or_default()
}

/// What is read in a token if it is a JSON Web Token. Only the broker checks its signature.
#[derive(Debug, Default, PartialEq, Deserialize)]
pub(super) struct Claims {
    sub: Option<String>,
    client_id: Option<String>,
    /// Seconds since 1970.
    exp: Option<f64>,
}

impl Claims {
    /// Nothing if the token is of another kind.
    pub fn of(token: &str) -> Self {
        let mut parts = token.split('.').skip(1);
        let (Some(payload), Some(_signature), None) = (parts.next(), parts.next(), parts.next()) else {
            return Self::default();
        };
        let decoded = BASE64_URL_SAFE_NO_PAD.decode(payload.trim_end_matches('='));
        let claims = decoded.ok().and_then(|json| serde_json::from_slice(&json).ok());
        claims.unwrap_or_default()
    }

    /// Whose token it is.
    pub fn principal(&self) -> Option<&str> {
        self.sub.as_deref().or(self.client_id.as_deref())
    }

    /// How long the token lives from that moment on, if it says so.
    pub fn lifetime(&self, from: SystemTime) -> Option<Duration> {
        let expires = Duration::try_from_secs_f64(self.exp?).ok()?;
        let from = from.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Some(expires.saturating_sub(from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(payload: &str) -> String {
        format!("e30.{}.c2lnbmVk", BASE64_URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn a_token_says_who_it_stands_for_and_until_when() {
        let claims = Claims::of(&jwt(r#"{"sub":"shop","client_id":"c","exp":1000.5,"aud":["a"]}"#));
        assert_eq!(claims.principal(), Some("shop"));
        let from = SystemTime::UNIX_EPOCH + Duration::from_secs(400);
        assert_eq!(claims.lifetime(from), Some(Duration::from_millis(600_500)));
        let later = SystemTime::UNIX_EPOCH + Duration::from_secs(2_000);
        assert_eq!(claims.lifetime(later), Some(Duration::ZERO));
        assert_eq!(Claims::of(&jwt(r#"{"client_id":"c"}"#)).principal(), Some("c"));
    }

    #[test]
    fn what_is_no_web_token_says_nothing() {
        for token in ["opaque", "a.b", "a.b.c.d", "a.%%.c", &jwt("[]"), &jwt("{}")] {
            assert_eq!(Claims::of(token), Claims::default(), "{token}");
        }
        let claims = Claims::of(&jwt(r#"{"exp":-1}"#));
        assert_eq!(claims.lifetime(SystemTime::now()), None);
    }

    #[test]
    fn a_token_is_replaced_before_it_expires() {
        let now = SystemTime::now();
        let of = |seconds| Token::new("t".to_owned(), "p".to_owned(), now, Duration::from_secs(seconds));
        let token = of(100).unwrap();
        assert_eq!(token.expires_at.duration_since(now).unwrap(), Duration::from_secs(100));
        assert_eq!(token.renewed_at.duration_since(now).unwrap(), Duration::from_secs(80));
        assert!(of(0).is_none(), "it has expired");
        let for_ever = of(u64::MAX).unwrap();
        assert_eq!(for_ever.expires_at.duration_since(now).unwrap(), LIFETIME_MAX);
        assert!(!format!("{token:?}").contains("\"t\""), "{token:?}");
    }
}
