//! Why a broker's certificate is rejected: expired, for another host, of an unknown authority.

use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::bindings::{rd_kafka_conf_set_ssl_cert_verify_cb, rd_kafka_t};
use rdkafka::client::Client;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaType;

const POLL: Duration = Duration::from_millis(20);

/// Why OpenSSL rejects a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sources::kafka) enum Verdict {
    Expired,
    NotYetValid,
    OtherHost,
    UnknownAuthority,
    /// OpenSSL's error code.
    Other(i32),
}

impl Verdict {
    /// Converts OpenSSL's `X509_V_ERR_…`.
    fn of(code: c_int) -> Self {
        match code {
            9 => Self::NotYetValid,
            10 => Self::Expired,
            62..=64 => Self::OtherHost,
            2 | 18..=21 => Self::UnknownAuthority,
            other => Self::Other(other),
        }
    }
}

/// The first error of the handshake; 0 until there is one.
#[derive(Default)]
struct Judgment(AtomicI32);

impl ClientContext for Judgment {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}
    fn error(&self, _: KafkaError, _: &str) {}
}

/// Connects once more to check the certificate. `None` if it is valid, or the check takes too long.
pub(in crate::sources::kafka) fn judge(settings: &ClientConfig, timeout: Duration) -> Option<Verdict> {
    let mut settings = settings.clone();
    // The handshake is that of a login, which would need a token.
    settings.set("security.protocol", "SSL");
    let native = settings.create_native_config().ok()?;
    // SAFETY: the configuration is valid; the client takes ownership of it, and passes `Judgment` to the callback.
    unsafe { rd_kafka_conf_set_ssl_cert_verify_cb(native.ptr(), Some(verify)) };
    let client = Client::new(&settings, native, RDKafkaType::RD_KAFKA_PRODUCER, Judgment::default()).ok()?;
    let started = Instant::now();
    loop {
        match client.context().0.load(Ordering::Relaxed) {
            0 if started.elapsed() > timeout => return None,
            0 => _ = client.fetch_metadata(None, POLL),
            code => return Some(Verdict::of(code)),
        }
    }
}

/// librdkafka's callback for every certificate in the chain. Accepts what OpenSSL accepts.
unsafe extern "C" fn verify(
    _: *mut rd_kafka_t,
    _: *const c_char,
    _: i32,
    x509_error: *mut c_int,
    _: c_int,
    _: *const c_char,
    _: usize,
    _: *mut c_char,
    _: usize,
    opaque: *mut c_void,
) -> c_int {
    // SAFETY: librdkafka passes a valid error code, and as `opaque` the client's context, which outlives its threads.
    let (code, judgment) = unsafe { (*x509_error, &*opaque.cast::<Judgment>()) };
    if code != 0 {
        _ = judgment
            .0
            .compare_exchange(0, code, Ordering::Relaxed, Ordering::Relaxed);
    }
    c_int::from(code == 0)
}
