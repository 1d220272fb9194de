//! Replaces `${NAME}` and `${NAME:-default}` in values; `$${` is an escaped `${`. If a variable is not set, `values`
//! reports an error with its line.

use super::environment::VariableResolver;
use super::missing::Missing;

/// Replaces the variables in a value.
///
/// # Errors
/// When a variable has no value, or cannot be read.
pub fn interpolate(text: &str, variables: &VariableResolver) -> Result<String, Missing> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        if rest[..start].ends_with('$') {
            filled.push_str(&rest[..start - 1]);
            filled.push_str("${");
            rest = &rest[start + 2..];
            continue;
        }
        filled.push_str(&rest[..start]);
        let inside = &rest[start + 2..];
        let end = inside.find('}').ok_or(Missing::Unclosed)?;
        filled.push_str(&value(&inside[..end], variables)?);
        rest = &inside[end + 1..];
    }
    filled.push_str(rest);
    Ok(filled)
}

fn value(reference: &str, variables: &VariableResolver) -> Result<String, Missing> {
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    let found = variables.get(name)?;
    found
        .or_else(|| default.map(str::to_owned))
        .ok_or_else(|| Missing::Variable(name.to_owned()))
}
