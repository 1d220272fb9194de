//! A broker that requires a client certificate (mutual TLS), and one that demands a token (OAUTHBEARER): what
//! opens a topic, on a cluster and for as long as it is followed, too; and what each mistake is called. No key, secret
//! or token is printed.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::broker::{Broker, Topic};
use crate::clustering::Cluster;
use crate::follow::{Following, wait};
use crate::identity_provider::{CLIENT, CLIENT_SECRET, IdentityProvider};
use crate::kafka_shop::simulate;
use crate::support::Shop;

/// In the shipped project.
const TOPIC: &str = "topic: \"${KAFKA_TOPIC:-clickstream}\"";
const EVERY: (&str, &str) = ("every: 10s, records: 1000000", "every: 200ms, records: 1000000");
/// From scripts/kafka.
const KEY_PASSWORD: &str = "key-secret-7d3e";

/// A project that reads a topic by one of the broker's listeners; all of its commands do.
fn shop_at(broker: &Broker, listener: &str, topic: &Topic<'_>, security: &str) -> Shop {
    let mut shop = Shop::up_to_silver();
    let security = format!("{TOPIC}, security: {{ ca: \"${{CA}}\", {security} }}");
    shop.edit("pipelines.yaml", TOPIC, &security);
    shop.set("CLICKREC_TARGET", "kafka");
    shop.set("KAFKA_BROKERS", broker.address(listener));
    shop.set("KAFKA_TOPIC", &topic.name);
    shop.set("CA", &broker.authority("ca").display().to_string());
    shop
}

/// `run` and `plan` fail with this message, and keep the secrets however much they log. Returns their logs.
fn assert_fails(shop: &Shop, words: &[&str], secrets: &[&str]) -> String {
    let mut logs = String::new();
    for command in ["run", "plan"] {
        let output = shop.run(&[command, "-vvv"]);
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{log}");
        let at = log.rfind("\nerror: ").expect("no error was printed");
        for word in words.iter().chain(&["help:"]) {
            assert!(log[at..].contains(word), "`{word}` is not in {}", &log[at..]);
        }
        assert_keeps(&log, secrets);
        logs.push_str(&log);
    }
    logs
}

fn assert_keeps(log: &str, secrets: &[&str]) {
    for secret in secrets {
        assert!(!log.contains(secret), "a secret was printed: {secret}");
    }
}

fn assert_keeps_tokens(log: &str, provider: &IdentityProvider) {
    let tokens = provider.tokens();
    assert!(!tokens.is_empty());
    assert_keeps(log, &tokens.iter().map(String::as_str).collect::<Vec<_>>());
    assert_keeps(log, &[CLIENT_SECRET]);
}

/// Sends records to a new topic, and reads them.
fn assert_creates_and_reads(shop: &Shop, topic: &Topic<'_>) {
    shop.ok(&["produce", "--events", "100", "--create-topic", "2"]);
    assert_eq!(topic.leaders().len(), 2);
    shop.ok(&["run"]);
    shop.assert_nothing_lost(100);
}

#[test]
fn a_certificate_opens_a_topic_and_others_are_rejected() {
    let test = "a_certificate_opens_a_topic_and_others_are_rejected";
    let Some(broker) = Broker::with_tls(test) else { return };
    let topic = broker.unmade_topic("mutual");
    let files = "protocol: SSL, certificate: \"${CERTIFICATE}.crt\", key: keys/client.key";
    let mut shop = shop_at(broker, "mutual", &topic, files);
    fs::create_dir(shop.path("keys")).unwrap();
    for file in [
        "client.crt",
        "client.key",
        "stranger.crt",
        "stranger.key",
        "lapsed.crt",
        "lapsed.key",
    ] {
        fs::copy(broker.file(file), shop.path("keys").join(file)).unwrap();
    }
    shop.set("CERTIFICATE", "keys/client");
    assert_creates_and_reads(&shop, &topic);

    shop.set("CERTIFICATE", "keys/stranger");
    assert_fails(
        &shop,
        &["the key does not match the client's certificate", "`key`"],
        &[],
    );
    shop.edit("pipelines.yaml", "key: keys/client.key", "key: \"${CERTIFICATE}.key\"");
    for unknown in ["keys/stranger", "keys/lapsed"] {
        shop.set("CERTIFICATE", unknown);
        assert_fails(&shop, &["rejects the client's certificate", "`certificate`"], &[]);
    }
    shop.set("CERTIFICATE", "keys/nowhere");
    assert_fails(
        &shop,
        &["the client's certificate cannot be used", "`certificate`"],
        &[],
    );
}

#[test]
fn a_certificate_may_be_a_text_with_an_encrypted_key_and_its_absence_is_named() {
    let test = "a_certificate_may_be_a_text_with_an_encrypted_key_and_its_absence_is_named";
    let Some(broker) = Broker::with_tls(test) else { return };
    let topic = broker.topic("mutual", 2, &[]);
    simulate(&topic, 500, 1);
    let texts = ", certificate_pem: \"${CERTIFICATE}\", key_pem: \"${KEY}\", key_password: \"${KEY_PASSWORD}\"";
    let mut shop = shop_at(broker, "mutual", &topic, &format!("protocol: SSL{texts}"));
    let text = |file: &str| fs::read_to_string(broker.file(file)).unwrap();
    let key = text("client-encrypted.key");
    let line = key.lines().nth(1).unwrap();
    shop.set("CERTIFICATE", &text("client.crt"));
    shop.set("KEY", &key);
    shop.set("KEY_PASSWORD", KEY_PASSWORD);
    let output = shop.run(&["run", "-vvv"]);
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{log}");
    assert_keeps(&log, &[KEY_PASSWORD, line]);
    shop.assert_nothing_lost(500);

    shop.set("KEY_PASSWORD", "another-secret-66");
    assert_fails(
        &shop,
        &["the client's key cannot be used", "`key_password`"],
        &["another-secret-66", line],
    );
    shop.edit("pipelines.yaml", texts, "");
    assert_fails(
        &shop,
        &["requires a client certificate", "`certificate` and `key`"],
        &[],
    );
}

/// The settings with these tokens.
fn oauth(provider: &IdentityProvider) -> String {
    format!(
        "protocol: SASL_SSL, mechanism: OAUTHBEARER, oauth: {{ token_url: \"{}\", client_id: {CLIENT}, client_secret: \
         \"${{CLIENT_SECRET}}\", scope: kafka, extensions: {{ logicalCluster: lkc-1, identityPoolId: pool-1 }} }}",
        provider.url
    )
}

#[test]
fn a_token_opens_a_topic_here_and_on_a_cluster() {
    let Some(broker) = Broker::with_tls("a_token_opens_a_topic_here_and_on_a_cluster") else {
        return;
    };
    let provider = IdentityProvider::start(broker);
    let topic = broker.unmade_topic("oauth");
    let mut shop = shop_at(broker, "oauth", &topic, &oauth(&provider));
    shop.set("CLIENT_SECRET", CLIENT_SECRET);
    assert_creates_and_reads(&shop, &topic);
    let before = provider.tokens().len();
    simulate(&topic, 500, 1);
    let output = shop.run(&["run", "-vvv"]);
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{log}");
    assert_eq!(
        provider.tokens().len(),
        before + 1,
        "all clients of the source share a token"
    );

    simulate(&topic, 500, 2);
    let cluster = Cluster::start(&shop, &["-vvv"], 1);
    shop.ok(&["run", "--engine", &cluster.engine()]);
    let logs = cluster.end();
    shop.assert_nothing_lost(1_100);
    assert!(
        provider.tokens().len() > before + 2,
        "the executor has requested its own"
    );
    assert_keeps_tokens(&log, &provider);
    for file in logs {
        assert_keeps_tokens(&fs::read_to_string(file).unwrap(), &provider);
    }
}

#[test]
fn a_client_without_a_token_and_a_token_that_is_rejected_are_named() {
    let test = "a_client_without_a_token_and_a_token_that_is_rejected_are_named";
    let Some(broker) = Broker::with_tls(test) else { return };
    let provider = IdentityProvider::start(broker);
    let topic = broker.topic("oauth", 1, &[]);
    let mut shop = shop_at(broker, "oauth", &topic, &oauth(&provider));
    shop.set("CLIENT_SECRET", "another-secret-38");
    assert_fails(
        &shop,
        &[
            "the token endpoint",
            "rejects the client (invalid_client",
            "`client_secret`",
        ],
        &["another-secret-38"],
    );
    shop.set("CLIENT_SECRET", CLIENT_SECRET);
    provider.issue_to("another");
    let logs = assert_fails(&shop, &["the broker rejects the token", "`oauth`"], &[CLIENT_SECRET]);
    assert_keeps_tokens(&logs, &provider);
    provider.set_down(true);
    assert_fails(
        &shop,
        &["does not answer requests (503", "identity provider"],
        &[CLIENT_SECRET],
    );
    // The certificate of a broker is looked at once more, which takes no token.
    provider.set_down(false);
    shop.set("CA", &broker.authority("other_ca").display().to_string());
    assert_fails(&shop, &["an authority that is not trusted", "`ca`"], &[CLIENT_SECRET]);
}

#[test]
fn a_follower_renews_its_token_and_waits_for_an_endpoint_that_is_down() {
    let test = "a_follower_renews_its_token_and_waits_for_an_endpoint_that_is_down";
    let Some(broker) = Broker::with_tls(test) else { return };
    let provider = IdentityProvider::start(broker);
    provider.issue_for(5);
    let topic = broker.topic("oauth", 2, &[]);
    let mut shop = shop_at(broker, "oauth", &topic, &oauth(&provider));
    shop.edit("pipelines.yaml", EVERY.0, EVERY.1);
    shop.set("CLIENT_SECRET", CLIENT_SECRET);
    simulate(&topic, 200, 1);
    let following = Following::start(&shop, broker.address("oauth"), &["-vv"]);
    following.wait_for_records(&shop, 200);
    // For longer than a token holds, nothing arrives; its clients get others meanwhile.
    let issued = provider.tokens().len();
    wait(&shop, "three more tokens", || provider.tokens().len() >= issued + 3);
    let log = || fs::read_to_string(shop.path("follow.err")).unwrap();
    assert!(!log().contains("rejects the token"), "{}", log());
    simulate(&topic, 200, 2);
    following.wait_for_records(&shop, 400);

    provider.set_down(true);
    wait(&shop, "a failed batch", || {
        log().contains("does not answer requests (503")
    });
    simulate(&topic, 200, 3);
    // Until the last token has expired.
    thread::sleep(Duration::from_secs(6));
    provider.set_down(false);
    following.wait_for_records(&shop, 600);
    let log = log();
    following.stop(&shop);
    shop.assert_nothing_lost(600);
    assert_keeps_tokens(&log, &provider);
}
