//! What only a real Kafka does: deleted records, added partitions, compaction, transactions, timestamps.

use std::time::{Duration, Instant};

use rdkafka::producer::{BaseRecord, Producer};

use crate::broker::{Broker, Sent, Topic};
use crate::kafka_shop::KafkaShop;

const ANSWER: Duration = Duration::from_secs(30);

/// Valid events, dealt out to partitions in turn.
pub fn numbered(numbers: std::ops::Range<u32>, partitions: u32) -> impl Iterator<Item = Sent> {
    numbers.map(move |number| Sent {
        partition: i32::try_from(number % partitions).ok(),
        ..Sent::from(event(number).as_str())
    })
}

/// A valid, unique event.
pub fn event(number: u32) -> String {
    format!(
        r#"{{"event_id":"e{number}","timestamp":"2025-07-13T10:{:02}:00Z","session_id":"s{}","item_id":"i{}","event_type":"view"}}"#,
        number % 60,
        number % 50,
        number % 9
    )
}

#[test]
fn a_real_topic_flows_through_every_layer_and_goes_on() {
    let Some(broker) = Broker::shared("a_real_topic_flows_through_every_layer_and_goes_on") else {
        return;
    };
    let topic = broker.topic("flows", 3, &[]);
    let shop = KafkaShop::new(&topic);
    shop.simulate(2_000, 1);
    shop.ok(&["run"]);
    shop.assert_holds_the_topic();
    assert!(shop.ok(&["run"]).contains("bronze.clicks          skip    nothing new"));
    shop.simulate(500, 2);
    assert!(shop.ok(&["run"]).contains("500 rows wait"));
    shop.assert_holds_the_topic();
}

#[test]
fn records_that_the_broker_deleted_before_they_were_read_are_missed_aloud() {
    let Some(broker) = Broker::shared("records_that_the_broker_deleted_before_they_were_read_are_missed_aloud") else {
        return;
    };
    let topic = broker.topic("retention", 2, &[]);
    let shop = KafkaShop::new(&topic);
    topic.send(numbered(0..200, 2));
    shop.ok(&["run"]);
    let before = topic.held();
    topic.send(numbered(200..400, 2));
    topic.delete_records(1, 130);
    let log = shop.fails(&["run"]);
    let place = format!(
        "{}/1 was read up to position 100, but now holds offsets 130 to 200",
        topic.name
    );
    assert!(
        log.contains(&place) && log.contains("30 records") && log.contains("--accept-loss"),
        "{log}"
    );
    assert_eq!(
        shop.bronze(),
        before,
        "nothing was read, not of the other partition either"
    );

    shop.ok(&["run", "--accept-loss"]);
    let mut expected: Vec<_> = before.into_iter().chain(topic.held()).collect();
    expected.sort_unstable();
    expected.dedup();
    assert_eq!(expected.len(), 370);
    shop.assert_holds_exactly(&expected);
}

#[test]
fn partitions_added_to_a_topic_are_read_from_their_beginning() {
    let Some(broker) = Broker::shared("partitions_added_to_a_topic_are_read_from_their_beginning") else {
        return;
    };
    let topic = broker.topic("grows", 3, &[]);
    let shop = KafkaShop::new(&topic);
    shop.simulate(600, 1);
    shop.ok(&["run"]);
    topic.grow(6);
    topic.send(numbered(0..600, 6));
    shop.ok(&["run"]);
    assert_eq!(
        shop.shop.number("select count(distinct partition) from bronze.clicks"),
        6
    );
    shop.assert_holds_the_topic();
}

#[test]
fn gaps_that_compaction_leaves_are_no_loss() {
    let Some(broker) = Broker::shared("gaps_that_compaction_leaves_are_no_loss") else {
        return;
    };
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "100"),
        ("min.cleanable.dirty.ratio", "0.01"),
    ];
    let topic = broker.topic("compacted", 1, &settings);
    let shop = KafkaShop::new(&topic);
    let keyed = |numbers: std::ops::Range<u32>| {
        numbers.map(|number| Sent {
            key: Some(vec![b'k', u8::try_from(number % 7).unwrap()]),
            ..Sent::from(event(number).as_str())
        })
    };
    topic.send(keyed(0..200));
    // A segment is closed, and can be compacted, once a later record arrives.
    let started = Instant::now();
    let mut next = 200;
    while topic.held().len() > 50 {
        assert!(started.elapsed() < ANSWER, "the broker does not compact");
        std::thread::sleep(Duration::from_millis(200));
        topic.send(keyed(next..next + 1));
        next += 1;
    }
    shop.ok(&["run"]);
    shop.assert_holds_the_topic();
}

#[test]
fn of_transactions_only_what_was_committed_is_read() {
    let Some(broker) = Broker::shared("of_transactions_only_what_was_committed_is_read") else {
        return;
    };
    let topic = broker.topic("transactions", 2, &[]);
    let shop = KafkaShop::new(&topic);
    let producer = topic.producer(&[("transactional.id", &topic.name)]);
    producer.init_transactions(ANSWER).unwrap();
    producer.begin_transaction().unwrap();
    topic.send_by(&producer, numbered(0..40, 2));
    producer.commit_transaction(ANSWER).unwrap();
    producer.begin_transaction().unwrap();
    topic.send_by(&producer, numbered(40..60, 2));
    producer.abort_transaction(ANSWER).unwrap();
    // Each partition ends with a marker, which no consumer ever sees.
    shop.ok(&["run"]);
    assert_eq!(shop.bronze().len(), 40, "what was aborted is not read");
    shop.assert_holds_the_topic();
    assert!(shop.ok(&["run"]).contains("nothing new"));

    producer.begin_transaction().unwrap();
    topic.send_by(&producer, numbered(60..80, 2));
    shop.ok(&["run"]);
    assert_eq!(shop.bronze().len(), 40, "what is not committed yet waits");
    producer.commit_transaction(ANSWER).unwrap();
    shop.ok(&["run"]);
    assert_eq!(shop.bronze().len(), 60);
    shop.assert_holds_the_topic();
}

#[test]
fn times_keys_and_headers_come_as_the_producer_gave_them() {
    let Some(broker) = Broker::shared("times_keys_and_headers_come_as_the_producer_gave_them") else {
        return;
    };
    let topic = broker.topic("headers", 1, &[]);
    let shop = KafkaShop::new(&topic);
    topic.send([Sent {
        key: Some(b"k".to_vec()),
        timestamp_millis: Some(1_750_000_000_123),
        headers: vec![
            ("source".to_owned(), b"web".to_vec()),
            ("source".to_owned(), b"app".to_vec()),
        ],
        ..Sent::from(event(1).as_str())
    }]);
    shop.ok(&["run", "--select", "bronze.clicks"]);
    let sql = "select timestamp, cast(key as varchar), headers[1]['key'], cast(headers[2]['value'] as varchar) \
               from bronze.clicks";
    assert_eq!(shop.shop.rows(sql), ["2025-06-15T15:06:40.123Z,k,source,app"]);
}

impl KafkaShop<'_> {
    /// Runs a statement that sends records; returns its standard error.
    fn insert(&self, sql: &str) -> (bool, String) {
        self.run(&["sql", "--write", "-c", sql])
    }
}

#[test]
fn what_sql_writes_to_a_topic_comes_back_as_it_was_given() {
    let Some(broker) = Broker::shared("what_sql_writes_to_a_topic_comes_back_as_it_was_given") else {
        return;
    };
    let topic = broker.topic("written", 3, &[]);
    let shop = KafkaShop::new(&topic);
    let (ok, log) = shop.insert(
        r#"insert into kafka.clicks (key, value, "timestamp", headers, partition) values
           ('k', 'one', '2025-06-15T15:06:40.123Z', [named_struct('key', 'source', 'value', 'web'),
            named_struct('key', 'source', 'value', null), named_struct('key', 'e', 'value', '')], 2),
           ('', '', null, [], 1),
           (null, null, '2025-06-15T15:06:41Z', null, 0)"#,
    );
    assert!(ok, "{log}");
    let sql = r#"select partition, coalesce(cast(key as varchar), 'null') as k,
                 coalesce(cast(value as varchar), 'null') as v, headers[1]['key'],
                 cast(headers[1]['value'] as varchar) as h1, headers[2]['value'] is null as h2,
                 headers[3]['value'] = '' as h3, "timestamp" < '2026-01-01T00:00:00Z' as old, "timestamp"
                 from kafka.clicks order by partition"#;
    let rows = shop.rows(sql);
    assert_eq!(rows[0], "0,null,null,,,true,,true,2025-06-15T15:06:41Z");
    assert!(rows[1].starts_with("1,,,,,true,,false,"), "{rows:?}");
    assert_eq!(rows[2], "2,k,one,source,web,true,true,true,2025-06-15T15:06:40.123Z");

    for (insert, expected) in [
        (
            "(value, partition) values ('x', 1), ('x', 3)",
            "`partition` 3 does not exist: topic",
        ),
        ("(value, \"offset\") values ('x', 0)", "`offset` cannot be written"),
        (
            "(value, topic) values ('x', 'clickstream')",
            "`topic` cannot be written",
        ),
        ("select * from kafka.clicks", "name the columns to write"),
    ] {
        let (ok, log) = shop.insert(&format!("insert into kafka.clicks {insert}"));
        assert!(
            !ok && log.contains(expected) && log.contains("help:"),
            "{insert}: {log}"
        );
    }
    let copy = "insert into kafka.clicks (key, value, \"timestamp\", headers) \
                select key, value, \"timestamp\", headers from kafka.clicks where partition = 2";
    assert!(shop.insert(copy).0);
    let sql =
        "select count(distinct \"timestamp\"), count(distinct headers), count(*) from kafka.clicks where key = 'k'";
    assert_eq!(shop.rows(sql), ["1,1,2"]);
}

#[test]
fn a_time_that_the_topic_would_replace_is_refused() {
    let Some(broker) = Broker::shared("a_time_that_the_topic_would_replace_is_refused") else {
        return;
    };
    let topic = broker.topic("restamps", 1, &[("message.timestamp.type", "LogAppendTime")]);
    let shop = KafkaShop::new(&topic);
    let (ok, log) =
        shop.insert(r#"insert into kafka.clicks (value, "timestamp") values ('x', '2025-06-15T15:06:40Z')"#);
    assert!(
        !ok && log.contains("`timestamp` cannot be written") && log.contains("LogAppendTime"),
        "{log}"
    );
    assert!(shop.insert("insert into kafka.clicks (value) values ('x')").0);
    assert_eq!(shop.rows("select count(*) from kafka.clicks"), ["1"]);
}

/// One record per minute in each partition, starting at 2025-06-15 15:06:40; a third partition is empty.
fn minutes(topic: &Topic<'_>) {
    topic.send((0..20_u32).map(|number| Sent {
        partition: i32::try_from(number % 2).ok(),
        timestamp_millis: Some(1_750_000_000_000 + 60_000 * i64::from(number)),
        ..Sent::from(event(number).as_str())
    }));
}

#[test]
fn a_query_of_recent_records_reads_no_older_ones() {
    let Some(broker) = Broker::shared("a_query_of_recent_records_reads_no_older_ones") else {
        return;
    };
    let topic = broker.topic("times", 3, &[]);
    let shop = KafkaShop::new(&topic);
    minutes(&topic);
    let since = |time: &str| format!("from kafka.clicks where timestamp >= '{time}'");
    let late = since("2025-06-15T15:20:40Z");
    assert_eq!(shop.rows(&format!("select count(*) {late}")), ["6"]);
    let plan = shop.rows(&format!("explain select * {late}")).join("\n");
    assert!(plan.contains("offsets=[0: 7..10, 1: 7..10]"), "{plan}");
    let never = since("2031-01-01T00:00:00Z");
    assert_eq!(shop.rows(&format!("select count(*) {never}")), ["0"]);
    let plan = shop.rows(&format!("explain select * {never}")).join("\n");
    assert!(!plan.contains("0..10"), "nothing is read in vain: {plan}");
}

#[test]
fn records_of_an_open_transaction_that_was_left_behind_hold_nothing_up_for_ever() {
    let Some(broker) = Broker::shared("records_of_an_open_transaction_that_was_left_behind_hold_nothing_up_for_ever")
    else {
        return;
    };
    let topic = broker.topic("zombie", 1, &[]);
    let shop = KafkaShop::new(&topic);
    topic.send(numbered(0..10, 1));
    {
        let zombie = topic.producer(&[("transactional.id", &topic.name)]);
        zombie.init_transactions(ANSWER).unwrap();
        zombie.begin_transaction().unwrap();
        zombie
            .send(BaseRecord::<[u8], [u8]>::to(&topic.name).payload(b"never committed"))
            .map_err(|(error, _)| error)
            .unwrap();
        zombie.flush(ANSWER).unwrap();
    }
    topic.send(numbered(10..20, 1));
    shop.ok(&["run"]);
    assert_eq!(shop.bronze().len(), 10, "up to the open transaction");
    // The next producer with the same ID ends its open transaction.
    let successor = topic.producer(&[("transactional.id", &topic.name)]);
    successor.init_transactions(ANSWER).unwrap();
    shop.ok(&["run"]);
    assert_eq!(shop.bronze().len(), 20);
    shop.assert_holds_the_topic();
}
