//! What describes values, as written in `pipelines.yaml`: a registry, or one schema in a file.

use std::path::Path;
use std::sync::Arc;

use clickrec_udfs::{ProtobufSchema, Schema, ValueSchemas};
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::{Registry, RegistryConfig};
use crate::settings::{Text, Values};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRegistry {
    /// Its address, perhaps with a path: `https://registry.example.com`; or several of them, separated by commas.
    #[schemars(with = "String")]
    pub url: Text,
    /// User name or API key: `"${REGISTRY_API_KEY}"`.
    #[schemars(with = "Option<String>")]
    pub username: Option<Text>,
    /// Password or API secret: `"${REGISTRY_API_SECRET}"`.
    #[schemars(with = "Option<String>")]
    pub password: Option<Text>,
    /// A bearer token, instead of a user name: `"${REGISTRY_TOKEN}"`.
    #[schemars(with = "Option<String>")]
    pub token: Option<Text>,
    /// A PEM file of the certificate authorities to trust, in addition to the system's.
    #[schemars(with = "Option<String>")]
    pub ca: Option<Text>,
}

/// The schemas of a source with these settings; `None` if it has none, or a problem prevents that.
pub(crate) fn schemas(
    registry: Option<&RawRegistry>,
    file: Option<&Text>,
    message: Option<&Text>,
    values: &mut Values,
) -> Option<ValueSchemas> {
    if let (None, Some(message)) = (file, message) {
        let help = "`message` names a message of the `.proto` file in `schema`; a registry needs none".to_owned();
        values.problem(message.referenced, "`message` has no `schema`", Some(help));
        return None;
    }
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
            Some(ValueSchemas::Registry(Arc::new(registry)))
        }
        (None, Some(file)) => of_file(file, message, values).map(ValueSchemas::One),
        (None, None) => None,
    }
}

impl RawRegistry {
    /// Its credentials, by the names of their keys.
    pub(crate) fn credentials(&self) -> impl Iterator<Item = (&'static str, &Text)> {
        let named = [("password", &self.password), ("token", &self.token)];
        named
            .into_iter()
            .filter_map(|(name, text)| Some((name, text.as_ref()?)))
    }

    fn config(&self, values: &mut Values) -> Option<RegistryConfig> {
        let written = values.text(&self.url);
        let username = values.secret(self.username.as_ref());
        let password = values.credential(self.password.as_ref());
        let token = values.credential(self.token.as_ref());
        if let (None, Some(password)) = (&self.username, &self.password) {
            let help = "set `username`, too".to_owned();
            values.problem(password.referenced, "`password` has no `username`", Some(help));
        }
        if let (Some(_), Some(token)) = (&self.username, &self.token) {
            let help =
                "a registry knows its users by a name and a password, or by a token: keep one of them".to_owned();
            values.problem(
                token.referenced,
                "`username` and `token` cannot both be set",
                Some(help),
            );
        }
        let ca = self.ca.as_ref().and_then(|ca| values.path(ca));
        let written = written?;
        let urls: Vec<&str> = written.split(',').map(str::trim).collect();
        // The message does not repeat the URL, which may contain a password.
        if let Err((message, help)) = urls.iter().try_for_each(|url| check_url(url)) {
            values.problem(self.url.referenced, message, Some(help.to_owned()));
            return None;
        }
        Some(RegistryConfig {
            urls: urls.iter().map(|url| url.trim_end_matches('/').to_owned()).collect(),
            username,
            password,
            token,
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
            "write it as https://HOST:PORT, or http://HOST:PORT; a path may follow. Commas separate several addresses",
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

/// The schema in a file: a message of a Protobuf file, or else an Avro record.
fn of_file(file: &Text, message: Option<&Text>, values: &mut Values) -> Option<Schema> {
    let path = values.path(file)?;
    let found = match message {
        Some(message) => {
            let message = values.text(message)?;
            let schema = ProtobufSchema::of_file(Path::new(&path), values.root(), &message);
            schema
                .map(Schema::Protobuf)
                .map_err(|error| format!("{path} has no Protobuf schema that can be used: {error}"))
        }
        None if is_protobuf(&path) => Err(format!("{path} may have several messages")),
        None => match std::fs::read_to_string(&path) {
            Ok(text) => {
                let schema = Schema::avro(&text);
                schema.map_err(|error| format!("{path} has no Avro schema that can be used: {error}"))
            }
            Err(error) => Err(format!("the schema in {path} cannot be read: {error}")),
        },
    };
    found
        .map_err(|problem| {
            let help = "`schema` names a file with the Avro schema of a record, as JSON; or a `.proto` file, or its \
                        compiled form (`.desc`, `.pb`), of which `message` names a message with its package: \
                        shop.Click";
            values.problem(file.referenced, problem, Some(help.to_owned()));
        })
        .ok()
}

fn is_protobuf(path: &str) -> bool {
    let extension = Path::new(path).extension();
    extension.is_some_and(|extension| ["proto", "desc", "pb"].iter().any(|known| extension == *known))
}
