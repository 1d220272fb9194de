#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int32Type;
use datafusion::catalog::TableProvider;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;

use super::describe::Topic;
use super::recreated::is_recreated;
use super::tests::{ACCEPT, count, explain, query};
use super::*;
use crate::sources::{FromTheStart, OnLoss, Pending, Positions, ReadOptions, Source, SourceConfig, SourceKind};

fn broker(topics: &[&str]) -> EmbeddedBroker {
    let broker = EmbeddedBroker::start(topics[0], 2).unwrap();
    for topic in &topics[1..] {
        broker.create_topic(topic, 2).unwrap();
    }
    broker
}

fn send(broker: &EmbeddedBroker, topic: &str, values: std::ops::Range<u32>) {
    let mut producer = Producer::connect(&broker.config(topic)).unwrap();
    for value in values {
        let value = format!("{topic} {value}");
        producer.send(Some(value.as_bytes()), Some(value.as_bytes())).unwrap();
    }
    producer.flush().unwrap();
}

fn named(broker: &EmbeddedBroker, topics: &[&str]) -> KafkaConfig {
    let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
    KafkaConfig {
        topics: Topics::Named(topics),
        ..broker.config("")
    }
}

fn matching(broker: &EmbeddedBroker, pattern: &str) -> KafkaConfig {
    KafkaConfig {
        topics: Topics::Matching(TopicPattern::new(pattern).unwrap()),
        ..broker.config("")
    }
}

/// The records that are pending, as `topic value`, sorted. Each value begins with the topic that it was sent to.
async fn read(provider: Arc<dyn TableProvider>) -> Vec<String> {
    let rows = SessionContext::new()
        .read_table(provider)
        .unwrap()
        .collect()
        .await
        .unwrap();
    let of_batch = |batch: &RecordBatch| {
        let topics = batch.column_by_name("topic").unwrap().as_string::<i32>().clone();
        let values = batch.column_by_name("value").unwrap().as_binary::<i32>().clone();
        let texts = values
            .iter()
            .map(|value| String::from_utf8(value.unwrap().to_vec()).unwrap());
        let texts = topics.iter().zip(texts).map(|(topic, value)| {
            let of = value.split(' ').next();
            assert_eq!(topic, of, "{value} is under another topic");
            value.clone()
        });
        texts.collect::<Vec<String>>()
    };
    let mut read: Vec<String> = rows.iter().flat_map(of_batch).collect();
    read.sort();
    read
}

async fn pending(source: &KafkaSource, committed: &Positions, options: ReadOptions) -> Pending {
    source.pending(committed, options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_read_as_one_and_each_topic_goes_on_where_it_ended() {
    let broker = broker(&["web", "app", "other"]);
    for topic in ["web", "app", "other"] {
        send(&broker, topic, 0..300);
    }
    let source = KafkaSource::new(named(&broker, &["web", "app"]));
    let first = source.pending(&FromTheStart, ReadOptions::default()).await.unwrap();
    let places: Vec<&str> = first.next.keys().map(String::as_str).collect();
    assert_eq!(places, ["app/0", "app/1", "app/id", "web/0", "web/1", "web/id"]);
    assert_eq!(first.lag.values().sum::<u64>(), 600);
    let next = first.next.clone();
    let values = read(first.provider).await;
    assert_eq!(values.len(), 600);
    assert!(values.windows(2).all(|two| two[0] != two[1]), "none twice");

    send(&broker, "app", 300..310);
    let second = pending(&source, &next, ReadOptions::default()).await;
    let values = read(second.provider).await;
    assert_eq!((second.records, values.len()), (10, 10));
    assert!(values.iter().all(|value| value.starts_with("app 30")), "{values:?}");

    let limited = ReadOptions {
        records_max: Some(60),
        ..ReadOptions::default()
    };
    let share = pending(&source, &Positions::new(), limited).await;
    assert!((40..=60).contains(&share.records), "{}", share.records);
    let began = share.lag.keys().filter(|place| share.next[*place] > 0).count();
    assert_eq!(began, 4, "every partition of every topic");
    let sample = source.sample(20).await.unwrap();
    assert!((10..=20).contains(&sample.len()), "{}", sample.len());

    let missing = KafkaSource::new(named(&broker, &["web", "gone"]));
    let error = missing
        .pending(&FromTheStart, ReadOptions::default())
        .await
        .unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("topic `gone`") && error.contains("is missing"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_finds_topics_that_come_later_and_refuses_those_that_are_gone() {
    let broker = broker(&["clicks.web", "views"]);
    send(&broker, "clicks.web", 0..50);
    send(&broker, "views", 0..50);
    let source = KafkaSource::new(matching(&broker, r"clicks\..*"));
    let first = pending(&source, &Positions::new(), ReadOptions::default()).await;
    assert_eq!(first.records, 50);
    let mut committed = first.next;

    broker.create_topic("clicks.app", 2).unwrap();
    send(&broker, "clicks.app", 0..70);
    let second = pending(&source, &committed, ReadOptions::default()).await;
    let values = read(second.provider).await;
    assert!(values.len() == 70 && values.iter().all(|value| value.starts_with("clicks.app ")));
    committed.extend(second.next);

    // A topic of which something was read, and one of which nothing was, are no longer there; a third never matched.
    for (place, position) in [
        ("clicks.old/0", 7),
        ("clicks.old/id", 9),
        ("clicks.empty/0", 0),
        ("clicks.empty/id", 9),
        ("orders/0", 7),
    ] {
        committed.insert(place.to_owned(), position);
    }
    let gone = source.pending(&committed, ReadOptions::default()).await;
    let gone = gone.unwrap_err().to_string();
    assert!(
        gone.contains("topic `clicks.old`") && gone.contains("--accept-loss"),
        "{gone}"
    );
    let accepted = pending(&source, &committed, ACCEPT).await;
    assert!(
        accepted.keep && accepted.records == 0,
        "accepted even where nothing is pending"
    );
    for place in ["clicks.old/id", "clicks.empty/id"] {
        assert_eq!(accepted.next[place], -9, "{place}");
    }
    for place in ["clicks.old/0", "orders/0"] {
        assert!(!accepted.next.contains_key(place), "its position stays: {place}");
    }
    committed.extend(accepted.next);
    // Once accepted, it is not asked again; and a new topic of that name is read from its beginning.
    assert!(!pending(&source, &committed, ReadOptions::default()).await.keep);
    broker.create_topic("clicks.old", 2).unwrap();
    send(&broker, "clicks.old", 0..5);
    assert_eq!(pending(&source, &committed, ReadOptions::default()).await.records, 5);

    let nothing = KafkaSource::new(matching(&broker, "orders"));
    let nothing = pending(&nothing, &Positions::new(), ReadOptions::default()).await;
    assert_eq!((nothing.records, nothing.next.len()), (0, 0));
    assert_eq!(read(nothing.provider).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_on_topics_decide_what_is_read_and_rows_name_the_topic_they_go_to() {
    let broker = broker(&["web", "app"]);
    let context = SessionContext::new();
    let table = Arc::new(KafkaTable::new(named(&broker, &["web", "app"])));
    context.register_table("t", table).unwrap();
    let insert =
        "insert into t (topic, value, partition) values ('web', 'web 1', 0), ('app', 'app 1', 1), ('web', 'web 2', 1)";
    query(&context, insert).await;
    let plan = explain(&context, "select value from t where topic = 'web' and partition = 1").await;
    assert!(
        plan.contains("KafkaExec: offsets=[web/1: 0..1]") && !plan.contains("FilterExec"),
        "{plan}"
    );
    assert_eq!(count(&context, "select count(*) from t where topic like 'a%'").await, 1);
    assert_eq!(
        count(&context, "select count(*) from t where topic <> 'web' or partition = 0").await,
        2
    );
    let rows = query(&context, "select topic, partition from t where value = 'web 2'").await;
    let (topics, partitions) = (
        rows[0].column(0).as_string::<i32>(),
        rows[0].column(1).as_primitive::<Int32Type>(),
    );
    assert_eq!((topics.value(0), partitions.value(0)), ("web", 1));

    for (insert, expected) in [
        ("(value) values ('x')", "`topic` is missing"),
        (
            "(topic, value) values ('web', 'x'), ('views', 'x')",
            "a row has topic `views`",
        ),
    ] {
        let planned = context.sql(&format!("insert into t {insert}")).await.unwrap();
        let error = planned.collect().await.unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("help:"), "{error}");
    }
    assert_eq!(
        count(&context, "select count(*) from t").await,
        3,
        "nothing of them was sent"
    );
    let error = Producer::connect(&named(&broker, &["web", "app"]))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("topics web, app") && error.contains("insert into"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_for_another_process_keeps_each_offset_with_its_topic() {
    let broker = broker(&["web", "app"]);
    send(&broker, "web", 0..40);
    send(&broker, "app", 0..60);
    let config = matching(&broker, "web|app");
    let scan = KafkaSource::new(config.clone()).everything().await.unwrap();
    let context = SessionContext::new();
    let plan = scan.scan(&context.state(), None, &[], None).await.unwrap();
    let bytes = Kafka.encode(plan.as_ref()).unwrap().unwrap();
    let sources: Vec<Arc<dyn SourceConfig>> = vec![Arc::new(broker.config("web")), Arc::new(config)];
    let decoded = Kafka.decode(&bytes, &sources).unwrap();
    let shown = |plan: &dyn ExecutionPlan| datafusion::physical_plan::displayable(plan).one_line().to_string();
    assert_eq!(
        shown(decoded.as_ref()),
        shown(plan.as_ref()),
        "by the source that has both topics"
    );
    let rows = datafusion::physical_plan::collect(decoded, context.task_ctx())
        .await
        .unwrap();
    assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 100);
    let error = Kafka.decode(&bytes, &sources[..1]).unwrap_err().to_string();
    assert!(error.contains("topics that match web|app"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_was_only_out_of_sight_is_read_on_and_a_new_one_of_its_name_is_not() {
    let config = broker(&["clicks"]).config("clicks");
    let accepted = Positions::from([("clicks/id".to_owned(), -9)]);
    for (id, is_new) in [(Some(9), false), (Some(10), true), (None, true)] {
        let topic = Topic {
            name: "clicks".into(),
            id,
            partitions: vec![],
            from: vec![],
        };
        let found = is_recreated(&config, &topic, &accepted, OnLoss::Refuse).await.unwrap();
        assert_eq!(found, is_new, "{id:?}");
    }
}
