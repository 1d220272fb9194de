//! What describes Avro values, as written in `pipelines.yaml`: a registry, or one schema in a file.

use std::sync::Arc;

use clickrec_udfs::{AvroSchemas, check_avro_schema};
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::{Registry, RegistryConfig};
use crate::settings::{Text, Values};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRegistry {
    /// Its address, perhaps with a path: `https://registry.example.com`.
    #[schemars(with = "String")]
    pub url: Text,
    /// User name or API key: `"${REGISTRY_API_KEY}"`.
    #[schemars(with = "Option<String>")]
    pub username: Option<Text>,
    /// Password or API secret: `"${REGISTRY_API_SECRET}"`.
    #[schemars(with = "Option<String>")]
    pub password: Option<Text>,
    /// A PEM file of the certificate authorities to trust, in addition to the system's.
    #[schemars(with = "Option<String>")]
    pub ca: Option<Text>,
}

/// The schemas of a source with these settings; `None` if it has none, or a problem prevents that.
pub(crate) fn schemas(registry: Option<&RawRegistry>, file: Option<&Text>, values: &mut Values) -> Option<AvroSchemas> {
    match (registry, file) {
        (Some(_), Some(file)) => {
            let help = "values either begin with the ID of a schema in the registry, or all have the schema of the \
                        file: keep one of them";
            values.problem(
                file.referenced,
                "`schema_registry` and `schema` cannot both be set",
                Some(help.to_owned()),
            );
            None
        }
        (Some(registry), None) => {
            let registry = Registry::new(registry.config(values)?);
            Some(AvroSchemas::Registry(Arc::new(registry)))
        }
        (None, Some(file)) => of_file(file, values).map(AvroSchemas::One),
        (None, None) => None,
    }
}

impl RawRegistry {
    fn config(&self, values: &mut Values) -> Option<RegistryConfig> {
        let url = values.text(&self.url);
        let username = values.secret(self.username.as_ref());
        let password = values.credential(self.password.as_ref());
        if let (None, Some(password)) = (&self.username, &self.password) {
            let help = "set `username`, too".to_owned();
            values.problem(password.referenced, "`password` has no `username`", Some(help));
        }
        let ca = self.ca.as_ref().and_then(|ca| values.path(ca));
        // The message does not repeat the URL, which may contain a password.
        if let Err((message, help)) = url.as_deref().map_or(Ok(()), check_url) {
            values.problem(self.url.referenced, message, Some(help.to_owned()));
            return None;
        }
        Some(RegistryConfig {
            url: url?.trim_end_matches('/').to_owned(),
            username,
            password,
            ca,
        })
    }
}

/// A problem of an address, and its solution.
fn check_url(url: &str) -> Result<(), (&'static str, &'static str)> {
    let known = Url::parse(url).ok();
    let Some(url) = known.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) else {
        return Err((
            "`url` is not the address of a registry",
            "write it as https://HOST:PORT, or http://HOST:PORT; a path may follow",
        ));
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err((
            "`url` contains a user name or a password",
            "write them as `username` and `password`, and set those in the environment",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err((
            "`url` contains more than an address and a path",
            "leave out what begins with `?` or `#`",
        ));
    }
    Ok(())
}

/// The schema in a file.
fn of_file(file: &Text, values: &mut Values) -> Option<Arc<str>> {
    let path = values.path(file)?;
    let problem = match std::fs::read_to_string(&path) {
        Ok(schema) => match check_avro_schema(&schema) {
            Ok(()) => return Some(schema.into()),
            Err(error) => format!("{path} has no Avro schema that can be used: {error}"),
        },
        Err(error) => format!("the schema in {path} cannot be read: {error}"),
    };
    let help = "`schema` names a file with the Avro schema of a record, as JSON".to_owned();
    values.problem(file.referenced, problem, Some(help));
    None
}
