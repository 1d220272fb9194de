//! Values of `pipelines.yaml`: their positions, variables, secrets and problems.
//!
//! - `values`: reads values as written, and collects the problems.
//! - `environment`, `interpolate`: replace `${NAME}` in values after parsing, so that a value can never change the
//!   structure.
//! - `yaml`: writes texts as such values.
//! - [`Secret`], [`redact`], `credential`: keep credentials out of the file and out of all output.

mod credential;
mod environment;
mod interpolate;
mod missing;
mod redact;
mod secret;
mod values;
mod yaml;

pub use credential::{as_secret, is_credential, is_literal};
pub use environment::{Environment, VariableResolver};
pub use interpolate::interpolate;
pub use missing::Missing;
pub use redact::redact;
pub use secret::Secret;
pub use values::{Problem, Text, normal};
pub(crate) use values::{RawOption, Values};
pub use yaml::{yaml_quoted, yaml_value};
