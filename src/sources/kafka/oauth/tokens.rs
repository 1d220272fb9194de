//! The token of a source: requested once for all of its clients, and replaced while they live.
//!
//! Requests and renewals have threads of their own, so a token can be requested wherever a client is created: also on a
//! thread that drives asynchronous tasks, and for as long as a request to a broker may take there.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::admin::AdminClient;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};
use tokio::runtime;

use super::config::OAuthConfig;
use super::endpoint::{self, NoToken};
use super::token::Token;
use crate::sources::SourceError;
use crate::sources::http::Patience;
use crate::sources::kafka::native::set_token;

/// How often it is checked whether a token is due and any client is left; also the pause after a failed renewal.
const CHECK: Duration = Duration::from_secs(5);

/// A client that logs in with tokens.
pub(in crate::sources::kafka) trait TokenUser: Send + Sync {
    /// Takes a token for its next logins.
    ///
    /// # Errors
    /// When it has expired.
    fn take(&self, token: &Token, extensions: &[(String, String)]) -> Result<(), RDKafkaErrorCode>;
}

impl<C: ConsumerContext> TokenUser for BaseConsumer<C> {
    fn take(&self, token: &Token, extensions: &[(String, String)]) -> Result<(), RDKafkaErrorCode> {
        let Token { value, principal, .. } = token;
        set_token(self.client(), value.reveal(), principal, token.expires_at, extensions)
    }
}

impl<C: ProducerContext> TokenUser for BaseProducer<C> {
    fn take(&self, token: &Token, extensions: &[(String, String)]) -> Result<(), RDKafkaErrorCode> {
        let Token { value, principal, .. } = token;
        set_token(self.client(), value.reveal(), principal, token.expires_at, extensions)
    }
}

impl<C: ClientContext> TokenUser for AdminClient<C> {
    fn take(&self, token: &Token, extensions: &[(String, String)]) -> Result<(), RDKafkaErrorCode> {
        let Token { value, principal, .. } = token;
        set_token(self.inner(), value.reveal(), principal, token.expires_at, extensions)
    }
}

/// The token of a source, from a token endpoint.
pub struct Tokens {
    config: OAuthConfig,
    patience: Patience,
    /// Held during a request: there is one at a time.
    request: Mutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    /// Why the last request brought none, and when.
    failure: Option<(Instant, NoToken)>,
    clients: Vec<Weak<dyn TokenUser>>,
    /// Whether a thread replaces the token.
    is_renewed: bool,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Tokens {
    /// Requests nothing yet.
    pub(super) fn new(config: OAuthConfig) -> Self {
        Self::with(config, Patience::default())
    }

    pub(super) fn with(config: OAuthConfig, patience: Patience) -> Self {
        Self {
            config,
            patience,
            request: Mutex::default(),
            state: Mutex::default(),
        }
    }

    /// Gives a client a token, and each later one while it lives.
    ///
    /// # Errors
    /// When there is no token. One that is due is good enough while the endpoint gives no other.
    pub(in crate::sources::kafka) fn log_in<T: TokenUser + 'static>(
        self: &Arc<Self>,
        client: &Arc<T>,
    ) -> Result<(), SourceError> {
        if let Err(failure) = self.refresh()
            && self.state().lives().is_zero()
        {
            return Err(self.unreachable(&failure));
        }
        let weak = Arc::downgrade(client);
        let mut state = self.state();
        if let Some(token) = &state.token {
            let taken = client.take(token, &self.config.extensions);
            taken.map_err(|code| self.unreachable(&not_taken(code)))?;
        }
        state.clients.push(weak);
        if !state.is_renewed {
            let tokens = self.clone();
            let started = named_thread().spawn(move || tokens.renew());
            started.map_err(|error| self.unreachable(&no_thread(&error)))?;
            state.is_renewed = true;
        }
        Ok(())
    }

    /// Why brokers reject its clients, if they lack a token.
    pub(in crate::sources::kafka) fn failure(&self) -> Option<SourceError> {
        let state = self.state();
        let (_, failure) = state.failure.as_ref().filter(|_| state.lives().is_zero())?;
        Some(self.unreachable(failure))
    }

    /// Makes sure that there is a token, and that no other one is due.
    fn refresh(&self) -> Result<(), NoToken> {
        let since = Instant::now();
        let _one_at_a_time = self.request.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let state = self.state();
            if !state.rests().is_zero() {
                return Ok(());
            }
            // It failed while this thread waited, and would fail again.
            if let Some((_, failure)) = state.failure.as_ref().filter(|(at, _)| *at >= since) {
                return Err(failure.clone());
            }
        }
        match self.request() {
            Ok(token) => {
                tracing::debug!(lives = ?token.lives(), "a new token for Kafka");
                self.hand_out(token);
                Ok(())
            }
            Err(failure) => {
                self.state().failure = Some((Instant::now(), failure.clone()));
                Err(failure)
            }
        }
    }

    /// Requests a token on a thread of its own.
    fn request(&self) -> Result<Token, NoToken> {
        thread::scope(|scope| {
            let request = || {
                let runtime = runtime::Builder::new_current_thread().enable_all().build();
                let runtime = runtime.map_err(|error| no_thread(&error))?;
                let answer = runtime.block_on(endpoint::request(&self.config, self.patience));
                // It may still look up the name of the host.
                runtime.shutdown_background();
                answer
            };
            let requesting = named_thread().spawn_scoped(scope, request);
            let requesting = requesting.map_err(|error| no_thread(&error))?;
            requesting.join().unwrap_or_else(|_| Err(stopped()))
        })
    }

    /// Gives all clients a token.
    fn hand_out(&self, token: Token) {
        let mut state = self.state();
        let clients: Vec<_> = state.clients.iter().filter_map(Weak::upgrade).collect();
        for client in &clients {
            if let Err(code) = client.take(&token, &self.config.extensions) {
                tracing::warn!(%code, "a client does not accept its new token");
            }
        }
        state.token = Some(token);
        state.failure = None;
        // A client whose owner has gone meanwhile ends here, which takes a moment.
        drop(state);
        drop(clients);
    }

    /// Replaces the token whenever another one is due, as long as there are clients.
    fn renew(&self) {
        while let Some(rests) = self.goes_on() {
            if !rests.is_zero() {
                // Short, because the clock of the machine may be set meanwhile.
                thread::sleep(rests.min(CHECK));
            } else if let Err(failure) = self.refresh() {
                tracing::warn!(
                    "the token for Kafka, which is valid for another {} s, cannot be renewed: the token endpoint {}: {}",
                    self.state().lives().as_secs(),
                    self.config.token_url,
                    failure.reason
                );
                thread::sleep(CHECK);
            }
        }
    }

    /// How long no other token is due; `None`, and renewal has ended, if no client is left.
    fn goes_on(&self) -> Option<Duration> {
        let mut state = self.state();
        state.clients.retain(|client| client.strong_count() > 0);
        state.is_renewed = !state.clients.is_empty();
        state.is_renewed.then(|| state.rests())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unreachable(&self, failure: &NoToken) -> SourceError {
        SourceError::Unreachable {
            what: format!("the token endpoint {}", self.config.token_url),
            reason: failure.reason.clone(),
            help: failure.help.to_owned(),
        }
    }
}

impl State {
    /// How long no other token is due.
    fn rests(&self) -> Duration {
        self.token.as_ref().map(Token::rests).unwrap_or_default()
    }

    /// How long brokers accept the token.
    fn lives(&self) -> Duration {
        self.token.as_ref().map(Token::lives).unwrap_or_default()
    }
}

fn named_thread() -> thread::Builder {
    thread::Builder::new().name("oauth".to_owned())
}

fn no_thread(error: &std::io::Error) -> NoToken {
    NoToken {
        reason: format!("cannot start a thread to request a token ({error})"),
        help: "check the limits of this process",
    }
}

fn stopped() -> NoToken {
    NoToken {
        reason: "the request stopped".to_owned(),
        help: "try again",
    }
}

fn not_taken(code: RDKafkaErrorCode) -> NoToken {
    NoToken {
        reason: format!("librdkafka does not accept its token ({code})"),
        help: "check this machine's clock",
    }
}
