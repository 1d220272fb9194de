//! Injected faults: crashes at each commit boundary, a failing store, a full disk, little memory.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use crate::support::{Shop, skipped};

const EVENTS: u64 = 3_000;
/// Two files of events, so that the second run merges into what the first one wrote.
fn shop_with_two_batches(between: impl Fn(&Shop)) -> Shop {
    let shop = Shop::new();
    shop.produce("1.json", EVENTS, 1, 0.05);
    between(&shop);
    shop.produce("2.json", EVENTS, 2, 0.05);
    between(&shop);
    shop
}

fn assert_all_is_right(shop: &Shop) {
    shop.ok(&["run"]);
    shop.assert_nothing_lost(2 * EVENTS);
    shop.assert_equals_a_recomputation();
}

/// Crashes the first, second, third … time that the failpoint is reached, until a run succeeds.
fn die_at_every(shop: &Shop, moment: &str) -> u32 {
    for deaths in 0.. {
        let run = shop
            .command(&["run"])
            .env("FAILPOINTS", format!("{moment}={deaths}*off->return"))
            .output()
            .unwrap();
        if run.status.success() {
            return deaths;
        }
        assert_eq!(run.status.signal(), Some(6), "{}", String::from_utf8_lossy(&run.stderr));
    }
    unreachable!()
}

#[test]
fn killed_before_any_commit_the_next_run_goes_on() {
    let shop = shop_with_two_batches(|shop| {
        // One commit fewer is left each time: what was committed before a crash remains.
        assert!(die_at_every(shop, "before_commit") >= 1);
    });
    assert_all_is_right(&shop);
}

#[test]
fn killed_after_any_commit_the_next_run_resumes_from_it() {
    let shop = shop_with_two_batches(|shop| {
        assert!(die_at_every(shop, "after_commit") >= 1);
    });
    assert_all_is_right(&shop);
}

#[test]
fn killed_inside_any_merge_the_rerun_is_idempotent() {
    let shop = shop_with_two_batches(|shop| _ = die_at_every(shop, "inside_merge"));
    assert_all_is_right(&shop);
}

/// Runs against a failing store until a run succeeds; returns how many failed, and all their output.
pub fn run_until_done(shop: &Shop, faults: &str) -> (usize, String) {
    let mut said = String::new();
    for attempt in 0..300 {
        let faults = format!("seed={attempt},{faults}");
        let run = shop.command(&["run"]).env("CLICKREC_FAULTS", &faults).output().unwrap();
        let errors = String::from_utf8_lossy(&run.stderr);
        said.push_str(&errors);
        if run.status.success() {
            return (attempt, said);
        }
        assert_eq!(run.status.code(), Some(1), "{errors}");
        assert!(
            errors.contains("injected") || errors.contains("another writer"),
            "{errors}"
        );
    }
    panic!("no run got through with {faults}");
}

#[test]
fn a_commit_whose_answer_was_lost_is_known_for_ours() {
    let shop = shop_with_two_batches(|shop| {
        let (_, said) = run_until_done(shop, "lost=0.3");
        assert!(said.contains("committed, but the reply was lost"), "{said}");
    });
    assert_all_is_right(&shop);
}

#[test]
fn a_store_that_refuses_and_fails_now_and_then_loses_nothing() {
    let failed = std::cell::Cell::new(0);
    let shop = shop_with_two_batches(|shop| {
        failed.set(failed.get() + run_until_done(shop, "error=0.03,lost=0.02,denied=0.01").0);
    });
    assert!(failed.get() > 0, "the store never failed");
    assert_all_is_right(&shop);
}

#[test]
fn following_outlives_a_store_that_fails_and_tokens_that_expire() {
    let shop = Shop::new();
    shop.produce("1.json", EVENTS, 1, 0.05);
    shop.produce("2.json", EVENTS, 2, 0.05);
    shop.edit("pipelines.yaml", "every: 10s", "every: 100ms");
    let following = crate::follow::Following::start_on_files(&shop, "seed=3,error=0.003,lost=0.01,denied=0.003");
    following.wait_for_records(&shop, 2 * EVENTS);
    crate::follow::wait(&shop, "sessions", || {
        following.metric("clickrec_batches_total") > Some(0.0)
    });
    following.stop(&shop);
    assert_all_is_right(&shop);
}

#[test]
fn a_full_disk_is_a_clear_error_and_the_next_run_goes_on() {
    let shop = shop_with_two_batches(|_| {});
    let lake = shop.path("lake");
    std::fs::create_dir(&lake).unwrap();
    let mount = |size: &str| {
        let options = format!("size={size}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "none"])
            .arg(&lake)
            .status();
        mounted.is_ok_and(|status| status.success())
    };
    if !mount("200k") {
        skipped(
            "a_full_disk_is_a_clear_error_and_the_next_run_goes_on",
            "a tmpfs cannot be mounted here",
        );
        return;
    }
    let (code, errors) = shop.fails(&["run"]);
    let grown = Command::new("mount")
        .args(["-o", "remount,size=200m"])
        .arg(&lake)
        .status()
        .unwrap();
    let checked = std::panic::catch_unwind(|| {
        assert!(grown.success());
        assert!(code == 1 && errors.contains("No space left on device"), "{errors}");
        assert_all_is_right(&shop);
    });
    Command::new("umount").arg(&lake).status().unwrap();
    checked.unwrap();
}

#[test]
fn a_burst_of_ten_times_more_goes_through_with_little_memory() {
    let shop = Shop::new();
    shop.produce("1.json", 20_000, 1, 0.05);
    shop.ok(&["run", "--memory", "256MiB"]);
    shop.produce("2.json", 200_000, 2, 0.05);
    shop.ok(&["run", "--memory", "256MiB"]);
    shop.assert_nothing_lost(220_000);
}
