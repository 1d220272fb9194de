//! A schema registry in the test's process, on a free port; and values with the IDs of its schemas.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use clickrec::sources::kafka::{EmbeddedBroker, Producer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use crate::support::Shop;

/// It answers until it is dropped.
pub struct Registry {
    pub url: String,
    content: Arc<Mutex<Content>>,
    _runtime: Runtime,
}

#[derive(Default)]
struct Content {
    answers: BTreeMap<u32, Value>,
    /// By subject, in any version.
    subjects: BTreeMap<String, Value>,
    refuses_with: Option<StatusCode>,
    requests: Vec<u32>,
}

impl Registry {
    /// With Avro schemas by their IDs.
    pub fn start(schemas: &[(u32, &str)]) -> Self {
        let content = Arc::new(Mutex::new(Content::default()));
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new()
            .route("/schemas/ids/{id}", get(schema))
            .route("/subjects/{subject}/versions/{version}", get(subject))
            .with_state(content.clone());
        runtime.spawn(async move { axum::serve(listener, routes).await });
        let registry = Self {
            url,
            content,
            _runtime: runtime,
        };
        for (id, schema) in schemas {
            registry.answer(*id, json!({ "schema": schema }));
        }
        registry
    }

    /// Answers so for an ID.
    pub fn answer(&self, id: u32, answer: Value) {
        self.content.lock().unwrap().answers.insert(id, answer);
    }

    /// Answers so for all versions of a subject.
    pub fn answer_subject(&self, subject: &str, answer: Value) {
        self.content.lock().unwrap().subjects.insert(subject.to_owned(), answer);
    }

    /// Refuses all requests with a status, or answers them again.
    pub fn refuse_with(&self, status: Option<u16>) {
        let status = status.map(|status| StatusCode::from_u16(status).unwrap());
        self.content.lock().unwrap().refuses_with = status;
    }

    /// The IDs that were requested since the last call, in order.
    pub fn take_requests(&self) -> Vec<u32> {
        let mut requests = std::mem::take(&mut self.content.lock().unwrap().requests);
        requests.sort_unstable();
        requests
    }
}

async fn schema(State(content): State<Arc<Mutex<Content>>>, Path(id): Path<u32>) -> (StatusCode, String) {
    let mut content = content.lock().unwrap();
    content.requests.push(id);
    if let Some(status) = content.refuses_with {
        return (status, String::new());
    }
    match content.answers.get(&id) {
        Some(answer) => (StatusCode::OK, answer.to_string()),
        None => (StatusCode::NOT_FOUND, json!({ "error_code": 40403 }).to_string()),
    }
}

async fn subject(
    State(content): State<Arc<Mutex<Content>>>,
    Path((subject, _)): Path<(String, u32)>,
) -> (StatusCode, String) {
    match content.lock().unwrap().subjects.get(&subject) {
        Some(answer) => (StatusCode::OK, answer.to_string()),
        None => (StatusCode::NOT_FOUND, json!({ "error_code": 40401 }).to_string()),
    }
}

/// A value after the ID of its schema.
pub fn framed(id: u32, record: &[u8]) -> Vec<u8> {
    [&[0_u8][..], &id.to_be_bytes(), record].concat()
}

/// Sends values to the topic `clickstream`.
pub fn send(broker: &EmbeddedBroker, values: impl IntoIterator<Item = Vec<u8>>) {
    let mut producer = Producer::connect(&broker.config("clickstream")).unwrap();
    for value in values {
        producer.send(None, Some(&value)).unwrap();
    }
    producer.flush().unwrap();
}

/// A project that decodes the topic `clickstream`, or another in `KAFKA_TOPIC`, with these settings.
pub fn shop_of(brokers: &str, settings: &str) -> Shop {
    let mut shop = Shop::up_to_silver();
    let topic = "topic: \"${KAFKA_TOPIC:-clickstream}\"";
    shop.edit("pipelines.yaml", topic, &format!("{topic}{settings}"));
    shop.set("CLICKREC_TARGET", "kafka");
    shop.set("KAFKA_BROKERS", brokers);
    shop
}
