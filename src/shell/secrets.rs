//! Detects inputs that must not be stored in the history file.

use super::tokens::tokens;
use datafusion::sql::sqlparser::tokenizer::Token;

/// Words that precede a secret, also as parts of names joined by `_`, `-` or a change of case.
const WORDS: [&str; 10] = [
    "credential",
    "credentials",
    "key",
    "passwd",
    "password",
    "pwd",
    "sas",
    "secret",
    "signature",
    "token",
];
/// The same, also joined to what precedes them.
const ENDINGS: [&str; 6] = ["accesskey", "accountkey", "apikey", "password", "secret", "token"];

/// Whether an input may contain a secret: a word like `password` next to a value, an Azure signature, an account key,
/// or an address with a user and password. Forgetting an input too many is better than storing a secret.
pub(super) fn holds_secret(input: &str) -> bool {
    let lower = input.to_lowercase();
    lower.contains("sig=")
        || lower.contains("accountkey=")
        || has_user_info(input)
        || (has_value(input) && words(input).any(|word| is_telling(&word)))
}

/// A text or a number, or the argument of a command.
fn has_value(input: &str) -> bool {
    if input.trim_start().starts_with('\\') {
        return true;
    }
    let tokens = tokens(input);
    let is_value = |token: &Token| {
        !matches!(token, Token::Word(_) | Token::Whitespace(_)) && token.to_string().contains(['\'', '"', '$'])
    };
    tokens.open.is_some() || tokens.pieces.iter().any(|piece| is_value(&piece.token))
}

/// The words of a text; `accountKey` and `account_key` are two words each.
fn words(input: &str) -> impl Iterator<Item = String> {
    let mut parted = String::new();
    let mut before = ' ';
    for letter in input.chars() {
        if letter.is_uppercase() && before.is_lowercase() {
            parted.push(' ');
        }
        parted.push(letter);
        before = letter;
    }
    let words = parted.split(|letter: char| !letter.is_alphanumeric());
    words.map(str::to_lowercase).collect::<Vec<_>>().into_iter()
}

fn is_telling(word: &str) -> bool {
    WORDS.contains(&word) || ENDINGS.iter().any(|ending| word.ends_with(ending))
}

/// `scheme://user:password@host`
fn has_user_info(input: &str) -> bool {
    input.match_indices("://").any(|(at, scheme)| {
        let rest = &input[at + scheme.len()..];
        let end = rest.find(|letter: char| letter.is_whitespace() || "/'\"".contains(letter));
        let authority = &rest[..end.unwrap_or(rest.len())];
        authority.split_once('@').is_some_and(|(user, _)| user.contains(':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_and_ordinary_queries_are_not() {
        for secret in [
            "select * from t where password = 'x';",
            "insert into kafka.clicks (key, value) values ('a', '{\"accessToken\": \"x\"}');",
            "select 'https://a.blob.core.windows.net/c?sv=1&sig=abc';",
            "select 'AccountKey=abc';",
            "select 'postgres://me:pass@host/db';",
            "select var('AZURE_SAS', '');",
            "select f(api_key => 'x')",
            "select 'my password is x",
            "\\o secret.csv",
        ] {
            assert!(holds_secret(secret), "{secret}");
        }
        for plain in [
            "select key, value from kafka.clicks limit 10;",
            "select * from silver.events where session_id = 'sess_1';",
            "select 'https://example.com/@me', count(*) from gold.sessions;",
            "\\d silver.events",
            "select 'monkey';",
        ] {
            assert!(!holds_secret(plain), "{plain}");
        }
    }
}
