#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use rdkafka::error::RDKafkaErrorCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use super::config::OAuthConfig;
use super::token::Token;
use super::{TokenUser, Tokens};
use crate::settings::Secret;
use crate::sources::http::Patience;

const SECRET: &str = "secret of a client & more";

type Answer = (StatusCode, String);

/// A token endpoint on a free port, which answers until it is dropped.
struct Endpoint {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
    _runtime: Runtime,
}

impl Endpoint {
    /// Its answers depend on the number of the request, from 1, its headers and its body.
    fn start(answer: impl Fn(usize, &HeaderMap, &str) -> Answer + Clone + Send + Sync + 'static) -> Self {
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = requests.clone();
        let token = move |headers: HeaderMap, body: String| {
            let number = counter.fetch_add(1, Ordering::Relaxed) + 1;
            let answer = answer(number, &headers, &body);
            async move { answer }
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Router::new().route("/token", post(token));
        runtime.spawn(async move { axum::serve(TcpListener::from_std(listener).unwrap(), routes).await });
        Self {
            address,
            requests,
            _runtime: runtime,
        }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    fn tokens(&self) -> Arc<Tokens> {
        let config = config(&format!("http://{}/token", self.address));
        tokens(config, Duration::from_secs(10))
    }
}

fn config(url: &str) -> OAuthConfig {
    OAuthConfig {
        token_url: url.to_owned(),
        client_id: "shop".to_owned(),
        client_secret: Secret::new(SECRET),
        scope: Some("api://kafka/.default".to_owned()),
        ca: None,
        extensions: vec![("logicalCluster".to_owned(), "lkc-1".to_owned())],
    }
}

/// An endpoint that is given up soon.
fn tokens(config: OAuthConfig, attempt: Duration) -> Arc<Tokens> {
    let patience = Patience {
        attempt,
        attempts: Duration::from_secs(2),
    };
    Arc::new(Tokens::with(config, patience))
}

fn granted(token: &str, expires_in: Value) -> Answer {
    let answer = json!({ "access_token": token, "token_type": "Bearer", "expires_in": expires_in });
    (StatusCode::OK, answer.to_string())
}

/// A client that keeps the tokens it gets.
#[derive(Default)]
struct Client(Mutex<Vec<String>>);

impl TokenUser for Client {
    fn take(&self, token: &Token, extensions: &[(String, String)]) -> Result<(), RDKafkaErrorCode> {
        assert_eq!(extensions, [("logicalCluster".to_owned(), "lkc-1".to_owned())]);
        self.0.lock().unwrap().push(token.value.reveal().to_owned());
        Ok(())
    }
}

impl Client {
    fn taken(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn wait_for(&self, count: usize) {
        let started = Instant::now();
        while self.taken().len() < count {
            assert!(started.elapsed() < Duration::from_secs(30), "{:?}", self.taken());
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Why there is no token.
fn refusal(tokens: &Arc<Tokens>) -> String {
    let error = tokens.log_in(&Arc::new(Client::default())).unwrap_err().to_string();
    assert!(
        error.contains("the token endpoint http") && error.contains("help: "),
        "{error}"
    );
    assert!(!error.contains(SECRET), "{error}");
    error
}

#[test]
fn a_request_is_that_of_the_standard() {
    let endpoint = Endpoint::start(|_, headers, body| {
        let form: Vec<(String, String)> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let expected = [
            ("grant_type", "client_credentials"),
            ("client_id", "shop"),
            ("client_secret", SECRET),
            ("scope", "api://kafka/.default"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        match form == expected && headers["content-type"] == "application/x-www-form-urlencoded" {
            true => granted("good", json!(3_600)),
            false => (StatusCode::IM_A_TEAPOT, String::new()),
        }
    });
    let client = Arc::new(Client::default());
    let tokens = endpoint.tokens();
    tokens.log_in(&client).unwrap();
    assert_eq!(client.taken(), ["good"]);
    assert!(tokens.failure().is_none());
    let shown = format!("{tokens:?}");
    assert!(shown.contains("shop") && !shown.contains(SECRET), "{shown}");
}

#[test]
fn clients_share_a_token_and_one_request() {
    let endpoint = Endpoint::start(|number, _, _| granted(&format!("token-{number}"), json!("3600")));
    let tokens = endpoint.tokens();
    let clients: Vec<_> = (0..8).map(|_| Arc::new(Client::default())).collect();
    thread::scope(|scope| {
        for client in &clients {
            let tokens = &tokens;
            scope.spawn(move || tokens.log_in(client).unwrap());
        }
    });
    assert!(clients.iter().all(|client| client.taken() == ["token-1"]));
    assert_eq!(endpoint.requests(), 1);
}

#[tokio::test]
async fn a_client_may_be_made_where_tasks_run() {
    let endpoint = Endpoint::start(|_, _, _| granted("good", json!(3_600)));
    let client = Arc::new(Client::default());
    endpoint.tokens().log_in(&client).unwrap();
    assert_eq!(client.taken(), ["good"]);
    // A runtime may not be dropped by a task.
    tokio::task::spawn_blocking(move || drop(endpoint)).await.unwrap();
}

#[test]
fn a_token_is_renewed_before_it_expires_as_long_as_there_are_clients() {
    let endpoint = Endpoint::start(|number, _, _| match number {
        1 | 3 => granted(&format!("token-{number}"), json!(0.5)),
        // Between two tokens, the endpoint may fail.
        2 => (StatusCode::SERVICE_UNAVAILABLE, String::new()),
        _ => granted("last", json!(3_600)),
    });
    let tokens = endpoint.tokens();
    let (stays, leaves) = (Arc::new(Client::default()), Arc::new(Client::default()));
    tokens.log_in(&stays).unwrap();
    tokens.log_in(&leaves).unwrap();
    drop(leaves);
    stays.wait_for(3);
    assert_eq!(stays.taken(), ["token-1", "token-3", "last"]);
    assert_eq!(endpoint.requests(), 4);
}

#[test]
fn an_endpoint_that_fails_for_a_moment_is_asked_again() {
    let endpoint = Endpoint::start(|number, _, _| match number {
        1 => (StatusCode::SERVICE_UNAVAILABLE, "<html>".to_owned()),
        _ => granted("good", json!(60)),
    });
    let client = Arc::new(Client::default());
    endpoint.tokens().log_in(&client).unwrap();
    assert_eq!(client.taken(), ["good"]);
    let down = Endpoint::start(|_, _, _| (StatusCode::BAD_GATEWAY, String::new()));
    let error = refusal(&down.tokens());
    assert!(error.contains("does not answer requests (502"), "{error}");
    assert!(down.requests() > 1);
}

#[test]
fn a_client_that_is_rejected_is_told_why_and_asked_once() {
    let endpoint = Endpoint::start(|_, _, _| {
        let description = format!("AADSTS7000215: Invalid client secret '{SECRET}'.\r\nTrace ID: 1");
        let answer = json!({ "error": "invalid_client", "error_description": description });
        (StatusCode::UNAUTHORIZED, answer.to_string())
    });
    let tokens = endpoint.tokens();
    let error = refusal(&tokens);
    assert!(
        error.contains("it rejects the client (invalid_client: AADSTS7000215: Invalid client secret '***'.  Trace"),
        "{error}"
    );
    assert!(error.contains("`client_secret` under `oauth`"), "{error}");
    assert_eq!(endpoint.requests(), 1);
    let failure = tokens.failure().unwrap().to_string();
    assert_eq!(failure, error, "brokers would reject its clients for that reason");
}

#[test]
fn every_other_answer_says_what_is_wrong_with_it() {
    let error = |status: u16, answer: &'static str| {
        let status = StatusCode::from_u16(status).unwrap();
        let endpoint = Endpoint::start(move |_, _, _| (status, answer.to_owned()));
        let error = refusal(&endpoint.tokens());
        assert_eq!(endpoint.requests(), 1, "{error}");
        error
    };
    for (status, answer, expected) in [
        (400, r#"{"error":"invalid_scope"}"#, "rejects the scope (invalid_scope)"),
        (
            400,
            r#"{"error":"invalid_request"}"#,
            "refuses a token (invalid_request)",
        ),
        (401, "", "rejects the client (401)"),
        (404, "<html>", "it answers 404"),
        // The secret would go to another address.
        (307, "", "it answers 307"),
        (200, "<html>", "not a token response"),
        (200, "{}", "no `access_token`"),
        (200, r#"{"access_token":""}"#, "no `access_token`"),
        (
            200,
            "{\"access_token\":\"a\\nb\",\"expires_in\":60}",
            "characters that tokens cannot have",
        ),
        (200, r#"{"access_token":"opaque"}"#, "when its token expires"),
        (
            200,
            r#"{"access_token":"opaque","expires_in":"soon"}"#,
            "when its token expires",
        ),
        (
            200,
            r#"{"access_token":"opaque","expires_in":0}"#,
            "has expired already",
        ),
    ] {
        let error = error(status, answer);
        assert!(error.contains(expected), "{answer}: {error}");
    }
}

#[test]
fn an_endpoint_that_does_not_answer_is_an_error_soon() {
    let soon = Duration::from_millis(400);
    let error = refusal(&tokens(config("http://127.0.0.1:1/token"), soon));
    assert!(
        error.contains("does not answer (") && error.contains("refused"),
        "{error}"
    );
    // It accepts connections, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/token", silent.local_addr().unwrap());
    let error = refusal(&tokens(config(&url), soon));
    assert!(
        error.contains("does not answer (") && error.contains("timed out"),
        "{error}"
    );
    let no_ca = OAuthConfig {
        ca: Some("/does/not/exist.pem".to_owned()),
        ..config("https://127.0.0.1:1/token")
    };
    let error = refusal(&tokens(no_ca, soon));
    assert!(error.contains("cannot be read") && error.contains("`ca`"), "{error}");
}
