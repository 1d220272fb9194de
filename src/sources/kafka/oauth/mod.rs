//! Logs clients in with tokens (SASL OAUTHBEARER, KIP-255) that a token endpoint issues for a client ID and a secret
//! (OpenID Connect, KIP-768).
//!
//! - `settings`: `oauth` in `pipelines.yaml`; `config`: validated.
//! - [`Tokens`] (`tokens`): the token of a source, shared by all of its clients and renewed while they live.
//! - `endpoint`: requests a token, and explains why there is none; `answer`: what the endpoint answers.
//! - `token`: a token, its expiry and the name in it.
//!
//! No client is asked for its token by a callback. librdkafka would make it while the application polls, but a client
//! that waits for the next batch is not polled, `reader` takes messages without the crate's events, and the crate
//! leaves out the extensions that Confluent Cloud needs. So a client gets a token before its first request, and each
//! later one as soon as there is one.

mod answer;
mod config;
mod endpoint;
mod settings;
#[cfg(test)]
mod tests;
mod token;
mod tokens;

pub(super) use settings::RawOAuth;
pub(super) use tokens::TokenUser;
pub use tokens::Tokens;
