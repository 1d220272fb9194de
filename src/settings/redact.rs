//! Keeps credentials out of all output, including that of libraries, whose errors quote requests and settings. Values
//! of fewer than six characters are not looked for, only what follows marks such as `password=`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

const HIDDEN: &str = "***";
/// Shorter values would also match inside ordinary words.
const SHORTEST: usize = 6;
/// What precedes a credential, in lower case.
const MARKS: [&str; 16] = [
    "sig=",
    "accountkey=",
    "sharedaccesssignature=",
    "password=",
    "secret=",
    "client_secret=",
    "x-amz-signature=",
    "x-amz-security-token=",
    "bearer ",
    "sharedkey ",
    "signature=",
    "access_token\":",
    "client_secret\":",
    "password\":",
    "<secretaccesskey>",
    "<sessiontoken>",
];
/// What may separate a mark from its credential.
const BETWEEN: &[char] = &[' ', '"', '\''];
/// What ends a credential.
const ENDS: &[char] = &['&', ' ', '"', '\'', ';', ',', '<', '>', ')', '}', '\n', '\r', '\t'];

/// The credentials known to this process.
static KNOWN: RwLock<BTreeSet<String>> = RwLock::new(BTreeSet::new());

/// Hides a value from now on. If it is a token in the form of a query string, its signature is hidden too, both encoded
/// and decoded.
pub(super) fn hide(value: &str) {
    let signature = value.split('&').find_map(|part| part.strip_prefix("sig="));
    let decoded = signature.map(|part| {
        percent_encoding::percent_decode_str(part)
            .decode_utf8_lossy()
            .into_owned()
    });
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    for value in [Some(value.to_owned()), signature.map(str::to_owned), decoded]
        .into_iter()
        .flatten()
    {
        if value.len() >= SHORTEST {
            known.insert(value);
        }
    }
}

/// Removes credentials from a text: those that are known, and those in places where libraries put them.
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    // Longest first, because one may contain another.
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    let mut found: Vec<&String> = known.iter().filter(|value| text.contains(value.as_str())).collect();
    found.sort_by_key(|value| std::cmp::Reverse(value.len()));
    for value in found {
        text = Cow::Owned(text.replace(value.as_str(), HIDDEN));
    }
    match marked(&text) {
        Some(hidden) => Cow::Owned(hidden),
        None => text,
    }
}

/// The text with everything after a mark hidden; `None` if there is no mark.
fn marked(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let mut hidden: Option<String> = None;
    let mut from = 0;
    while let Some((start, mark)) = MARKS
        .iter()
        .filter_map(|mark| Some((lower[from..].find(mark)? + from, *mark)))
        .min()
    {
        let start = start + mark.len();
        let start = text.len() - text[start..].trim_start_matches(BETWEEN).len();
        let end = text[start..].find(ENDS).map_or(text.len(), |end| start + end);
        let out = hidden.get_or_insert_default();
        out.push_str(&text[from..start]);
        if end > start {
            out.push_str(HIDDEN);
        }
        from = end;
    }
    hidden.map(|mut hidden| {
        hidden.push_str(&text[from..]);
        hidden
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_mark_is_hidden() {
        assert_eq!(
            redact(
                "GET https://a/b?sp=rl&sig=AbC%2F1&se=2 and Authorization: Bearer abc.def, AccountKey=xyz;EndpointSuffix=e"
            ),
            "GET https://a/b?sp=rl&sig=***&se=2 and Authorization: Bearer ***, AccountKey=***;EndpointSuffix=e"
        );
        assert_eq!(
            redact(r#"{"access_token":"abc.def"} password="two" sig='x' <SessionToken>s</SessionToken>"#),
            r#"{"access_token":"***"} password="***" sig='***' <SessionToken>***</SessionToken>"#
        );
        assert_eq!(redact("nothing to hide"), "nothing to hide");
    }

    #[test]
    fn what_is_known_is_hidden_anywhere() {
        hide("sp=rl&sig=ku%2Bku%3D-canary");
        assert_eq!(redact("a sp=rl&sig=ku%2Bku%3D-canary b"), "a *** b");
        assert_eq!(
            redact("signed with ku+ku=-canary, sent as ku%2Bku%3D-canary"),
            "signed with ***, sent as ***"
        );
        hide("short");
        assert_eq!(redact("in short"), "in short");
    }
}
