//! Texts as YAML: quoted, and as values of `pipelines.yaml`.

/// A quoted scalar, with single quotes if possible.
pub fn yaml_quoted(text: &str) -> String {
    match text.chars().any(|letter| letter.is_control() || letter == '\u{feff}') {
        true => serde_json::Value::from(text).to_string(),
        false => format!("'{}'", text.replace('\'', "''")),
    }
}

/// A value of `pipelines.yaml`, in which `${` would begin a variable.
pub fn yaml_value(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-./".contains(letter);
    let is_plain =
        text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/') && text.chars().all(plain);
    let is_word = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    match is_plain && !is_word.contains(&text.to_ascii_lowercase().as_str()) {
        true => text.to_owned(),
        false => yaml_quoted(&text.replace("${", "$${")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_were() {
        for text in [
            "a/b.json",
            "/x y/ü*.csv",
            "it's",
            "${HOME}",
            "NULL",
            "",
            "1",
            "a: b",
            "\t",
            "#",
            "\\N",
            "a\u{1}",
        ] {
            let read: String = serde_yaml::from_str(&yaml_value(text)).unwrap();
            assert_eq!(read.replace("$${", "${"), text);
        }
        assert_eq!(yaml_value("data/clicks.json"), "data/clicks.json");
    }
}
