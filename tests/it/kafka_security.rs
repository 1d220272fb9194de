//! A broker as Confluent Cloud has it: TLS, a key and a secret from the environment.

use std::path::Path;
use std::process::Command;

use crate::broker::{Broker, Topic};
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
            ca: "${KAFKA_CA}"
"#;

/// A project that reads a topic by a listener with TLS.
struct CloudShop<'a> {
    shop: Shop,
    topic: &'a Topic<'a>,
    listener: &'a str,
    user: &'a str,
    secret: &'a str,
    ca: &'a Path,
}

impl<'a> CloudShop<'a> {
    fn new(topic: &'a Topic<'a>, ca: &'a Path) -> Self {
        let shop = Shop::new();
        shop.edit("pipelines.yaml", "targets:\n", TARGET);
        Self {
            shop,
            topic,
            listener: "sasl_ssl",
            user: "shop",
            secret: "shop-secret-5f2c",
            ca,
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.shop.command(&[args, &["--target", "cloud"]].concat());
        command
            .env("KAFKA_BROKERS", self.topic.broker.address(self.listener))
            .env("KAFKA_TOPIC", &self.topic.name)
            .env("KAFKA_API_KEY", self.user)
            .env("KAFKA_API_SECRET", self.secret)
            .env("KAFKA_CA", self.ca);
        command
    }
}

#[test]
fn key_and_secret_from_the_environment_open_a_topic_behind_tls() {
    let Some(broker) = Broker::with_tls("key_and_secret_from_the_environment_open_a_topic_behind_tls") else {
        return;
    };
    let topic = broker.topic("cloud", 3, &[]);
    simulate(&topic, 1_000, 1);
    let ca = broker.authority("ca");
    let cloud = CloudShop::new(&topic, &ca);
    let output = cloud.command(&["run"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    cloud.shop.assert_nothing_lost(1_000);
}
