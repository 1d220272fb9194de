//! A project whose events come from a topic in a real Kafka, and invariants that hold after any fault.

use std::process::Command;

use crate::broker::Topic;
use crate::support::Shop;

/// What the pipeline derives from events, without the models.
const TABLES: [(&str, &str); 6] = [
    // An event's previous sessions are history, which a recomputation does not have.
    (
        "silver.events",
        "event_id, session_id, user_id, item_id, event_type, event_at, session_is_inferred, partition, \"offset\"",
    ),
    ("gold.sessions", "*"),
    ("gold.session_items", "*"),
    ("gold.item_popularity", "*"),
    ("gold.item_trends", "*"),
    ("gold.engagement", "*"),
];

/// A project without a recommender, and its topic.
pub struct KafkaShop<'a> {
    pub shop: Shop,
    pub topic: &'a Topic<'a>,
}

impl<'a> KafkaShop<'a> {
    pub fn new(topic: &'a Topic<'a>) -> Self {
        let shop = Shop::without_recommender();
        Self { shop, topic }
    }

    /// The program with the topic as the project's source.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.shop.command(&[args, &["--target", "kafka"]].concat());
        command
            .env("KAFKA_BROKERS", self.topic.broker.bootstrap())
            .env("KAFKA_TOPIC", &self.topic.name);
        command
    }

    /// Whether it succeeded, and its standard error.
    pub fn run(&self, args: &[&str]) -> (bool, String) {
        let output = self.command(args).output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!log.contains("panicked"), "{log}");
        (output.status.success(), log)
    }

    /// Runs a command that must succeed; returns its standard error.
    pub fn ok(&self, args: &[&str]) -> String {
        let (ok, log) = self.run(args);
        assert!(ok, "{args:?}: {log}");
        log
    }

    /// Runs a command that must fail; returns its standard error.
    pub fn fails(&self, args: &[&str]) -> String {
        let (ok, log) = self.run(args);
        assert!(!ok, "{args:?} should fail: {log}");
        log
    }

    /// The rows of a query that may read the topic, as CSV without a header.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        let output = self.command(&["sql", "--format", "csv", "-c", sql]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let out = String::from_utf8(output.stdout).unwrap();
        out.lines().skip(1).map(str::to_owned).collect()
    }

    /// Writes simulated events to the topic, some of them broken, late or repeated.
    pub fn simulate(&self, events: u64, seed: u64) {
        simulate(self.topic, events, seed);
    }

    /// The partition and offset of every row in Bronze, in order.
    pub fn bronze(&self) -> Vec<(i32, i64)> {
        let sql = format!(
            "select partition, \"offset\" from bronze.clicks where topic = '{}' order by partition, \"offset\"",
            self.topic.name
        );
        let place = |row: &String| {
            let (partition, offset) = row.split_once(',').unwrap();
            (partition.parse().unwrap(), offset.parse().unwrap())
        };
        self.shop.rows(&sql).iter().map(place).collect()
    }

    /// The invariant: Bronze contains each record of `produced` once and nothing else, each of them is in Silver or
    /// quarantine, and a recomputation gives the same Silver and Gold.
    pub fn assert_holds_exactly(&self, produced: &[(i32, i64)]) {
        assert_eq!(self.bronze(), produced, "Bronze holds what was produced");
        self.shop.assert_nothing_lost(produced.len() as u64);
        let before = self.tables();
        self.ok(&["run", "--full-refresh"]);
        for ((table, _), (before, after)) in TABLES.iter().zip(before.iter().zip(&self.tables())) {
            assert_eq!(before, after, "{table} equals its recomputation");
        }
    }

    /// The same for all records in the topic.
    pub fn assert_holds_the_topic(&self) {
        self.assert_holds_exactly(&self.topic.held());
    }

    /// Silver and Gold without the models, sorted.
    pub fn tables(&self) -> Vec<Vec<String>> {
        let queries = TABLES.map(|(table, columns)| format!("select {columns} from {table}"));
        self.shop.sorted(&[], &queries)
    }
}

/// Writes simulated events to a topic.
pub fn simulate(topic: &Topic<'_>, events: u64, seed: u64) {
    crate::kafka::simulate(&topic.config(), events, seed);
}
