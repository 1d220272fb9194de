//! Sources of several topics, and several clusters with topics of the same name.

use std::fs;

use clickrec::sources::kafka::EmbeddedBroker;

use crate::broker::Broker;
use crate::follow::{FAST, Following};
use crate::kafka::{run, simulate};
use crate::kafka_real::numbered;
use crate::kafka_shop::KafkaShop;
use crate::support::Shop;

/// How the shipped project names its topic.
const ONE: &str = r#"topic: "${KAFKA_TOPIC:-clickstream}""#;

/// A broker with topics of two partitions.
fn broker(topics: &[&str]) -> EmbeddedBroker {
    let broker = EmbeddedBroker::start(topics[0], 2).unwrap();
    for topic in &topics[1..] {
        broker.create_topic(topic, 2).unwrap();
    }
    broker
}

#[test]
fn a_list_of_topics_is_one_source_and_rows_that_are_sent_name_theirs() {
    let shop = Shop::up_to_silver();
    shop.edit("pipelines.yaml", ONE, "topics: [web.clicks, app.clicks]");
    let broker = broker(&["web.clicks", "app.clicks", "other"]);
    for (topic, events, seed) in [("web.clicks", 400, 1), ("app.clicks", 300, 2), ("other", 200, 3)] {
        simulate(&broker.config(topic), events, seed);
    }
    let (ok, log) = run(&shop, &broker, &["run"]);
    assert!(ok, "{log}");
    shop.assert_nothing_lost(700);
    simulate(&broker.config("app.clicks"), 50, 4);
    let (ok, log) = run(&shop, &broker, &["run"]);
    assert!(ok && log.contains("50 rows wait"), "{log}");
    shop.assert_nothing_lost(750);
    let by_topic = "select topic, source, count(*) from bronze.clicks group by topic, source order by topic";
    assert_eq!(shop.rows(by_topic), ["app.clicks,clicks,350", "web.clicks,clicks,400"]);

    for produce in [&["produce", "--events", "5"][..], &["produce", "--create-topic", "2"]] {
        let (ok, log) = run(&shop, &broker, produce);
        assert!(
            !ok && log.contains("topics web.clicks, app.clicks") && log.contains("help:"),
            "{log}"
        );
    }
    let insert = |columns: &str| {
        let insert = format!("insert into kafka.clicks {columns}");
        run(&shop, &broker, &["sql", "--write", "-c", &insert])
    };
    let (ok, log) = insert("(value) values ('x')");
    assert!(
        !ok && log.contains("`topic` is missing") && log.contains("help:"),
        "{log}"
    );
    let (ok, log) = insert("(topic, value) values ('web.clicks', 'x'), ('app.clicks', 'y')");
    assert!(ok, "{log}");
    let (ok, log) = run(&shop, &broker, &["run"]);
    assert!(ok && log.contains("2 rows wait"), "{log}");
    shop.assert_nothing_lost(752);
}

#[test]
fn a_topic_that_comes_while_its_pattern_is_followed_is_read_from_its_beginning() {
    let shop = Shop::up_to_silver();
    shop.edit("pipelines.yaml", FAST.0, FAST.1);
    shop.edit("pipelines.yaml", ONE, r"topic_pattern: 'clicks\..*'");
    let broker = broker(&["orders"]);
    simulate(&broker.config("orders"), 100, 1);
    let (ok, log) = run(&shop, &broker, &["run"]);
    assert!(ok && log.contains(r"no topics that match clicks\..*"), "{log}");

    let following = Following::start(&shop, &broker.brokers(), &[]);
    let mut sent = 0;
    for (topic, events, seed) in [("clicks.web", 500, 2), ("clicks.app", 300, 3)] {
        broker.create_topic(topic, 2).unwrap();
        simulate(&broker.config(topic), events, seed);
        sent += events;
        following.wait_for_records(&shop, sent);
    }
    let (_, metrics) = following.get("/metrics").unwrap();
    for place in ["clicks.web/1", "clicks.app/0"] {
        let lag = format!("clickrec_lag_records{{source=\"clicks\",place=\"{place}\"}}");
        assert!(metrics.contains(&lag), "{lag} is not in {metrics}");
    }
    following.stop(&shop);
    shop.assert_nothing_lost(800);
    let topics = "select distinct topic from bronze.clicks order by topic";
    assert_eq!(shop.rows(topics), ["clicks.app", "clicks.web"]);
}

#[test]
fn a_topic_of_a_pattern_that_was_deleted_is_refused_by_name_and_can_be_given_up() {
    let test = "a_topic_of_a_pattern_that_was_deleted_is_refused_by_name_and_can_be_given_up";
    let Some(broker) = Broker::shared(test) else { return };
    let (kept, gone) = (broker.topic("kept", 2, &[]), broker.topic("gone", 2, &[]));
    let mut shop = KafkaShop::new(&kept);
    shop.shop.edit("pipelines.yaml", ONE, r#"topic_pattern: "${TOPICS}""#);
    shop.shop.set("TOPICS", &format!("{}|{}", kept.name, gone.name));
    kept.send(numbered(0..60, 2));
    gone.send(numbered(100..160, 2));
    shop.ok(&["run"]);
    assert_eq!(shop.shop.number("select count(*) from bronze.clicks"), 120);

    gone.delete();
    kept.send(numbered(200..220, 2));
    for _ in 0..2 {
        let log = shop.fails(&["run"]);
        let named = format!("topic `{}`", gone.name);
        assert!(log.contains(&named) && log.contains("--accept-loss"), "{log}");
    }
    let log = shop.ok(&["run", "--accept-loss"]);
    assert!(log.contains("continuing without it"), "{log}");
    assert!(shop.ok(&["run"]).contains("bronze.clicks          skip    nothing new"));
    gone.create(2, &[]);
    gone.send(numbered(300..310, 2));
    shop.ok(&["run"]);
    // The new topic counts from 0, as the old one did: places occur twice, records do not.
    for table in ["bronze.clicks", "silver.events"] {
        assert_eq!(
            shop.shop.number(&format!("select count(*) from {table}")),
            150,
            "{table}"
        );
    }
}

/// As docs/configuration.md has it: the source is part of the topic, and so of what identifies a record below Bronze.
const CLUSTERS: &str = r#"
select source, concat(source, '/', topic) as topic, partition, "offset", timestamp, key, value, headers
from changes('clicks')

union all

select source, concat(source, '/', topic) as topic, partition, "offset", timestamp, key, value, headers
from changes('clicks_us')
"#;

#[test]
fn two_clusters_with_topics_of_one_name_feed_one_bronze_and_nothing_is_lost_or_mixed_up() {
    let shop = Shop::up_to_silver();
    // One partition each: a record without a key would go to any.
    let clusters = [0, 1].map(|_| EmbeddedBroker::start("clickstream", 1).unwrap());
    let [eu, us] = clusters.each_ref().map(|cluster| cluster.config("clickstream"));
    let kafka = |brokers: &str| format!("    kafka: {{ brokers: \"{brokers}\", topic: clickstream }}\n");
    let sources = format!("{}  clicks_us:\n{}", kafka(&eu.brokers), kafka(&us.brokers));
    shop.edit(
        "pipelines.yaml",
        "    files: { path: sample_data, format: ndjson }\n",
        &sources,
    );
    fs::write(shop.path("sql/bronze/clicks.sql"), CLUSTERS).unwrap();
    // The second cluster mirrors the first: the same records at the same offsets.
    simulate(&eu, 600, 1);
    simulate(&us, 600, 1);
    shop.ok(&["run"]);
    shop.assert_nothing_lost(1_200);
    let [twice, events, repeated] = shop.numbers([
        "select count(*) from (select \"offset\" from bronze.clicks group by \"offset\" having count(*) = 2)",
        "select count(*) from silver.events",
        "select count(*) from silver.unaccepted where outcome = 'repeated'",
    ]);
    assert_eq!(twice, 600, "every place is there twice");
    assert!(repeated >= events, "each event came from both: {repeated}, {events}");

    // Each continues where it ended, which is no longer the same.
    simulate(&us, 50, 2);
    shop.ok(&["run"]);
    simulate(&eu, 100, 3);
    shop.ok(&["run"]);
    shop.assert_nothing_lost(1_350);
    let results = shop.results(
        &[],
        &[
            "select source, topic, count(*) from bronze.clicks group by source, topic order by source",
            "select source, topic, count(*) from changes('clicks_us') group by source, topic",
            "select topic, count(*) from kafka.clicks group by topic",
        ],
    );
    assert_eq!(
        results[0],
        ["clicks,clicks/clickstream,700", "clicks_us,clicks_us/clickstream,650"]
    );
    assert_eq!(results[1], ["clicks_us,clickstream,650"]);
    assert_eq!(results[2], ["clickstream,700"]);
}
