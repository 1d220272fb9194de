//! Records that no shop would send on purpose, and events in any order.

use std::collections::BTreeMap;

use clickrec::simulate::{Simulation, SimulationConfig};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use crate::broker::{Broker, Sent};
use crate::kafka_shop::KafkaShop;

/// Poison records, and a part of their reason for quarantine.
fn poison() -> Vec<(Option<Vec<u8>>, &'static str)> {
    let text = |text: &str| Some(text.as_bytes().to_vec());
    let with = |timestamp: &str| {
        let rest = r#""session_id":"s","item_id":"i","event_type":"view""#;
        text(&format!(r#"{{"timestamp":{timestamp},{rest}}}"#))
    };
    let mut huge = br#"{"item_id":""#.to_vec();
    huge.resize(10 << 20, b'x');
    vec![
        (None, "tombstone"),
        (text(""), ""),
        (text("{\"item_id\": "), ""),
        (text("[1, 2, 3]"), ""),
        (text("null"), ""),
        (Some(vec![b'{', b'"', 0xC3, 0x28, b'"', b':', b'1', b'}']), "UTF-8"),
        (Some(vec![0, 0xFF, 0xFE]), ""),
        (Some([vec![b'['; 200_000], vec![b']'; 200_000]].concat()), ""),
        (
            text(&format!("{}1{}", r#"{"a":"#.repeat(50_000), "}".repeat(50_000))),
            "",
        ),
        (Some(huge), ""),
        (with("17"), ""),
        (with("{\"at\":\"2025-07-13\"}"), "timestamp"),
        (with("\"yesterday\""), "timestamp"),
        (with("\"2999-01-01T00:00:00Z\""), "future"),
        (with("\"99999999-01-01T00:00:00Z\""), "timestamp"),
        (with("null"), "timestamp is missing"),
    ]
}

#[test]
fn poison_goes_to_quarantine_byte_for_byte_and_stops_nothing() {
    let Some(broker) = Broker::shared("poison_goes_to_quarantine_byte_for_byte_and_stops_nothing") else {
        return;
    };
    let topic = broker.topic("poison", 2, &[("max.message.bytes", "20000000")]);
    let shop = KafkaShop::new(&topic);
    shop.simulate(200, 1);
    let poison = poison();
    topic.send(poison.iter().map(|(value, _)| Sent {
        partition: Some(1),
        value: value.clone(),
        ..Sent::default()
    }));
    let first = topic.held().iter().rfind(|place| place.0 == 1).unwrap().1 + 1 - i64::try_from(poison.len()).unwrap();
    shop.simulate(200, 2);
    shop.ok(&["run"]);

    let sql = format!(
        "select \"offset\", topic, reason, md5(value) as digest from silver.quarantine \
         where partition = 1 and \"offset\" >= {first} and \"offset\" < {first} + {}",
        poison.len()
    );
    let rows: Vec<serde_json::Value> =
        serde_json::from_str(&shop.shop.ok(&["sql", "--format", "json", "-c", &sql])).unwrap();
    let rows: BTreeMap<i64, &serde_json::Value> =
        rows.iter().map(|row| (row["offset"].as_i64().unwrap(), row)).collect();
    for (offset, (value, reason)) in (first..).zip(&poison) {
        let row = rows
            .get(&offset)
            .unwrap_or_else(|| panic!("{offset} is not in quarantine: {rows:?}"));
        assert_eq!(row["topic"], *topic.name);
        let given = row["reason"].as_str().unwrap();
        assert!(
            !given.is_empty() && given.contains(reason),
            "{offset}: `{given}` says nothing of {reason}"
        );
        assert_eq!(
            row["digest"].as_str(),
            value.as_deref().map(md5_hex).as_deref(),
            "the raw bytes of {offset}"
        );
    }
    shop.assert_holds_the_topic();
}

fn md5_hex(bytes: &[u8]) -> String {
    use md5::{Digest, Md5};
    Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn late_shuffled_repeated_and_skewed_events_give_what_a_recomputation_gives() {
    let Some(broker) = Broker::shared("late_shuffled_repeated_and_skewed_events_give_what_a_recomputation_gives")
    else {
        return;
    };
    let topic = broker.topic("shuffled", 4, &[]);
    let shop = KafkaShop::new(&topic);
    let mut random = StdRng::seed_from_u64(7);
    let config = SimulationConfig {
        events: 3_000,
        dirty: 0.1,
        items: 60,
        ..SimulationConfig::default()
    };
    let mut events: Vec<Sent> = Simulation::new(config)
        .map(|record| Sent {
            // Most arrive in one partition.
            partition: Some(if random.random_bool(0.8) {
                2
            } else {
                random.random_range(0..4)
            }),
            key: Some(record.key.to_vec()),
            value: Some(record.value.to_vec()),
            ..Sent::default()
        })
        .collect();
    // A user without session IDs from the shop, whose inferred sessions merge and split.
    events.extend((0..200).map(|minute| {
        let at = 600 + 13 * minute;
        Sent::from(
            format!(
                r#"{{"timestamp":"2025-07-13T{:02}:{:02}:00Z","user_id":"u","item_id":"i{}","event_type":"view"}}"#,
                at / 60 % 24,
                at % 60,
                minute % 5
            )
            .as_str(),
        )
    }));
    let repeated: Vec<Sent> = events.iter().filter(|_| random.random_bool(0.1)).cloned().collect();
    events.extend(repeated);
    events.shuffle(&mut random);
    for batch in events.chunks(events.len().div_ceil(5)) {
        topic.send(batch.iter().cloned());
        shop.ok(&["run"]);
    }
    shop.assert_holds_the_topic();
}
