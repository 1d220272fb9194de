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
    {"name": "i", "type": "int"}
]}"#;

/// A record of [`PLAIN`], whose times and numbers may be beyond all limits.
fn any_plain() -> impl Strategy<Value = Vec<u8>> {
    let times = || prop_oneof![4 => 0..2_000_000_000_000_i64, 1 => any::<i64>()];
    // Texts lose the last digit of some numbers.
    let quarters = any::<i32>().prop_map(|n| f64::from(n) / 4.0);
    let double = prop_oneof![4 => quarters, 1 => Just(f64::NAN), 1 => Just(f64::NEG_INFINITY)];
    let rest = (double, any::<f32>(), any::<bool>(), any::<i32>());
    let plain = (
        "\\PC{0,6}",
        proptest::option::of(any::<i64>()),
        0..2_i64,
        times(),
        times(),
        rest,
    );
    plain.prop_map(|(id, n, kind, ms, us, (x, f, ok, i))| {
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
        ]
        .concat()
    })
}

proptest! {
    #[test]
    fn columns_taken_directly_are_those_of_the_texts(
        records in vec(any_plain(), 1..20),
        wanted in proptest::sample::subsequence(
            vec![
                "id string", "n bigint", "raw json from $.n", "kind string", "ms timestamp", "at timestamp from $.us", "x double",
                "ok boolean", "i int", "big bigint from $.i", "absent date", "f string", "extra rest",
            ],
            1..=13,
        ),
    ) {
        let columns = wanted.join(", ");
        let one = || ValueSchemas::One(avro(PLAIN));
        // If one record is broken, the others go through texts.
        let broken: Vec<Vec<u8>> = records.iter().cloned().chain([vec![0xff]]).collect();
        let direct = block_on(decoded_with(one(), &columns, &records)).unwrap();
        let through_texts = block_on(decoded_with(one(), &columns, &broken)).unwrap();
        prop_assert_eq!(direct, through_texts.slice(0, records.len()));
    }
}
