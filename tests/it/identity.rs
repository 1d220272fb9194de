//! Which events are the same, and that each record is accounted for: accepted, repeated, or quarantined.

use std::collections::BTreeMap;
use std::fs;

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use serde_json::Value;

use crate::support::Shop;

/// Writes lines to a new file of the source.
fn deliver(shop: &Shop, file: &str, lines: &[&str]) {
    fs::write(shop.path("sample_data").join(file), lines.join("\n") + "\n").unwrap();
}

fn event(id: &str, at: &str, session: &str, item: &str) -> String {
    format!(
        r#"{{"event_id":"{id}","timestamp":"{at}","session_id":"{session}","item_id":"{item}","event_type":"purchase"}}"#
    )
}

/// The conflicts in quarantine: the offending values.
fn conflicts(shop: &Shop) -> Vec<String> {
    shop.rows(
        "select detail from silver.quarantine where reason = 'event_id was used before with other content' order by 1",
    )
}

#[test]
fn two_order_lines_without_an_id_are_two_events() {
    let shop = Shop::without_recommender();
    let line = |rest: &str| {
        format!(
            r#"{{"timestamp":"2026-03-01T10:00:00Z","session_id":"s1","user_id":"u1","item_id":"a","event_type":"purchase"{rest}}}"#
        )
    };
    let lines = [
        line(r#","line":1,"size":"M""#),
        line(r#","line":2,"size":"L""#),
        line(r#","size":"M","line":1"#),
        line(""),
        line(r#", "line" : 2, "size" : "L""#),
    ];
    deliver(&shop, "1.json", &lines.each_ref().map(String::as_str));
    shop.ok(&["run"]);
    assert_eq!(shop.records_of_last_run(), [5, 3, 2, 0, 0]);
    assert_eq!(shop.number("select purchases from gold.sessions"), 3);
    // Even if they arrive again in a later run.
    deliver(&shop, "2.json", &[&lines[4], &lines[0]]);
    shop.ok(&["run"]);
    assert_eq!(shop.records_of_last_run(), [2, 0, 2, 0, 0]);
    shop.assert_nothing_lost(7);
}

#[test]
fn an_id_with_other_content_goes_to_quarantine_and_is_counted_wherever_a_user_looks() {
    let shop = Shop::without_recommender();
    let first = [("1", "s1"), ("2", "s1")].map(|(id, session)| event(id, "2026-03-01T10:00:00Z", session, "a"));
    let second = [("1", "s2"), ("2", "s2")].map(|(id, session)| event(id, "2026-03-01T11:00:00Z", session, "b"));
    deliver(&shop, "1.json", &[&first[0], &first[1], &first[0]]);
    shop.ok(&["run"]);
    assert_eq!(shop.records_of_last_run(), [3, 2, 1, 0, 0]);
    deliver(&shop, "2.json", &[&second[0], &second[1], &first[1]]);
    let lines = shop.ok(&["run", "--json"]);
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = &lines.iter().find(|line| line["event"] == "run").unwrap()["records"];
    for (name, count) in [
        ("read", 3),
        ("accepted", 0),
        ("repeated", 1),
        ("quarantined", 2),
        ("conflicting", 2),
    ] {
        assert_eq!(told[name], count, "{name}: {told}");
    }
    assert_eq!(shop.records_of_last_run(), [3, 0, 1, 2, 2]);
    assert_eq!(conflicts(&shop), ["1", "2"]);
    shop.assert_nothing_lost(6);
    deliver(&shop, "3.json", &[&second[1]]);
    let summary = shop.ok(&["run"]);
    assert!(
        summary.contains("1 record = 0 accepted + 0 repeated + 1 quarantined (1 of them conflicting)"),
        "{summary}"
    );
    deliver(&shop, "4.json", &[&first[0], &second[0]]);
    let batches = shop.ok(&["run", "--follow", "--once", "--json"]);
    let mut batches = batches.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let batch = batches.rfind(|line| line["event"] == "batch").unwrap();
    for (name, count) in [
        ("records", 2),
        ("accepted", 0),
        ("repeated", 1),
        ("quarantined", 1),
        ("conflicting", 1),
        ("missing", 0),
    ] {
        assert_eq!(batch[name], count, "{name}: {batch}");
    }

    // As a single batch, the result is the same.
    shop.ok(&["run", "--full-refresh"]);
    assert_eq!(conflicts(&shop), ["1", "1", "2", "2"]);
    assert_eq!(shop.records_of_last_run(), [9, 2, 3, 4, 4]);
    assert_eq!(shop.rows("select session_id from gold.sessions"), ["s1"]);
    shop.assert_nothing_lost(9);
}

#[test]
fn where_ids_do_not_tell_events_apart_a_shop_keeps_both() {
    let shop = Shop::without_recommender();
    let lines = [
        event("1", "2026-03-01T10:00:00Z", "s1", "a"),
        event("1", "2026-03-01T11:00:00Z", "s2", "b"),
        event("1", "2026-03-01T11:00:00Z", "s2", "b"),
    ];
    deliver(&shop, "1.json", &lines.each_ref().map(String::as_str));
    shop.ok(&["run"]);
    // The second of the two is not an event, so the third is not a repeated delivery of it.
    assert_eq!(shop.records_of_last_run(), [3, 1, 0, 2, 2]);
    shop.edit(
        "pipelines.yaml",
        "pipelines:",
        "vars: { conflicting_events: keep }\npipelines:",
    );
    // Quarantined records can be reprocessed under the new policy, and so can everything.
    shop.ok(&["run"]);
    assert_eq!(shop.records_of_last_run(), [3, 2, 1, 0, 0]);
    assert_eq!(
        shop.rows("select session_id from gold.sessions order by 1"),
        ["s1", "s2"]
    );
    shop.assert_nothing_lost(3);
}

#[test]
fn a_delivery_with_a_corrected_time_is_no_second_purchase_also_over_midnight() {
    for in_one_run in [false, true] {
        let shop = Shop::without_recommender();
        let before = event("p1", "2026-03-01T23:59:59Z", "s1", "a");
        let after = event("p1", "2026-03-02T00:00:01Z", "s1", "a");
        // IDs that recur much later are different events: a counter that started over.
        let later = event("p1", "2026-03-04T00:00:01Z", "s9", "b");
        deliver(&shop, "1.json", &[&before]);
        if !in_one_run {
            shop.ok(&["run"]);
        }
        deliver(&shop, "2.json", &[&after, &after, &later]);
        shop.ok(&["run"]);
        assert_eq!(
            shop.number("select cast(sum(purchases) as bigint) from gold.sessions"),
            2
        );
        assert_eq!(conflicts(&shop), ["p1", "p1"]);
        shop.assert_nothing_lost(4);
    }
}

#[test]
fn the_first_delivery_wins_whichever_run_it_came_in() {
    let shop = Shop::up_to_silver();
    let of = |id: &str, item: &str| event(id, "2025-07-14T00:00:00Z", "s", item);
    // The later delivery is in the file that sorts first by name.
    deliver(&shop, "z.json", &[&of("e1", "first")]);
    shop.ok(&["run"]);
    std::thread::sleep(std::time::Duration::from_millis(20));
    deliver(&shop, "a.json", &[&of("e1", "second")]);
    shop.ok(&["run"]);
    assert_eq!(shop.rows("select item_id from silver.events"), ["first"]);
    shop.ok(&["run", "--full-refresh"]);
    assert_eq!(shop.rows("select item_id from silver.events"), ["first"]);
    // An event without an ID is identified by its content; an empty ID counts as none.
    let lines = ["x", "y", "x"].map(|item| of("", item));
    deliver(&shop, "b.json", &lines.each_ref().map(String::as_str));
    shop.ok(&["run"]);
    assert_eq!(shop.number("select count(*) from silver.events"), 3);
    shop.assert_nothing_lost(5);
}

#[test]
fn a_record_that_the_sql_drops_is_missed_aloud() {
    let shop = Shop::up_to_silver();
    shop.produce("1.json", 500, 1, 0.2);
    let output = shop.run(&["run"]);
    let log = |output: &std::process::Output| String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && !log(&output).contains("in none of the tables"),
        "{}",
        log(&output)
    );
    let unknown = shop.number("select count(*) from silver.quarantine where reason = 'event_type is unknown'");
    assert!(unknown > 0);
    let in_quarantine = shop.number("select count(*) from silver.quarantine");

    // The SQL drops one of the reasons for quarantine.
    shop.edit(
        "sql/silver/quarantine.sql",
        "where outcome in ('rejected', 'conflicting')",
        "where outcome in ('rejected', 'conflicting') and reason <> 'event_type is unknown'",
    );
    let told = log(&shop.run(&["run"]));
    assert!(
        told.contains(&format!("{unknown} of 500 records ended up in none of the tables")),
        "{told}"
    );
    let [read, accepted, repeated, quarantined, _] = shop.records_of_last_run();
    assert_eq!(read - accepted - repeated - quarantined, unknown);
    assert_eq!(quarantined, in_quarantine - unknown);
    assert!(shop.ok(&["run", "--full-refresh"]).contains("records do NOT equal"));

    // The SQL drops events.
    let shop = Shop::up_to_silver();
    shop.produce("1.json", 500, 1, 0.0);
    shop.edit(
        "sql/silver/events.sql",
        "select * from deliveries where is_first",
        "select * from deliveries where is_first and event_type <> 'view'",
    );
    let told = log(&shop.run(&["run"]));
    let views = 500 - shop.number("select count(*) from silver.events");
    assert!(
        told.contains(&format!("{views} of 500 records ended up in none of the tables")),
        "{told}"
    );

    // The SQL duplicates rows.
    let shop = Shop::up_to_silver();
    shop.produce("1.json", 500, 1, 0.2);
    shop.edit(
        "sql/silver/quarantine.sql",
        "from silver.unaccepted\n",
        "from silver.unaccepted cross join (values (1), (2)) as twice (n)\n",
    );
    assert!(log(&shop.run(&["run"])).contains("records are in more than one of the tables"));
}

#[test]
fn a_run_that_accepts_nothing_of_many_says_so_with_the_reason() {
    let shop = Shop::up_to_silver();
    let bad: Vec<String> = (0..30)
        .map(|n| event("e", "2026-03-01T10:00:00Z", "s", "a").replace("purchase", &format!("x{n}")))
        .collect();
    deliver(&shop, "1.json", &bad.iter().map(String::as_str).collect::<Vec<_>>());
    let output = shop.run(&["run"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success());
    assert!(
        told.contains(
            "none of 30 records was accepted (0 repeated, 30 in quarantine; most common reason: event_type is unknown)"
        ),
        "{told}"
    );
    // The kinds of reasons can be counted; the offending values are in a separate column.
    assert_eq!(
        shop.rows("select reason, count(*), count(distinct detail) from silver.quarantine group by reason"),
        ["event_type is unknown,30,30"]
    );
    let reasons: Vec<Value> = serde_json::from_str(&shop.ok(&["quarantine", "--json"])).unwrap();
    assert_eq!(reasons.len(), 1);
    assert!(reasons[0]["detail"].as_str().unwrap().starts_with('x'), "{reasons:?}");
    assert!(shop.ok(&["quarantine", "show", "-n", "30"]).contains("x29"));
}

/// The model's verdict on a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Accepted,
    Repeated,
    Conflicting,
    Rejected,
}

/// A record: its ID (none, or one of a few), its minute since the first day, its other content, and whether it is bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Made {
    id: Option<u8>,
    minute: u32,
    session: u8,
    size: u8,
    bad: bool,
}

const DAY: u32 = 24 * 60;

impl Made {
    fn random(random: &mut StdRng) -> Self {
        let near_midnight = random.random_bool(0.5);
        let minute = random.random_range(0..8) * DAY
            + if near_midnight {
                DAY - 1
            } else {
                random.random_range(0..DAY)
            };
        Self {
            id: random.random_bool(0.7).then(|| random.random_range(0..12)),
            minute,
            session: random.random_range(0..3),
            size: random.random_range(0..3),
            bad: random.random_bool(0.1),
        }
    }

    /// The record as a line, with its fields in one of two orders.
    fn line(self, turned: bool) -> String {
        let id = self.id.map_or_else(String::new, |id| format!(r#""event_id":"e{id}","#));
        let (day, hour, minute) = (1 + self.minute / DAY, self.minute / 60 % 24, self.minute % 60);
        let event_type = if self.bad { "glance" } else { "view" };
        let rest = format!(
            r#""timestamp":"2026-03-{day:02}T{hour:02}:{minute:02}:00Z","session_id":"s{}","item_id":"a","event_type":"{event_type}""#,
            self.session
        );
        match turned {
            true => format!(
                r#"{{ {rest}, "to": {{"x": [1, 2], "size": {}}}, {id}"n":1}}"#,
                self.size
            ),
            false => format!(r#"{{{id}"n":1,"to":{{"size":{},"x":[1,2]}},{rest}}}"#, self.size),
        }
    }
}

/// The existing events, which decide what happens to the next delivery.
#[derive(Default)]
struct Model {
    events: Vec<Made>,
    fates: BTreeMap<Fate, i64>,
}

impl Model {
    fn deliver(&mut self, made: Made) {
        let same_id = |event: &&Made| match made.id {
            Some(_) => event.id == made.id && (event.minute / DAY).abs_diff(made.minute / DAY) <= 1,
            None => **event == made,
        };
        let mut met = self.events.iter().filter(same_id);
        let fate = if made.bad {
            Fate::Rejected
        } else if met.clone().any(|event| *event == made) {
            Fate::Repeated
        } else if met.next().is_some() {
            Fate::Conflicting
        } else {
            self.events.push(made);
            Fate::Accepted
        };
        *self.fates.entry(fate).or_default() += 1;
    }

    fn of(&self, fate: Fate) -> i64 {
        self.fates.get(&fate).copied().unwrap_or_default()
    }
}

#[test]
fn any_deliveries_in_any_batches_are_what_a_simple_model_says_and_what_a_rebuild_gives() {
    for seed in 0..2 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut all: Vec<Made> = (0..160).map(|_| Made::random(&mut random)).collect();
        let again: Vec<Made> = (0..60).map(|_| *all.choose(&mut random).unwrap()).collect();
        all.extend(again);
        all.shuffle(&mut random);
        let shop = Shop::up_to_silver();
        let mut model = Model::default();
        let mut rest = &all[..];
        let mut batch = 0;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(random.random_range(1..=rest.len().min(100)));
            let before = model.fates.clone();
            let lines: Vec<String> = now.iter().map(|made| made.line(random.random_bool(0.3))).collect();
            now.iter().for_each(|made| model.deliver(*made));
            deliver(
                &shop,
                &format!("{batch}.json"),
                &lines.iter().map(String::as_str).collect::<Vec<_>>(),
            );
            shop.ok(&["run", "--select", "bronze.*,silver.*"]);
            let new = |fate: Fate| model.of(fate) - before.get(&fate).copied().unwrap_or_default();
            let (conflicting, rejected) = (new(Fate::Conflicting), new(Fate::Rejected));
            let expected = [
                now.len() as i64,
                new(Fate::Accepted),
                new(Fate::Repeated),
                conflicting + rejected,
                conflicting,
            ];
            assert_eq!(shop.records_of_last_run(), expected, "seed {seed}, batch {batch}");
            rest = later;
            batch += 1;
        }
        shop.assert_nothing_lost(all.len() as u64);
        let queries = [
            "select topic, partition, \"offset\", event_id from silver.events",
            "select * from silver.quarantine",
        ];
        let tables = || shop.sorted(&[], &queries);
        let batches = tables();
        shop.ok(&["run", "--select", "silver.*", "--full-refresh"]);
        assert_eq!(tables(), batches, "seed {seed}: a rebuild gives the same");
        let whole = [
            all.len() as i64,
            model.of(Fate::Accepted),
            model.of(Fate::Repeated),
            model.of(Fate::Conflicting) + model.of(Fate::Rejected),
            model.of(Fate::Conflicting),
        ];
        assert_eq!(
            shop.records_of_last_run(),
            whole,
            "seed {seed}: a rebuild counts the same"
        );
    }
}
