//! A broker configured like Confluent Cloud: TLS, with a key and a secret from the environment. Every mistake has its
//! own error, reported soon and without the secret.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use rdkafka::bindings::rd_kafka_AclOperation_t::{RD_KAFKA_ACL_OPERATION_DESCRIBE, RD_KAFKA_ACL_OPERATION_READ};

use crate::acl::allow;
use crate::broker::{Broker, Sent, Topic};
use crate::kafka_shop::simulate;
use crate::support::Shop;

/// As docs/configuration.md shows it.
const TARGET: &str = r#"targets:
  cloud:
    sources:
      clicks:
        kafka:
          brokers: "${KAFKA_BROKERS}"
          topic: "${KAFKA_TOPIC}"
          security:
            protocol: SASL_SSL
            mechanism: PLAIN
            username: "${KAFKA_API_KEY}"
            password: "${KAFKA_API_SECRET}"
            ca_pem: "${KAFKA_CA}"
"#;
/// Errors arrive well before any of librdkafka's timeouts; the machine may be busy.
const SOON: Duration = Duration::from_secs(9);
/// From scripts/kafka.
const SECRETS: [&str; 2] = ["shop-secret-5f2c", "guest-secret-91ab"];

/// A project that reads a topic through a TLS listener, and how it differs from a working one.
struct CloudShop {
    shop: Shop,
    broker: &'static Broker,
    listener: &'static str,
    topic: String,
    user: &'static str,
    secret: &'static str,
    ca: PathBuf,
}

impl CloudShop {
    fn new(broker: &'static Broker, topic: &Topic<'_>) -> Self {
        let shop = Shop::up_to_silver();
        shop.edit("pipelines.yaml", "targets:\n", TARGET);
        Self {
            shop,
            broker,
            listener: "sasl_ssl",
            topic: topic.name.clone(),
            user: "shop",
            secret: SECRETS[0],
            ca: broker.authority("ca"),
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.shop.command(&[args, &["--target", "cloud"]].concat());
        command
            .env("KAFKA_BROKERS", self.broker.address(self.listener))
            .env("KAFKA_TOPIC", &self.topic)
            .env("KAFKA_API_KEY", self.user)
            .env("KAFKA_API_SECRET", self.secret)
            .env("KAFKA_CA", fs::read_to_string(&self.ca).unwrap());
        command
    }

    fn assert_reads(&self, records: u64) {
        let output = self.command(&["run"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.shop.assert_nothing_lost(records);
    }

    /// Retries a command that succeeds once the broker has applied a change.
    fn retry(&self, args: &[&str]) {
        let started = Instant::now();
        while !self.command(args).output().unwrap().status.success() {
            assert!(started.elapsed() < Duration::from_secs(30), "{args:?} never succeeds");
        }
    }

    /// `run` and `plan` fail soon with this message, and keep the secret however much they log.
    fn assert_fails(&self, words: &[&str]) {
        for command in ["run", "plan"] {
            let started = Instant::now();
            let output = self.command(&[command, "-vvv"]).output().unwrap();
            let took = started.elapsed();
            let log = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{log}");
            assert!(!log.contains(self.secret), "the secret was printed");
            let at = log.rfind("\nerror: ").expect("no error was printed");
            let error = &log[at..];
            for word in words.iter().chain(&["help:"]) {
                assert!(error.contains(word), "`{word}` is not in {error}");
            }
            assert!(took < SOON, "it took {took:?}: {error}");
        }
        assert!(
            !self.shop.path("lake/bronze/clicks/_delta_log").exists(),
            "nothing was written"
        );
    }
}

#[test]
fn key_and_secret_from_the_environment_open_a_topic_behind_tls() {
    let Some(broker) = Broker::with_tls("key_and_secret_from_the_environment_open_a_topic_behind_tls") else {
        return;
    };
    let topic = broker.topic("cloud", 3, &[]);
    simulate(&topic, 1_000, 1);
    CloudShop::new(broker, &topic).assert_reads(1_000);
    // The authority in a file.
    let cloud = CloudShop::new(broker, &topic);
    let file = cloud.ca.display().to_string();
    cloud
        .shop
        .edit("pipelines.yaml", "ca_pem: \"${KAFKA_CA}\"", &format!("ca: {file}"));
    cloud.assert_reads(1_000);
}

#[test]
fn a_wrong_key_or_secret_is_named() {
    let Some(broker) = Broker::with_tls("a_wrong_key_or_secret_is_named") else {
        return;
    };
    let topic = broker.topic("credentials", 1, &[]);
    let mut cloud = CloudShop::new(broker, &topic);
    cloud.secret = "not-the-secret-77";
    cloud.assert_fails(&["rejects the user name or the password", "`password`"]);
    cloud.secret = SECRETS[0];
    cloud.user = "nobody";
    cloud.assert_fails(&["rejects the user name or the password", "`username`"]);
    cloud.user = "shop";
    cloud
        .shop
        .edit("pipelines.yaml", "mechanism: PLAIN", "mechanism: SCRAM-SHA-256");
    cloud.assert_fails(&["does not support this SASL mechanism", "`mechanism`"]);
}

#[test]
fn what_is_wrong_with_a_certificate_is_named() {
    let Some(broker) = Broker::with_tls("what_is_wrong_with_a_certificate_is_named") else {
        return;
    };
    let topic = broker.topic("certificates", 1, &[]);
    let mut cloud = CloudShop::new(broker, &topic);
    cloud.ca = broker.authority("other_ca");
    cloud.assert_fails(&["an authority that is not trusted", "`ca_pem`"]);
    cloud.ca = broker.authority("ca");
    cloud.listener = "expired";
    cloud.assert_fails(&["certificate has expired"]);
    cloud.listener = "elsewhere";
    cloud.assert_fails(&["certificate is for another host", "`brokers`"]);
}

#[test]
fn a_wrong_protocol_is_named() {
    let Some(broker) = Broker::with_tls("a_wrong_protocol_is_named") else {
        return;
    };
    let topic = broker.topic("protocol", 1, &[]);
    let mut cloud = CloudShop::new(broker, &topic);
    cloud.listener = "plaintext";
    cloud.assert_fails(&["does not speak this protocol", "`protocol`"]);
}

#[test]
fn a_topic_that_is_not_there_is_missing_and_one_without_leave_is_denied() {
    let Some(broker) = Broker::with_tls("a_topic_that_is_not_there_is_missing_and_one_without_leave_is_denied") else {
        return;
    };
    let topic = broker.topic("denied", 1, &[]);
    topic.send([Sent::from("{}")]);
    let mut cloud = CloudShop::new(broker, &topic);
    cloud.topic = "no-such-topic".to_owned();
    cloud.assert_fails(&["topic `no-such-topic`", "is missing", "create it"]);
    cloud.topic = topic.name.clone();
    (cloud.user, cloud.secret) = ("guest", SECRETS[1]);
    cloud.assert_fails(&[&topic.name, "not allowed", "READ and DESCRIBE"]);
}

#[test]
fn a_topic_is_made_with_the_sources_key_and_refused_to_users_without_leave() {
    let test = "a_topic_is_made_with_the_sources_key_and_refused_to_users_without_leave";
    let Some(broker) = Broker::with_tls(test) else { return };
    let topic = broker.unmade_topic("own");
    let mut cloud = CloudShop::new(broker, &topic);
    let produce = ["produce", "--events", "100", "--create-topic", "2"];
    (cloud.user, cloud.secret) = ("guest", SECRETS[1]);
    let output = cloud.command(&produce).output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{log}");
    for words in ["cannot create topic", &topic.name, "CREATE"] {
        assert!(log.contains(words), "`{words}` is not in {log}");
    }
    assert!(!log.contains(SECRETS[1]), "the secret was printed");
    (cloud.user, cloud.secret) = ("shop", SECRETS[0]);
    let output = cloud.command(&produce).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(topic.leaders().len(), 2);
    cloud.assert_reads(100);
}

#[test]
fn a_user_who_may_see_a_topic_but_not_read_it_is_denied_when_it_is_read() {
    let Some(broker) = Broker::with_tls("a_user_who_may_see_a_topic_but_not_read_it_is_denied_when_it_is_read") else {
        return;
    };
    let topic = broker.topic("visible", 2, &[]);
    topic.send((0..20).map(|number| Sent::from(number.to_string().as_str())));
    let mut cloud = CloudShop::new(broker, &topic);
    (cloud.user, cloud.secret) = ("guest", SECRETS[1]);
    allow(&broker.admin(), "guest", &topic.name, RD_KAFKA_ACL_OPERATION_DESCRIBE);
    // The broker takes a moment to apply it.
    cloud.retry(&["plan"]);
    let started = Instant::now();
    let output = cloud.command(&["run", "-vv"]).output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(started.elapsed() < SOON, "{log}");
    assert!(
        log.contains("not allowed") && log.contains("READ and DESCRIBE"),
        "{log}"
    );
    assert!(!log.contains(SECRETS[1]), "the secret was printed");

    allow(&broker.admin(), "guest", &topic.name, RD_KAFKA_ACL_OPERATION_READ);
    cloud.retry(&["run"]);
    cloud.assert_reads(20);
}

#[test]
fn an_authority_by_file_and_by_text_at_once_is_refused() {
    let shop = Shop::new();
    shop.edit(
        "pipelines.yaml",
        "targets:\n",
        &TARGET.replace("ca_pem:", "ca: ca.pem\n            ca_pem:"),
    );
    let vars = ["BROKERS", "TOPIC", "API_KEY", "API_SECRET", "CA"].map(|name| format!("KAFKA_{name}=x"));
    let mut args = vec!["plan", "--target", "cloud"];
    args.extend(vars.iter().flat_map(|var| ["--var", var.as_str()]));
    let (code, log) = shop.fails(&args);
    assert!(
        code == 2 && log.contains("`ca` and `ca_pem`") && log.contains("pipelines.yaml:"),
        "{log}"
    );
}
