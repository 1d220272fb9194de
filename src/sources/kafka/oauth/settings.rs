//! A token endpoint as written in `pipelines.yaml`.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::Tokens;
use super::config::OAuthConfig;
use crate::settings::{Text, Values};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawOAuth {
    /// The address of the token endpoint: `https://login.example.com/oauth2/token`.
    #[schemars(with = "String")]
    pub token_url: Text,
    /// The client's ID: `"${KAFKA_CLIENT_ID}"`.
    #[schemars(with = "String")]
    pub client_id: Text,
    /// The client's secret: `"${KAFKA_CLIENT_SECRET}"`.
    #[schemars(with = "String")]
    pub client_secret: Text,
    /// The scope to request; Microsoft Entra needs one.
    #[schemars(with = "Option<String>")]
    pub scope: Option<Text>,
    /// A PEM file of the certificate authorities to trust for the token endpoint, in addition to the system's.
    #[schemars(with = "Option<String>")]
    pub ca: Option<Text>,
    /// What the broker gets together with the token. Confluent Cloud needs `logicalCluster` and `identityPoolId`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub extensions: BTreeMap<String, Text>,
}

impl RawOAuth {
    /// The tokens of this endpoint; `None` if a problem prevents that.
    pub fn tokens(&self, values: &mut Values) -> Option<Arc<Tokens>> {
        let token_url = values.text(&self.token_url);
        let client_id = values.text(&self.client_id);
        let client_secret = values.credential(Some(&self.client_secret));
        let scope = values.optional(self.scope.as_ref());
        let ca = self.ca.as_ref().and_then(|ca| values.path(ca));
        let extensions = self.extensions(values);
        // The message does not repeat the URL, which may contain a password.
        if let Err((message, help)) = token_url.as_deref().map_or(Ok(()), check_url) {
            values.problem(self.token_url.referenced, message, Some(help.to_owned()));
            return None;
        }
        Some(Arc::new(Tokens::new(OAuthConfig {
            token_url: token_url?,
            client_id: client_id?,
            client_secret: client_secret?,
            scope,
            ca,
            extensions,
        })))
    }

    fn extensions(&self, values: &mut Values) -> Vec<(String, String)> {
        let mut extensions = vec![];
        for (name, text) in &self.extensions {
            let Some(value) = values.text(text) else { continue };
            match check_extension(name, &value) {
                Ok(()) => extensions.push((name.clone(), value)),
                Err(problem) => {
                    let help =
                        "an extension is a name of letters, and a value of printable ASCII characters".to_owned();
                    values.problem(text.referenced, format!("the extension `{name}` {problem}"), Some(help));
                }
            }
        }
        extensions
    }
}

/// A problem of an address, and its solution.
fn check_url(url: &str) -> Result<(), (&'static str, &'static str)> {
    let known = Url::parse(url).ok();
    let Some(url) = known.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) else {
        return Err((
            "`token_url` is not the address of a token endpoint",
            "write it as https://HOST/PATH, as the identity provider shows it (`token_endpoint` of its OpenID \
             configuration)",
        ));
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err((
            "`token_url` contains a user name or a password",
            "write them as `client_id` and `client_secret`, and set those in the environment",
        ));
    }
    Ok(())
}

/// RFC 7628, section 3.1; `auth` is the token itself.
///
/// # Errors
/// What is wrong with the extension.
fn check_extension(name: &str, value: &str) -> Result<(), &'static str> {
    if name == "auth" {
        return Err("is the token itself, which clickrec sends");
    }
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Err("has a name that does not consist of letters");
    }
    match value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        true => Ok(()),
        false => Err("has a value with other characters"),
    }
}
