//! IDs that stand for nobody: what programs write where they have no ID. They count as missing. The shipped
//! `sql/silver/clicks.sql` has the same list for users and sessions, and `sql/silver/people.sql` for anonymous IDs.

use super::mapping::Choice;
use super::shape::Seen;

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

/// Zeros and the like. Where IDs are numbers, these may be IDs: published data sets count from 0 ([`counts_from_zero`]).
const NUMBERS: [&str; 4] = [
    "0",
    "-1",
    "00000000-0000-0000-0000-000000000000",
    "00000000000000000000000000000000",
];

/// An ID that occurs this many times as often as others do is no one's.
const OFTEN: f64 = 5.0;

/// Whether an ID in these fields stands for nobody.
pub(super) fn is_nobody(id: &str, choice: &Choice) -> bool {
    let id = id.to_lowercase();
    WORDS.contains(&id.as_str()) || NUMBERS.contains(&id.as_str()) && !has_zero(choice)
}

/// The list for IDs in these fields, as SQL has it.
pub(super) fn listed(choice: &Choice) -> String {
    let numbers = NUMBERS.iter().filter(|_| !has_zero(choice));
    let quoted: Vec<String> = WORDS.iter().chain(numbers).map(|id| format!("'{id}'")).collect();
    let lines: Vec<String> = quoted.chunks(6).map(|ids| ids.join(", ")).collect();
    lines.join(",\n                ")
}

/// Whether 0 may be an ID among the values of a field: all are whole numbers, also as text, and 0 is not by far the
/// commonest. A user 0 who does everything is whoever has no account.
pub(super) fn counts_from_zero(seen: &Seen) -> bool {
    let is_number = |value: &String| value.parse::<i64>().is_ok();
    let mean = seen.present as f64 / seen.distinct().max(1) as f64;
    let zeros = seen.values.get("0").copied().unwrap_or_default() as f64;
    seen.values.keys().all(is_number) && zeros <= OFTEN * mean
}

fn has_zero(choice: &Choice) -> bool {
    choice.fields.iter().any(|field| field.counts_from_zero)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Value, json};

    use super::super::mapping::{Field, FieldType};
    use super::super::place::Place;
    use super::super::shape::Shape;
    use super::*;

    fn choice(counts_from_zero: bool) -> Choice {
        Choice {
            fields: vec![Field {
                place: Place::parse("id"),
                field_type: FieldType::Text,
                counts_from_zero,
            }],
            ..Choice::default()
        }
    }

    #[test]
    fn the_shipped_sql_has_this_list_for_each_kind_of_id() {
        let clicks = include_str!("../../sql/silver/clicks.sql");
        let people = include_str!("../../sql/silver/people.sql");
        let listed = listed(&choice(false));
        for (sql, ids) in [(clicks, 2), (people, 1)] {
            assert_eq!(sql.matches(&listed).count(), ids, "{listed}");
            assert_eq!(sql.matches("not in (\n").count(), ids, "there is another list");
        }
    }

    #[test]
    fn words_of_nobody_are_recognized_in_any_case_and_zeros_where_ids_are_text() {
        let (text, numbers) = (choice(false), choice(true));
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

    #[test]
    fn zero_is_an_id_among_numbers_that_occur_as_often() {
        let counts = |ids: Vec<Value>| {
            let records: Vec<Value> = ids.into_iter().map(|id| json!({ "id": id })).collect();
            let shape = Shape::of(&records);
            counts_from_zero(shape.field(&Place::parse("id")).unwrap())
        };
        assert!(counts((0..9).map(Value::from).collect()));
        assert!(counts((0..9).map(|id| id.to_string().into()).collect()));
        assert!(counts((7..9).map(Value::from).collect()));
        let guests = || std::iter::repeat_n(0, 90);
        assert!(!counts((0..30).chain(guests()).map(Value::from).collect()));
        assert!(!counts(
            (0..30).chain(guests()).map(|id| id.to_string().into()).collect()
        ));
        assert!(!counts(vec!["0".into(), "u1".into()]));
    }
}
