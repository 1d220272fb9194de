#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use clickrec_udfs::{RegisteredSchema, SchemaRegistry};
use datafusion::error::DataFusionError;
use futures::future::join_all;
use serde_json::json;
use tokio::net::TcpListener;

use super::client::Client;
use super::{Registry, RegistryConfig};
use crate::settings::Secret;
use crate::sources::SourceError;
use crate::sources::http::Patience;

const CLICK: &str = r#"{"type":"record","name":"Click","fields":[{"name":"item_id","type":"string"}]}"#;

type Answer = (StatusCode, String);

/// A registry on a free port.
struct Stub {
    url: String,
    requests: Arc<AtomicUsize>,
}

impl Stub {
    /// Its answers depend on the ID, the number of the request, from 1, and its headers.
    async fn start(answer: impl Fn(u32, usize, &HeaderMap) -> Answer + Clone + Send + Sync + 'static) -> Self {
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = requests.clone();
        let schemas = move |Path(id): Path<u32>, headers: HeaderMap| {
            let number = counter.fetch_add(1, Ordering::Relaxed) + 1;
            let answer = answer(id, number, &headers);
            async move { answer }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new().route("/schemas/ids/{id}", get(schemas));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, requests }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

fn config(url: &str) -> RegistryConfig {
    RegistryConfig {
        url: url.to_owned(),
        username: None,
        password: None,
        ca: None,
    }
}

/// A registry that is given up soon.
fn registry(config: RegistryConfig) -> Registry {
    let patience = Patience {
        attempt: Duration::from_millis(400),
        attempts: Duration::from_millis(700),
    };
    Registry::of(Client::with(config, patience))
}

fn found(schema: &serde_json::Value) -> Answer {
    (StatusCode::OK, schema.to_string())
}

fn unknown() -> Answer {
    (
        StatusCode::NOT_FOUND,
        r#"{"error_code":40403,"message":"Schema not found"}"#.to_owned(),
    )
}

async fn unusable(registry: &Registry, id: u32) -> String {
    match registry.schema(id).await.unwrap() {
        RegisteredSchema::Unusable(reason) => reason.to_string(),
        RegisteredSchema::Avro(schema) => panic!("{schema}"),
    }
}

/// Why a registry gives no answer.
async fn refusal(registry: &Registry) -> String {
    match registry.schema(1).await.unwrap_err() {
        DataFusionError::External(error) => match error.downcast_ref() {
            Some(error @ SourceError::Unreachable { .. }) => error.to_string(),
            _ => panic!("{error}"),
        },
        error => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_schema_is_requested_once() {
    let stub = Stub::start(|_, _, _| found(&json!({ "schema": CLICK }))).await;
    let registry = registry(config(&stub.url));
    let answers = join_all((0..5).map(|_| registry.schema(7))).await;
    for answer in answers {
        assert_eq!(answer.unwrap(), RegisteredSchema::Avro(CLICK.into()));
    }
    registry.schema(7).await.unwrap();
    assert_eq!(stub.requests(), 1);
    registry.schema(8).await.unwrap();
    assert_eq!(stub.requests(), 2);
}

#[tokio::test]
async fn an_id_without_an_avro_schema_is_a_reason() {
    let stub = Stub::start(|id, _, _| match id {
        1 => unknown(),
        2 => found(&json!({ "schema": "syntax = \"proto3\";", "schemaType": "PROTOBUF" })),
        3 => found(&json!({ "schema": "{\"type\":\"object\"}", "schemaType": "JSON" })),
        4 => found(&json!({ "schema": CLICK, "references": [{ "name": "a.B", "subject": "b", "version": 1 }] })),
        5 => found(&json!({ "schema": "\"string\"" })),
        _ => found(&json!({ "schema": CLICK, "schemaType": "AVRO", "references": [] })),
    })
    .await;
    let registry = registry(config(&stub.url));
    for (id, reason) in [
        (1, "schema ID 1 is not in the registry"),
        (2, "schema ID 2 is PROTOBUF, not AVRO"),
        (3, "schema ID 3 is JSON, not AVRO: read it with from_json"),
        (4, "schema ID 4 refers to other schemas, which from_avro does not read"),
    ] {
        assert_eq!(unusable(&registry, id).await, reason);
    }
    assert!(unusable(&registry, 5).await.starts_with("schema ID 5 cannot be used: "));
    assert_eq!(registry.schema(6).await.unwrap(), RegisteredSchema::Avro(CLICK.into()));
    let requests = stub.requests();
    unusable(&registry, 1).await;
    assert_eq!(
        stub.requests(),
        requests,
        "for a while, an unknown ID is not requested again"
    );
}

#[tokio::test]
async fn a_registry_that_fails_for_a_moment_is_asked_again() {
    let stub = Stub::start(|_, number, _| match number {
        1 => (StatusCode::SERVICE_UNAVAILABLE, "starting".to_owned()),
        _ => found(&json!({ "schema": CLICK })),
    })
    .await;
    let registry = registry(config(&stub.url));
    assert_eq!(registry.schema(1).await.unwrap(), RegisteredSchema::Avro(CLICK.into()));
    assert_eq!(stub.requests(), 2);
}

#[tokio::test]
async fn a_registry_without_an_answer_is_unreachable_and_nothing_is_remembered() {
    for (status, text, told) in [
        (500, "", &["does not answer requests (500", "log"][..]),
        (401, "", &["user name or the password (401)", "`username`"][..]),
        (403, "", &["may not read schemas (403)", "`username`"][..]),
        (404, "<html>", &["answers 404", "`url`", "/apis/ccompat/v7"][..]),
        (400, "", &["answers 400", "`url`"][..]),
        (200, "<html>", &["not that of a schema registry", "`url`"][..]),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let stub = Stub::start(move |_, number, _| match number {
            1..=9 => (status, text.to_owned()),
            _ => found(&json!({ "schema": CLICK })),
        })
        .await;
        let registry = registry(config(&stub.url));
        let error = refusal(&registry).await;
        assert!(error.contains(&stub.url), "{error}");
        assert!(told.iter().all(|told| error.contains(told)), "{status}: {error}");
        assert_eq!(stub.requests() > 1, status.is_server_error(), "{status}");
        stub.requests.store(9, Ordering::Relaxed);
        registry.schema(1).await.unwrap();
    }
}

#[tokio::test]
async fn silence_and_endless_answers_end() {
    // The system accepts connections, and nobody answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let error = refusal(&registry(config(&url))).await;
    assert!(
        error.contains("does not answer (") && error.contains("timed out"),
        "{error}"
    );
    drop(silent);
    let error = refusal(&registry(config(&url))).await;
    assert!(
        error.contains("does not answer (") && error.contains("refused"),
        "{error}"
    );

    let long = Stub::start(|_, _, _| (StatusCode::OK, "x".repeat((16 << 20) + 1))).await;
    let patience = Patience::default();
    let registry = Registry::of(Client::with(config(&long.url), patience));
    let error = refusal(&registry).await;
    assert!(error.contains("longer than 16 MiB"), "{error}");
}

#[tokio::test]
async fn credentials_are_sent_and_never_shown() {
    let stub = Stub::start(|_, _, headers| {
        // `user:secret-of-a-registry`.
        let expected = "Basic dXNlcjpzZWNyZXQtb2YtYS1yZWdpc3RyeQ==";
        match headers.get("authorization").and_then(|header| header.to_str().ok()) {
            Some(given) if given == expected => found(&json!({ "schema": CLICK })),
            _ => (StatusCode::UNAUTHORIZED, String::new()),
        }
    })
    .await;
    let with = |password: &str| {
        registry(RegistryConfig {
            username: Some(Secret::new("user")),
            password: Some(Secret::credential(password)),
            ..config(&stub.url)
        })
    };
    let right = with("secret-of-a-registry");
    right.schema(1).await.unwrap();
    let error = refusal(&with("another-secret")).await;
    assert!(error.contains("(401)") && !error.contains("another-secret"), "{error}");
    assert!(!format!("{right:?}").contains("secret"), "{right:?}");
}

#[tokio::test]
async fn a_file_without_certificates_is_an_error() {
    let with = |ca: &str| {
        registry(RegistryConfig {
            ca: Some(ca.to_owned()),
            ..config("https://127.0.0.1:1")
        })
    };
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let error = refusal(&with(file)).await;
    assert!(
        error.contains("contains no PEM certificate") && error.contains("`ca`"),
        "{error}"
    );
    let error = refusal(&with("/does/not/exist.pem")).await;
    assert!(error.contains("cannot be read"), "{error}");
}
