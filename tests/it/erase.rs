//! `clickrec erase`: nothing of a person is left in any byte of the lake, nothing else changes, and it ends also if it is
//! killed or runs beside other runs.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::sync::OnceLock;

use serde_json::Value;

use crate::lake_words::{all_files, files_with, has_word};
use crate::saved::Saved;
use crate::support::Shop;

const EVENTS: u64 = 6_000;
const KEY: &str = "CLICKREC_ERASURE_KEY";
const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// What is compared: without the places of records, which differ where lines are missing.
const COMPARED: [&str; 9] = [
    "select event_id, session_id, given_session_id, user_id, item_id, event_type, event_at, extra from silver.events",
    "select * from silver.people",
    "select * from gold.excluded",
    "select * from gold.engagement",
    "select * from gold.item_trends",
    "select * from gold.sessions",
    "select * from gold.session_items",
    "select * from gold.item_activity",
    "select item_id, sessions, views, add_to_carts, purchases from gold.item_popularity",
];

/// Two batches of events, some of them broken, late, repeated, or without a session.
fn shop() -> Shop {
    static MADE: OnceLock<Saved> = OnceLock::new();
    let mut shop = Shop::once(&MADE, || {
        let shop = Shop::new();
        shop.produce("all.txt", EVENTS, 1, 0.1);
        let all = fs::read(shop.path("sample_data/all.txt")).unwrap();
        fs::remove_file(shop.path("sample_data/all.txt")).unwrap();
        let lines: Vec<&[u8]> = all.split_inclusive(|byte| *byte == b'\n').collect();
        for (batch, lines) in lines.chunks(lines.len().div_ceil(2)).enumerate() {
            fs::write(shop.path(&format!("sample_data/{}.json", batch + 1)), lines.concat()).unwrap();
            shop.ok(&["run"]);
        }
        shop
    });
    shop.set(KEY, SECRET);
    shop
}

/// The user with the most events, and the sessions that are theirs alone.
fn person(shop: &Shop) -> (String, Vec<String>) {
    let user = "select user_id from silver.events where user_id is not null group by 1 order by count(*) desc, 1";
    let user = shop.rows(&format!("{user} limit 1"))[0].clone();
    let sessions = shop.rows(&format!(
        "select session_id from silver.events group by 1 having min(user_id) = '{user}' and max(user_id) = '{user}'"
    ));
    assert!(sessions.len() > 1, "{sessions:?}");
    (user, sessions)
}

fn assert_nothing_is_left(shop: &Shop, user: &str, sessions: &[String]) {
    for word in sessions.iter().map(String::as_str).chain([user]) {
        let left = files_with(&shop.path("lake"), word);
        assert!(left.is_empty(), "{word} is in {left:?}");
    }
}

/// A shop that never heard of the person.
fn without(shop: &Shop, user: &str, sessions: &[String]) -> Shop {
    let other = Shop::new();
    for batch in ["1.json", "2.json"] {
        let text = fs::read(shop.path("sample_data").join(batch)).unwrap();
        let is_of_person =
            |line: &&[u8]| has_word(line, user) || sessions.iter().any(|session| has_word(line, session));
        let kept: Vec<&[u8]> = text
            .split(|byte| *byte == b'\n')
            .filter(|line| !is_of_person(line))
            .collect();
        fs::write(other.path("sample_data").join(batch), kept.join(&b'\n')).unwrap();
        other.ok(&["run"]);
    }
    other
}

fn assert_same(shop: &Shop, other: &Shop) {
    let (ours, others) = (shop.sorted(&[], &COMPARED), other.sorted(&[], &COMPARED));
    for ((query, ours), others) in COMPARED.iter().zip(&ours).zip(&others) {
        let differ = ours.iter().zip(others).find(|(ours, others)| ours != others);
        assert_eq!((ours.len(), differ), (others.len(), None), "{query}");
    }
}

/// The next run has nothing to do, except that a model that waited for more sessions is trained again: the log is gone
/// that said which ones are new.
fn assert_nothing_new(shop: &Shop) {
    let of_model = ["gold.als_factors", "gold.model", "gold.recommendations"];
    let steps = shop.run_steps();
    let is_busy = |step: &&Value| {
        step["result"] != "up to date" && !of_model.contains(&step["step"].as_str().unwrap_or_default())
    };
    let busy: Vec<&Value> = steps.iter().filter(is_busy).collect();
    assert!(busy.is_empty(), "{busy:?}");
}

#[test]
fn a_person_is_gone_from_every_byte_and_nothing_else_changes() {
    let shop = shop();
    let (user, sessions) = person(&shop);
    assert!(
        !files_with(&shop.path("lake"), &user).is_empty(),
        "the search finds something"
    );
    let list = "', '";
    let others = format!(
        "select * from silver.events where (user_id is distinct from '{user}') and session_id not in ('{}')",
        sessions.join(list)
    );
    let before = shop.sorted(&[], &[others.as_str()]);

    let dry = shop.ok(&["erase", "--user", &user, "--dry-run"]);
    assert!(
        dry.contains("silver.events") && dry.contains("Nothing was changed"),
        "{dry}"
    );
    assert!(!files_with(&shop.path("lake"), &user).is_empty());

    let done: Value = serde_json::from_str(&shop.ok(&["erase", "--user", &user, "--json"])).unwrap();
    let number = done["sessions"].as_u64().unwrap();
    assert!(number >= sessions.len() as u64, "{done}");
    for table in done["tables"].as_array().unwrap() {
        assert!(table["files"].as_u64() <= table["files_of_table"].as_u64(), "{table}");
    }
    assert_nothing_is_left(&shop, &user, &sessions);
    assert_eq!(
        before,
        shop.sorted(&[], &["select * from silver.events"]),
        "other people's rows"
    );
    assert_same(&shop, &without(&shop, &user, &sessions));
    assert_nothing_new(&shop);
    assert_nothing_is_left(&shop, &user, &sessions);

    // The receipt knows no id, and that it was of this one.
    let receipts = shop.rows("select state, kind, count(*) from system.erasures group by 1, 2 order by 1, 2");
    let expected = |state: &str| [format!("{state},session,{number}"), format!("{state},user,1")];
    assert_eq!(receipts, [expected("finished"), expected("started")].concat());
    let again = shop.ok(&["erase", "--user", &user]);
    assert!(again.starts_with("nothing found"), "{again}");
    shop.ok(&["erase", "--user", &user, "--verify"]);
}

#[test]
fn new_events_go_on_after_an_erasure_as_if_the_person_had_never_been_there() {
    let shop = shop();
    let (user, sessions) = person(&shop);
    shop.ok(&["erase", "--user", &user]);
    let other = without(&shop, &user, &sessions);
    for shop in [&shop, &other] {
        // A later visit of the same person is a new one.
        shop.produce("3.json", EVENTS / 2, 3, 0.1);
        shop.ok(&["run"]);
    }
    assert_same(&shop, &other);
    shop.assert_equals_a_recomputation();
}

#[test]
fn a_step_that_is_behind_reads_on_and_not_again_from_the_start() {
    let shop = shop();
    let (user, _) = person(&shop);
    shop.produce("3.json", EVENTS / 4, 3, 0.1);
    shop.ok(&["run", "--select", "bronze.clicks"]);
    shop.ok(&["erase", "--user", &user]);
    let steps = shop.run_steps();
    let is_asked = |step: &&Value| {
        let step = step["step"].as_str().unwrap_or_default();
        ["silver.events", "silver.people", "gold.sessions"].contains(&step)
    };
    let results: Vec<&Value> = steps.iter().filter(is_asked).map(|step| &step["result"]).collect();
    assert!(
        results.len() == 3 && results.iter().all(|result| **result != "rebuilt"),
        "{steps:?}"
    );
    assert!(files_with(&shop.path("lake"), &user).is_empty());
    shop.assert_equals_a_recomputation();
}

#[test]
fn whom_nobody_knows_is_not_found_and_wrong_calls_are_refused() {
    let mut shop = shop();
    let before = all_files(&shop.path("lake")).len();
    let unknown = shop.ok(&["erase", "--user", "nobody_4711"]);
    assert!(
        unknown.starts_with("nothing found") && unknown.contains("no id is left"),
        "{unknown}"
    );
    assert_eq!(all_files(&shop.path("lake")).len(), before, "nothing was written");

    fs::write(shop.path("ids.csv"), "kind,id\nitem,a\n").unwrap();
    let (code, error) = shop.fails(&["erase", "--file", "ids.csv"]);
    assert!(code == 2 && error.contains("line 2 of ids.csv"), "{error}");
    let (code, error) = shop.fails(&["erase"]);
    assert!(code == 2 && error.contains("--user"), "{error}");
    shop.unset(KEY);
    let (code, error) = shop.fails(&["erase", "--user", "user_1"]);
    assert!(code == 2 && error.contains(KEY), "{error}");
}

/// Events of two people, some in one session, some before a login, and records that cannot be read.
fn two_people() -> Shop {
    let mut shop = Shop::without_recommender();
    let event = |minute: u32, session: &str, user: &str, item: &str| {
        let user = match user {
            "" => String::new(),
            user => format!(r#""user_id":"{user}","#),
        };
        format!(
            r#"{{"timestamp":"2025-07-13T10:{minute:02}:00Z","session_id":"{session}",{user}"item_id":"{item}","event_type":"view"}}"#
        )
    };
    let lines = [
        event(0, "sess_anna", "", "shoe"),
        event(1, "sess_anna", "anna_1", "hat"),
        event(1, "sess_both", "", "coat"),
        event(2, "sess_both", "anna_1", "hat"),
        event(3, "sess_both", "bert_1", "hat"),
        event(4, "sess_both", "", "sock"),
        event(5, "sess_bert", "bert_1", "shoe"),
        event(6, "sess_bert", "anna_12", "hat"),
        // Rejected: with a person, and without one that can be read.
        r#"{"timestamp":"2025-07-13T10:00:00Z","user_id":"anna_1","item_id":"hat","event_type":"odd"}"#.to_owned(),
        r#"{"timestamp":"2025-07-13T10:00:00Z","user_id":"anna_1","item_id":"h"#.to_owned(),
        r#"{"timestamp":"2025-07-13T10:00:00Z","user_id":"bert_1","item_id":"h"#.to_owned(),
        r#"anna_1 was here"#.to_owned(),
    ];
    fs::write(shop.path("sample_data/1.json"), lines.join("\n") + "\n").unwrap();
    shop.ok(&["run"]);
    shop.set(KEY, SECRET);
    shop
}

#[test]
fn a_shared_session_keeps_the_others_and_records_that_cannot_be_read_go() {
    let shop = two_people();
    shop.ok(&["erase", "--user", "anna_1"]);
    for word in ["anna_1", "sess_anna"] {
        let left = files_with(&shop.path("lake"), word);
        assert!(left.is_empty(), "{word} is in {left:?}");
    }
    let [events, sessions, rejected, raw] = [
        "select session_id, user_id, item_id from silver.events order by event_at",
        "select session_id, user_id, events from gold.sessions order by 1",
        "select reason from silver.quarantine",
        "select count(*) from bronze.clicks",
    ]
    .map(|sql| shop.rows(sql));
    assert_eq!(
        events,
        [
            "sess_both@2025-07-13T10:03:00.000Z,bert_1,hat",
            "sess_both@2025-07-13T10:03:00.000Z,,sock",
            "sess_bert,bert_1,shoe",
            "sess_bert@2025-07-13T10:06:00.000Z,anna_12,hat"
        ]
    );
    assert_eq!(
        sessions,
        [
            "sess_bert,bert_1,1",
            "sess_bert@2025-07-13T10:06:00.000Z,anna_12,1",
            "sess_both@2025-07-13T10:03:00.000Z,bert_1,2"
        ]
    );
    assert_eq!((rejected.len(), raw), (1, vec!["5".to_owned()]), "{rejected:?}");
    assert_nothing_new(&shop);
}

#[test]
fn a_session_is_erased_whoever_it_belongs_to() {
    let shop = two_people();
    fs::write(shop.path("ids.csv"), "kind,id\nsession,sess_both\n").unwrap();
    shop.ok(&["erase", "--file", "ids.csv"]);
    assert!(files_with(&shop.path("lake"), "sess_both").is_empty());
    let left = shop.rows("select distinct session_id from silver.events order by 1");
    assert_eq!(left, ["sess_anna", "sess_bert", "sess_bert@2025-07-13T10:06:00.000Z"]);
    assert!(!files_with(&shop.path("lake"), "anna_1").is_empty());
}

#[test]
fn killed_at_any_moment_the_same_command_ends_it() {
    let (user, sessions) = person(&shop());
    let other = without(&shop(), &user, &sessions);
    let moments = [
        "erasure_started",
        "before_erase",
        "after_erase",
        "inside_merge",
        "after_commit",
        "before_purge",
        "after_erase_checkpoint",
        "inside_purge",
        "after_purge",
        "erasure_searched",
    ];
    for (index, moment) in moments.into_iter().enumerate() {
        let shop = shop();
        let mut deaths = 0;
        loop {
            let run = shop
                .command(&["erase", "--user", &user])
                // The first, third, sixth … time, so that a few kills reach every table.
                .env(
                    "FAILPOINTS",
                    format!("{moment}={}*off->return", deaths * (deaths + 3) / 2),
                )
                .output()
                .unwrap();
            if run.status.success() {
                break;
            }
            let errors = String::from_utf8_lossy(&run.stderr);
            assert_eq!(run.status.signal(), Some(6), "{moment}: {errors}");
            deaths += 1;
            // What runs in between brings nothing back.
            if index % 2 == 0 {
                shop.ok(&["run"]);
            }
        }
        assert!(deaths > 0, "{moment} is never reached");
        assert_nothing_is_left(&shop, &user, &sessions);
        shop.ok(&["run"]);
        assert_same(&shop, &other);
        assert_nothing_is_left(&shop, &user, &sessions);
    }
}

#[test]
fn an_erasure_beside_runs_loses_and_brings_back_nothing() {
    let shop = shop();
    let (user, sessions) = person(&shop);
    let known: BTreeSet<String> = sessions.iter().cloned().collect();
    // Batches of other people, so that every step has work to do meanwhile.
    let mut run = shop.start(&["run"]);
    for batch in 3..=8 {
        shop.produce(&format!("batch-{batch}.json"), 500, batch, 0.0);
        let path = shop.path("sample_data").join(format!("batch-{batch}.json"));
        let text = fs::read_to_string(&path).unwrap();
        let is_other = |line: &&str| {
            !has_word(line.as_bytes(), &user) && !known.iter().any(|session| has_word(line.as_bytes(), session))
        };
        let others: Vec<&str> = text.lines().filter(is_other).collect();
        fs::write(&path, others.join("\n") + "\n").unwrap();
        if batch == 4 {
            shop.ok(&["erase", "--user", &user]);
        }
        _ = run.wait().unwrap();
        run = shop.start(&["run"]);
    }
    _ = run.wait().unwrap();
    shop.ok(&["run"]);
    // A step that lost to the erasure's commit may have finished a file afterwards.
    shop.ok(&["erase", "--user", &user]);
    assert_nothing_is_left(&shop, &user, &sessions);
    shop.assert_equals_a_recomputation();
}

#[test]
fn old_events_leave_bronze_and_silver_and_no_step_minds() {
    let shop = Shop::without_recommender();
    let maintenance = "maintenance: { checkpoint_after: 1, retain_events: 400d }\npipelines:";
    shop.edit("pipelines.yaml", "pipelines:", maintenance);
    let now = shop.rows("select to_char(now() - interval '1 hour', '%Y-%m-%dT%H:%M:%SZ')")[0].clone();
    let event = |at: &str, session: &str| {
        format!("{{\"timestamp\":\"{at}\",\"session_id\":\"{session}\",\"item_id\":\"hat\",\"event_type\":\"view\"}}\n")
    };
    fs::write(shop.path("sample_data/1.json"), event("2001-01-01T00:00:00Z", "old")).unwrap();
    shop.ok(&["run"]);
    fs::write(shop.path("sample_data/2.json"), event(&now, "new")).unwrap();
    shop.ok(&["run"]);
    assert_eq!(shop.rows("select session_id from silver.events"), ["new"]);
    assert_eq!(shop.rows("select session_id from silver.people"), ["new"]);
    // Gold keeps what it knows.
    assert_eq!(
        shop.rows("select session_id from gold.sessions order by 1"),
        ["new", "old"]
    );
    assert_nothing_new(&shop);
}
