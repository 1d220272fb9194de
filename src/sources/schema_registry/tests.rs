#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri};
use clickrec_udfs::{Guid, RegisteredSchema, Schema, SchemaId, SchemaRegistry};
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

/// A registry on a free port. It counts the requests for schemas by number.
struct Stub {
    url: String,
    requests: Arc<AtomicUsize>,
}

impl Stub {
    /// Its answers depend on the ID, the number of the request, from 1, and its headers.
    async fn start(answer: impl Fn(u32, usize, &HeaderMap) -> Answer + Clone + Send + Sync + 'static) -> Self {
        Self::with_others(answer, |_| None).await
    }

    /// The same, with answers for other paths.
    async fn with_others(
        answer: impl Fn(u32, usize, &HeaderMap) -> Answer + Clone + Send + Sync + 'static,
        other: impl Fn(&str) -> Option<serde_json::Value> + Clone + Send + Sync + 'static,
    ) -> Self {
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = requests.clone();
        let respond = move |uri: Uri, headers: HeaderMap| {
            let path = uri.path().to_owned();
            let answer = match path.strip_prefix("/schemas/ids/").and_then(|id| id.parse().ok()) {
                Some(id) => answer(id, counter.fetch_add(1, Ordering::Relaxed) + 1, &headers),
                None => other(&path).map_or_else(unknown, |schema| found(&schema)),
            };
            async move { answer }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new().fallback(respond);
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, requests }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

fn config(url: &str) -> RegistryConfig {
    RegistryConfig {
        urls: vec![url.to_owned()],
        username: None,
        password: None,
        token: None,
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
    match number(registry, id).await.unwrap() {
        RegisteredSchema::Unusable(reason) => reason.to_string(),
        other => panic!("{other:?}"),
    }
}

async fn number(registry: &Registry, id: u32) -> Result<RegisteredSchema, DataFusionError> {
    registry.schema(SchemaId::Number(id)).await
}

fn avro() -> RegisteredSchema {
    RegisteredSchema::Known(Schema::Avro(CLICK.into()))
}

/// Why a registry gives no answer.
async fn refusal(registry: &Registry) -> String {
    match number(registry, 1).await.unwrap_err() {
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
    let answers = join_all((0..5).map(|_| number(&registry, 7))).await;
    for answer in answers {
        assert_eq!(answer.unwrap(), avro());
    }
    number(&registry, 7).await.unwrap();
    assert_eq!(stub.requests(), 1);
    number(&registry, 8).await.unwrap();
    assert_eq!(stub.requests(), 2);
}

#[tokio::test]
async fn an_id_without_a_usable_schema_is_a_reason() {
    let stub = Stub::start(|id, _, _| match id {
        1 => unknown(),
        2 => found(&json!({ "schema": "syntax = \"proto3\"; message A {}", "schemaType": "PROTOBUF" })),
        3 => found(&json!({ "schema": "{\"type\":\"object\"}", "schemaType": "JSON" })),
        4 => found(&json!({ "schema": CLICK, "references": [{ "name": "a.B", "subject": "b", "version": 1 }] })),
        5 => found(&json!({ "schema": "\"string\"" })),
        6 => found(&json!({ "schema": "", "schemaType": "THRIFT" })),
        7 => found(&json!({ "schema": "message", "schemaType": "PROTOBUF" })),
        _ => found(&json!({ "schema": CLICK, "schemaType": "AVRO", "references": [] })),
    })
    .await;
    let registry = registry(config(&stub.url));
    assert_eq!(number(&registry, 1).await.unwrap(), RegisteredSchema::Unknown);
    let protobuf = number(&registry, 2).await.unwrap();
    assert!(
        matches!(protobuf, RegisteredSchema::Known(Schema::Protobuf(_))),
        "{protobuf:?}"
    );
    let json = number(&registry, 3).await.unwrap();
    assert_eq!(json, RegisteredSchema::Known(Schema::Json));
    for (id, reason) in [
        (
            4,
            "schema ID 4 cannot be used: version 1 of `b`, which it refers to, is not in the registry",
        ),
        (6, "schema ID 6 cannot be used: its type is THRIFT"),
    ] {
        assert_eq!(unusable(&registry, id).await, reason);
    }
    for id in [5, 7] {
        let reason = unusable(&registry, id).await;
        assert!(
            reason.starts_with(&format!("schema ID {id} cannot be used: ")),
            "{reason}"
        );
    }
    assert_eq!(number(&registry, 8).await.unwrap(), avro());
    let requests = stub.requests();
    assert_eq!(number(&registry, 1).await.unwrap(), RegisteredSchema::Unknown);
    assert_eq!(
        stub.requests(),
        requests,
        "for a while, an unknown ID is not requested again"
    );
}

#[tokio::test]
async fn schemas_that_others_refer_to_are_requested_too() {
    let reference = |name: &str, subject: &str| json!([{ "name": name, "subject": subject, "version": 2 }]);
    let stub = Stub::with_others(
        move |id, _, _| match id {
            1 => found(&json!({
                "schema": r#"{"type":"record","name":"Order","fields":[{"name":"price","type":"org.Money"}]}"#,
                "references": reference("org.Money", "money/of")
            })),
            2 => found(&json!({
                "schema": "syntax = \"proto3\"; import \"money.proto\"; message Order { org.Money price = 1; }",
                "schemaType": "PROTOBUF",
                "references": reference("money.proto", "money")
            })),
            _ => found(&json!({ "schema": CLICK, "references": reference("a", "circle") })),
        },
        move |path| match path {
            "/subjects/money%2Fof/versions/2" => Some(json!({
                "schema": r#"{"type":"record","name":"org.Money","fields":[{"name":"of","type":"org.Currency"}]}"#,
                "references": reference("org.Currency", "currency")
            })),
            "/subjects/currency/versions/2" => Some(json!({
                "schema": r#"{"type":"enum","name":"Currency","namespace":"org","symbols":["EUR"]}"#
            })),
            "/subjects/money/versions/2" => Some(json!({
                "schema": "syntax = \"proto3\"; package org; message Money { int64 cents = 1; }",
                "schemaType": "PROTOBUF"
            })),
            "/subjects/circle/versions/2" => Some(json!({
                "schema": CLICK, "references": reference("a", "circle")
            })),
            _ => None,
        },
    )
    .await;
    let registry = registry(config(&stub.url));
    match number(&registry, 1).await.unwrap() {
        RegisteredSchema::Known(Schema::Avro(schema)) => {
            assert!(schema.contains("Money") && schema.contains("EUR"), "{schema}");
        }
        other => panic!("{other:?}"),
    }
    let protobuf = number(&registry, 2).await.unwrap();
    assert!(
        matches!(protobuf, RegisteredSchema::Known(Schema::Protobuf(_))),
        "{protobuf:?}"
    );
    assert_eq!(
        unusable(&registry, 3).await,
        "schema ID 3 cannot be used: `a` refers to itself"
    );
}

#[tokio::test]
async fn a_guid_names_a_schema_too() {
    let guid = Guid(*b"\xcc\x0e\x0e\x0e\x53\xc1\x4a\x1a\x8f\x1a\0\0\0\0\0\x01");
    let stub = Stub::with_others(
        |_, _, _| unknown(),
        |path| (path == "/schemas/guids/cc0e0e0e-53c1-4a1a-8f1a-000000000001").then(|| json!({ "schema": CLICK })),
    )
    .await;
    let registry = registry(config(&stub.url));
    assert_eq!(registry.schema(SchemaId::Guid(guid)).await.unwrap(), avro());
    let other = registry.schema(SchemaId::Guid(Guid([0; 16]))).await.unwrap();
    assert_eq!(other, RegisteredSchema::Unknown);
}

#[tokio::test]
async fn the_next_address_is_asked_when_one_does_not_answer() {
    let down = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = format!("http://{}", down.local_addr().unwrap());
    drop(down);
    let failing = Stub::start(|_, _, _| (StatusCode::SERVICE_UNAVAILABLE, String::new())).await;
    let stub = Stub::start(|_, _, _| found(&json!({ "schema": CLICK }))).await;
    let registry = registry(RegistryConfig {
        urls: vec![closed, failing.url.clone(), stub.url.clone()],
        ..config("")
    });
    for id in 1..4 {
        assert_eq!(number(&registry, id).await.unwrap(), avro());
    }
    assert_eq!(
        (failing.requests(), stub.requests()),
        (1, 3),
        "the one that answered is asked first"
    );
}

#[tokio::test]
async fn registries_are_the_same_only_for_the_same_user() {
    let of = |password: &str, ca: Option<&str>| {
        Registry::new(RegistryConfig {
            username: Some(Secret::new("user")),
            password: Some(Secret::new(password)),
            ca: ca.map(str::to_owned),
            ..config("http://registry")
        })
    };
    let one = of("a", None);
    assert!(one.is_same(&of("a", None)));
    assert!(!one.is_same(&of("b", None)) && !one.is_same(&of("a", Some("ca.pem"))));
}

#[tokio::test]
async fn a_registry_that_fails_for_a_moment_is_asked_again() {
    let stub = Stub::start(|_, number, _| match number {
        1 => (StatusCode::SERVICE_UNAVAILABLE, "starting".to_owned()),
        _ => found(&json!({ "schema": CLICK })),
    })
    .await;
    let registry = registry(config(&stub.url));
    assert_eq!(number(&registry, 1).await.unwrap(), avro());
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
        number(&registry, 1).await.unwrap();
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
    number(&right, 1).await.unwrap();
    let error = refusal(&with("another-secret")).await;
    assert!(error.contains("(401)") && !error.contains("another-secret"), "{error}");
    assert!(!format!("{right:?}").contains("secret"), "{right:?}");

    let stub = Stub::start(|_, _, headers| match headers.get("authorization") {
        Some(given) if given == "Bearer a-token-of-a-registry" => found(&json!({ "schema": CLICK })),
        _ => (StatusCode::UNAUTHORIZED, String::new()),
    })
    .await;
    let with_token = registry(RegistryConfig {
        token: Some(Secret::credential("a-token-of-a-registry")),
        ..config(&stub.url)
    });
    assert_eq!(number(&with_token, 1).await.unwrap(), avro());
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
