//! A run that is killed at any moment leaves nothing half done, and the next one continues.

use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::support::Shop;

const KILLS: u32 = 10;
const ATTEMPTS_MAX: u64 = 40;
const BATCH: u64 = 2_000;
const EVENTS: u64 = 20_000;

#[test]
fn ten_kills_at_random_moments_lose_and_double_nothing() {
    // How long an undisturbed run takes.
    let calm = Shop::new();
    calm.produce("1.json", EVENTS, 3, 0.05);
    let started = Instant::now();
    calm.ok(&["run"]);
    let whole = started.elapsed();

    let shop = Shop::new();
    let mut random = StdRng::seed_from_u64(1);
    let (mut killed, mut produced) = (0, 0);
    for attempt in 0..ATTEMPTS_MAX {
        // New events every time, so that every step of every run has work to do.
        shop.produce(&format!("{attempt}.json"), BATCH, attempt, 0.05);
        produced += BATCH;
        let mut run = shop.start(&["run"]);
        thread::sleep(whole.mul_f64(random.random_range(0.02..0.9)));
        // A run that had already finished does not count as killed.
        if run.try_wait().unwrap().is_none() {
            run.kill().unwrap();
            killed += 1;
        }
        run.wait().unwrap();
        if killed == KILLS {
            break;
        }
    }
    assert_eq!(killed, KILLS, "too few runs were killed in their middle");
    shop.ok(&["run"]);
    shop.assert_nothing_lost(produced);
    let gold = |shop: &Shop| shop.table("gold.session_items");
    let before = gold(&shop);
    shop.ok(&["run", "--full-refresh", "--select", "silver.*,gold.session_items"]);
    assert_eq!(before, gold(&shop));
}

#[test]
fn a_run_that_is_asked_to_stop_rolls_back() {
    let shop = Shop::new();
    let events = 2 * EVENTS;
    shop.produce("1.json", events, 3, 0.0);
    let run = shop.start(&["run"]);
    thread::sleep(Duration::from_millis(300));
    let pid = run.id().to_string();
    std::process::Command::new("kill")
        .args(["-TERM", &pid])
        .status()
        .unwrap();
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "it was in the middle, and said so");
    shop.ok(&["run"]);
    shop.assert_nothing_lost(events);
}

#[test]
fn two_runners_never_double_rows() {
    let shop = Shop::new();
    shop.produce("1.json", EVENTS, 4, 0.05);
    let mut runners = [shop.start(&["run"]), shop.start(&["run"])];
    let ended: Vec<bool> = runners
        .iter_mut()
        .map(|runner| runner.wait().unwrap().success())
        .collect();
    assert!(ended.contains(&true), "at least one gets through");
    shop.ok(&["run"]);
    shop.assert_nothing_lost(EVENTS);
}
