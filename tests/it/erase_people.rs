//! `clickrec erase` where people are close to each other: they share a browser, a session, or the place of a record; and
//! where records are compressed.

use std::fs;
use std::io::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::lake_words::files_with;
use crate::support::Shop;

/// A Bronze whose records may be base64 in the source.
const DECODED: &str = r#"select source, topic, partition, "offset", timestamp, key,
    case
        when starts_with(cast(value as varchar), '{') then value
        else decode(cast(value as varchar), 'base64')
    end as value,
    headers
from changes('clicks')
"#;
/// A Bronze that calls all topics the same.
const ONE_TOPIC: &str = r#"select source, 'clicks' as topic, partition, "offset", timestamp, key, value, headers
from changes('clicks')
"#;
const PEOPLE: &str = "select session_id, person_id, session_user_id, anonymous_person_id from silver.people order by 1";

/// A project without recommendations.
fn shop(bronze: Option<&str>) -> Shop {
    let mut shop = Shop::without_recommender();
    if let Some(sql) = bronze {
        fs::write(shop.path("sql/bronze/clicks.sql"), sql).unwrap();
    }
    shop.set("CLICKREC_ERASURE_KEY", "0123456789abcdef0123456789abcdef");
    shop
}

/// An event with some fields besides time, item and type.
fn event(time: &str, fields: &str) -> String {
    format!(r#"{{"timestamp":"2025-07-13T{time}:00Z","item_id":"hat","event_type":"view",{fields}}}"#)
}

fn deliver(shop: &Shop, file: &str, lines: &[String]) {
    fs::write(shop.path("sample_data").join(file), lines.join("\n") + "\n").unwrap();
}

fn assert_gone(shop: &Shop, words: &[&str]) {
    for word in words {
        let left = files_with(&shop.path("lake"), word);
        assert!(left.is_empty(), "{word} is in {left:?}");
    }
}

#[test]
fn a_browser_that_two_people_used_is_the_other_ones_afterwards() {
    let browser = r#""anonymous_id":"browser_1""#;
    let lines = [
        event(
            "10:00",
            &format!(r#""session_id":"sess_anna","user_id":"anna_1",{browser}"#),
        ),
        event(
            "12:00",
            &format!(r#""session_id":"sess_bert","user_id":"bert_1",{browser}"#),
        ),
        event("14:00", &format!(r#""session_id":"sess_open",{browser}"#)),
    ];
    let (with, without) = (shop(None), shop(None));
    deliver(&with, "1.json", &lines);
    deliver(&without, "1.json", &lines[1..]);
    for shop in [&with, &without] {
        shop.ok(&["run"]);
    }
    assert!(with.rows(PEOPLE).contains(&"sess_open,session:sess_open,,".to_owned()));
    with.ok(&["erase", "--user", "anna_1"]);
    assert_gone(&with, &["anna_1", "sess_anna"]);
    for sql in [PEOPLE, "select * from gold.sessions order by 1"] {
        assert_eq!(with.rows(sql), without.rows(sql), "{sql}");
    }
    assert!(with.rows(PEOPLE).contains(&"sess_open,bert_1,,bert_1".to_owned()));
}

#[test]
fn a_persons_part_of_a_shared_session_goes_with_its_events_before_the_login() {
    let shop = shop(None);
    let lines = [
        event("10:00", r#""session_id":"sess_both","page":"before_anna""#),
        event("10:01", r#""session_id":"sess_both","user_id":"anna_1""#),
        event("10:02", r#""session_id":"sess_both","user_id":"bert_1""#),
        event("10:03", r#""session_id":"sess_both","page":"after_bert""#),
    ];
    deliver(&shop, "1.json", &lines);
    shop.ok(&["run"]);
    shop.ok(&["erase", "--user", "anna_1"]);
    assert_gone(&shop, &["anna_1", "before_anna"]);
    let theirs = "sess_both@2025-07-13T10:02:00.000Z";
    let [events, people, sessions] = [
        "select session_id, user_id from silver.events order by event_at",
        "select session_id, person_id from silver.people",
        "select session_id, events from gold.sessions",
    ]
    .map(|sql| shop.rows(sql));
    assert_eq!(events, [format!("{theirs},bert_1"), format!("{theirs},")]);
    assert_eq!(people, [format!("{theirs},bert_1")]);
    assert_eq!(sessions, [format!("{theirs},2")]);
    assert_eq!(shop.number("select count(*) from bronze.clicks"), 2);
}

#[test]
fn a_session_is_a_persons_before_silver_people_knows() {
    let shop = shop(None);
    let session = r#""session_id":"sess_anna","anonymous_id":"browser_1""#;
    deliver(&shop, "1.json", &[event("10:00", session)]);
    shop.ok(&["run"]);
    deliver(
        &shop,
        "2.json",
        &[event("10:05", &format!(r#"{session},"user_id":"anna_1""#))],
    );
    shop.ok(&["run", "--select", "bronze.clicks,silver.events"]);
    let person = "select person_id from silver.people";
    assert_eq!(shop.rows(person), ["anonymous:browser_1"]);
    shop.ok(&["erase", "--user", "anna_1"]);
    assert_gone(&shop, &["anna_1", "sess_anna"]);
    assert_eq!(shop.number("select count(*) from silver.events"), 0);
}

/// The text, compressed, in base64.
fn packed(text: &str, without_end: usize) -> String {
    let mut packed = GzEncoder::new(vec![], Compression::default());
    packed.write_all(text.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    BASE64_STANDARD.encode(&packed[..packed.len() - without_end])
}

#[test]
fn compressed_records_are_erased_too() {
    let shop = shop(Some(DECODED));
    let anna = event("10:00", r#""session_id":"sess_anna","user_id":"anna_1""#);
    let bert = event("10:00", r#""session_id":"sess_bert","user_id":"bert_1""#);
    // Silver cannot read the compressed ones. The third is damaged.
    let lines = [
        anna.clone(),
        packed(&anna, 0),
        packed(&anna, 6),
        packed(&bert, 0),
        bert.clone(),
    ];
    deliver(&shop, "1.json", &lines);
    shop.ok(&["run"]);
    let rejected = "select count(*) from silver.quarantine";
    assert_eq!(shop.number(rejected), 3);
    // The search looks into compressed values.
    let searched = shop.run(&["erase", "--user", "anna_1", "--verify"]);
    let left = String::from_utf8_lossy(&searched.stderr);
    assert!(
        searched.status.code() == Some(1) && left.contains("silver/quarantine"),
        "{left}"
    );
    shop.ok(&["erase", "--user", "anna_1"]);
    assert_gone(&shop, &["anna_1", "sess_anna"]);
    let kept = r#"select "offset" from bronze.clicks order by 1"#;
    assert_eq!(shop.rows(kept), ["4", "5"]);
    assert_eq!(shop.number(rejected), 1);
    assert_eq!(shop.rows("select user_id from silver.events"), ["bert_1"]);
}

#[test]
fn records_of_others_at_the_same_place_stay() {
    let shop = shop(Some(ONE_TOPIC));
    for (file, name) in [("1.json", "anna"), ("2.json", "bert")] {
        let fields = format!(r#""session_id":"sess_{name}","user_id":"{name}_1""#);
        deliver(&shop, file, &[event("10:00", &fields)]);
    }
    shop.ok(&["run"]);
    let places = r#"select count(distinct "offset") from bronze.clicks"#;
    assert_eq!(shop.number(places), 1);
    shop.ok(&["erase", "--user", "anna_1"]);
    assert_gone(&shop, &["anna_1", "sess_anna"]);
    assert_eq!(shop.number("select count(*) from bronze.clicks"), 1);
    assert_eq!(shop.rows("select user_id from silver.events"), ["bert_1"]);
    shop.ok(&["erase", "--user", "anna_1"]);
    assert_eq!(shop.number("select count(*) from bronze.clicks"), 1);
}
