//! Gives a client the token for its logins (SASL OAUTHBEARER), with extensions (RFC 7628, section 3.1), which the crate
//! cannot pass on.

use std::ffi::{CString, c_char};
use std::time::SystemTime;

use rdkafka::ClientContext;
use rdkafka::bindings::rd_kafka_oauthbearer_set_token;
use rdkafka::client::Client;
use rdkafka::error::RDKafkaErrorCode;

/// Sets the token for all further logins of a client; extensions are names and values.
///
/// # Errors
/// `InvalidArgument` if the token has expired, or a text may not be sent. librdkafka's own text would quote the token.
pub(in crate::sources::kafka) fn set_token<C: ClientContext>(
    client: &Client<C>,
    token: &str,
    principal: &str,
    expires_at: SystemTime,
    extensions: &[(String, String)],
) -> Result<(), RDKafkaErrorCode> {
    let text = |text: &str| CString::new(text).map_err(|_| RDKafkaErrorCode::InvalidArgument);
    let (token, principal) = (text(token)?, text(principal)?);
    let pairs = extensions.iter().flat_map(|(name, value)| [name, value]);
    let pairs: Vec<CString> = pairs.map(|part| text(part)).collect::<Result<_, _>>()?;
    let mut pointers: Vec<*const c_char> = pairs.iter().map(|part| part.as_ptr()).collect();
    let expires = expires_at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let expires_millis = i64::try_from(expires.as_millis()).unwrap_or(i64::MAX);
    let mut reason: [c_char; 512] = [0; 512];
    // SAFETY: the handle lives as long as `client`; all texts outlive the call, which copies them.
    let code = unsafe {
        rd_kafka_oauthbearer_set_token(
            client.native_ptr(),
            token.as_ptr(),
            expires_millis,
            principal.as_ptr(),
            pointers.as_mut_ptr(),
            pointers.len(),
            reason.as_mut_ptr(),
            reason.len(),
        )
    };
    match RDKafkaErrorCode::from(code) {
        RDKafkaErrorCode::NoError => Ok(()),
        code => Err(code),
    }
}
