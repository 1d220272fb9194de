//! The protocols and SASL mechanisms that there are, and those that are not built in.

use super::config::OAUTHBEARER;

const PROTOCOLS: [&str; 4] = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];
const MECHANISMS: [&str; 4] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", OAUTHBEARER];
/// Mechanisms that librdkafka can be built with or others have, their other names, and what there is instead.
const NOT_BUILT_IN: [(&str, &str, &str); 2] = [
    (
        "GSSAPI",
        " (Kerberos)",
        "let the brokers offer one of the others, too, or client certificates (`certificate` and `key`)",
    ),
    (
        "AWS_MSK_IAM",
        " (IAM of Amazon MSK)",
        "MSK also offers SCRAM-SHA-512, and client certificates (`certificate` and `key`)",
    ),
];

/// The protocol as librdkafka writes it. Kafka's own tools accept small letters, too.
///
/// # Errors
/// What is wrong, and what to write instead.
pub(super) fn protocol(written: &str) -> Result<&'static str, (String, String)> {
    let known = PROTOCOLS.into_iter().find(|known| known.eq_ignore_ascii_case(written));
    known.ok_or_else(|| {
        let help = format!("write one of {}", PROTOCOLS.join(", "));
        (format!("there is no protocol `{written}`"), help)
    })
}

/// The mechanism. Kafka's own tools want it in capitals.
///
/// # Errors
/// What is wrong, and what to write instead.
pub(super) fn mechanism(written: &str) -> Result<&'static str, (String, String)> {
    if let Some(known) = MECHANISMS.into_iter().find(|known| *known == written) {
        return Ok(known);
    }
    let is_meant = |known: &&str| known.eq_ignore_ascii_case(written);
    if let Some(known) = MECHANISMS.iter().find(|known| is_meant(known)) {
        let help = format!("write it in capitals: {known}");
        return Err((format!("there is no mechanism `{written}`"), help));
    }
    let known = NOT_BUILT_IN.iter().find(|(name, ..)| is_meant(name));
    let (also, help) = known.map_or(("", "write one of these"), |(_, also, help)| (*also, *help));
    let message = format!(
        "the mechanism `{written}`{also} is not built in; {} are",
        MECHANISMS.join(", ")
    );
    Err((message, help.to_owned()))
}
