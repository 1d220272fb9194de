//! A token endpoint in the test's process, on a free port. The real Kafka of the tests believes its tokens: they are
//! signed with the key that `scripts/kafka` has made.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use crate::broker::Broker;

/// The client that it knows.
pub const CLIENT: &str = "shop-client";
pub const CLIENT_SECRET: &str = "oauth-secret-c2a9";
/// From scripts/kafka.
const ISSUER: &str = "https://issuer.example";
pub const AUDIENCE: &str = "kafka";

/// It answers until it is dropped.
pub struct IdentityProvider {
    pub url: String,
    state: Arc<Mutex<Content>>,
    _runtime: Runtime,
}

struct Content {
    key: PathBuf,
    seconds: u64,
    audience: &'static str,
    is_down: bool,
    tokens: Vec<String>,
}

impl IdentityProvider {
    /// Its tokens hold for an hour.
    pub fn start(broker: &Broker) -> Self {
        let state = Arc::new(Mutex::new(Content {
            key: broker.file("tokens.key"),
            seconds: 3_600,
            audience: AUDIENCE,
            is_down: false,
            tokens: vec![],
        }));
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}/oauth2/token", listener.local_addr().unwrap());
        let routes = Router::new()
            .route("/oauth2/token", post(token))
            .with_state(state.clone());
        runtime.spawn(async move { axum::serve(listener, routes).await });
        Self {
            url,
            state,
            _runtime: runtime,
        }
    }

    /// Its next tokens hold for this long.
    pub fn issue_for(&self, seconds: u64) {
        self.state.lock().unwrap().seconds = seconds;
    }

    /// Its next tokens are for this audience.
    pub fn issue_to(&self, audience: &'static str) {
        self.state.lock().unwrap().audience = audience;
    }

    /// Answers no request from now on, or does so again.
    pub fn set_down(&self, is_down: bool) {
        self.state.lock().unwrap().is_down = is_down;
    }

    /// The tokens that it has issued.
    pub fn tokens(&self) -> Vec<String> {
        self.state.lock().unwrap().tokens.clone()
    }
}

async fn token(State(state): State<Arc<Mutex<Content>>>, body: String) -> (StatusCode, String) {
    let form: HashMap<String, String> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let is = |name: &str, value: &str| form.get(name).is_some_and(|given| given == value);
    let mut state = state.lock().unwrap();
    if state.is_down {
        return (StatusCode::SERVICE_UNAVAILABLE, String::new());
    }
    if !is("client_id", CLIENT) || !is("client_secret", CLIENT_SECRET) {
        let refusal = json!({ "error": "invalid_client", "error_description": "unknown client or secret" });
        return (StatusCode::UNAUTHORIZED, refusal.to_string());
    }
    if !is("grant_type", "client_credentials") {
        return (
            StatusCode::BAD_REQUEST,
            json!({ "error": "unsupported_grant_type" }).to_string(),
        );
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let token = signed(
        &state.key,
        &json!({ "iss": ISSUER, "aud": state.audience, "sub": "shop", "iat": now, "exp": now + state.seconds }),
    );
    state.tokens.push(token.clone());
    let answer = json!({ "access_token": token, "token_type": "Bearer", "expires_in": state.seconds });
    (StatusCode::OK, answer.to_string())
}

/// A JSON Web Token (RS256).
fn signed(key: &Path, claims: &Value) -> String {
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": "tokens" });
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let content = format!("{}.{}", part(&header), part(claims));
    let mut openssl = Command::new("openssl")
        .args(["dgst", "-sha256", "-sign"])
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    openssl.stdin.take().unwrap().write_all(content.as_bytes()).unwrap();
    let output = openssl.wait_with_output().unwrap();
    assert!(output.status.success());
    format!("{content}.{}", BASE64_URL_SAFE_NO_PAD.encode(output.stdout))
}
