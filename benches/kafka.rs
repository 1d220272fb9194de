//! librdkafka alone: reads a topic to its end and drops every message. `scripts/bench-kafka` runs it to compare it with
//! clickrec.
//!
//! BROKERS and TOPIC come from the environment. One consumer of all partitions, or one a partition (`CONSUMERS=each`),
//! each on a thread of its own; prints how many messages and bytes came, and the seconds. `CREATE=N` makes the topic
//! instead, and `PRODUCE=N` fills it with simulated events that carry a page and a browser as a shop's do (150 to 300
//! bytes).

#![allow(clippy::panic, clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use clickrec::simulate::{Record, Simulation, SimulationConfig};
use clickrec::sources::kafka::{KafkaConfig, Producer, Security, Topics};
use futures::executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

const BROWSERS: [&str; 3] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Mobile/15E148",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/126.0",
];
const ANSWER: Duration = Duration::from_secs(30);

fn main() {
    // `cargo test --benches` and `cargo bench` without a broker have nothing to measure.
    let (Ok(brokers), Ok(topic)) = (std::env::var("BROKERS"), std::env::var("TOPIC")) else {
        println!("SKIPPED: BROKERS and TOPIC name no topic (scripts/bench-kafka does)");
        return;
    };
    if let Ok(partitions) = std::env::var("CREATE") {
        return create(&brokers, &topic, partitions.parse().unwrap());
    }
    if let Ok(events) = std::env::var("PRODUCE") {
        return produce(brokers, topic, events.parse().unwrap());
    }
    let each = std::env::var("CONSUMERS").is_ok_and(|consumers| consumers == "each");
    let partitions = {
        let client = consumer(&brokers);
        let metadata = client.fetch_metadata(Some(&topic), ANSWER).unwrap();
        metadata.topics()[0].partitions().len() as i32
    };
    let groups: Vec<Vec<i32>> = if each {
        (0..partitions).map(|partition| vec![partition]).collect()
    } else {
        vec![(0..partitions).collect()]
    };
    let started = Instant::now();
    let readers: Vec<_> = groups
        .into_iter()
        .map(|group| {
            let (brokers, topic) = (brokers.clone(), topic.clone());
            thread::spawn(move || read(&consumer(&brokers), &topic, &group))
        })
        .collect();
    let read = readers.into_iter().map(|reader| reader.join().unwrap());
    let (messages, bytes) = read.fold((0, 0), |sum, read| (sum.0 + read.0, sum.1 + read.1));
    let seconds = started.elapsed().as_secs_f64();
    println!("{{\"messages\": {messages}, \"bytes\": {bytes}, \"seconds\": {seconds:.3}}}");
}

fn create(brokers: &str, topic: &str, partitions: i32) {
    let admin: AdminClient<_> = ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap();
    let topic = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    let made = block_on(admin.create_topics([&topic], &AdminOptions::new()));
    made.unwrap()[0].as_ref().unwrap();
}

fn produce(brokers: String, topic: String, events: u64) {
    let config = KafkaConfig {
        brokers,
        topics: Topics::one(topic),
        security: Security::default(),
        options: Default::default(),
        schemas: None,
    };
    let mut producer = Producer::connect(&config).unwrap();
    let mut simulation = Simulation::new(SimulationConfig {
        events,
        items: 20_000,
        ..SimulationConfig::default()
    });
    let (mut record, mut number) = (Record::default(), 0_usize);
    while simulation.next_into(&mut record) {
        number += 1;
        assert_eq!(record.value.pop(), Some(b'}'), "a simulated event is a JSON object");
        let browser = BROWSERS[number % BROWSERS.len()];
        write!(record.value, r#","page":"/shop/p/{number}","agent":"{browser}"}}"#).unwrap();
        producer.send(Some(&record.key), Some(&record.value)).unwrap();
    }
    assert_eq!(producer.flush().unwrap(), events);
}

fn consumer(brokers: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "bench")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .create()
        .unwrap()
}

fn read(client: &BaseConsumer, topic: &str, partitions: &[i32]) -> (u64, u64) {
    let mut assignment = TopicPartitionList::new();
    for partition in partitions {
        assignment
            .add_partition_offset(topic, *partition, Offset::Beginning)
            .unwrap();
    }
    client.assign(&assignment).unwrap();
    let (mut messages, mut bytes, mut ended) = (0, 0, 0);
    while ended < partitions.len() {
        match client.poll(ANSWER).unwrap() {
            Ok(message) => {
                messages += 1;
                bytes += message.payload_len() as u64;
            }
            Err(KafkaError::PartitionEOF(_)) => ended += 1,
            Err(error) => panic!("{error}"),
        }
    }
    (messages, bytes)
}
