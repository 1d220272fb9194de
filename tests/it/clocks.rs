//! Wrong clocks: of one event, of a backfill, of the records themselves. One wrong clock does not affect anything else.

use std::fs;
use std::process::Output;

use clickrec::sources::kafka::EmbeddedBroker;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use crate::support::Shop;

const TOPIC: &str = "clickstream";

fn told(output: &Output) -> String {
    assert!(output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn click(at: &str, session: &str, item: &str) -> String {
    format!(r#"{{"timestamp":"{at}","session_id":"{session}","item_id":"{item}","event_type":"view"}}"#) + "\n"
}

/// Forty sessions of a backfill, each with three items of one of four shelves.
fn backfill(year: u32) -> String {
    let clicks = (0..120).map(|n| {
        let (session, place) = (n / 3, n % 3);
        let at = format!("{year}-03-{:02}T10:{place:02}:00Z", 1 + session % 20);
        click(
            &at,
            &format!("s{session}"),
            &format!("p{}", session % 4 * 10 + (session / 4 + place) % 5),
        )
    });
    clicks.collect()
}

const BY_NEIGHBORS: &str = "select count(*) from gold.recommendations where session_knn > 0";

#[test]
fn an_event_of_today_or_of_2099_in_a_backfill_changes_no_list() {
    let shop = Shop::new();
    fs::write(shop.path("sample_data/1.json"), backfill(2015)).unwrap();
    shop.ok(&["run"]);
    let before = shop.number(BY_NEIGHBORS);
    assert!(before > 50, "{before}");
    let lists = "select session_id, item_id, rank from gold.recommendations where session_id <> 'odd' order by 1, 3";
    let without = shop.rows(lists);

    // The timestamps of files do not reveal that this is in the future.
    for odd in ["2026-03-01T10:00:00Z", "2099-03-01T10:00:00Z"] {
        let shop = Shop::new();
        shop.edit(
            "sql/bronze/clicks.sql",
            "    timestamp,\n",
            "    arrow_cast('1970-01-21', 'Timestamp(Microsecond, Some(\"UTC\"))') as timestamp,\n",
        );
        fs::write(
            shop.path("sample_data/1.json"),
            backfill(2015) + &click(odd, "odd", "p1"),
        )
        .unwrap();
        shop.ok(&["run"]);
        assert_eq!(shop.number("select count(*) from silver.events"), 121);
        assert!(shop.number(BY_NEIGHBORS) >= before, "{odd}");
        assert_eq!(shop.rows(lists).len(), without.len(), "{odd}");
    }
}

#[test]
fn an_event_of_1970_is_a_reason_and_changes_no_duration() {
    let shop = Shop::without_recommender();
    let odd = click("1970-01-01T00:00:00Z", "s0", "p1") + &click("1969-12-31T23:59:59Z", "s1", "p1");
    fs::write(shop.path("sample_data/1.json"), backfill(2015) + &odd).unwrap();
    shop.ok(&["run"]);
    assert_eq!(
        shop.rows("select reason, count(*), min(detail), max(detail) from silver.quarantine group by reason"),
        ["timestamp is too old,2,1969-12-31T23:59:59Z,1970-01-01T00:00:00Z"]
    );
    assert_eq!(shop.number("select max(duration_s) from gold.sessions"), 120);
    assert_eq!(shop.rows("select max(mean_duration_s) from gold.engagement"), ["120.0"]);
    shop.assert_nothing_lost(122);
    // An older shop has to say so.
    shop.edit(
        "pipelines.yaml",
        "pipelines:",
        "vars: { oldest_event: '1960-01-01' }\npipelines:",
    );
    shop.ok(&["run"]);
    assert_eq!(shop.number("select count(*) from silver.quarantine"), 0);
    shop.assert_nothing_lost(122);
}

fn send(broker: &EmbeddedBroker, events: &str, record_time: i64) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", broker.brokers())
        .create()
        .unwrap();
    for line in events.lines() {
        producer
            .send(BaseRecord::<(), str>::to(TOPIC).payload(line).timestamp(record_time))
            .unwrap();
    }
    producer.flush(std::time::Duration::from_secs(10)).unwrap();
}

fn run(shop: &Shop, broker: &EmbeddedBroker) -> String {
    told(
        &shop
            .command(&["run", "--target", "kafka"])
            .env("KAFKA_BROKERS", broker.brokers())
            .output()
            .unwrap(),
    )
}

#[test]
fn record_times_of_another_unit_are_told_and_their_events_accepted() {
    let seconds = 1_772_359_200; // 1 March 2026
    for unit in [1, 1_000_000, 1_000_000_000] {
        let (shop, broker) = (Shop::up_to_silver(), EmbeddedBroker::start(TOPIC, 1).unwrap());
        send(&broker, &backfill(2026), seconds * unit);
        let log = run(&shop, &broker);
        assert!(
            log.contains("120 of 120 records arrived with an impossible record time"),
            "{unit}: {log}"
        );
        assert_eq!(shop.number("select count(*) from silver.events"), 120, "{unit}");
        shop.assert_nothing_lost(120);
        // And once more: the tables are readable, and new records are added.
        send(&broker, &click("2026-03-01T11:00:00Z", "later", "p1"), seconds * unit);
        run(&shop, &broker);
        shop.assert_nothing_lost(121);
    }
    let (shop, broker) = (Shop::up_to_silver(), EmbeddedBroker::start(TOPIC, 1).unwrap());
    send(&broker, &backfill(2026), (seconds + 30 * 86_400) * 1_000);
    let log = run(&shop, &broker);
    assert!(!log.contains("impossible record time"), "{log}");
    assert_eq!(shop.number("select count(*) from silver.events"), 120);
}
