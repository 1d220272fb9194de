//! Avro with the schemas of a real registry, through a real Kafka, into Silver: the schema evolves, the follower is
//! killed, and the registry stops.
//!
//! Without Java 21 or later, the test prints SKIPPED and its name. Where there is one, but no registry, it fails with
//! `CI=true`.

use std::fs;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::avro::{START, avro_shop, number, text};
use crate::broker::{Broker, Sent};
use crate::follow::{Following, wait};
use crate::registry::framed;
use crate::script::Script;
use crate::support::{Shop, skipped};

const TYPES: [&str; 3] = ["view", "add_to_cart", "purchase"];
/// An ID that the registry has not given to a schema.
const UNKNOWN: u32 = 1_000_000;

/// Apicurio Registry, started by `scripts/registry`.
struct RealRegistry {
    script: Script,
    url: String,
}

impl RealRegistry {
    fn start(test: &str) -> Option<Self> {
        let (script, told): (Script, Value) = match Script::start("registry", &["serve"]) {
            Ok(started) => started,
            Err(reason) => {
                assert!(std::env::var_os("CI").is_none(), "{test} needs a registry: {reason}");
                skipped(test, &reason);
                return None;
            }
        };
        if let Some(reason) = told["missing"].as_str() {
            skipped(test, reason);
            return None;
        }
        let url = told["url"].as_str().unwrap().to_owned();
        Some(Self { script, url })
    }

    /// The ID of a schema, which is registered as the newest one of the topic's values.
    fn register(&self, schema: &str) -> u32 {
        let answer = Runtime::new().unwrap().block_on(async {
            let request = reqwest::Client::new()
                .post(format!("{}/subjects/clicks-value/versions", self.url))
                .header("content-type", "application/vnd.schemaregistry.v1+json")
                .body(json!({ "schema": schema }).to_string());
            request.send().await.unwrap().bytes().await.unwrap()
        });
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let id = answer["id"].as_u64().unwrap_or_else(|| panic!("{answer}"));
        u32::try_from(id).unwrap()
    }

    fn stop(&self) {
        self.script.ask::<Value>("stop");
    }

    /// Starts it again, with the same schemas.
    fn start_again(&self) {
        self.script.ask::<Value>("start");
    }
}

/// A version of the schema of clicks. The second one widens a number and adds a field, and the third adds another.
fn schema(version: usize) -> String {
    let mut fields = vec![
        json!({ "name": "event_id", "type": "string" }),
        json!({ "name": "session_id", "type": "string" }),
        json!({ "name": "user_id", "type": ["null", "string"], "default": null }),
        json!({ "name": "item_id", "type": "string" }),
        json!({ "name": "event_type", "type": { "type": "enum", "name": "EventType", "symbols": TYPES } }),
        json!({ "name": "timestamp", "type": { "type": "long", "logicalType": "timestamp-millis" } }),
        json!({ "name": "quantity", "type": if version == 1 { "int" } else { "long" } }),
    ];
    if version >= 2 {
        fields.push(json!({ "name": "campaign", "type": "string", "default": "none" }));
    }
    if version >= 3 {
        fields.push(json!({ "name": "coupon", "type": ["null", "string"], "default": null }));
    }
    json!({ "type": "record", "name": "Click", "namespace": "org.example", "fields": fields }).to_string()
}

/// A click, and the version of the schema with which it is written.
#[derive(Debug, Clone, Copy)]
struct Click {
    n: usize,
    version: usize,
}

impl Click {
    fn user(self) -> Option<String> {
        (!self.n.is_multiple_of(3)).then(|| format!("u{}", self.n % 5))
    }

    fn millis(self) -> i64 {
        START + 1_001 * self.n as i64
    }

    /// Beyond 32 bits once the schema allows that.
    fn quantity(self) -> i64 {
        let least = if self.version == 1 { 1 } else { 1 << 32 };
        least + self.n as i64
    }

    fn record(self) -> Vec<u8> {
        let user = self.user();
        let mut record = [
            text(&format!("e{}", self.n)),
            text(&format!("s{}", self.n % 7)),
            user.map_or_else(|| number(0), |user| [number(1), text(&user)].concat()),
            text(&format!("item_{}", self.n % 11)),
            number((self.n % TYPES.len()) as i64),
            number(self.millis()),
            number(self.quantity()),
        ]
        .concat();
        if self.version >= 2 {
            record.extend(text("spring"));
        }
        if self.version >= 3 {
            record.extend([number(1), text("X")].concat());
        }
        record
    }

    /// Its row in Silver, as [`ROWS`] selects it.
    fn row(self) -> String {
        let added = match self.version {
            1 => "",
            2 => "campaign:spring;",
            _ => "campaign:spring;coupon:X;",
        };
        format!(
            "e{n},s{},{},item_{},{},{},{{{added}quantity:{}}}",
            self.n % 7,
            self.user().as_deref().unwrap_or("-"),
            self.n % 11,
            TYPES[self.n % TYPES.len()],
            1_000 * self.millis(),
            self.quantity(),
            n = self.n,
        )
    }
}

/// All columns of events that come from records; what has no column is in `extra`, here without quotes and commas.
const ROWS: &str = "select event_id, given_session_id, coalesce(user_id, '-'), item_id, event_type, cast(event_at as bigint), \
                    translate(canonical_json(extra), ',\"', ';') from silver.events";

/// Clicks of several versions, in turn.
fn clicks(numbers: std::ops::Range<usize>, versions: usize) -> Vec<Click> {
    let of = |n| Click {
        n,
        version: 1 + n % versions,
    };
    numbers.map(of).collect()
}

/// The number of files in a folder with this extension.
fn files(shop: &Shop, folder: &str, extension: &str) -> usize {
    let files = fs::read_dir(shop.path(folder)).into_iter().flatten().flatten();
    let has_extension = |file: &fs::DirEntry| file.path().extension().is_some_and(|found| found == extension);
    files.filter(has_extension).count()
}

/// Waits until Silver has this many events.
fn wait_for_events(shop: &Shop, events: i64) {
    wait(shop, &format!("{events} events"), || {
        // Each look starts the program, which the follower has to share the processor with.
        thread::sleep(Duration::from_millis(400));
        shop.number("select count(*) from silver.events") == events
    });
}

#[test]
fn a_schema_that_evolves_a_killed_follower_and_a_registry_that_stops_lose_and_double_nothing() {
    let test = "a_schema_that_evolves_a_killed_follower_and_a_registry_that_stops_lose_and_double_nothing";
    let Some(broker) = Broker::shared(test) else { return };
    let Some(registry) = RealRegistry::start(test) else {
        return;
    };
    let topic = broker.topic("avro", 3, &[]);
    let mut shop = avro_shop(broker.bootstrap(), &registry.url);
    shop.set("KAFKA_TOPIC", &topic.name);
    let fast = "every: 200ms, records: 1000000";
    shop.edit("pipelines.yaml", "every: 10s, records: 1000000", fast);
    let follow = |environment: &[(&str, &str)]| Following::start_with(&shop, broker.bootstrap(), &[], environment);
    let mut ids = vec![registry.register(&schema(1))];
    let send = |ids: &[u32], clicks: &[Click]| {
        let value = |click: &Click| framed(ids[click.version - 1], &click.record());
        topic.send(clicks.iter().map(|click| sent(value(click))));
    };

    let mut sent_clicks = clicks(0..300, 1);
    send(&ids, &sent_clicks);
    let mut following = follow(&[]);
    following.wait_for_records(&shop, 300);

    // The schema evolves under a running follower, which is killed once Bronze has the new records.
    ids.push(registry.register(&schema(2)));
    let commits = || files(&shop, "lake/bronze/clicks/_delta_log", "json");
    let before = commits();
    let mixed = clicks(300..4_300, 2);
    send(&ids, &mixed);
    sent_clicks.extend(mixed);
    wait(&shop, "commit of Bronze", || commits() > before);
    following.child.kill().unwrap();
    following.child.wait().unwrap();

    // The next one is killed between the data files of its first step and their commit.
    let mixed = clicks(4_300..4_800, 2);
    send(&ids, &mixed);
    let garbage = [
        framed(ids[1], &mixed[1].record()[..10]),
        framed(UNKNOWN, &mixed[1].record()),
        br#"{"item_id":"a"}"#.to_vec(),
        b"hello".to_vec(),
    ];
    let rejected = garbage.len();
    topic.send(garbage.into_iter().map(sent));
    sent_clicks.extend(mixed);
    let data_files = || files(&shop, "lake/bronze/clicks", "parquet");
    let before = data_files();
    let mut following = follow(&[("FAILPOINTS", "before_commit=sleep(600000)")]);
    wait(&shop, "data of the first step", || data_files() > before);
    following.child.kill().unwrap();
    following.child.wait().unwrap();

    let following = follow(&[]);
    wait_for_events(&shop, 4_800);

    // Records with a new ID arrive while the registry is down.
    ids.push(registry.register(&schema(3)));
    registry.stop();
    let mixed = clicks(4_800..5_400, 3);
    send(&ids, &mixed);
    sent_clicks.extend(mixed);
    wait(&shop, "failed batch", || {
        let told = fs::read_to_string(shop.path("follow.jsonl")).unwrap_or_default();
        told.contains("it does not answer (")
    });
    registry.start_again();
    wait_for_events(&shop, 5_400);
    following.stop(&shop);

    shop.assert_nothing_lost((sent_clicks.len() + rejected) as u64);
    assert_eq!(topic.held().len(), sent_clicks.len() + rejected);
    let reasons = "select reason, count(*) from silver.quarantine group by reason order by reason";
    let [found, reasons]: [Vec<String>; 2] = shop.results(&[], &[ROWS, reasons]).try_into().unwrap();
    assert_eq!(
        reasons,
        [
            "\"not Avro: JSON, without a schema ID\",1".to_owned(),
            "not Avro: does not begin with a schema ID,1".to_owned(),
            format!("not a record of schema ID {},1", ids[1]),
            format!("schema ID {UNKNOWN} is not in the registry,1"),
        ]
    );
    assert_rows(found, sent_clicks.into_iter().map(Click::row).collect());
}

fn sent(value: Vec<u8>) -> Sent {
    Sent {
        value: Some(value),
        ..Sent::default()
    }
}

/// The rows are these, in any order.
fn assert_rows(mut found: Vec<String>, mut expected: Vec<String>) {
    found.sort();
    expected.sort();
    let other = found.iter().zip(&expected).find(|(found, expected)| found != expected);
    assert_eq!(other, None, "what Silver has beside what was sent");
    assert_eq!(found.len(), expected.len());
}
