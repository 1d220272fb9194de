//! Whose sessions are: logins, browsers, ids that stand for nobody; and what Gold leaves out, but answers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use crate::serving::Server;
use crate::support::Shop;

/// What a visitor sends.
#[derive(Debug, Clone, Copy)]
struct Click {
    session: Option<&'static str>,
    user: Option<&'static str>,
    browser: Option<&'static str>,
    /// After noon.
    minute: u32,
}

impl Click {
    /// As a line of a file; `number` is its id and its item.
    fn line(&self, number: usize) -> String {
        let mut line = json!({
            "event_id": format!("e{number}"),
            "timestamp": format!("2026-03-01T{:02}:{:02}:00Z", 12 + self.minute / 60, self.minute % 60),
            "item_id": format!("p{}", number % 5),
            "event_type": "view",
        });
        let sent = [
            ("session_id", self.session),
            ("user_id", self.user),
            ("anonymous_id", self.browser),
        ];
        for (name, value) in sent {
            if let Some(value) = value {
                line[name] = json!(value);
            }
        }
        format!("{line}\n")
    }
}

fn deliver(shop: &Shop, file: &str, clicks: &[(usize, Click)]) {
    let lines: String = clicks.iter().map(|(number, click)| click.line(*number)).collect();
    fs::write(shop.path("sample_data").join(file), lines).unwrap();
}

fn click(session: &'static str, user: Option<&'static str>, browser: &'static str, minute: u32) -> Click {
    Click {
        session: Some(session),
        user,
        browser: Some(browser),
        minute,
    }
}

#[test]
fn a_login_makes_one_person_of_two_browsers_whichever_delivery_comes_first() {
    let anonymous = [
        (1, click("s1", None, "laptop", 0)),
        (2, click("s2", None, "phone", 10)),
        (3, click("s3", None, "tablet", 20)),
    ];
    let logins = [
        (4, click("s4", Some("u1"), "laptop", 30)),
        (5, click("s5", Some("u1"), "phone", 40)),
    ];
    let people = "select session_id, person_id from gold.sessions order by 1";
    let counted = "select sum(people), sum(users), sum(sessions) from gold.engagement";
    for [first, second] in [[&anonymous[..], &logins[..]], [&logins[..], &anonymous[..]]] {
        let shop = Shop::without_recommender();
        deliver(&shop, "1.json", first);
        shop.ok(&["run"]);
        deliver(&shop, "2.json", second);
        shop.ok(&["run"]);
        let all = ["s1,u1", "s2,u1", "s3,anonymous:tablet", "s4,u1", "s5,u1"];
        assert_eq!(shop.rows(people), all);
        assert_eq!(shop.rows(counted), ["2,1,5"]);
        // The events are as they were sent, and know their person all the same.
        let events = "select count(user_id), count(*) from silver.person_events where person_id = 'u1'";
        assert_eq!(shop.rows(events), ["2,4"]);
    }
}

#[test]
fn a_merge_of_two_people_writes_only_their_sessions() {
    let shop = Shop::without_recommender();
    let strangers = (10..60).map(|number| {
        let session: &'static str = format!("other{number}").leak();
        (number, click(session, None, session, 5))
    });
    let known = [
        (1, click("s1", None, "laptop", 0)),
        (2, click("s2", Some("u1"), "phone", 10)),
    ];
    deliver(&shop, "1.json", &known.into_iter().chain(strangers).collect::<Vec<_>>());
    shop.ok(&["run"]);
    deliver(&shop, "2.json", &[(3, click("s3", Some("u1"), "laptop", 20))]);
    shop.ok(&["run"]);
    let written = "select rows_written from system.runs where step = 'silver.people' order by started_at desc limit 1";
    assert_eq!(shop.rows(written), ["2"], "s3, and s1, which it explains");
    assert_eq!(
        shop.number("select count(*) from gold.sessions where person_id = 'u1'"),
        3
    );
    assert_eq!(shop.number("select count(distinct person_id) from gold.sessions"), 51);
}

/// A row of silver.events.
struct Event {
    session: String,
    sent: Option<String>,
    user: Option<String>,
    browser: Option<String>,
    at: i64,
}

/// The events of the lake; ids that stand for nobody are none.
fn events(shop: &Shop) -> Vec<Event> {
    let sql = "select session_id, given_session_id, user_id, from_json(extra, 'id string from $.anonymous_id')['id'], \
               cast(extract(epoch from event_at) as bigint) from silver.events";
    let rows = shop.rows(sql);
    let somebody = |id: &str| Some(id.to_owned()).filter(|id| !["", "null", "undefined"].contains(&id.as_str()));
    let event = |row: &String| {
        let fields: Vec<&str> = row.split(',').collect();
        Event {
            session: fields[0].to_owned(),
            sent: somebody(fields[1]),
            user: somebody(fields[2]),
            browser: somebody(fields[3]),
            at: fields[4].parse().unwrap(),
        }
    };
    rows.iter().map(event).collect()
}

/// A session, as its events describe it.
#[derive(Default)]
struct Session {
    sent: Option<String>,
    users: BTreeSet<String>,
    browsers: BTreeSet<String>,
    ended: i64,
}

/// Who was seen last under an id; `None` if nobody was, or more than the bound.
fn only_user<'a>(sessions: impl Iterator<Item = &'a Session>, bound: usize) -> (usize, Option<String>) {
    let mut seen: BTreeMap<&String, i64> = BTreeMap::new();
    for session in sessions {
        if let Some(user) = session.users.first() {
            let last = seen.entry(user).or_insert(session.ended);
            *last = session.ended.max(*last);
        }
    }
    let last = seen.values().max();
    let user = seen.iter().rfind(|(_, at)| Some(*at) == last);
    let user = user.filter(|_| seen.len() <= bound).map(|(user, _)| (*user).clone());
    (seen.len(), user)
}

/// Whose each session is, by a look at all sessions.
fn model(events: &[Event], bound: usize) -> BTreeMap<String, String> {
    let mut sessions: BTreeMap<String, Session> = BTreeMap::new();
    for event in events {
        let session = sessions.entry(event.session.clone()).or_default();
        session.sent = session.sent.take().or_else(|| event.sent.clone());
        session.users.extend(event.user.clone());
        session.browsers.extend(event.browser.clone());
        session.ended = session.ended.max(event.at);
    }
    let person = |id: &String| {
        let own = &sessions[id];
        if let Some(user) = own.users.first() {
            return user.clone();
        }
        let parts = sessions.values().filter(|other| other.sent == own.sent);
        if let (Some(_), (_, Some(user))) = (&own.sent, only_user(parts, bound)) {
            return user;
        }
        let browser = own.browsers.first();
        let same = sessions.values().filter(|session| session.browsers.first() == browser);
        match (browser, only_user(same, bound)) {
            (Some(_), (_, Some(user))) => user,
            (Some(browser), (0, None)) => format!("anonymous:{browser}"),
            _ => format!("session:{}", own.sent.as_ref().unwrap_or(id)),
        }
    };
    sessions.keys().map(|id| (id.clone(), person(id))).collect()
}

#[test]
fn random_people_are_the_same_in_any_order_and_in_a_rebuild() {
    let session = prop::option::weighted(0.9, prop::sample::select(vec!["s1", "s2", "s3", "s4", "s5", "s6"]));
    let user = prop::option::weighted(0.3, prop::sample::select(vec!["u1", "u2", "u3", "null"]));
    let browser = prop::option::weighted(0.7, prop::sample::select(vec!["d1", "d2", "d3", "d4", "undefined"]));
    let click = (session, user, browser, 0..180_u32).prop_map(|(session, user, browser, minute)| Click {
        session,
        // a record needs one of them
        user: session.map_or(Some("u1"), |_| user),
        browser,
        minute,
    });
    let deliveries = prop::collection::vec(prop::collection::vec(click, 1..12), 3);
    let config = Config {
        cases: 5,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&(deliveries, 1..3_usize), |(deliveries, bound)| {
            let variable = format!("users_per_id={bound}");
            let people = |shop: &Shop| shop.rows("select session_id, person_id from silver.people order by 1");
            let mut number = 0;
            let mut numbered = |clicks: &Vec<Click>| -> Vec<(usize, Click)> {
                let mut next = || {
                    number += 1;
                    number
                };
                clicks.iter().map(|click| (next(), *click)).collect()
            };
            let deliveries: Vec<Vec<(usize, Click)>> = deliveries.iter().map(&mut numbered).collect();
            let run = |order: &[usize]| {
                let shop = Shop::up_to_silver();
                for &at in order {
                    deliver(&shop, &format!("{at}.json"), &deliveries[at]);
                    shop.ok(&["run", "--var", &variable]);
                }
                shop
            };
            let shop = run(&[0, 1, 2]);
            let expected: Vec<String> = model(&events(&shop), bound)
                .iter()
                .map(|(session, person)| format!("{session},{person}"))
                .collect();
            prop_assert_eq!(&people(&shop), &expected);
            prop_assert_eq!(&people(&run(&[2, 1, 0])), &expected);
            let batches = shop.table("silver.people");
            shop.ok(&["run", "--full-refresh", "--select", "silver.people", "--var", &variable]);
            prop_assert_eq!(batches, shop.table("silver.people"));
            Ok(())
        })
        .unwrap();
}

/// Six shoppers who look at p0 and p1, and a crawler that looks at everything.
fn crawled() -> Shop {
    let shop = Shop::new();
    let view = |session: &str, item: String, second: usize, agent: &str| {
        let at = format!("2026-03-01T12:00:{second:02}Z");
        let line = json!({ "timestamp": at, "session_id": session, "item_id": item, "event_type": "view", "user_agent": agent });
        format!("{line}\n")
    };
    let mut lines = String::new();
    for shopper in 0..6 {
        for item in 0..2 {
            lines += &view(&format!("s{shopper}"), format!("p{item}"), item, "Mozilla/5.0");
        }
    }
    for item in 0..9 {
        lines += &view(
            "crawler",
            format!("p{item}"),
            item,
            "Mozilla/5.0 (compatible; Googlebot/2.1)",
        );
    }
    fs::write(shop.path("sample_data/1.json"), lines).unwrap();
    shop.ok(&["run"]);
    shop
}

#[test]
fn a_crawler_is_left_out_of_gold_is_counted_and_can_be_let_in_again() {
    let shop = crawled();
    let counts = || {
        shop.numbers([
            "select count(*) from gold.sessions",
            "select sum(events) from gold.item_activity",
            "select count(*) from gold.item_popularity",
            "select count(*) from gold.session_items where session_id = 'crawler'",
            "select count(*) from gold.recommendations where session_id = 'crawler'",
            "select count(*) from silver.events",
        ])
    };
    let without = [6, 12, 2, 0, 0, 21];
    assert_eq!(counts(), without);
    assert_eq!(
        shop.rows("select reason, sessions, events from gold.excluded"),
        ["user agent,1,9"]
    );
    let server = Server::start(&shop, &[]);
    let engagement = server.get("/api/v1/engagement?bucket=hour").json();
    assert_eq!(engagement["totals"]["people"], 6, "{engagement}");
    assert_eq!(engagement["points"][0]["people"], 6, "{engagement}");
    let pipeline = server.get("/api/v1/pipeline").json();
    assert_eq!(
        pipeline["excluded"],
        json!([{ "reason": "user agent", "sessions": 1, "events": 9 }])
    );
    assert!(server.stop());

    let yaml = fs::read_to_string(shop.path("pipelines.yaml")).unwrap();
    shop.edit("pipelines.yaml", "\nsources:", "\nvars: { excluded: count }\nsources:");
    shop.ok(&["run"]);
    let [sessions, events, items, weights, list, _] = counts();
    assert_eq!([sessions, events, items, weights], [7, 21, 9, 9]);
    assert_eq!(list, 0, "it has seen everything");
    assert_eq!(shop.number("select count(*) from gold.excluded"), 0);

    fs::write(shop.path("pipelines.yaml"), yaml).unwrap();
    shop.ok(&["run"]);
    assert_eq!(counts(), without);
}

#[test]
fn a_session_that_turns_out_to_be_a_machine_loses_what_it_had_in_gold() {
    let shop = crawled();
    let line = |agent: &str, second: u32| {
        format!(
            "{{\"timestamp\":\"2026-03-01T12:30:{second:02}Z\",\"session_id\":\"late\",\"item_id\":\"p0\",\"event_type\":\"view\",\
             \"user_agent\":\"{agent}\"}}\n"
        )
    };
    fs::write(shop.path("sample_data/2.json"), line("Mozilla/5.0", 0)).unwrap();
    shop.ok(&["run"]);
    let known = [
        "select count(*) from gold.sessions where session_id = 'late'",
        "select count(*) from gold.session_items where session_id = 'late'",
        "select least(count(*), 1) from gold.recommendations where session_id = 'late'",
        "select sum(events) from gold.item_activity",
    ];
    assert_eq!(shop.numbers(known), [1, 1, 1, 13]);
    fs::write(shop.path("sample_data/3.json"), line("AhrefsBot/7.0", 1)).unwrap();
    shop.ok(&["run"]);
    assert_eq!(shop.numbers(known), [0, 0, 0, 12]);
    // It has seen one of two items; the server recommends the other, as to everybody.
    let server = Server::start(&shop, &[]);
    let answer = server.get("/api/v1/sessions/late/recommendations").json();
    assert_eq!(answer["recommendations"][0]["item_id"], "p1", "{answer}");
    assert!(server.stop());
    let gold = [
        "gold.sessions",
        "gold.session_items",
        "gold.item_activity",
        "gold.excluded",
    ];
    let batches = shop.tables(&gold);
    shop.ok(&["run", "--full-refresh"]);
    assert_eq!(batches, shop.tables(&gold));
}
