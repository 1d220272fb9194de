//! No credential is printed, logged or stored, whatever is asked and whatever goes wrong: each kind gets a value that is
//! nowhere else, and everything that comes out is searched for it.

use std::fs;
use std::path::Path;

use crate::object_store::{Kind, Store};
use crate::serving::Server;
use crate::support::Shop;

/// In every planted credential.
const CANARY: &str = "c4narY";

/// All that came out.
#[derive(Default)]
struct Collected(Vec<(String, Vec<u8>)>);

impl Collected {
    fn run(&mut self, shop: &Shop, args: &[&str]) {
        let output = shop.command(&[args, &["-vvv"]].concat()).output().unwrap();
        let came = [output.stdout, output.stderr].concat();
        assert!(!came.is_empty() || output.status.success(), "{args:?} says nothing");
        self.0.push((args.join(" "), came));
    }

    fn file(&mut self, path: &Path) {
        self.0.push((path.display().to_string(), fs::read(path).unwrap()));
    }

    /// Where the canary was seen, with what is around it.
    fn leaks(&self) -> Vec<String> {
        let leak = |(source, bytes): &(String, Vec<u8>)| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let line = text.lines().find(|line| line.contains(CANARY))?;
            Some(format!("{source}: {}", line.chars().take(400).collect::<String>()))
        };
        self.0.iter().filter_map(leak).collect()
    }
}

/// Every command that reads or writes the lake, good statements and bad ones.
fn drive(collected: &mut Collected, shop: &Shop) {
    for args in [
        &["plan"][..],
        &["plan", "--json"],
        &["run", "--json"],
        &["run", "--follow", "--once"],
        &["sql", "-c", "select count(*) from silver.events"],
        &["sql", "-c", "show all"],
        &["sql", "-c", "explain analyze select * from silver.events"],
        &["sql", "-c", "select nonsense"],
        &["sql", "-c", "select * from kafka.clicks limit 1"],
        &["recommend", "--items", "prod_1"],
        &["quarantine"],
        &["history", "silver.events"],
        &["optimize"],
        &["vacuum", "--dry-run"],
        &["evaluate", "--sample", "50"],
        &["docs"],
        &["test"],
        &["schema"],
    ] {
        collected.run(shop, args);
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

#[test]
fn no_credential_comes_out() {
    let test = "no_credential_comes_out";
    let (Some(azurite), Some(moto)) = (Store::shared(Kind::Azurite, test), Store::shared(Kind::Moto, test)) else {
        return;
    };
    let mut collected = Collected::default();
    let mut shop = Shop::new();
    shop.produce("1.json", 1_000, 1, 0.05);
    let folder = moto.hold(&mut shop);

    // In use: the emulator of S3 takes any secret.
    shop.set("STORE_SECRET", &format!("s3-secret-{CANARY}-1"));
    drive(&mut collected, &shop);
    assert!(
        shop.number("select count(*) from silver.events") > 0,
        "the run went through"
    );
    moto.files(&folder).iter().for_each(|file| collected.file(file));
    for table in ["system.runs", "gold.model"] {
        collected.run(&shop, &["sql", "-c", &format!("select * from {table}")]);
    }

    // Refused, or nobody there.
    let azure = "abfss://lake@devstoreaccount1.dfs.core.windows.net/canary";
    let nobody = "http://127.0.0.1:9";
    shop.set("STORE_ENDPOINT", azurite.text("endpoint"));
    shop.set("NOBODY", nobody);
    shop.set(
        "CANARY_SAS",
        &format!("sv=2021-08-06&sr=c&sp=racwdl&se=2999-01-01T00%3A00%3A00Z&sig={CANARY}%2Fsas%3D"),
    );
    // Base64, as the store's library wants it.
    shop.set("CANARY_KEY", &format!("{CANARY}KEY0{CANARY}KEY0{CANARY}"));
    shop.set("CANARY_SECRET", &format!("client-secret-{CANARY}-2"));
    let here = "azure_storage_endpoint: \"${STORE_ENDPOINT}\", allow_http: \"true\"";
    for settings in [
        format!("azure_storage_sas_token: \"${{CANARY_SAS}}\", {here}"),
        format!("azure_storage_account_key: \"${{CANARY_KEY}}\", {here}"),
        format!(
            "azure_storage_client_id: shop, azure_storage_client_secret: \"${{CANARY_SECRET}}\", azure_storage_tenant_id: shop, \
             azure_authority_host: \"${{NOBODY}}\", {here}"
        ),
    ] {
        storage(&shop, azure, &settings);
        for args in [
            &["plan"][..],
            &["run"],
            &["run", "--json"],
            &["sql", "-c", "select * from silver.events"],
        ] {
            collected.run(&shop, args);
        }
    }
    storage(
        &shop,
        azure,
        &format!("azure_storage_sas_token: \"sig={CANARY}-in-the-file\", {here}"),
    );
    collected.run(&shop, &["plan"]);

    // Where a value is looked for.
    storage(
        &shop,
        azure,
        &format!("azure_storage_sas_token: \"${{LOOKED_FOR}}\", {here}"),
    );
    fs::write(
        shop.path(".env"),
        format!("LOOKED_FOR='sig={CANARY}-in-env-without-its-end\n"),
    )
    .unwrap();
    collected.run(&shop, &["plan"]);
    fs::remove_file(shop.path(".env")).unwrap();
    shop.set(
        "LOOKED_FOR_COMMAND",
        &format!("echo sig={CANARY}-printed; echo {CANARY} >&2; exit 3"),
    );
    collected.run(&shop, &["plan"]);

    // A broker that is not there, with a password; and the server's token.
    shop.unset("CLICKREC_TARGET");
    shop.edit(
        "pipelines.yaml",
        "topic: \"${KAFKA_TOPIC:-clickstream}\"",
        "topic: t, security: { protocol: SASL_PLAINTEXT, mechanism: PLAIN, username: shop, password: \"${KAFKA_SECRET}\" }",
    );
    shop.set("KAFKA_BROKERS", "127.0.0.1:9");
    shop.set("KAFKA_SECRET", &format!("kafka-secret-{CANARY}-3"));
    for args in [&["plan", "--target", "kafka"][..], &["run", "--target", "kafka"]] {
        collected.run(&shop, args);
    }
    shop.ok(&["run"]);
    let token = format!("bearer-{CANARY}-4");
    let server = Server::start_with(&shop, &["-vvv", "--sql"], &[("CLICKREC_TOKEN", &token)]);
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
            collected.0.push((path.to_owned(), format!("{answer:?}").into_bytes()));
        }
    }
    collected
        .0
        .push(("the server's log".to_owned(), server.said().into_bytes()));
    drop(server);

    let leaks = collected.leaks();
    assert!(
        leaks.is_empty(),
        "{} of {} leak:\n{}",
        leaks.len(),
        collected.0.len(),
        leaks.join("\n")
    );
    // The search finds what there is to find.
    collected
        .0
        .push(("planted".to_owned(), format!("sig={CANARY}").into_bytes()));
    assert_eq!(collected.leaks().len(), 1);
}
