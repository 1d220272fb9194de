//! Topics that a producer finds missing, those it makes, on a broker that makes none by itself, and those that refuse its
//! records.

use std::time::{Duration, Instant};

use clickrec::config::Secret;
use clickrec::sources::kafka::Producer;

use crate::broker::Broker;
use crate::kafka_shop::KafkaShop;

/// Librdkafka alone would wait for half a minute.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_missing_topic_is_named_with_the_way_out() {
    let Some(broker) = Broker::with_tls("a_missing_topic_is_named_with_the_way_out") else {
        return;
    };
    let topic = broker.unmade_topic("missing");
    let shop = KafkaShop::new(&topic);
    let started = Instant::now();
    let log = shop.fails(&["produce", "--events", "10", "--to", "kafka"]);
    assert!(started.elapsed() < SOON, "{log}");
    for words in [
        format!("topic `{}`", topic.name).as_str(),
        "is missing",
        "--create-topic",
    ] {
        assert!(log.contains(words), "`{words}` is not in {log}");
    }
    let insert = "insert into kafka.clicks (value) values ('x')";
    let log = shop.fails(&["sql", "--write", "-c", insert]);
    assert!(log.contains("is missing") && log.contains("--create-topic"), "{log}");
}

#[test]
fn a_topic_is_made_once_and_then_left_as_it_is() {
    let Some(broker) = Broker::with_tls("a_topic_is_made_once_and_then_left_as_it_is") else {
        return;
    };
    let topic = broker.unmade_topic("made");
    let shop = KafkaShop::new(&topic);
    let produce = ["produce", "--events", "300", "--create-topic", "3"];
    let log = shop.ok(&produce);
    assert!(log.contains("created topic") && log.contains("partitions: 3"), "{log}");
    assert_eq!(topic.leaders().len(), 3);
    let log = shop.ok(&["produce", "--events", "200", "--seed", "7", "--create-topic", "5"]);
    assert!(log.contains("already exists"), "{log}");
    assert_eq!(topic.leaders().len(), 3);
    assert_eq!(topic.held().len(), 500);
    shop.ok(&["run"]);
    shop.assert_holds_the_topic();
}

#[test]
fn records_that_the_topic_refuses_are_told_with_the_way_out() {
    let Some(broker) = Broker::shared("records_that_the_topic_refuses_are_told_with_the_way_out") else {
        return;
    };
    let refused = |name: &str, setting: (&str, &str), value: &[u8]| {
        let topic = broker.topic(name, 1, &[setting]);
        let mut config = topic.config();
        let plain = ("compression.type".to_owned(), Secret::new("none"));
        config.options.extend([plain]);
        let mut producer = Producer::connect(&config).unwrap();
        producer.send(None, Some(value)).unwrap();
        producer.flush().unwrap_err().to_string()
    };
    let error = refused("narrow", ("max.message.bytes", "1000"), &[b'x'; 2_000]);
    assert!(
        error.starts_with("cannot send to topic")
            && error.contains("2,000 bytes")
            && error.contains("max.message.bytes"),
        "{error}"
    );
    let error = refused("compacted", ("cleanup.policy", "compact"), b"without a key");
    assert!(
        error.starts_with("cannot send to topic")
            && error.contains("breaks a rule")
            && error.contains("cleanup.policy"),
        "{error}"
    );
}
