//! No credential is printed, logged or stored, whatever is requested and whatever goes wrong: each kind of credential
//! has a value that occurs nowhere else, and all output is searched for it.

use std::fs;
use std::path::Path;

use crate::clustering::Cluster;
use crate::object_store::{Kind, Store};
use crate::serving::Server;
use crate::support::Shop;

/// Contained in every planted credential.
const CANARY: &str = "c4narY";

/// All collected output.
#[derive(Default)]
struct Collected {
    /// Output by source.
    came: Vec<(String, Vec<u8>)>,
    /// Whether the last command succeeded.
    ended_well: bool,
}

impl Collected {
    fn run(&mut self, shop: &Shop, args: &[&str]) {
        let output = shop.command(&[args, &["-vvv"]].concat()).output().unwrap();
        let came = [output.stdout, output.stderr].concat();
        assert!(!came.is_empty() || output.status.success(), "{args:?} says nothing");
        self.ended_well = output.status.success();
        self.came.push((args.join(" "), came));
    }

    /// The end of the last command's output.
    fn said(&self) -> String {
        let came = self.came.last().map_or(&[][..], |(_, came)| came);
        String::from_utf8_lossy(&came[came.len().saturating_sub(4_000)..]).into_owned()
    }

    /// Collects the files of a folder, which may not exist.
    fn folder(&mut self, path: &Path) {
        for entry in fs::read_dir(path).into_iter().flatten() {
            match entry.unwrap().path() {
                file if file.is_file() => self.file(&file),
                folder => self.folder(&folder),
            }
        }
    }

    fn file(&mut self, path: &Path) {
        self.came.push((path.display().to_string(), fs::read(path).unwrap()));
    }

    /// Where the canary was found, with some context.
    fn leaks(&self) -> Vec<String> {
        let leak = |(source, bytes): &(String, Vec<u8>)| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let line = text.lines().find(|line| line.contains(CANARY))?;
            Some(format!("{source}: {}", line.chars().take(400).collect::<String>()))
        };
        self.came.iter().filter_map(leak).collect()
    }
}

/// Every command that exits by itself, with valid and invalid statements; a server and a cluster follow.
fn drive(collected: &mut Collected, shop: &Shop) {
    for args in [
        &["plan"][..],
        &["plan", "--json"],
        &["run", "--json"],
        &["run", "--follow", "--once"],
        &["sql", "-c", "select count(*) from silver.events"],
        &["sql", "-c", "show all"],
        &["sql", "-c", "explain analyze select * from silver.events"],
        &["sql", "-f", "asked.sql"],
        &["recommend", "--items", "prod_1"],
        &["similar", "prod_1"],
        &["quarantine"],
        &["quarantine", "show"],
        &["quarantine", "replay"],
        &["history", "silver.events"],
        &["optimize"],
        &["vacuum", "--dry-run"],
        &["evaluate", "--sample", "50"],
        &["docs"],
        &["test"],
        &["test", "--generate", "gold.sessions"],
        &["schema"],
        &["completions", "bash"],
        &["man"],
        &["init", "another"],
        &["produce", "--to", "sample_data/2.json", "--events", "500"],
        &["demo", "--events", "2000"],
    ] {
        collected.run(shop, args);
        assert!(collected.ended_well, "{args:?}: {}", collected.said());
    }
    for args in [
        &["sql", "-c", "select nonsense"][..],
        &["sql", "-c", "select * from kafka.clicks limit 1"],
        &["recommend", "--session", "nobody"],
        &["init", "."],
    ] {
        collected.run(shop, args);
        assert!(!collected.ended_well, "{args:?}: {}", collected.said());
    }
    // What they wrote outside the lake.
    for folder in ["another", "sql/tests"] {
        collected.folder(&shop.path(folder));
    }
}

/// A script for the shell.
const ASKED: &str =
    "\\layers\n\\dt\n\\d silver.events\n\\history silver.events\n\\explain select * from gold.sessions\n";

/// A step's plans are sent to executors, and their messages come back: when all is well, when executors may not read
/// the lake, and when nothing is there.
fn drive_a_cluster(collected: &mut Collected, shop: &Shop, refused: &[&str]) {
    let cluster = Cluster::start(shop, &["-vvv"], 2);
    let engine = cluster.engine();
    for args in [
        &["plan", "--engine", &engine][..],
        &["run", "--full-refresh", "--engine", &engine],
        &["run", "--engine", &engine, "--json"],
    ] {
        collected.run(shop, args);
        assert!(collected.ended_well, "{args:?} on a cluster: {}", collected.said());
    }
    cluster.end().iter().for_each(|log| collected.file(log));
    collected.run(shop, &["run", "--engine", &engine, "--full-refresh"]);
    assert!(!collected.ended_well, "nobody is there");
    collected.run(shop, &["executor", "--scheduler", "nonsense"]);

    if !refused.is_empty() {
        let options = [&["-vvv"], refused].concat();
        let cluster = Cluster::start(shop, &options, 1);
        collected.run(shop, &["run", "--engine", &cluster.engine(), "--full-refresh"]);
        assert!(!collected.ended_well, "the executor may not read: {}", collected.said());
        cluster.end().iter().for_each(|log| collected.file(log));
    }
}

fn storage(shop: &Shop, lake: &str, settings: &str) {
    let text = fs::read_to_string(shop.path("pipelines.yaml")).unwrap();
    let kept = text.split_once("\n  cloud:\n").map(|(before, after)| {
        let rest = after.split_once("\n  kafka:").map_or("", |(_, rest)| rest);
        format!("{before}\n  kafka:{rest}")
    });
    let text = kept.unwrap_or(text);
    let target = format!("targets:\n  cloud:\n    lake: \"{lake}\"\n    storage: {{ {settings} }}\n");
    fs::write(shop.path("pipelines.yaml"), text.replacen("targets:\n", &target, 1)).unwrap();
}

/// A lake in Azurite, and how to reach it.
const AZURE: &str = "abfss://lake@devstoreaccount1.dfs.core.windows.net/canary";
const AT_AZURITE: &str = "azure_storage_endpoint: \"${STORE_ENDPOINT}\", allow_http: \"true\"";

/// Stores that reject the credentials or do not exist; and one that accepts any.
fn refuse(collected: &mut Collected, shop: &mut Shop, azurite: &Store, moto: &Store) {
    let nobody = "http://127.0.0.1:9";
    shop.set("STORE_ENDPOINT", azurite.text("endpoint"));
    shop.set("NOBODY", nobody);
    shop.set(
        "CANARY_SAS",
        &format!("sv=2021-08-06&sr=c&sp=racwdl&se=2999-01-01T00%3A00%3A00Z&sig={CANARY}%2Fsas%3D"),
    );
    // Base64, as the store's library requires.
    shop.set("CANARY_KEY", &format!("{CANARY}KEY0{CANARY}KEY0{CANARY}"));
    shop.set("CANARY_SECRET", &format!("client-secret-{CANARY}-2"));
    shop.set("MOTO_ENDPOINT", moto.text("endpoint"));
    shop.set("CANARY_SESSION", &format!("session-token-{CANARY}-5"));
    let s3 = format!("{}/canary", moto.text("url"));
    for (lake, settings) in [
        (
            AZURE,
            format!("azure_storage_sas_token: \"${{CANARY_SAS}}\", {AT_AZURITE}"),
        ),
        (
            AZURE,
            format!("azure_storage_account_key: \"${{CANARY_KEY}}\", {AT_AZURITE}"),
        ),
        (
            AZURE,
            format!(
                "azure_storage_client_id: shop, azure_storage_client_secret: \"${{CANARY_SECRET}}\", \
                 azure_storage_tenant_id: shop, azure_authority_host: \"${{NOBODY}}\", {AT_AZURITE}"
            ),
        ),
        (
            &s3,
            "aws_access_key_id: shop, aws_secret_access_key: \"${CANARY_SECRET}\", aws_session_token: \
             \"${CANARY_SESSION}\", aws_endpoint_url: \"${MOTO_ENDPOINT}\", aws_region: us-east-1, allow_http: \"true\""
                .to_owned(),
        ),
    ] {
        storage(shop, lake, &settings);
        for args in [
            &["plan"][..],
            &["run"],
            &["run", "--json"],
            &["sql", "-c", "select * from silver.events"],
        ] {
            collected.run(shop, args);
        }
    }
    storage(
        shop,
        AZURE,
        &format!("azure_storage_sas_token: \"sig={CANARY}-in-the-file\", {AT_AZURITE}"),
    );
    collected.run(shop, &["plan"]);
}

/// All places where values are looked up, with invalid values.
fn look_for_values(collected: &mut Collected, shop: &mut Shop) {
    storage(
        shop,
        AZURE,
        &format!("azure_storage_sas_token: \"${{LOOKED_FOR}}\", {AT_AZURITE}"),
    );
    fs::write(
        shop.path(".env"),
        format!("LOOKED_FOR='sig={CANARY}-in-env-without-its-end\n"),
    )
    .unwrap();
    collected.run(shop, &["plan"]);
    fs::remove_file(shop.path(".env")).unwrap();
    shop.set(
        "LOOKED_FOR_COMMAND",
        &format!("echo sig={CANARY}-printed; echo {CANARY} >&2; exit 3"),
    );
    collected.run(shop, &["plan"]);
}

/// A broker that does not exist, with a password; and the server's token.
fn ask_a_broker_and_a_server(collected: &mut Collected, shop: &mut Shop) {
    shop.unset("CLICKREC_TARGET");
    shop.edit(
        "pipelines.yaml",
        "topic: \"${KAFKA_TOPIC:-clickstream}\"",
        "topic: t, security: { protocol: SASL_PLAINTEXT, mechanism: PLAIN, username: shop, password: \"${KAFKA_SECRET}\" }, \
         options: { ssl.key.password: \"${KAFKA_KEY_SECRET}\" }",
    );
    shop.set("KAFKA_BROKERS", "127.0.0.1:9");
    shop.set("KAFKA_SECRET", &format!("kafka-secret-{CANARY}-3"));
    shop.set("KAFKA_KEY_SECRET", &format!("key-secret-{CANARY}-6"));
    for args in [
        &["plan", "--target", "kafka"][..],
        &["run", "--target", "kafka"],
        &["produce", "--target", "kafka", "--to", "kafka", "--events", "10"],
        &["sql", "--target", "kafka", "-c", "select * from kafka.clicks limit 1"],
    ] {
        collected.run(shop, args);
    }
    shop.edit(
        "pipelines.yaml",
        "mechanism: PLAIN, username: shop, password: \"${KAFKA_SECRET}\"",
        "mechanism: OAUTHBEARER, oauth: { token_url: \"http://127.0.0.1:9/token\", client_id: shop, client_secret: \
         \"${KAFKA_SECRET}\" }",
    );
    collected.run(shop, &["plan", "--target", "kafka"]);
    shop.ok(&["run"]);
    let token = format!("bearer-{CANARY}-4");
    let server = Server::start_with(shop, &["-vvv", "--sql"], &[("CLICKREC_TOKEN", &token)]);
    let bearer = format!("Bearer {token}");
    for (path, body) in [
        ("/api/v1/sessions", ""),
        ("/api/v1/metrics", ""),
        ("/api/v1/nothing", ""),
        ("/api/v1/sql", r#"{"sql": "select nonsense"}"#),
    ] {
        let method = if body.is_empty() { "GET" } else { "POST" };
        for shown in [bearer.as_str(), "Bearer wrong"] {
            let headers = [("Authorization", shown), ("Content-Type", "application/json")];
            let answer = server.ask(method, path, &headers, body);
            collected
                .came
                .push((path.to_owned(), format!("{answer:?}").into_bytes()));
        }
    }
    collected
        .came
        .push(("the server's log".to_owned(), server.said().into_bytes()));
    drop(server);
}

#[test]
fn no_credential_comes_out() {
    let test = "no_credential_comes_out";
    let (Some(azurite), Some(moto)) = (Store::shared(Kind::Azurite, test), Store::shared(Kind::Moto, test)) else {
        return;
    };
    let mut collected = Collected::default();
    let mut shop = Shop::new();
    shop.produce("1.json", 1_000, 1, 0.05);
    fs::write(shop.path("asked.sql"), ASKED).unwrap();
    let folder = moto.hold(&mut shop);

    // A working secret: the S3 emulator accepts any.
    shop.set("STORE_SECRET", &format!("s3-secret-{CANARY}-1"));
    drive(&mut collected, &shop);
    assert!(
        shop.number("select count(*) from silver.events") > 0,
        "the run went through"
    );
    drive_a_cluster(&mut collected, &shop, &[]);
    moto.files(&folder).iter().for_each(|file| collected.file(file));
    for table in ["system.runs", "gold.model"] {
        collected.run(&shop, &["sql", "-c", &format!("select * from {table}")]);
    }

    // Executors with a token that is refused, and that the store's library puts into request URLs.
    let mut azure_shop = Shop::new();
    azure_shop.produce("1.json", 1_000, 1, 0.05);
    azurite.hold(&mut azure_shop);
    let refused =
        format!("STORE_SAS=sv=2021-08-06&sr=c&sp=racwdl&se=2999-01-01T00%3A00%3A00Z&sig={CANARY}%2Fexecutor%3D");
    drive_a_cluster(&mut collected, &azure_shop, &["--var", &refused]);

    refuse(&mut collected, &mut shop, azurite, moto);
    look_for_values(&mut collected, &mut shop);
    ask_a_broker_and_a_server(&mut collected, &mut shop);

    let leaks = collected.leaks();
    assert!(
        leaks.is_empty(),
        "{} of {} leak:\n{}",
        leaks.len(),
        collected.came.len(),
        leaks.join("\n")
    );
    // The search itself works.
    collected
        .came
        .push(("planted".to_owned(), format!("sig={CANARY}").into_bytes()));
    assert_eq!(collected.leaks().len(), 1);
}
