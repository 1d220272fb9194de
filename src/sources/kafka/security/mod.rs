//! Encryption and authentication: who the brokers are, and who clickrec is to them.
//!
//! - `settings`: `security` in `pipelines.yaml`, validated; [`Security`] (`config`): the result, as librdkafka has it.
//! - `mechanism`: the protocols and SASL mechanisms that there are, and those that are not built in.
//! - `options`: librdkafka's own names of these settings, which `options` may not set.

mod config;
mod mechanism;
mod options;
mod settings;
#[cfg(test)]
mod tests;

pub(super) use config::OAUTHBEARER;
pub use config::Security;
pub(super) use options::instead_of;
pub(super) use settings::RawSecurity;
