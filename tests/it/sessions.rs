//! Which session an event belongs to, whatever order events arrive in: each rule over two deliveries in either order,
//! and random deliveries compared with a plain model and with a rebuild.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};

use crate::support::Shop;

const SESSIONS: &str = "select event_id, session_id from silver.events order by event_id";
const COUNTS: &str = "select session_id, cast(events as bigint) from gold.sessions order by session_id";

/// Writes lines to a new file of the source, and runs the pipeline.
fn deliver(shop: &Shop, file: &str, lines: &[String]) {
    fs::write(shop.path("sample_data").join(file), lines.join("\n") + "\n").unwrap();
    shop.ok(&["run"]);
}

/// An event on the first of March 2026: its ID, its time, and the fields that it has besides.
fn event(id: &str, time: &str, rest: &str) -> String {
    format!(r#"{{"event_id":"{id}","timestamp":"2026-03-01T{time}:00Z","item_id":"a","event_type":"view"{rest}}}"#)
}

/// The sessions of two deliveries, which are the same in either order. `settings` go into pipelines.yaml.
fn in_either_order(settings: &str, first: &[String], second: &[String], expected: &[&str]) {
    for (order, [earlier, later]) in [[first, second], [second, first]].into_iter().enumerate() {
        let shop = Shop::without_recommender();
        shop.edit("pipelines.yaml", "\npipelines:", &format!("\n{settings}\npipelines:"));
        deliver(&shop, "1.json", earlier);
        deliver(&shop, "2.json", later);
        assert_eq!(shop.rows(SESSIONS), expected, "order {order}");
        shop.assert_equals_a_recomputation();
    }
}

const OF_S1: &str = r#","session_id":"s1""#;

/// `session_id` and `user_id`.
fn of(session: &str, user: &str) -> String {
    format!(r#","session_id":"{session}","user_id":"{user}""#)
}

#[test]
fn silence_ends_a_session_unless_it_is_off() {
    let [first, second] = [("e1", "10:00"), ("e2", "10:31")].map(|(id, time)| vec![event(id, time, OF_S1)]);
    in_either_order("", &first, &second, &["e1,s1", "e2,s1@2026-03-01T10:31:00.000Z"]);
    in_either_order(
        "vars: { session_timeout: 31 minutes }",
        &first,
        &second,
        &["e1,s1", "e2,s1"],
    );
    in_either_order("vars: { session_timeout: 'off' }", &first, &second, &["e1,s1", "e2,s1"]);
    // What is late fills the silence.
    let first = [first, second].concat();
    let second = [event("e3", "10:15", OF_S1)];
    in_either_order("", &first, &second, &["e1,s1", "e2,s1", "e3,s1"]);
}

#[test]
fn a_shorter_silence_and_a_new_column_may_hold_from_now_on() {
    let shop = Shop::without_recommender();
    let of_spring = |session: &str, at: &str| {
        let rest = format!(r#","session_id":"{session}","utm_campaign":"spring""#);
        event(&format!("{session}-{at}"), at, &rest)
    };
    let silent = |session| ["10:00", "10:25"].map(|at| of_spring(session, at));
    deliver(&shop, "1.json", &silent("s1"));
    let settings = "\nvars: { session_timeout: 20 minutes }\npipelines:";
    shop.edit("pipelines.yaml", "\npipelines:", settings);
    let campaign = "from_json(extra, 'campaign string from $.utm_campaign', 'evolve')['campaign'] as campaign";
    let with_campaign = format!("    extra,\n    {campaign}\nfrom sessionized");
    shop.edit("sql/silver/events.sql", "    extra\nfrom sessionized", &with_campaign);
    shop.ok(&["run", "--forward", "silver.events"]);
    deliver(&shop, "2.json", &silent("s2"));
    let rows = || shop.rows("select event_id, session_id, campaign from silver.events order by event_id");
    let later = ["s2-10:00,s2,spring", "s2-10:25,s2@2026-03-01T10:25:00.000Z,spring"];
    assert_eq!(rows(), [&["s1-10:00,s1,", "s1-10:25,s1,"][..], &later].concat());
    // A session that gains an event is cut again; events that stay in their session stay as they are.
    deliver(&shop, "3.json", &[of_spring("s1", "10:30")]);
    let cut = [
        "s1-10:00,s1,",
        "s1-10:25,s1@2026-03-01T10:25:00.000Z,spring",
        "s1-10:30,s1@2026-03-01T10:25:00.000Z,spring",
    ];
    assert_eq!(rows(), [&cut[..], &later].concat());
    assert_eq!(shop.number("select count(*) from gold.sessions"), 4);
}

#[test]
fn a_session_id_of_two_people_is_two_sessions_and_a_login_changes_nothing() {
    let first = [event("e1", "10:00", OF_S1), event("e3", "10:10", &of("s1", "u2"))];
    let second = [
        event("e2", "10:05", &of("s1", "u1")),
        event("e4", "10:15", &of("s1", "u1")),
    ];
    in_either_order(
        "",
        &first,
        &second,
        &["e1,s1", "e2,s1", "e3,s1@2026-03-01T10:10:00.000Z", "e4,s1"],
    );
}

#[test]
fn midnight_in_the_shops_time_zone_and_campaigns_end_sessions_if_the_shop_wants_it() {
    let first = [event("e1", "22:55", OF_S1)];
    let second = [event("e2", "23:05", OF_S1)];
    let midnight = "vars: { session_ends_at_midnight: true }\ntimezone: Europe/Berlin";
    in_either_order(midnight, &first, &second, &["e1,s1", "e2,s1@2026-03-01T23:05:00.000Z"]);
    in_either_order(
        "vars: { session_ends_at_midnight: true }",
        &first,
        &second,
        &["e1,s1", "e2,s1"],
    );

    let from = |campaign: &str| format!(r#"{OF_S1},"utm_campaign":"{campaign}""#);
    let first = [
        event("e1", "10:00", &from("mail")),
        event("e3", "10:10", &from("search")),
    ];
    let second = [event("e2", "10:05", &from("mail")), event("e4", "10:15", OF_S1)];
    let cut = [
        "e1,s1",
        "e2,s1",
        "e3,s1@2026-03-01T10:10:00.000Z",
        "e4,s1@2026-03-01T10:10:00.000Z",
    ];
    in_either_order("vars: { session_ends_with_campaign: true }", &first, &second, &cut);
    in_either_order("", &first, &second, &["e1,s1", "e2,s1", "e3,s1", "e4,s1"]);
}

#[test]
fn a_purchase_that_the_server_reports_converts_the_session_of_the_person() {
    let clicks = [
        event("e1", "10:00", &of("s1", "u1")),
        event("e2", "10:00", &of("s2", "u2")),
    ];
    let purchase = [event("e3", "10:02", r#","user_id":"u1""#).replace("view", "purchase")];
    in_either_order("", &clicks, &purchase, &["e1,s1", "e2,s2", "e3,s1"]);
    let shop = Shop::without_recommender();
    deliver(&shop, "1.json", &purchase);
    deliver(&shop, "2.json", &clicks);
    // The session that the purchase had opened is gone from Gold.
    let converted = "select session_id, converted from gold.sessions order by session_id";
    assert_eq!(shop.rows(converted), ["s1,true", "s2,false"]);
}

#[test]
fn ids_that_stand_for_nobody_count_as_missing() {
    let shop = Shop::without_recommender();
    let lines = [
        event("e1", "10:00", &of("undefined", "u1")),
        event("e2", "10:01", &of("undefined", "u2")),
        event("e3", "10:02", &of("s3", "null")),
        event("e4", "10:03", &of("(not set)", "0")),
    ];
    deliver(&shop, "1.json", &lines);
    let expected = [
        "e1,u1@2026-03-01T10:00:00.000Z",
        "e2,u2@2026-03-01T10:01:00.000Z",
        "e3,s3",
    ];
    assert_eq!(shop.rows(SESSIONS), expected);
    let reasons = shop.rows("select reason from silver.quarantine");
    assert_eq!(reasons, ["session_id and user_id are both missing"]);
    // A repeated delivery is recognized, although its ids are not what was sent.
    deliver(&shop, "2.json", &lines[..3]);
    assert_eq!(shop.records_of_last_run(), [3, 0, 3, 0, 0]);
}

/// An event: its number, its minute since the first of March 2026, its session and its user, one of which it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Made {
    number: usize,
    minute: u32,
    session: Option<u8>,
    user: Option<u8>,
}

impl Made {
    fn random(number: usize, random: &mut StdRng) -> Self {
        // Crowded hours, and days with single events.
        let span = *[120_u32, 600, 12 * 24 * 60].choose(random).unwrap();
        let session = random.random_bool(0.7).then(|| random.random_range(0..3));
        let has_user = session.is_none() || random.random_bool(0.6);
        Self {
            number,
            minute: random.random_range(0..span),
            session,
            user: has_user.then(|| random.random_range(0..3)),
        }
    }

    fn id(&self) -> String {
        format!("e{:05}", self.number)
    }

    fn time(&self) -> String {
        let (day, hour, minute) = (1 + self.minute / 1_440, self.minute / 60 % 24, self.minute % 60);
        format!("2026-03-{day:02}T{hour:02}:{minute:02}:00")
    }

    fn line(&self) -> String {
        let session = self
            .session
            .map_or_else(String::new, |id| format!(r#""session_id":"s{id}","#));
        let user = self
            .user
            .map_or_else(String::new, |id| format!(r#""user_id":"u{id}","#));
        format!(
            r#"{{"event_id":"{}",{session}{user}"timestamp":"{}Z","item_id":"a","event_type":"view"}}"#,
            self.id(),
            self.time()
        )
    }

    fn goes_on_to(&self, later: &Self) -> bool {
        later.minute.abs_diff(self.minute) <= 30
    }
}

/// The session of each event, by definition: all events are known, and nothing is fast.
fn model(events: &[Made]) -> BTreeMap<String, String> {
    let mut events = events.to_vec();
    events.sort_by_key(|event| (event.minute, event.number));
    let mut sessions = BTreeMap::new();
    for session in 0..3 {
        let of_id: Vec<Made> = events
            .iter()
            .filter(|event| event.session == Some(session))
            .copied()
            .collect();
        cut(&of_id, &mut sessions);
    }
    for user in 0..3 {
        let of_user: Vec<Made> = events
            .iter()
            .filter(|event| event.user == Some(user))
            .copied()
            .collect();
        join(&of_user, &mut sessions);
    }
    sessions
}

/// The sessions of a session ID.
fn cut(events: &[Made], sessions: &mut BTreeMap<String, String>) {
    let persons: Vec<Option<u8>> = (0..events.len()).map(|place| person(events, place)).collect();
    for whose in persons.iter().collect::<BTreeSet<_>>() {
        let mut session: Option<(usize, usize)> = None;
        for place in (0..events.len()).filter(|place| persons[*place] == *whose) {
            let start = match session {
                Some((start, newest)) if events[newest].goes_on_to(&events[place]) => start,
                _ => place,
            };
            session = Some((start, place));
            sessions.insert(events[place].id(), name(events, start, *whose));
        }
    }
}

/// Who did it: whoever was known last before, or else next after, without a silence.
fn person(events: &[Made], place: usize) -> Option<u8> {
    let mut at = place;
    while events[at].user.is_none() && at > 0 && events[at - 1].goes_on_to(&events[at]) {
        at -= 1;
    }
    if events[at].user.is_some() {
        return events[at].user;
    }
    at = place;
    while events[at].user.is_none() && at + 1 < events.len() && events[at].goes_on_to(&events[at + 1]) {
        at += 1;
    }
    events[at].user
}

fn name(events: &[Made], start: usize, whose: Option<u8>) -> String {
    let (first, id) = (&events[start], events[start].session.unwrap());
    if start == 0 {
        return format!("s{id}");
    }
    let whose = match (events[start - 1].minute == first.minute, whose) {
        (false, _) => String::new(),
        (true, None) => "/".to_owned(),
        (true, Some(user)) => format!("/u{user}"),
    };
    format!("s{id}@{}.000Z{whose}", first.time())
}

/// The sessions of a user's events that have no session ID.
fn join(events: &[Made], sessions: &mut BTreeMap<String, String>) {
    let mut visit: Option<(usize, usize)> = None;
    for (place, event) in events.iter().enumerate().filter(|(_, event)| event.session.is_none()) {
        let named = |other: &&Made| other.session.is_some() && other.goes_on_to(event);
        let before = events[..place].iter().rev().find(named);
        let open = before.or_else(|| events[place..].iter().find(named));
        let session = match open {
            Some(open) => sessions[&open.id()].clone(),
            None => {
                let start = match visit {
                    Some((start, newest)) if events[newest].goes_on_to(event) => start,
                    _ => place,
                };
                visit = Some((start, place));
                format!("u{}@{}.000Z", event.user.unwrap(), events[start].time())
            }
        };
        sessions.insert(event.id(), session);
    }
}

#[test]
fn any_deliveries_in_any_batches_give_the_sessions_of_a_plain_model_and_of_a_rebuild() {
    for seed in 0..3 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut all: Vec<Made> = (0..120).map(|number| Made::random(number, &mut random)).collect();
        let again: Vec<Made> = (0..20).map(|_| *all.choose(&mut random).unwrap()).collect();
        all.extend(again);
        all.shuffle(&mut random);
        let shop = Shop::without_recommender();
        let mut known: BTreeMap<usize, Made> = BTreeMap::new();
        let mut rest = &all[..];
        let mut batch = 0;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(random.random_range(1..=rest.len().min(40)));
            rest = later;
            known.extend(now.iter().map(|made| (made.number, *made)));
            deliver(
                &shop,
                &format!("{batch}.json"),
                &now.iter().map(Made::line).collect::<Vec<_>>(),
            );

            let sessions = model(&known.values().copied().collect::<Vec<_>>());
            let expected: Vec<String> = sessions
                .iter()
                .map(|(event, session)| format!("{event},{session}"))
                .collect();
            assert_eq!(shop.rows(SESSIONS), expected, "seed {seed}, batch {batch}");
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            sessions
                .values()
                .for_each(|session| *counts.entry(session).or_default() += 1);
            let counts: Vec<String> = counts
                .iter()
                .map(|(session, events)| format!("{session},{events}"))
                .collect();
            assert_eq!(shop.rows(COUNTS), counts, "Gold: seed {seed}, batch {batch}");
            batch += 1;
        }
        shop.assert_equals_a_recomputation();
    }
}
