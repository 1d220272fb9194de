#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rdkafka::config::ClientConfig;
use serde_yaml::Spanned;

use super::{RawSecurity, Security};
use crate::settings::{Environment, Problem, RawOption, Values, VariableResolver};

/// The settings, written as YAML, and their problems; options are written the same way.
fn validated(security: &str, options: &str) -> (Security, Vec<Problem>) {
    let raw: RawSecurity = serde_yaml::from_str(security).unwrap();
    let options: BTreeMap<String, Spanned<RawOption>> = serde_yaml::from_str(options).unwrap();
    let environment = Environment::of(|name| Some(format!("value of {name}")));
    let variables = VariableResolver::new(&BTreeMap::new(), &environment, Path::new("/project"));
    let mut values = Values::new(variables, PathBuf::from("/project"));
    let security = raw.validate(&options, &mut values);
    (security, values.done().1)
}

/// The one problem of these settings, and how to fix it.
fn problem(security: &str) -> (String, String) {
    problem_with(security, "{}")
}

fn problem_with(security: &str, options: &str) -> (String, String) {
    let (_, problems) = validated(security, options);
    let [problem] = &problems[..] else {
        panic!("{security}: {problems:?}")
    };
    assert!(problem.at.is_some(), "{problem:?}");
    (problem.message.clone(), problem.help.clone().unwrap())
}

const OAUTH: &str =
    "oauth: { token_url: \"https://login.example/token\", client_id: \"${ID}\", client_secret: \"${S}\" }";

#[test]
fn settings_have_librdkafkas_names_and_paths_begin_at_the_project() {
    let (security, problems) = validated(
        "{ protocol: ssl, ca: certs/ca.pem, certificate: client.pem, key: /keys/client.key, key_password: \"${PW}\" }",
        "{}",
    );
    assert!(problems.is_empty(), "{problems:?}");
    let mut settings = ClientConfig::new();
    security.apply(&mut settings);
    for (name, value) in [
        ("security.protocol", "SSL"),
        ("ssl.ca.location", "/project/certs/ca.pem"),
        ("ssl.certificate.location", "/project/client.pem"),
        ("ssl.key.location", "/keys/client.key"),
        ("ssl.key.password", "value of PW"),
    ] {
        assert_eq!(settings.get(name), Some(value), "{name}");
    }
    let (security, problems) = validated("{ certificate_pem: \"${CERT}\", key_pem: \"${KEY}\" }", "{}");
    assert!(problems.is_empty(), "{problems:?}");
    security.apply(&mut settings);
    assert_eq!(settings.get("ssl.certificate.pem"), Some("value of CERT"));
    assert_eq!(settings.get("ssl.key.pem"), Some("value of KEY"));
    assert!(!format!("{security:?}").contains("value of KEY"), "{security:?}");
}

#[test]
fn tokens_are_for_the_mechanism_that_has_them() {
    let (security, problems) = validated(
        &format!("{{ protocol: SASL_SSL, mechanism: OAUTHBEARER, {OAUTH} }}"),
        "{}",
    );
    assert!(problems.is_empty() && security.oauth.is_some(), "{problems:?}");
    let shown = format!("{security:?}");
    assert!(
        shown.contains("value of ID") && !shown.contains("value of S\""),
        "{shown}"
    );
    for (written, expected) in [
        (
            "{ protocol: SASL_SSL, mechanism: OAUTHBEARER }".to_owned(),
            "OAUTHBEARER needs `oauth`",
        ),
        (
            format!("{{ protocol: SASL_SSL, mechanism: PLAIN, {OAUTH} }}"),
            "`oauth` would not be used",
        ),
        (
            format!("{{ protocol: SSL, mechanism: OAUTHBEARER, {OAUTH} }}"),
            "`oauth` would not be used",
        ),
        (
            format!("{{ mechanism: OAUTHBEARER, {OAUTH} }}"),
            "`oauth` would not be used",
        ),
        ("{ protocol: SASL_SSL }".to_owned(), "SASL needs a `mechanism`"),
    ] {
        assert_eq!(problem(&written).0, expected, "{written}");
    }
}

#[test]
fn a_token_endpoint_is_an_address_and_extensions_are_those_of_the_standard() {
    let of = |url: &str, more: &str| {
        let oauth = format!("oauth: {{ token_url: \"{url}\", client_id: c, client_secret: \"${{S}}\"{more} }}");
        problem(&format!("{{ protocol: SASL_SSL, mechanism: OAUTHBEARER, {oauth} }}"))
    };
    assert!(of("login.example/token", "").0.contains("is not the address"));
    let (message, _) = of("https://user:password-71@login.example/token", "");
    assert!(
        message.contains("a user name or a password") && !message.contains("71"),
        "{message}"
    );
    let url = "https://login.example/token?p=policy";
    for (name, value, expected) in [
        ("auth", "x", "`auth` is the token itself"),
        ("lkc-1", "x", "`lkc-1` has a name that"),
        ("logicalCluster", "é", "`logicalCluster` has a value"),
    ] {
        let (message, _) = of(url, &format!(", extensions: {{ {name}: \"{value}\" }}"));
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn what_is_not_built_in_is_named_with_what_is() {
    let of = |mechanism: &str| problem(&format!("{{ protocol: SASL_SSL, mechanism: {mechanism} }}"));
    for (mechanism, expected, way_out) in [
        (
            "GSSAPI",
            "(Kerberos) is not built in; PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER are",
            "certificate",
        ),
        (
            "aws_msk_iam",
            "(IAM of Amazon MSK) is not built in; PLAIN",
            "SCRAM-SHA-512",
        ),
        ("SCRAM-SHA-1", "`SCRAM-SHA-1` is not built in; PLAIN", "one of these"),
        ("plain", "there is no mechanism `plain`", "in capitals: PLAIN"),
    ] {
        let (message, help) = of(mechanism);
        assert!(
            message.contains(expected) && help.contains(way_out),
            "{message}: {help}"
        );
    }
    let (message, help) = problem("{ protocol: TLS }");
    assert!(
        message.contains("no protocol `TLS`") && help.contains("SASL_SSL"),
        "{message}: {help}"
    );
    assert_eq!(
        validated("{ protocol: plaintext }", "{}").0.protocol.as_deref(),
        Some("PLAINTEXT")
    );
}

#[test]
fn a_certificate_and_its_key_belong_together() {
    for (written, expected) in [
        ("{ certificate: c.pem }", "`certificate` needs its key"),
        ("{ key_pem: \"${KEY}\" }", "`key` needs its certificate"),
        ("{ key_password: \"${PW}\" }", "`key_password` has no `key`"),
        (
            "{ certificate: c.pem, certificate_pem: \"${C}\", key: k.pem }",
            "`certificate` and `certificate_pem` cannot both be set",
        ),
        (
            "{ certificate: c.pem, key: k.pem, key_pem: \"${KEY}\" }",
            "`key` and `key_pem` cannot both be set",
        ),
    ] {
        assert_eq!(problem(written).0, expected, "{written}");
    }
    let options = "{ ssl.key.location: other.key, fetch.max.bytes: 1 }";
    assert!(
        validated("{ protocol: SSL }", options).1.is_empty(),
        "as long as nothing else says who it is"
    );
    let (message, help) = problem_with("{ certificate: c.pem, key: k.pem }", options);
    assert!(
        message.contains("`ssl.key.location` cannot be set together"),
        "{message}"
    );
    assert!(help.contains("leave the option out"), "{help}");
}

#[test]
fn librdkafkas_names_lead_to_the_keys() {
    for (option, key) in [
        ("sasl.oauthbearer.method", "`oauth`"),
        ("sasl.oauthbearer.config", "`oauth`"),
        ("sasl.oauthbearer.grant.type", "`oauth`"),
        ("sasl.oauthbearer.token.endpoint.url", "`oauth: { token_url: … }`"),
        ("sasl.oauthbearer.client.id", "`oauth: { client_id: … }`"),
        ("sasl.oauthbearer.client.secret", "`oauth: { client_secret: … }`"),
        ("sasl.oauthbearer.scope", "`oauth: { scope: … }`"),
        ("sasl.oauthbearer.extensions", "`oauth: { extensions: … }`"),
        ("ssl.ca.location", "`ca`"),
    ] {
        let (message, help) = super::instead_of(option).unwrap();
        assert!(message.contains(option), "{message}");
        assert_eq!(help, format!("write it as {key} under `security:`"));
    }
    let (message, _) = super::instead_of("sasl.kerberos.keytab").unwrap();
    assert!(message.contains("Kerberos is not built in"), "{message}");
    assert!(super::instead_of("ssl.certificate.location").is_none());
}
