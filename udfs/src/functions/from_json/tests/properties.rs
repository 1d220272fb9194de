//! Texts of any kind, for columns of plain types.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A JSON value as text, in every notation that JSON allows.
pub(super) fn json_value() -> impl Strategy<Value = String> {
    let number = "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,6})?([eE][+-]?[0-9]{1,3})?";
    let string = "\"([a-zé🦀 ]|\\\\u[0-9a-f]{4}|\\\\[nt\"/\\\\])*\"";
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        number,
        string,
        Just("\"2025-07-13T18:42:10Z\"".to_owned())
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        let field = (json_name(), inner.clone()).prop_map(|(name, value)| format!("{name}: {value}"));
        prop_oneof![
            vec(inner, 0..4).prop_map(|items| format!("[{} ]", items.join(" ,"))),
            vec(field, 0..4).prop_map(|fields| format!("{{ {}}}", fields.join(",\t"))),
        ]
    })
}

/// A quoted name; some are declared, one of them with an escape.
fn json_name() -> impl Strategy<Value = String> {
    let names = [
        "id", "n", "at", "ok", "x", "\\u0069d", "other", "a b", "é", "\\ud83d", "",
    ];
    proptest::sample::select(names.to_vec()).prop_map(|name| format!("\"{name}\""))
}

/// The declared column that a name refers to.
fn column_of(name: &str) -> Option<&'static str> {
    let name: String = serde_json::from_str(name).ok()?;
    ["id", "n", "at", "ok", "x"].into_iter().find(|column| *column == name)
}

/// All kinds of errors that a JSON object can have.
fn is_known(kind: &str) -> bool {
    let found = ["null", "boolean", "number", "string", "array", "object"];
    ["id", "n", "at", "ok", "x"].iter().any(|column| {
        let Some(rest) = kind.strip_prefix(&format!("{column}: ")) else {
            return kind == format!("duplicate field `{column}`");
        };
        let types = ["string", "integer", "timestamp", "boolean", "number"];
        let mut pairs = types
            .iter()
            .flat_map(|expected| found.iter().map(move |found| (expected, found)));
        ["out of range", "not an RFC 3339 time", "not Unicode text"].contains(&rest)
            || pairs.any(|(expected, found)| rest == format!("expected {expected}, found {found}"))
    })
}

proptest! {
    #[test]
    fn any_bytes_give_a_row(bytes in vec(any::<u8>(), 0..60)) {
        let row = parsed(vec![Some(&bytes)]);
        let is_object = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&bytes).is_ok();
        prop_assert!(is_object || row.column(5).is_valid(0));
    }
    #[test]
    fn text_survives(id in "\\PC*") {
        let json = serde_json::json!({ "id": id }).to_string();
        let row = parsed(vec![Some(json.as_bytes())]);
        prop_assert_eq!(row.column(0).as_string::<i32>().value(0), id);
    }
    #[test]
    fn any_object_gives_its_fields_as_they_were_sent(
        fields in vec((json_name(), json_value()), 0..8)
    ) {
        let joined: Vec<String> = fields.iter().map(|(name, value)| format!(" {name} :\n{value} ")).collect();
        let sent = format!("{{{}}}", joined.join(","));
        let rest_of = |is_kept: &dyn Fn(&str, &str) -> bool| {
            let kept = fields.iter().filter(|(name, value)| value != "null" && is_kept(name, value));
            let kept: Vec<String> = kept.map(|(name, value)| format!("{name}:{value}")).collect();
            (!kept.is_empty()).then(|| format!("{{{}}}", kept.join(",")))
        };
        let columns = "id string, n bigint, at timestamp, ok boolean, x double, extra rest";
        let row = parsed_with(columns, &sent, Policy::Quarantine);
        match cell(&row, "error") {
            Some(kind) => prop_assert!(is_known(&kind) && cell(&row, "error_value").is_some(), "{}", kind),
            None => prop_assert_eq!(cell(&row, "extra"), rest_of(&|name, _| column_of(name).is_none())),
        }
        let row = parsed_with(columns, &sent, Policy::Evolve);
        match cell(&row, "error") {
            Some(kind) => prop_assert!(kind.starts_with("duplicate field"), "{}", kind),
            // What a column cannot hold is kept: nothing silently becomes NULL.
            None => prop_assert_eq!(cell(&row, "extra"), rest_of(&|name, _| {
                column_of(name).is_none_or(|column| cell(&row, column).is_none())
            })),
        }
    }

    #[test]
    fn a_text_that_breaks_off_anywhere_is_cut_off(
        fields in vec((json_name(), json_value()), 1..4), share in 0.0..1.0
    ) {
        let joined: Vec<String> = fields.iter().map(|(name, value)| format!("{name}:{value}")).collect();
        let sent = format!("{{{}}}", joined.join(","));
        let end = sent.floor_char_boundary((sent.len() as f64 * share) as usize).max(1);
        let kind = cell(&parsed_with("id string, n bigint", &sent[..end], Policy::Evolve), "error").unwrap();
        let expected = if end == 1 {
            "not JSON: a line of an object that spans several lines"
        } else {
            "not JSON: cut off"
        };
        prop_assert_eq!(kind, expected);
    }
}
