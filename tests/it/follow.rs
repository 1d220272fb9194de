//! `run --follow`: batch after batch from a broker, in parallel with training, until it is stopped.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clickrec::sources::kafka::EmbeddedBroker;

use crate::kafka::send;
use crate::support::{Shop, signal};

const LONG: Duration = Duration::from_secs(60);
pub const FAST: (&str, &str) = ("every: 10s, records: 1000000", "every: 200ms, records: 1000000");

/// The program following a topic, with its output in files of the shop.
pub struct Following {
    pub child: Child,
    metrics: SocketAddr,
}

impl Following {
    pub fn start(shop: &Shop, brokers: &str, args: &[&str]) -> Self {
        Self::start_with(shop, brokers, args, &[])
    }

    /// With additional environment variables.
    pub fn start_with(shop: &Shop, brokers: &str, args: &[&str], environment: &[(&str, &str)]) -> Self {
        // A port that was free a moment ago.
        let metrics = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let address = metrics.to_string();
        let first = ["run", "--follow", "--target", "kafka", "--metrics", &address];
        let out = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(shop.path("follow.jsonl"))
            .unwrap();
        let errors = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(shop.path("follow.err"))
            .unwrap();
        let child = shop
            .command(&[&first, args].concat())
            .env("KAFKA_BROKERS", brokers)
            .envs(environment.iter().copied())
            .stdout(Stdio::from(out))
            .stderr(Stdio::from(errors))
            .spawn()
            .unwrap();
        Self { child, metrics }
    }

    /// Follows the shop's files, with a lake whose store fails now and then.
    pub fn start_on_files(shop: &Shop, faults: &str) -> Self {
        let metrics = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = shop
            .command(&["run", "--follow", "--metrics", &metrics.to_string()])
            .env("CLICKREC_FAULTS", faults)
            .stdout(fs::File::create(shop.path("follow.jsonl")).unwrap())
            .stderr(fs::File::create(shop.path("follow.err")).unwrap())
            .spawn()
            .unwrap();
        Self { child, metrics }
    }

    /// The status code and body of a page.
    pub fn get(&self, page: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(self.metrics).ok()?;
        write!(
            stream,
            "GET {page} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        .ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let code = text.split_whitespace().nth(1)?.parse().ok()?;
        Some((code, text.split_once("\r\n\r\n")?.1.to_owned()))
    }

    /// The value of a metric.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let (_, text) = self.get("/metrics")?;
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    /// Waits until this many records have been processed and none is pending.
    pub fn wait_for_records(&self, shop: &Shop, records: u64) {
        wait(shop, &format!("{records} records"), || {
            self.metric("clickrec_records_total") == Some(records as f64)
                && self.metric("clickrec_batches_total") > Some(0.0)
        });
    }

    /// Tells it to stop, which is not a failure.
    pub fn stop(mut self, shop: &Shop) {
        signal(&self.child, "TERM");
        let ended = self.child.wait().unwrap();
        let said = || fs::read_to_string(shop.path("follow.err")).unwrap_or_default();
        assert_eq!(ended.code(), Some(0), "{}", said());
        // It may have stopped between two steps; any later run does the rest.
        shop.ok(&["run", "--select", "silver.quarantine,silver.events+"]);
    }
}

fn has_data(table: &Path) -> bool {
    let files = fs::read_dir(table).into_iter().flatten().flatten();
    files
        .into_iter()
        .any(|file| file.path().extension().is_some_and(|extension| extension == "parquet"))
}

/// Waits for a condition, and fails with the program's output if it does not become true.
pub fn wait(shop: &Shop, what: &str, happened: impl Fn() -> bool) {
    let started = Instant::now();
    while !happened() {
        let said = || fs::read_to_string(shop.path("follow.err")).unwrap_or_default();
        assert!(
            started.elapsed() < LONG,
            "no {what} within {} s: {}",
            LONG.as_secs(),
            said()
        );
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn batches_follow_a_topic_until_sigterm_and_gold_equals_the_batch_result() {
    let shop = Shop::new();
    shop.edit("pipelines.yaml", FAST.0, FAST.1);
    let broker = EmbeddedBroker::start("clickstream", 4).unwrap();
    let following = Following::start(&shop, &broker.brokers(), &[]);
    let mut sent = 0;
    for (wave, events) in [2_000, 500, 1_500].into_iter().enumerate() {
        send(&broker, events, wave as u64);
        sent += events;
        following.wait_for_records(&shop, sent);
    }
    // Training runs on its own schedule, and so do the steps downstream of it.
    wait(&shop, "model", || {
        following
            .metric("clickrec_table_version{table=\"gold.als_factors\"}")
            .is_some()
    });
    let (code, text) = following.get("/metrics").unwrap();
    assert_eq!(code, 200);
    for name in [
        "clickrec_lag_records{source=\"clicks\",place=\"clickstream/0\"}",
        "clickrec_table_age_seconds{table=\"gold.model\"}",
    ] {
        assert!(text.contains(name), "{name} is not in {text}");
    }
    assert_eq!(following.get("/health").unwrap().0, 200);
    following.stop(&shop);
    shop.assert_nothing_lost(sent);

    // Without a terminal, the output is JSON lines, each with what the steps did.
    let lines = fs::read_to_string(shop.path("follow.jsonl")).unwrap();
    let batches: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let read: u64 = batches
        .iter()
        .filter(|line| line["event"] == "batch")
        .flat_map(|line| line["steps"].as_array().unwrap())
        .filter(|step| step["step"] == "bronze.clicks")
        .map(|step| step["rows_read"].as_u64().unwrap())
        .sum();
    assert_eq!(read, sent);

    shop.assert_equals_a_recomputation();
}

#[test]
fn once_drains_a_topic_in_batches_of_the_given_size_and_ends() {
    let shop = Shop::new();
    shop.edit("pipelines.yaml", "records: 1000000", "records: 500");
    let broker = EmbeddedBroker::start("clickstream", 4).unwrap();
    send(&broker, 3_000, 1);
    let mut following = Following::start(&shop, &broker.brokers(), &["--once"]);
    assert!(
        following.child.wait().unwrap().success(),
        "{}",
        fs::read_to_string(shop.path("follow.err")).unwrap()
    );
    shop.assert_nothing_lost(3_000);
    let history = shop.ok(&["history", "bronze.clicks", "--json"]);
    let commits = serde_json::from_str::<Vec<serde_json::Value>>(&history).unwrap().len();
    assert!((6..=8).contains(&commits), "{commits} commits");
    assert!(
        shop.number("select count(*) from gold.recommendations") > 0,
        "what runs beside the batches ran too"
    );
}

#[test]
fn a_second_signal_stops_at_once_and_what_is_committed_stays_right() {
    let shop = Shop::up_to_silver();
    let broker = EmbeddedBroker::start("clickstream", 4).unwrap();
    send(&broker, 30_000, 1);
    // A step that hangs before its commit.
    let stuck = [("FAILPOINTS", "before_commit=sleep(60000)")];
    let mut following = Following::start_with(&shop, &broker.brokers(), &[], &stuck);
    wait(&shop, "data of the first step", || {
        has_data(&shop.path("lake/bronze/clicks"))
    });
    let signaled = Instant::now();
    signal(&following.child, "TERM");
    thread::sleep(Duration::from_millis(500));
    assert!(
        following.child.try_wait().unwrap().is_none(),
        "the first waits for the step"
    );
    signal(&following.child, "INT");
    assert_eq!(following.child.wait().unwrap().code(), Some(1), "the second does not");
    assert!(signaled.elapsed() < LONG / 2);
    assert!(
        !shop.path("lake/bronze/clicks/_delta_log").exists(),
        "nothing was committed"
    );
    let mut again = Following::start(&shop, &broker.brokers(), &["--once"]);
    assert!(again.child.wait().unwrap().success());
    shop.assert_nothing_lost(30_000);
}

#[test]
fn two_followers_of_one_lake_double_nothing() {
    let shop = Shop::new();
    shop.edit("pipelines.yaml", FAST.0, FAST.1);
    let broker = EmbeddedBroker::start("clickstream", 4).unwrap();
    let followers = [0, 1].map(|_| Following::start(&shop, &broker.brokers(), &[]));
    let mut sent = 0;
    for wave in 0..5 {
        send(&broker, 800, wave);
        sent += 800;
        wait(&shop, "all records", || {
            let read: f64 = followers
                .iter()
                .filter_map(|one| one.metric("clickrec_records_total"))
                .sum();
            read >= sent as f64
        });
    }
    for follower in followers {
        follower.stop(&shop);
    }
    shop.assert_nothing_lost(sent);
}

#[test]
fn a_source_that_goes_silent_turns_health_bad_and_comes_to_notice() {
    let shop = Shop::without_recommender();
    shop.edit("pipelines.yaml", FAST.0, FAST.1);
    let broker = EmbeddedBroker::start("clickstream", 2).unwrap();
    send(&broker, 500, 1);
    let following = Following::start(&shop, &broker.brokers(), &[]);
    following.wait_for_records(&shop, 500);
    drop(broker);
    wait(&shop, "bad health", || {
        following.get("/health").is_some_and(|(code, _)| code == 503)
    });
    let (_, reason) = following.get("/health").unwrap();
    assert!(
        reason.contains("Kafka") || reason.contains("the sources have not responded"),
        "{reason}"
    );
    assert_eq!(following.metric("clickrec_healthy"), Some(0.0));
    following.stop(&shop);
    let said = fs::read_to_string(shop.path("follow.jsonl")).unwrap();
    assert!(
        said.contains("\"event\":\"failed\"") && said.contains("retry_in_seconds"),
        "{said}"
    );
    shop.assert_nothing_lost(500);
}

#[test]
fn a_follower_that_was_frozen_while_another_went_on_doubles_nothing() {
    let shop = Shop::without_recommender();
    shop.edit("pipelines.yaml", FAST.0, FAST.1);
    let broker = EmbeddedBroker::start("clickstream", 4).unwrap();
    send(&broker, 20_000, 1);
    let frozen = Following::start(&shop, &broker.brokers(), &[]);
    // In the middle of its first batch.
    wait(&shop, "start", || shop.path("lake/bronze/clicks").exists());
    signal(&frozen.child, "STOP");
    let mut other = Following::start(&shop, &broker.brokers(), &["--once"]);
    assert!(
        other.child.wait().unwrap().success(),
        "{}",
        fs::read_to_string(shop.path("follow.err")).unwrap()
    );
    signal(&frozen.child, "CONT");
    send(&broker, 1_000, 2);
    wait(&shop, "the new records", || {
        // Each look starts the program, which the follower has to share the processor with.
        thread::sleep(Duration::from_millis(400));
        shop.number("select count(*) from bronze.clicks") == 21_000
    });
    wait(&shop, "a batch", || frozen.metric("clickrec_batches_total") > Some(0.0));
    frozen.stop(&shop);
    shop.assert_nothing_lost(21_000);
}
