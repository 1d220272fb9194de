#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMillisecondType};
use async_trait::async_trait;
use datafusion::prelude::SessionContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use super::client::settings;
use super::*;
use super::{KafkaConfig, Security};
use crate::plural::counted;
use crate::sources::{Committed, FromTheStart, OnLoss, Positions, ReadOptions, Source, SourceError};

pub(super) const ACCEPT: ReadOptions = ReadOptions {
    on_loss: OnLoss::Accept,
    from_timestamp_millis: None,
    records_max: None,
    trusts_files: false,
};

struct At(Positions);

#[async_trait]
impl Committed for At {
    async fn position(&self, place: &str) -> Result<Option<i64>, SourceError> {
        Ok(self.0.get(place).copied())
    }
}

fn fill(broker: &EmbeddedBroker, records: std::ops::Range<u32>) {
    let mut producer = Producer::connect(&broker.config("t")).unwrap();
    for record in records.clone() {
        producer
            .send(
                Some(format!("key {record}").as_bytes()),
                Some(format!("value {record}").as_bytes()),
            )
            .unwrap();
    }
    assert_eq!(producer.flush().unwrap(), u64::from(records.end - records.start));
}

async fn session(broker: &EmbeddedBroker) -> SessionContext {
    let context = SessionContext::new();
    context
        .register_table("t", Arc::new(KafkaTable::new(broker.config("t"))))
        .unwrap();
    context
}

pub(super) async fn query(context: &SessionContext, sql: &str) -> Vec<RecordBatch> {
    context.sql(sql).await.unwrap().collect().await.unwrap()
}

pub(super) async fn count(context: &SessionContext, sql: &str) -> i64 {
    query(context, sql).await[0]
        .column(0)
        .as_primitive::<Int64Type>()
        .value(0)
}

pub(super) async fn explain(context: &SessionContext, sql: &str) -> String {
    let batches = query(context, &format!("explain {sql}")).await;
    arrow::util::pretty::pretty_format_batches(&batches)
        .unwrap()
        .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_comes_once_and_reading_goes_on_where_it_ended() {
    let broker = EmbeddedBroker::start("t", 3).unwrap();
    fill(&broker, 0..5_000);
    let source = KafkaSource::new(broker.config("t"));
    let first = source.pending(&FromTheStart, ReadOptions::default()).await.unwrap();
    // Records produced after planning are left for the next run.
    fill(&broker, 5_000..6_000);
    let context = SessionContext::new();
    let read = |pending: crate::sources::Pending| {
        let context = context.clone();
        async move {
            let rows = context.read_table(pending.provider).unwrap().collect().await.unwrap();
            let values = rows.iter().flat_map(|batch| {
                let values = batch.column_by_name("value").unwrap().as_binary::<i32>();
                values
                    .iter()
                    .map(|value| String::from_utf8(value.unwrap().to_vec()).unwrap())
                    .collect::<Vec<_>>()
            });
            values.collect::<Vec<_>>()
        }
    };
    assert_eq!(first.records, 5_000);
    let positions = first.next.clone();
    let values = read(first).await;
    assert_eq!(
        (values.len(), values.iter().collect::<HashSet<_>>().len()),
        (5_000, 5_000)
    );
    let second = source.pending(&At(positions), ReadOptions::default()).await.unwrap();
    assert_eq!(second.records, 1_000);
    assert!(
        read(second)
            .await
            .iter()
            .all(|value| value.strip_prefix("value ").unwrap().parse::<u32>().unwrap() >= 5_000)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_projection_and_limit_reach_the_scan() {
    let broker = EmbeddedBroker::start("t", 4).unwrap();
    fill(&broker, 0..2_000);
    let context = session(&broker).await;
    let plan = explain(&context, "select value from t where partition = 2").await;
    assert!(plan.contains("KafkaExec: topic=t, offsets=[2: 0.."), "{plan}");
    assert!(
        !plan.contains("FilterExec"),
        "an exact filter is not checked again: {plan}"
    );
    let plan = explain(
        &context,
        "select value from t where partition in (0, 3) and \"offset\" >= 5 and \"offset\" < 9",
    )
    .await;
    assert!(plan.contains("offsets=[0: 5..9, 3: 5..9]"), "{plan}");
    assert!(explain(&context, "select key from t limit 3").await.contains("limit=3"));
    assert_eq!(
        count(
            &context,
            "select count(*) from t where partition in (0, 3) and \"offset\" between 5 and 8"
        )
        .await,
        8
    );
    assert_eq!(
        count(&context, "select count(*) from t where partition % 2 = 1").await,
        {
            count(&context, "select count(*) from t").await
                - count(&context, "select count(*) from t where partition % 2 = 0").await
        }
    );
    assert_eq!(
        count(&context, "select count(*) from (select * from t limit 7)").await,
        7
    );
    // The embedded broker does not support timestamps, so a filter on them must not skip anything.
    assert_eq!(
        count(
            &context,
            "select count(*) from t where timestamp > timestamp '2001-01-01T00:00:00Z'"
        )
        .await,
        2_000
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_inserts_into_a_topic() {
    let broker = EmbeddedBroker::start("t", 2).unwrap();
    let context = session(&broker).await;
    query(
        &context,
        "insert into t (key, value) values ('k', 'one'), (null, 'two'), ('gone', null)",
    )
    .await;
    assert_eq!(
        count(&context, "select count(*) from t where value in ('one', 'two')").await,
        2
    );
    assert_eq!(count(&context, "select count(*) from t where key is null").await, 1);
    assert_eq!(
        count(&context, "select count(*) from t where value is null").await,
        1,
        "a tombstone"
    );
    assert_eq!(
        count(&context, "select count(*) from t where partition = 99").await,
        0,
        "there is no such partition"
    );
}

/// All columns that can be inserted, each set, empty and NULL.
const ALL_COLUMNS: &str = "insert into t (key, value, \"timestamp\", headers, partition) values
    ('k', 'one', timestamp '2025-06-15T15:06:40.123Z', [named_struct('key', 'source', 'value', 'web'),
     named_struct('key', 'source', 'value', null), named_struct('key', '', 'value', '')], 1),
    ('', '', null, [], 0),
    (null, null, timestamp '1971-01-01T00:00:00.001Z', null, 1)";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_inserted_comes_back_as_it_was_given() {
    let broker = EmbeddedBroker::start("t", 2).unwrap();
    let context = session(&broker).await;
    query(&context, ALL_COLUMNS).await;
    let rows = query(
        &context,
        "select partition, key, value, headers, arrow_cast(\"timestamp\", 'Timestamp(Millisecond, None)') as at from t \
         order by partition, \"offset\"",
    )
    .await;
    let partitions = rows[0].column(0).as_primitive::<Int32Type>();
    assert_eq!(partitions.values(), &[0, 1, 1]);
    for (column, expected) in [
        (1, [Some(&b""[..]), Some(b"k"), None]),
        (2, [Some(&b""[..]), Some(b"one"), None]),
    ] {
        assert_eq!(
            rows[0].column(column).as_binary::<i32>().iter().collect::<Vec<_>>(),
            expected
        );
    }
    let headers = rows[0].column(3).as_list::<i32>();
    assert_eq!((headers.is_null(0), headers.is_null(2)), (true, true));
    let given = headers.value(1);
    let (keys, values) = (given.as_struct().column(0), given.as_struct().column(1));
    let keys: Vec<_> = keys.as_string::<i32>().iter().collect();
    let values: Vec<_> = values.as_binary::<i32>().iter().collect();
    assert_eq!(keys, [Some("source"), Some("source"), Some("")]);
    assert_eq!(values, [Some(&b"web"[..]), None, Some(b"")]);
    let times = rows[0].column(4).as_primitive::<TimestampMillisecondType>();
    assert_eq!((times.value(1), times.value(2)), (1_750_000_000_123, 31_536_000_001));
    assert!(times.value(0) > 1_750_000_000_000, "the time at which it was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_inserted_is_refused_by_name_and_nothing_is_sent() {
    let broker = EmbeddedBroker::start("t", 2).unwrap();
    let context = session(&broker).await;
    for (insert, expected) in [
        (
            "(value, \"offset\") values ('a', null), ('b', 7)",
            "`offset` cannot be written",
        ),
        (
            "(value, topic) values ('a', 't'), ('b', 'other')",
            "`topic` cannot be written",
        ),
        ("(value, partition) values ('a', 0), ('b', 2)", "topic `t` has 2"),
        ("(value, partition) values ('a', -1)", "`partition` -1"),
        (
            "(value, \"timestamp\") values ('a', timestamp '1969-07-20T20:17:40Z')",
            "`timestamp` 1969-07-20",
        ),
        (
            "(value, headers) values ('a', [named_struct('key', null, 'value', 'x')])",
            "has no key",
        ),
        ("select * from t", "`offset` cannot be written"),
    ] {
        if insert.starts_with("select") {
            query(&context, "insert into t (value) values ('there')").await;
        }
        let planned = context.sql(&format!("insert into t {insert}")).await.unwrap();
        let error = planned.collect().await.unwrap_err().to_string();
        assert!(error.contains(expected), "{insert}: {error}");
    }
    assert_eq!(count(&context, "select count(*) from t").await, 1);
    query(
        &context,
        "insert into t (value, topic, \"offset\") values ('a', 't', null)",
    )
    .await;
    assert_eq!(count(&context, "select count(*) from t").await, 2);
    for change in [
        "delete from t",
        "update t set value = 'x'",
        "insert overwrite t select * from t",
        "truncate table t",
    ] {
        let error = match context.sql(change).await {
            Ok(planned) => planned.collect().await.unwrap_err(),
            Err(error) => error,
        };
        assert!(error.to_string().contains("only added"), "{change}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insert_that_fails_says_how_much_was_sent() {
    let broker = EmbeddedBroker::start("t", 2).unwrap();
    let context = session(&broker).await;
    let insert = "insert into t (value, partition) select cast(n as varchar), case when n = 30000 then 9 end from \
                  (select value as n from generate_series(1, 40000)) order by n";
    let error = context
        .sql(insert)
        .await
        .unwrap()
        .collect()
        .await
        .unwrap_err()
        .to_string();
    let sent = count(&context, "select count(*) from t").await;
    assert!(sent > 0 && sent < 30_000, "{sent}");
    let sent = counted(sent.unsigned_abs(), "record", "records");
    assert!(error.contains(&format!("after {sent} had been sent")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tombstones_headers_and_bad_utf8_survive() {
    let broker = EmbeddedBroker::start("t", 1).unwrap();
    let producer: BaseProducer = settings(&broker.config("t")).create().unwrap();
    let headers = OwnedHeaders::new()
        .insert(Header {
            key: "trace",
            value: Some("7"),
        })
        .insert(Header::<&str> {
            key: "none",
            value: None,
        });
    producer
        .send(BaseRecord::<[u8], [u8]>::to("t").key(b"gone").headers(headers))
        .unwrap();
    producer
        .send(BaseRecord::<[u8], [u8]>::to("t").payload(&[0xC3, 0x28]))
        .unwrap();
    producer.flush(Duration::from_secs(5)).unwrap();
    let rows = query(
        &session(&broker).await,
        "select value, headers from t order by \"offset\"",
    )
    .await;
    let values = rows[0].column(0).as_binary::<i32>();
    assert_eq!(values.iter().collect::<Vec<_>>(), [None, Some(&[0xC3, 0x28][..])]);
    let headers = rows[0].column(1).as_list::<i32>();
    assert_eq!((headers.value(0).len(), headers.is_null(1)), (2, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_that_the_topic_does_not_have_are_refused() {
    let broker = EmbeddedBroker::start("t", 1).unwrap();
    fill(&broker, 0..10);
    let source = KafkaSource::new(broker.config("t"));
    let beyond = At(BTreeMap::from([("t/0".to_owned(), 11)]));
    let error = source
        .pending(&beyond, ReadOptions::default())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("t/0 was read up to position 11") && error.contains("recreated"),
        "{error}"
    );
    let end = At(BTreeMap::from([("t/0".to_owned(), 10)]));
    assert_eq!(source.pending(&end, ReadOptions::default()).await.unwrap().records, 0);
    let accepted = source.pending(&beyond, ACCEPT).await.unwrap();
    assert_eq!(
        (accepted.records, accepted.next["t/0"]),
        (10, 10),
        "from the first that is there"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_not_there_is_an_error_soon() {
    let config = KafkaConfig {
        brokers: "127.0.0.1:1".to_owned(),
        topics: Topics::one("t"),
        security: Security::default(),
        options: BTreeMap::new(),
        schemas: None,
    };
    let started = Instant::now();
    let error = KafkaSource::new(config.clone())
        .pending(&FromTheStart, ReadOptions::default())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("Kafka at 127.0.0.1:1") && error.contains("refused") && error.contains("help:"),
        "{error}"
    );
    assert!(started.elapsed() < Duration::from_secs(20));
    let error = Producer::connect(&config).unwrap_err().to_string();
    assert!(error.contains("127.0.0.1:1"), "{error}");
}
