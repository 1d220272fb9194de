//! A real Kafka for the tests: Apache Kafka, started by `scripts/kafka`, and topics on it.
//!
//! The tests in this binary share one broker, and each has its own topics. A test that stops the broker starts its own.
//! `CLICKREC_TEST_KAFKA=host:port` names a PLAINTEXT broker to share instead.
//!
//! Without Java or Kafka, a test prints SKIPPED and its name; with `CI=true` it fails.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::script::Script;
use crate::support;
use clickrec::sources::kafka::{KafkaConfig, Security, Topics};
use futures::executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::Value;

/// How long a local broker may take for any request.
const ANSWER: Duration = Duration::from_secs(30);

/// A broker that was started here, or named in the environment.
pub struct Broker {
    script: Option<Script>,
    /// What the script reported: addresses by listener, and certificate files.
    described: HashMap<String, String>,
}

impl Broker {
    /// The broker that the tests share.
    pub fn shared(test: &str) -> Option<&'static Self> {
        static SHARED: LazyLock<Result<Broker, String>> =
            LazyLock::new(|| match std::env::var("CLICKREC_TEST_KAFKA") {
                Ok(address) => Ok(Broker {
                    script: None,
                    described: HashMap::from([("plaintext".to_owned(), address)]),
                }),
                Err(_) => Broker::start(1),
            });
        SHARED.as_ref().map_err(|reason| skipped(test, reason)).ok()
    }

    /// The shared broker, if it has TLS listeners.
    pub fn with_tls(test: &str) -> Option<&'static Self> {
        let broker = Self::shared(test)?;
        if broker.script.is_none() {
            support::skipped(test, "CLICKREC_TEST_KAFKA names a broker without TLS");
            return None;
        }
        Some(broker)
    }

    /// A broker that the test may stop.
    pub fn own(test: &str) -> Option<Self> {
        Self::start(1).map_err(|reason| skipped(test, &reason)).ok()
    }

    /// Several brokers in a cluster; a test may stop all but the first.
    pub fn cluster(test: &str, brokers: usize) -> Option<Self> {
        Self::start(brokers).map_err(|reason| skipped(test, &reason)).ok()
    }

    fn start(brokers: usize) -> Result<Self, String> {
        let brokers = brokers.to_string();
        let arguments = ["serve", "--heap", "512m", "--fast-start", "--brokers", &brokers];
        let (script, told) = Script::start("kafka", &arguments)?;
        Ok(Self {
            script: Some(script),
            described: texts(told),
        })
    }

    /// `host:port` of a listener: `plaintext`, `sasl_ssl`, `expired`, `elsewhere`, `mutual`, `oauth`.
    pub fn address(&self, listener: &str) -> &str {
        &self.described[listener]
    }

    /// The bootstrap servers: every broker in the cluster.
    pub fn bootstrap(&self) -> &str {
        self.described
            .get("brokers")
            .map_or_else(|| self.address("plaintext"), String::as_str)
    }

    /// The PEM file of the authority that signed the broker's certificates (`ca`), or of an unrelated one (`other_ca`).
    pub fn authority(&self, name: &str) -> PathBuf {
        PathBuf::from(&self.described[name])
    }

    /// A file that the script has made: a client's certificate or key, the key that signs tokens.
    pub fn file(&self, name: &str) -> PathBuf {
        PathBuf::from(&self.described["folder"]).join(name)
    }

    /// Kills the broker, like a crash.
    pub fn kill(&self) {
        self.tell("kill");
    }

    /// Restarts it after [`Broker::kill`].
    pub fn start_again(&self) {
        self.tell("start");
    }

    /// Kills a broker of a cluster (counted from 1).
    pub fn kill_node(&self, node: i32) {
        self.tell(&format!("kill {node}"));
    }

    /// Restarts it after [`Broker::kill_node`].
    pub fn start_node(&self, node: i32) {
        self.tell(&format!("start {node}"));
    }

    /// Sends a signal (`STOP`, `CONT`) to the broker's process.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{signal}"), &self.described["pid"]])
            .status();
        assert!(sent.unwrap().success());
    }

    fn tell(&self, line: &str) {
        self.script.as_ref().unwrap().ask::<Value>(line);
    }

    /// A new topic, whose name starts with `name`.
    pub fn topic(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) -> Topic<'_> {
        let topic = self.new_topic(name);
        topic.create(partitions, settings);
        topic
    }

    /// A new topic with replicas on the given brokers; the first one in each list is the leader.
    pub fn replicated_topic(&self, name: &str, replicas: &[&[i32]]) -> Topic<'_> {
        let topic = self.new_topic(name);
        let partitions = i32::try_from(replicas.len()).unwrap();
        topic.create_from(NewTopic::new(
            &topic.name,
            partitions,
            TopicReplication::Variable(replicas),
        ));
        topic
    }

    /// The name of a topic that is not there, which begins with `name`.
    pub fn unmade_topic(&self, name: &str) -> Topic<'_> {
        self.new_topic(name)
    }

    fn new_topic(&self, name: &str) -> Topic<'_> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Topic {
            broker: self,
            name: format!("{name}-{}-{count}", std::process::id()),
        }
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.bootstrap());
        config
    }

    pub fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().unwrap()
    }
}

/// The script's report, as text.
fn texts(told: HashMap<String, Value>) -> HashMap<String, String> {
    let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    told.into_iter().map(|(name, value)| (name, text(value))).collect()
}

fn skipped(test: &str, reason: &str) {
    assert!(std::env::var_os("CI").is_none(), "{test} needs Kafka: {reason}");
    support::skipped(test, reason);
}

/// A topic of a test.
pub struct Topic<'a> {
    pub broker: &'a Broker,
    pub name: String,
}

/// A record to send; `Default` leaves everything to the broker.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    pub partition: Option<i32>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub timestamp_millis: Option<i64>,
    pub headers: Vec<(String, Vec<u8>)>,
}

impl From<&str> for Sent {
    fn from(value: &str) -> Self {
        Self {
            value: Some(value.as_bytes().to_vec()),
            ..Self::default()
        }
    }
}

impl Topic<'_> {
    /// Creates the topic, and waits until it is usable.
    pub fn create(&self, partitions: i32, settings: &[(&str, &str)]) {
        let topic = settings.iter().fold(
            NewTopic::new(&self.name, partitions, TopicReplication::Fixed(1)),
            |topic, (key, value)| topic.set(key, value),
        );
        self.create_from(topic);
    }

    fn create_from(&self, topic: NewTopic<'_>) {
        let made = block_on(self.broker.admin().create_topics([&topic], &AdminOptions::new()));
        made.unwrap()[0].as_ref().unwrap();
        self.wait_for(topic.num_partitions);
    }

    pub fn delete(&self) {
        let deleted = block_on(self.broker.admin().delete_topics(&[&self.name], &AdminOptions::new()));
        deleted.unwrap()[0].as_ref().unwrap();
        self.wait_for(0);
    }

    /// Grows the topic to this many partitions.
    pub fn grow(&self, partitions: i32) {
        let wanted = NewPartitions::new(&self.name, usize::try_from(partitions).unwrap());
        let grown = block_on(self.broker.admin().create_partitions([&wanted], &AdminOptions::new()));
        grown.unwrap()[0].as_ref().unwrap();
        self.wait_for(partitions);
    }

    /// Deletes a partition's records before an offset, like retention does.
    pub fn delete_records(&self, partition: i32, before: i64) {
        let mut offsets = TopicPartitionList::new();
        let offset = Offset::Offset(before);
        offsets.add_partition_offset(&self.name, partition, offset).unwrap();
        block_on(self.broker.admin().delete_records(&offsets, &AdminOptions::new())).unwrap();
    }

    /// Waits: the broker answers immediately, but takes a moment to act.
    fn wait_for(&self, partitions: i32) {
        let started = Instant::now();
        while self.partitions() != partitions {
            assert!(
                started.elapsed() < ANSWER,
                "{} has not {partitions} partitions",
                self.name
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The number of partitions with a leader.
    fn partitions(&self) -> i32 {
        let leaders = self.leaders();
        i32::try_from(leaders.iter().filter(|leader| **leader >= 0).count()).unwrap()
    }

    /// The leader of each partition; -1 for none.
    pub fn leaders(&self) -> Vec<i32> {
        let client: BaseConsumer = self.broker.client().create().unwrap();
        let metadata = client.fetch_metadata(Some(&self.name), ANSWER).unwrap();
        let partitions = metadata.topics()[0].partitions();
        partitions.iter().map(|partition| partition.leader()).collect()
    }

    /// Waits until these brokers are the leaders of its partitions.
    pub fn wait_for_leaders(&self, leaders: &[i32]) {
        let started = Instant::now();
        while self.leaders() != leaders {
            let now = self.leaders();
            assert!(
                started.elapsed() < ANSWER,
                "{} is led by {now:?}, not {leaders:?}",
                self.name
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn config(&self) -> KafkaConfig {
        KafkaConfig {
            brokers: self.broker.bootstrap().to_owned(),
            topics: Topics::one(&self.name),
            security: Security::default(),
            options: Default::default(),
            schemas: None,
        }
    }

    /// A producer with custom settings.
    pub fn producer(&self, settings: &[(&str, &str)]) -> BaseProducer {
        let mut config = self.broker.client();
        config.set("message.max.bytes", "33554432");
        settings.iter().for_each(|(key, value)| _ = config.set(*key, *value));
        config.create().unwrap()
    }

    /// Sends records in this order, and waits for delivery.
    pub fn send(&self, records: impl IntoIterator<Item = Sent>) {
        let producer = self.producer(&[]);
        self.send_by(&producer, records);
    }

    /// The same with an existing producer.
    pub fn send_by(&self, producer: &BaseProducer, records: impl IntoIterator<Item = Sent>) {
        for sent in records {
            let mut record = BaseRecord::<[u8], [u8]>::to(&self.name);
            record.partition = sent.partition;
            record.key = sent.key.as_deref();
            record.payload = sent.value.as_deref();
            record.timestamp = sent.timestamp_millis;
            if !sent.headers.is_empty() {
                let header = |headers: OwnedHeaders, (key, value): &(String, Vec<u8>)| {
                    headers.insert(Header {
                        key,
                        value: Some(value),
                    })
                };
                record.headers = Some(sent.headers.iter().fold(OwnedHeaders::new(), header));
            }
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(ANSWER).unwrap();
    }

    /// The partition and offset of every record that a `read_committed` consumer sees, in order.
    pub fn held(&self) -> Vec<(i32, i64)> {
        let client: BaseConsumer = self
            .broker
            .client()
            .set("group.id", "test")
            .set("enable.partition.eof", "true")
            .create()
            .unwrap();
        let mut assignment = TopicPartitionList::new();
        let partitions = self.partitions();
        for partition in 0..partitions {
            let first = Offset::Beginning;
            assignment.add_partition_offset(&self.name, partition, first).unwrap();
        }
        client.assign(&assignment).unwrap();
        let (mut held, mut ended) = (vec![], 0);
        while ended < partitions {
            match client.poll(ANSWER).expect("the broker is silent") {
                Ok(message) => held.push((message.partition(), message.offset())),
                Err(KafkaError::PartitionEOF(_)) => ended += 1,
                Err(error) => panic!("{}: {error}", self.name),
            }
        }
        held.sort_unstable();
        held
    }
}
