//! IDs that stand for nobody: what programs write where they have no ID. They count as missing. The shipped
//! `sql/silver/clicks.sql` has the same list.

/// In lower case.
const IDS: [&str; 16] = [
    "null",
    "none",
    "nil",
    "nan",
    "n/a",
    "undefined",
    "unknown",
    "anonymous",
    "guest",
    "(not set)",
    "(none)",
    "0",
    "-1",
    "[object object]",
    "00000000-0000-0000-0000-000000000000",
    "00000000000000000000000000000000",
];

/// Whether an ID stands for nobody.
pub(super) fn is_nobody(id: &str) -> bool {
    IDS.contains(&id.to_lowercase().as_str())
}

/// The list as SQL has it, over two lines.
pub(super) fn listed() -> String {
    let quoted = IDS.map(|id| format!("'{id}'"));
    let (first, second) = quoted.split_at(13);
    format!("{},\n                {}", first.join(", "), second.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_sql_has_this_list_twice() {
        let sql = include_str!("../../sql/silver/clicks.sql");
        assert_eq!(sql.matches(&listed()).count(), 2, "{}", listed());
    }

    #[test]
    fn words_and_numbers_of_nobody_are_recognized_in_any_case() {
        for id in [
            "NULL",
            "undefined",
            "0",
            "(Not Set)",
            "00000000-0000-0000-0000-000000000000",
        ] {
            assert!(is_nobody(id), "{id}");
        }
        for id in ["nullable", "10", "u1", ""] {
            assert!(!is_nobody(id), "{id}");
        }
    }
}
