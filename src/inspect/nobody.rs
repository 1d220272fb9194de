//! IDs that stand for nobody: what programs write where they have no ID. They count as missing. The shipped
//! `sql/silver/clicks.sql` has the same list for users and sessions, and `sql/silver/people.sql` for anonymous IDs.

use super::mapping::{Choice, FieldType};

/// In lower case.
const WORDS: [&str; 12] = [
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
    "[object object]",
];

/// Zeros and the like. Where IDs are numbers, these may be IDs: published data sets count from 0.
const NUMBERS: [&str; 4] = [
    "0",
    "-1",
    "00000000-0000-0000-0000-000000000000",
    "00000000000000000000000000000000",
];

/// Whether an ID in these fields stands for nobody.
pub(super) fn is_nobody(id: &str, choice: &Choice) -> bool {
    let id = id.to_lowercase();
    WORDS.contains(&id.as_str()) || NUMBERS.contains(&id.as_str()) && !has_numbers(choice)
}

/// The list for IDs in these fields, as SQL has it.
pub(super) fn listed(choice: &Choice) -> String {
    let numbers = NUMBERS.iter().filter(|_| !has_numbers(choice));
    let quoted: Vec<String> = WORDS.iter().chain(numbers).map(|id| format!("'{id}'")).collect();
    let lines: Vec<String> = quoted.chunks(6).map(|ids| ids.join(", ")).collect();
    lines.join(",\n                ")
}

fn has_numbers(choice: &Choice) -> bool {
    let mut types = choice.fields.iter().map(|field| field.field_type);
    types.any(|field_type| matches!(field_type, FieldType::Integer))
}

#[cfg(test)]
mod tests {
    use super::super::mapping::Field;
    use super::super::place::Place;
    use super::*;

    fn choice(field_type: FieldType) -> Choice {
        Choice {
            fields: vec![Field {
                place: Place::parse("id"),
                field_type,
            }],
            ..Choice::default()
        }
    }

    #[test]
    fn the_shipped_sql_has_this_list_for_each_kind_of_id() {
        let clicks = include_str!("../../sql/silver/clicks.sql");
        let people = include_str!("../../sql/silver/people.sql");
        let listed = listed(&choice(FieldType::Text));
        for (sql, ids) in [(clicks, 2), (people, 1)] {
            assert_eq!(sql.matches(&listed).count(), ids, "{listed}");
            assert_eq!(sql.matches("not in (").count(), ids, "there is another list");
        }
    }

    #[test]
    fn words_of_nobody_are_recognized_in_any_case_and_zeros_where_ids_are_text() {
        let (text, numbers) = (choice(FieldType::Text), choice(FieldType::Integer));
        for id in ["NULL", "undefined", "(Not Set)"] {
            assert!(is_nobody(id, &text) && is_nobody(id, &numbers), "{id}");
        }
        for id in ["0", "-1", "00000000-0000-0000-0000-000000000000"] {
            assert!(is_nobody(id, &text) && !is_nobody(id, &numbers), "{id}");
        }
        for id in ["nullable", "10", "u1", ""] {
            assert!(!is_nobody(id, &text), "{id}");
        }
        assert!(!listed(&numbers).contains("'0'") && listed(&text).contains("'0'"));
    }
}
