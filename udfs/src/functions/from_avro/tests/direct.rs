//! Columns that are taken as they were decoded, against the same columns by way of texts.

use super::*;

const PLAIN: &str = r#"{"type": "record", "name": "Plain", "fields": [
    {"name": "id", "type": "string"},
    {"name": "n", "type": ["null", "long"]},
    {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}},
    {"name": "ms", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "us", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    {"name": "x", "type": "double"},
    {"name": "f", "type": "float"},
    {"name": "ok", "type": "boolean"},
    {"name": "i", "type": "int"},
    {"name": "day", "type": {"type": "int", "logicalType": "date"}},
    {"name": "visitor", "type": ["null", {"type": "record", "name": "Visitor", "fields": [
        {"name": "session", "type": "string"}, {"name": "visits", "type": ["null", "int"]}]}]}
]}"#;

/// A record of [`PLAIN`], whose times and numbers may be beyond all limits.
fn any_plain() -> impl Strategy<Value = Vec<u8>> {
    let times = || prop_oneof![4 => 0..2_000_000_000_000_i64, 1 => any::<i64>()];
    // Texts lose the last digit of some numbers.
    let quarters = any::<i32>().prop_map(|n| f64::from(n) / 4.0);
    let double = prop_oneof![4 => quarters, 1 => Just(f64::NAN), 1 => Just(f64::NEG_INFINITY)];
    let rest = (double, any::<f32>(), any::<bool>(), any::<i32>());
    let day = prop_oneof![4 => 0..30_000_i32, 1 => any::<i32>()];
    let visitor = proptest::option::of(("[a-z]{0,3}", proptest::option::of(any::<i32>())));
    let plain = (
        "\\PC{0,6}",
        proptest::option::of(any::<i64>()),
        0..2_i64,
        times(),
        times(),
        rest,
        day,
        visitor,
    );
    plain.prop_map(|(id, n, kind, ms, us, (x, f, ok, i), day, visitor)| {
        let n = n.map_or_else(|| number(0), |n| [number(1), number(n)].concat());
        let fixed = [x.to_le_bytes().to_vec(), f.to_le_bytes().to_vec(), vec![u8::from(ok)]].concat();
        [
            text(&id),
            n,
            number(kind),
            number(ms),
            number(us),
            fixed,
            number(i.into()),
            number(day.into()),
            any_visitor(visitor),
        ]
        .concat()
    })
}

fn any_visitor(visitor: Option<(String, Option<i32>)>) -> Vec<u8> {
    let Some((session, visits)) = visitor else {
        return number(0);
    };
    let visits = visits.map_or_else(|| number(0), |visits| [number(1), number(visits.into())].concat());
    [number(1), text(&session), visits].concat()
}

proptest! {
    #[test]
    fn columns_taken_directly_are_those_of_the_texts(
        records in vec(any_plain(), 1..20),
        wanted in proptest::sample::subsequence(
            vec![
                "id string", "n bigint", "raw json from $.n", "kind string", "ms timestamp", "at timestamp from $.us", "x double",
                "ok boolean", "i int", "big bigint from $.i", "absent date", "f string", "digits string from $.i",
                "many string from $.n", "flag string from $.ok", "approximately double from $.n", "day date",
                "seconds timestamp_s from $.i", "millis timestamp_ms from $.n", "session string from $.visitor.session",
                "visits bigint from $.visitor.visits", "none string from $.visitor.none", "extra rest",
            ],
            1..=8,
        ),
        policy in prop_oneof![Just("quarantine"), Just("evolve")],
    ) {
        let columns = wanted.join(", ");
        let one = || ValueSchemas::One(avro(PLAIN));
        // If one record is broken, the others go through texts.
        let broken: Vec<Vec<u8>> = records.iter().cloned().chain([vec![0xff]]).collect();
        let decoded = |values: &[Vec<u8>]| {
            let values: ArrayRef = Arc::new(BinaryArray::from_iter_values(values));
            block_on(call(&function(one()), &[values], &[columns.as_str(), policy])).unwrap()
        };
        let (direct, through_texts) = (decoded(&records), decoded(&broken));
        // Values that are none go through texts, and leave the others as they are.
        let mixed: Vec<Vec<u8>> = records.iter().flat_map(|record| [vec![], record.clone()]).collect();
        let mixed = decoded(&mixed);
        prop_assert!(column(&mixed, "error").iter().step_by(2).all(|error| error.as_deref() == Some("empty")));
        for row in 0..records.len() {
            prop_assert_eq!(mixed.slice(2 * row + 1, 1), direct.slice(row, 1));
        }
        prop_assert_eq!(direct, through_texts.slice(0, records.len()));
    }
}
