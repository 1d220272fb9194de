//! Rereads a topic: from a point in time, and into a new lake.

use crate::broker::{Broker, Sent};
use crate::kafka_real::event;
use crate::kafka_shop::KafkaShop;

#[test]
fn a_topic_read_again_into_a_new_lake_gives_the_same_tables() {
    let Some(broker) = Broker::shared("a_topic_read_again_into_a_new_lake_gives_the_same_tables") else {
        return;
    };
    let topic = broker.topic("again", 3, &[]);
    let shop = KafkaShop::new(&topic);
    for seed in 0..3 {
        shop.simulate(1_000, seed);
        shop.ok(&["run"]);
    }
    let again = KafkaShop::new(&topic);
    again.ok(&["run"]);
    assert_eq!(shop.bronze(), again.bronze());
    assert_eq!(shop.tables(), again.tables());
}

#[test]
fn a_new_lake_can_start_from_a_time_and_a_lake_that_is_there_only_when_it_is_replaced() {
    let test = "a_new_lake_can_start_from_a_time_and_a_lake_that_is_there_only_when_it_is_replaced";
    let Some(broker) = Broker::shared(test) else { return };
    let topic = broker.topic("from", 3, &[]);
    // One record per minute, in two of three partitions.
    topic.send((0..20_u32).map(|number| Sent {
        partition: i32::try_from(number % 2).ok(),
        timestamp_millis: Some(1_750_000_000_000 + 60_000 * i64::from(number)),
        ..Sent::from(event(number).as_str())
    }));
    let shop = KafkaShop::new(&topic);
    // 14 minutes after the first one.
    let from = ["--from-timestamp", "2025-06-15T15:20:40Z"];
    shop.ok(&[&["run"], &from[..]].concat());
    let late: Vec<_> = topic.held().into_iter().filter(|(_, offset)| *offset >= 7).collect();
    assert_eq!(shop.bronze(), late);
    // It continues from the end, and in the partition that was empty.
    topic.send((20..23).map(|number| Sent {
        partition: Some(2),
        timestamp_millis: Some(1_000),
        ..Sent::from(event(number).as_str())
    }));
    shop.ok(&["run"]);
    assert_eq!(shop.bronze().len(), 9);

    let log = shop.fails(&[&["run"], &from[..]].concat());
    assert!(
        log.contains("has already been read") && log.contains("--full-refresh"),
        "{log}"
    );
    assert_eq!(shop.bronze().len(), 9, "never a silent reset");
    let replace = ["run", "--full-refresh", "--select", "bronze.clicks+"];
    shop.ok(&[&replace[..], &from[..]].concat());
    assert_eq!(
        shop.bronze(),
        late,
        "the old times of the third partition are before it"
    );
    shop.ok(&replace);
    shop.assert_holds_the_topic();

    // A time in the future: everything is earlier now, and only later records are read.
    let future = KafkaShop::new(&topic);
    future.ok(&["run", "--from-timestamp", "2031-01-01T00:00:00Z"]);
    assert_eq!(future.bronze(), []);
    topic.send([Sent::from(event(30).as_str())]);
    future.ok(&["run"]);
    assert_eq!(future.bronze().len(), 1);
}

#[test]
fn files_cannot_be_started_from_a_time() {
    let shop = crate::support::Shop::with_sample_data();
    let (code, log) = shop.fails(&["run", "--from-timestamp", "2025-06-15T15:20:40Z"]);
    assert!(
        code == 1 && log.contains("no timestamps of their own") && log.contains("help:"),
        "{log}"
    );
    let (code, log) = shop.fails(&["run", "--from-timestamp", "yesterday"]);
    assert!(code == 2 && log.contains("expected a time"), "{log}");
}
