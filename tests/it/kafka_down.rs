//! Brokers that stop, crash and return in the middle of a run, and leaders that change.

use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::broker::Broker;
use crate::follow::Following;
use crate::kafka_shop::KafkaShop;

/// A run that takes longer than this is considered hung.
const HANGS: Duration = Duration::from_secs(120);
const ROUNDS: u64 = 3;
const EVENTS: u64 = 20_000;

fn start(shop: &KafkaShop<'_>) -> Child {
    shop.command(&["run"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits for a run to end; returns its standard error if it failed.
fn ended(mut run: Child) -> Result<(), String> {
    let started = Instant::now();
    while run.try_wait().unwrap().is_none() {
        if started.elapsed() > HANGS {
            run.kill().unwrap();
            panic!("the run hangs");
        }
        thread::sleep(Duration::from_millis(50));
    }
    let output = run.wait_with_output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!log.contains("panicked"), "{log}");
    if output.status.success() { Ok(()) } else { Err(log) }
}

fn says_what_to_do(log: &str) -> bool {
    log.contains("Kafka at 127.0.0.1:") && log.contains("help:")
}

#[test]
fn a_broker_that_answers_no_more_is_a_clear_error_and_the_next_run_goes_on() {
    let Some(broker) = Broker::own("a_broker_that_answers_no_more_is_a_clear_error_and_the_next_run_goes_on") else {
        return;
    };
    let topic = broker.topic("clickstream", 2, &[]);
    let shop = KafkaShop::new(&topic);
    shop.simulate(2_000, 1);
    shop.ok(&["run"]);
    shop.simulate(2_000, 2);
    broker.signal("STOP");
    let log = ended(start(&shop)).unwrap_err();
    assert!(says_what_to_do(&log), "{log}");
    broker.signal("CONT");
    shop.ok(&["run"]);
    shop.assert_holds_the_topic();

    broker.kill();
    let log = ended(start(&shop)).unwrap_err();
    assert!(says_what_to_do(&log), "{log}");
    broker.start_again();
    shop.simulate(500, 3);
    shop.ok(&["run"]);
    shop.assert_holds_the_topic();
}

#[test]
fn a_broker_that_dies_in_the_middle_of_runs_and_comes_back_loses_and_doubles_nothing() {
    let test = "a_broker_that_dies_in_the_middle_of_runs_and_comes_back_loses_and_doubles_nothing";
    let Some(broker) = Broker::own(test) else { return };
    let topic = broker.topic("clickstream", 2, &[]);
    let shop = KafkaShop::new(&topic);
    shop.simulate(EVENTS, 0);
    let started = Instant::now();
    shop.ok(&["run"]);
    let whole = started.elapsed();
    let mut random = StdRng::seed_from_u64(3);
    for round in 1..=ROUNDS {
        shop.simulate(EVENTS, round);
        let run = start(&shop);
        thread::sleep(whole.mul_f64(random.random_range(0.0..0.5)));
        broker.kill();
        broker.start_again();
        // Either it waited for the broker, or it reports why not.
        if let Err(log) = ended(run) {
            assert!(says_what_to_do(&log), "{log}");
        }
    }
    shop.ok(&["run"]);
    shop.assert_holds_the_topic();
}

#[test]
fn leaders_that_change_under_runs_and_followers_lose_and_double_nothing() {
    let test = "leaders_that_change_under_runs_and_followers_lose_and_double_nothing";
    let Some(cluster) = Broker::cluster(test, 3) else {
        return;
    };
    let topic = cluster.replicated_topic("clickstream", &[&[2, 3], &[3, 2]]);
    topic.wait_for_leaders(&[2, 3]);
    let shop = KafkaShop::new(&topic);
    shop.simulate(EVENTS, 0);
    let started = Instant::now();
    shop.ok(&["run"]);
    let whole = started.elapsed();
    let mut random = StdRng::seed_from_u64(6);
    for (round, dies, heir) in [(1, 2, 3), (2, 3, 2)] {
        shop.simulate(EVENTS, round);
        let run = start(&shop);
        thread::sleep(whole.mul_f64(random.random_range(0.0..0.5)));
        cluster.kill_node(dies);
        // A run waits for a partition's new leader, and succeeds.
        ended(run).unwrap();
        topic.wait_for_leaders(&[heir, heir]);
        shop.simulate(EVENTS, 10 + round);
        // The leaders return to their original brokers during this run.
        let run = start(&shop);
        cluster.start_node(dies);
        ended(run).unwrap();
        topic.wait_for_leaders(&[2, 3]);
    }
    shop.assert_holds_the_topic();

    shop.shop.edit(
        "pipelines.yaml",
        "every: 10s, records: 1000000",
        "every: 200ms, records: 1000000",
    );
    let before = topic.held().len();
    let following = Following::start_with(&shop.shop, cluster.bootstrap(), &[], &[("KAFKA_TOPIC", &topic.name)]);
    // It has reached Kafka before the leaders change: a source that never answered is an error.
    shop.simulate(EVENTS, 19);
    following.wait_for_records(&shop.shop, (topic.held().len() - before) as u64);
    for (round, dies, heir) in [(20, 2, 3), (30, 3, 2)] {
        shop.simulate(EVENTS, round);
        cluster.kill_node(dies);
        topic.wait_for_leaders(&[heir, heir]);
        shop.simulate(EVENTS, 10 + round);
        cluster.start_node(dies);
        topic.wait_for_leaders(&[2, 3]);
    }
    following.wait_for_records(&shop.shop, (topic.held().len() - before) as u64);
    following.stop(&shop.shop);
    shop.assert_holds_the_topic();
}
