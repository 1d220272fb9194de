//! The lake in an object store: Azure's, with a container SAS token, and S3's.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::follow::Following;
use crate::object_store::{Kind, Store};
use crate::serving::Server;
use crate::support::Shop;

const EVENTS: u64 = 2_000;

/// A project with its lake in a store, and pending events.
fn shop_in(store: &Store) -> Shop {
    pending_in(store, Shop::new())
}

fn pending_in(store: &Store, mut shop: Shop) -> Shop {
    shop.produce("1.json", EVENTS, 1, 0.05);
    store.hold(&mut shop);
    shop
}

/// Every command works as it does on a disk.
fn assert_whole(store: &Store) {
    let shop = shop_in(store);
    assert!(shop.ok(&["plan"]).contains("allows list, read, create, delete\n"));
    shop.ok(&["run"]);
    shop.assert_nothing_lost(EVENTS);
    shop.produce("2.json", EVENTS, 2, 0.05);
    shop.ok(&["run", "--follow", "--once"]);
    shop.assert_nothing_lost(2 * EVENTS);
    shop.assert_equals_a_recomputation();
    shop.ok(&["run"]);

    let session = shop
        .rows("select session_id from gold.sessions order by session_id limit 1")
        .remove(0);
    let said = shop.ok(&["recommend", "--session", &session, "--json"]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let server = Server::start(&shop, &[]);
    let path = session.replace('@', "%40").replace(':', "%3A");
    let served = server.get(&format!("/api/v1/sessions/{path}/recommendations?k=10"));
    assert_eq!(served.json()["recommendations"][0]["item_id"], said[0]["item_id"]);
    drop(server);

    shop.ok(&["optimize"]);
    shop.ok(&["vacuum", "--retain", "0s", "--even-if-in-use"]);
    assert!(shop.ok(&["history", "silver.events"]).lines().count() > 3);
    shop.assert_nothing_lost(2 * EVENTS);
    let steps = shop.run_steps();
    assert!(steps.iter().all(|step| step["result"] == "up to date"), "{steps:?}");
}

#[test]
fn every_command_works_on_azure_with_a_containers_token() {
    if let Some(store) = Store::shared(Kind::Azurite, "every_command_works_on_azure_with_a_containers_token") {
        assert_whole(store);
    }
}

#[test]
fn every_command_works_on_s3() {
    if let Some(store) = Store::shared(Kind::Moto, "every_command_works_on_s3") {
        assert_whole(store);
    }
}

/// Requests that fail, are refused, or report an error although they succeeded: nothing is lost or duplicated.
fn assert_survives_faults(store: &Store) {
    let shop = shop_in(store);
    crate::faults::run_until_done(&shop, "error=0.01,lost=0.02,denied=0.005");
    shop.produce("2.json", EVENTS, 2, 0.05);
    crate::faults::run_until_done(&shop, "error=0.01,lost=0.02,denied=0.005");
    shop.assert_nothing_lost(2 * EVENTS);
    shop.assert_equals_a_recomputation();
}

/// The same with network faults, which the store's own client sees: 429, 503, and responses that are late or never
/// arrive.
fn assert_survives_faults_on_the_wire(store: &Store) {
    let mut shop = shop_in(store);
    store.fail_some(&mut shop, 0.05);
    for round in 2..4 {
        let is_done = (0..20).any(|_| shop.run(&["run"]).status.success());
        assert!(is_done, "no run of twenty went through");
        shop.produce(&format!("{round}.json"), EVENTS, round, 0.05);
    }
    let faults = store.fail_none(&mut shop);
    assert_eq!(faults.len(), 5, "{faults:?}");
    shop.ok(&["run"]);
    shop.assert_nothing_lost(3 * EVENTS);
    shop.assert_equals_a_recomputation();
}

/// Two concurrent runs: one may fail, but neither loses or duplicates anything.
fn assert_two_writers_are_right(store: &Store) {
    let shop = shop_in(store);
    shop.ok(&["run"]);
    for round in 2..5 {
        shop.produce(&format!("{round}.json"), EVENTS, round, 0.05);
        let mut runs = [shop.start(&["run"]), shop.start(&["run"])];
        let ended = runs.each_mut().map(|run| run.wait().unwrap().code());
        assert!(ended.contains(&Some(0)), "{ended:?}");
    }
    shop.ok(&["run"]);
    shop.assert_nothing_lost(4 * EVENTS);
    shop.assert_equals_a_recomputation();
}

#[test]
fn faults_on_the_wire_to_azure_lose_and_double_nothing() {
    // A separate store: the faults would affect other tests too.
    if let Some(store) = Store::own(Kind::Azurite, "faults_on_the_wire_to_azure_lose_and_double_nothing") {
        assert_survives_faults_on_the_wire(&store);
    }
}

#[test]
fn faults_on_the_wire_to_s3_lose_and_double_nothing() {
    if let Some(store) = Store::own(Kind::Moto, "faults_on_the_wire_to_s3_lose_and_double_nothing") {
        assert_survives_faults_on_the_wire(&store);
    }
}

#[test]
fn faults_of_azure_and_two_writers_lose_and_double_nothing() {
    if let Some(store) = Store::shared(Kind::Azurite, "faults_of_azure_and_two_writers_lose_and_double_nothing") {
        assert_survives_faults(store);
        assert_two_writers_are_right(store);
    }
}

#[test]
fn faults_of_s3_and_two_writers_lose_and_double_nothing() {
    if let Some(store) = Store::shared(Kind::Moto, "faults_of_s3_and_two_writers_lose_and_double_nothing") {
        assert_survives_faults(store);
        assert_two_writers_are_right(store);
    }
}

#[test]
fn a_token_that_reads_is_enough_to_ask_and_a_run_says_what_it_lacks() {
    let test = "a_token_that_reads_is_enough_to_ask_and_a_run_says_what_it_lacks";
    let Some(store) = Store::shared(Kind::Azurite, test) else {
        return;
    };
    let mut shop = shop_in(store);
    shop.ok(&["run"]);
    shop.set("STORE_SAS", store.text("read_sas"));
    assert!(shop.number("select count(*) from silver.events") > 0);
    assert!(shop.ok(&["recommend", "--items", "prod_1"]).contains("prod_"));
    let plan = shop.ok(&["plan"]);
    assert!(
        plan.contains("allows list, read\n") && plan.contains("cannot create: ") && plan.contains("sp=rl"),
        "{plan}"
    );
    let server = Server::start(&shop, &[]);
    assert_eq!(server.get("/api/v1/sessions?limit=5").code, 200);
    assert_eq!(
        server.post("/api/v1/recommendations", r#"{"items": ["prod_1"]}"#).code,
        200
    );
    drop(server);
    shop.produce("2.json", EVENTS, 2, 0.0);
    let (code, error) = shop.fails(&["run"]);
    assert_eq!(code, 1);
    assert!(
        error.contains("the SAS token lacks the permission `create` (it has sp=rl)") && error.contains("help: ask"),
        "{error}"
    );
    assert!(!error.contains("sig="), "{error}");
}

#[test]
fn a_token_that_has_expired_is_named_and_one_that_is_replaced_is_taken_up() {
    let test = "a_token_that_has_expired_is_named_and_one_that_is_replaced_is_taken_up";
    let Some(store) = Store::shared(Kind::Azurite, test) else {
        return;
    };
    let mut shop = pending_in(store, Shop::up_to_silver());
    shop.set("STORE_SAS", store.text("expired_sas"));
    for command in [&["run"][..], &["sql", "-c", "select * from silver.events"], &["plan"]] {
        let (code, error) = shop.fails(command);
        assert_eq!(code, 1, "{command:?}");
        assert!(
            error.contains("the SAS token expired at 20") && error.contains("NAME_FILE"),
            "{command:?}: {error}"
        );
    }

    // A file that is replaced while a follower runs; the first token is valid for a few seconds.
    let file = shop.path("sas");
    let made = Instant::now();
    fs::write(&file, store.sas("racwdl", 6)).unwrap();
    shop.unset("STORE_SAS");
    shop.set("STORE_SAS_FILE", file.to_str().unwrap());
    shop.edit("pipelines.yaml", "every: 10s", "every: 500ms");
    let following = Following::start_on_files(&shop, "");
    following.wait_for_records(&shop, EVENTS);
    thread::sleep(Duration::from_secs(8).saturating_sub(made.elapsed()));
    fs::write(&file, store.sas("racwdl", 600)).unwrap();
    shop.produce("2.json", EVENTS, 2, 0.0);
    following.wait_for_records(&shop, 2 * EVENTS);
    following.stop(&shop);
    shop.ok(&["run"]);
    shop.assert_nothing_lost(2 * EVENTS);

    // The output of a command, and a line of `.env`.
    shop.unset("STORE_SAS_FILE");
    shop.set("STORE_SAS_COMMAND", "cat sas");
    shop.assert_nothing_lost(2 * EVENTS);
    shop.unset("STORE_SAS_COMMAND");
    let (code, error) = shop.fails(&["run"]);
    assert!(
        code == 2 && error.contains("STORE_SAS") && error.contains(".env"),
        "{error}"
    );
    fs::write(shop.path(".env"), format!("STORE_SAS='{}'\n", store.text("sas"))).unwrap();
    shop.assert_nothing_lost(2 * EVENTS);
}

#[test]
fn a_secret_in_the_project_file_is_refused() {
    let shop = Shop::new();
    shop.edit(
        "pipelines.yaml",
        "targets:",
        "targets:\n  azure:\n    lake: abfss://a@b.dfs.core.windows.net/x\n    storage: { azure_storage_sas_token: \"sp=r&sig=canary\" }",
    );
    let (code, error) = shop.fails(&["plan"]);
    assert_eq!(code, 2);
    assert!(
        error.contains("pipelines.yaml:") && error.contains("the file contains the secret `azure_storage_sas_token`"),
        "{error}"
    );
    assert!(
        !error.contains("canary") && error.contains("${AZURE_STORAGE_SAS_TOKEN}"),
        "{error}"
    );
}
