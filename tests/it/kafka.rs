//! The main job from Kafka: the program against a broker in the test's process, over the network.

use clickrec::simulate::{Simulation, SimulationConfig};
use clickrec::sources::kafka::{EmbeddedBroker, KafkaConfig, Producer};

use crate::support::Shop;

pub fn send(broker: &EmbeddedBroker, events: u64, seed: u64) {
    simulate(&broker.config("clickstream"), events, seed);
}

/// Writes simulated events to a topic, some of them broken, late or repeated.
pub fn simulate(topic: &KafkaConfig, events: u64, seed: u64) {
    let mut producer = Producer::connect(topic).unwrap();
    let config = SimulationConfig {
        events,
        seed,
        dirty: 0.05,
        items: 300,
        ..SimulationConfig::default()
    };
    for record in Simulation::new(config) {
        producer.send(Some(&record.key), Some(&record.value)).unwrap();
    }
    assert_eq!(producer.flush().unwrap(), events);
}

/// The program with the broker's topics as source: whether it succeeded, and its standard error.
pub fn run(shop: &Shop, broker: &EmbeddedBroker, args: &[&str]) -> (bool, String) {
    let mut command = shop.command(&[args, &["--target", "kafka"]].concat());
    let output = command.env("KAFKA_BROKERS", broker.brokers()).output().unwrap();
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[test]
fn a_topic_flows_through_every_layer_and_goes_on() {
    let shop = Shop::new();
    let broker = EmbeddedBroker::start("clickstream", 4).unwrap();
    send(&broker, 3_000, 1);
    let (ok, log) = run(&shop, &broker, &["run"]);
    assert!(ok, "{log}");
    shop.assert_nothing_lost(3_000);
    assert_eq!(shop.number("select count(distinct partition) from bronze.clicks"), 4);

    let (ok, log) = run(&shop, &broker, &["run"]);
    assert!(
        ok && log.contains("bronze.clicks          skip    nothing new"),
        "{log}"
    );

    send(&broker, 700, 2);
    let (ok, log) = run(&shop, &broker, &["run"]);
    assert!(ok && log.contains("700 rows wait"), "{log}");
    shop.assert_nothing_lost(3_700);
}

#[test]
fn a_recreated_topic_is_refused_and_never_read_in_silence() {
    let shop = Shop::up_to_silver();
    let broker = EmbeddedBroker::start("clickstream", 1).unwrap();
    send(&broker, 500, 1);
    assert!(run(&shop, &broker, &["run"]).0);
    let other = EmbeddedBroker::start("clickstream", 1).unwrap();
    send(&other, 100, 2);
    let (ok, log) = run(&shop, &other, &["run"]);
    assert!(
        !ok && log.contains("topic `clickstream`") && log.contains("recreated") && log.contains("--accept-loss"),
        "{log}"
    );
    shop.assert_nothing_lost(500);
    let (ok, log) = run(&shop, &other, &["run", "--accept-loss"]);
    assert!(ok && log.contains("reading the new topic from its beginning"), "{log}");
    assert_eq!(
        shop.number("select count(*) from bronze.clicks"),
        600,
        "what was there stays"
    );
    let (ok, log) = run(&shop, &other, &["run", "--full-refresh", "--select", "bronze.clicks+"]);
    assert!(ok, "{log}");
    shop.assert_nothing_lost(100);
}

#[test]
fn a_partition_that_was_empty_when_its_topic_was_read_anew_is_not_skipped_later() {
    let shop = Shop::up_to_silver();
    let broker = EmbeddedBroker::start("clickstream", 4).unwrap();
    send(&broker, 500, 1);
    assert!(run(&shop, &broker, &["run"]).0);
    let other = EmbeddedBroker::start("clickstream", 4).unwrap();
    // Most partitions are still empty when everything is reread, and then grow beyond where the old ones ended.
    send(&other, 1, 2);
    let (ok, log) = run(&shop, &other, &["run", "--full-refresh", "--select", "bronze.clicks+"]);
    assert!(ok, "{log}");
    send(&other, 2_000, 3);
    let (ok, log) = run(&shop, &other, &["run"]);
    assert!(ok, "{log}");
    shop.assert_nothing_lost(2_001);
}

#[test]
fn the_program_produces_into_a_topic() {
    let shop = Shop::up_to_silver();
    let broker = EmbeddedBroker::start("clickstream", 2).unwrap();
    let (ok, log) = run(&shop, &broker, &["produce", "--events", "400", "--dirty", "0.1"]);
    assert!(ok && log.contains("400 records to topic clickstream"), "{log}");
    assert!(run(&shop, &broker, &["run"]).0);
    shop.assert_nothing_lost(400);
}

#[test]
fn a_missing_broker_is_a_clear_error_in_run_and_plan() {
    let shop = Shop::new();
    for command in ["run", "plan"] {
        let (code, log) = shop.fails(&[command, "--target", "kafka", "--var", "KAFKA_BROKERS=127.0.0.1:1"]);
        assert!(
            code == 1 && log.contains("Kafka at 127.0.0.1:1") && log.contains("help:"),
            "{log}"
        );
    }
    assert!(
        !shop.path("lake/bronze/clicks/_delta_log").exists(),
        "nothing was written"
    );
}

#[test]
fn sql_reads_a_topic_and_writes_to_it_only_when_asked() {
    let shop = Shop::new();
    let broker = EmbeddedBroker::start("clickstream", 2).unwrap();
    send(&broker, 300, 1);
    let sql = |args: &[&str]| {
        let args = [&["sql", "--format", "csv", "--target", "kafka"], args].concat();
        let output = shop
            .command(&args)
            .env("KAFKA_BROKERS", broker.brokers())
            .output()
            .unwrap();
        (
            output.status.success(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let count = || sql(&["-c", "select count(*) as n from kafka.clicks"]).1;
    assert_eq!(count(), "n\n300\n");

    let insert = "insert into kafka.clicks (key, value) select 'k', '{\"item_id\":\"a\"}'";
    let (ok, _, log) = sql(&["-c", insert]);
    assert!(!ok && log.contains("DML not supported"), "{log}");
    let (ok, _, log) = sql(&["--write", "-c", insert]);
    assert!(ok, "{log}");
    assert_eq!(count(), "n\n301\n");
    for (headers, told) in [
        (
            "[named_struct('key', 'a', 'val', 'b')]",
            &["`headers` have no field", "help:"][..],
        ),
        ("[{key: 'a', value: 'b', more: 'c'}]", &["\"more\""][..]),
    ] {
        let insert = format!("insert into kafka.clicks (value, headers) values ('x', {headers})");
        let (ok, _, log) = sql(&["--write", "-c", &insert]);
        assert!(!ok && told.iter().all(|told| log.contains(told)), "{log}");
    }
    let (ok, _, log) = sql(&["--write", "-c", "delete from kafka.clicks where key = 'k'"]);
    assert!(!ok && log.contains("only added") && log.contains("help:"), "{log}");
    assert_eq!(count(), "n\n301\n");
    let (ok, _, log) = sql(&["--write", "-c", "insert into gold.sessions (session_id) values ('x')"]);
    assert!(!ok && log.contains("is not a topic") && log.contains("help:"), "{log}");
}
