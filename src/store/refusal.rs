//! Explains why a store refuses a request: an expired SAS token, a missing permission; and how to fix it.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use object_store::Error;
use object_store::path::Path;
use url::form_urlencoded;

use super::Permission;
use crate::config::Secret;

/// What stores say when they reject the credentials. An error while listing has no type of its own.
const REFUSALS: [&str; 5] = [
    "401 Unauthorized",
    "403 Forbidden",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
];
const RENEWAL: &str = "replace the credentials; a running clickrec reloads them from the file in NAME_FILE, the \
                       command in NAME_COMMAND, or .env";
const WAIT: &str = "check this machine's clock, or wait until then";
const GRANT: &str = "ask the store's administrator for this permission, or use another token";

/// Whether the store rejected the credentials.
pub(super) fn is_refusal(error: &Error) -> bool {
    match error {
        Error::Unauthenticated { .. } | Error::PermissionDenied { .. } => true,
        Error::Generic { source, .. } => {
            let text = source.to_string();
            REFUSALS.iter().any(|refusal| text.contains(refusal))
        }
        _ => false,
    }
}

/// A refusal that names what is missing and how to fix it.
#[derive(Debug)]
struct Refusal {
    why: String,
    help: &'static str,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  help: {}", self.why, self.help)
    }
}

impl std::error::Error for Refusal {}

/// Explains a refusal, as far as the settings allow.
pub(super) fn explained(
    error: Error,
    permission: Permission,
    path: &Path,
    settings: &BTreeMap<String, Secret>,
) -> Error {
    let said = error.to_string();
    let token = Token::of(settings);
    let (why, help) = match token {
        Some(Token {
            expires: Some(expires), ..
        }) if expires <= Utc::now() => (
            format!("the SAS token expired at {}", expires.format("%Y-%m-%d %H:%M:%S UTC")),
            RENEWAL,
        ),
        Some(Token {
            starts: Some(starts), ..
        }) if starts > Utc::now() => (
            format!(
                "the SAS token is not valid before {}",
                starts.format("%Y-%m-%d %H:%M:%S UTC")
            ),
            WAIT,
        ),
        Some(Token { permissions, .. }) if !permission.is_in(&permissions) => (
            format!("the SAS token lacks the permission `{permission}` (it has sp={permissions})"),
            GRANT,
        ),
        _ => {
            let words = words(&said);
            match words {
                _ if words.contains("ExpiredToken") || words.contains("token has expired") => {
                    (format!("the credentials have expired ({words})"), RENEWAL)
                }
                "AccessDenied" | "AuthorizationPermissionMismatch" | "AllAccessDisabled" => (
                    format!("the credentials lack the permission `{permission}` ({words})"),
                    GRANT,
                ),
                _ => (format!("the store does not accept the credentials ({words})"), RENEWAL),
            }
        }
    };
    Error::PermissionDenied {
        path: path.to_string(),
        source: Box::new(Refusal { why, help }),
    }
}

/// The error code in an XML response, as Azure and S3 return it; otherwise the first line.
fn words(said: &str) -> &str {
    let code = said
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"));
    match code {
        Some((code, _)) => code,
        None => said.lines().next().unwrap_or_default(),
    }
}

/// The fields of a SAS token (learn.microsoft.com/rest/api/storageservices/create-service-sas).
struct Token {
    starts: Option<DateTime<Utc>>,
    expires: Option<DateTime<Utc>>,
    permissions: String,
}

impl Token {
    fn of(settings: &BTreeMap<String, Secret>) -> Option<Self> {
        let tokens = settings
            .iter()
            .filter(|(name, _)| name.to_ascii_lowercase().contains("sas"));
        let token = tokens.map(|(_, value)| value.reveal()).next()?;
        let pairs: BTreeMap<String, String> = form_urlencoded::parse(token.trim_start_matches('?').as_bytes())
            .into_owned()
            .collect();
        let time = |name| DateTime::parse_from_rfc3339(pairs.get(name)?).ok().map(DateTime::into);
        Some(Self {
            starts: time("st"),
            expires: time("se"),
            permissions: pairs.get("sp").cloned()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(token: &str, answer: &str, permission: Permission) -> String {
        let settings = BTreeMap::from([("azure_storage_sas_token".to_owned(), Secret::new(token))]);
        let error = Error::Generic {
            store: "test",
            source: answer.to_owned().into(),
        };
        assert!(is_refusal(&error));
        explained(error, permission, &Path::from("a/b"), &settings).to_string()
    }

    #[test]
    fn a_token_that_has_expired_is_named_with_its_time() {
        let text = said(
            "sp=rl&se=2020-01-02T03:04:05Z&sig=x",
            "403 Forbidden: <Code>AuthenticationFailed</Code>",
            Permission::Read,
        );
        assert!(
            text.contains("expired at 2020-01-02 03:04:05 UTC") && text.contains("NAME_FILE"),
            "{text}"
        );
    }

    #[test]
    fn a_permission_that_a_token_lacks_is_named() {
        let text = said(
            "sp=rl&se=2999-01-01T00:00:00Z&sig=x",
            "403 Forbidden: <Code>X</Code>",
            Permission::Create,
        );
        assert!(
            text.contains("lacks the permission `create`") && text.contains("sp=rl"),
            "{text}"
        );
    }

    #[test]
    fn without_a_token_the_code_of_the_store_is_told() {
        let text = said(
            "",
            "403 Forbidden: <Error><Code>SignatureDoesNotMatch</Code></Error>",
            Permission::List,
        );
        assert!(
            text.contains("does not accept the credentials (SignatureDoesNotMatch)"),
            "{text}"
        );
        let text = said(
            "",
            "403 Forbidden: <Error><Code>AccessDenied</Code></Error>",
            Permission::Delete,
        );
        assert!(text.contains("lack the permission `delete`"), "{text}");
    }
}
