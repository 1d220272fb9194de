//! Object stores for the tests: Azurite and moto, as `scripts/stores` starts them, and projects whose lake is there.
//!
//! The tests of this binary share one of each kind, each test with a folder of its own. Where there is no npm or
//! no PyPI, a test prints SKIPPED and its name; with `CI=true` it fails.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::script::Script;
use crate::support::{Shop, skipped};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Azurite,
    Moto,
}

/// A store that runs.
pub struct Store {
    kind: Kind,
    script: Script,
    described: Value,
}

impl Store {
    /// The store of a kind that the tests share.
    pub fn shared(kind: Kind, test: &str) -> Option<&'static Self> {
        static AZURITE: LazyLock<Result<Store, String>> = LazyLock::new(|| Store::start(Kind::Azurite));
        static MOTO: LazyLock<Result<Store, String>> = LazyLock::new(|| Store::start(Kind::Moto));
        let store = match kind {
            Kind::Azurite => &AZURITE,
            Kind::Moto => &MOTO,
        };
        store.as_ref().map_err(|reason| missing(test, reason)).ok()
    }

    /// A store of the test's own.
    pub fn own(kind: Kind, test: &str) -> Option<Self> {
        Self::start(kind).map_err(|reason| missing(test, &reason)).ok()
    }

    fn start(kind: Kind) -> Result<Self, String> {
        let name = match kind {
            Kind::Azurite => "azurite",
            Kind::Moto => "moto",
        };
        let (script, described) = Script::start("stores", &["serve", name])?;
        Ok(Self {
            kind,
            script,
            described,
        })
    }

    pub fn text(&self, name: &str) -> &str {
        self.described[name].as_str().unwrap()
    }

    /// A new SAS token of the container: `racwdl`, and for how many seconds from now.
    pub fn sas(&self, permissions: &str, seconds: i64) -> String {
        self.script.ask::<Value>(&format!("sas {permissions} {seconds}"))["sas"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Puts between a shop and the store what fails so many of its requests, as networks and stores that are busy do.
    pub fn fail_some(&self, shop: &mut Shop, rate: f64) {
        let port = self.script.ask::<Value>(&format!("failing {rate}"))["port"].clone();
        shop.set("STORE_TIMEOUT", "1s");
        match self.kind {
            Kind::Azurite => shop.set("AZURITE_BLOB_STORAGE_URL", &format!("http://127.0.0.1:{port}")),
            Kind::Moto => shop.set("STORE_ENDPOINT", &format!("http://127.0.0.1:{port}")),
        }
    }

    /// No more faults; the kinds that there were, with how often.
    pub fn fail_none(&self, shop: &mut Shop) -> BTreeMap<String, u64> {
        shop.unset("STORE_TIMEOUT");
        match self.kind {
            Kind::Azurite => shop.set("AZURITE_BLOB_STORAGE_URL", self.text("emulator")),
            Kind::Moto => shop.set("STORE_ENDPOINT", self.text("endpoint")),
        }
        self.script.ask("faults")
    }

    /// Copies of all files below a folder of the store.
    pub fn files(&self, folder: &str) -> Vec<PathBuf> {
        let copies: Value = self.script.ask(&format!("files {folder}/"));
        let copies = fs::read_dir(copies["folder"].as_str().unwrap()).unwrap();
        copies.map(|copy| copy.unwrap().path()).collect()
    }

    /// Makes a folder of the store the lake of a shop, in the target `cloud`, which all its commands use; its name.
    pub fn hold(&self, shop: &mut Shop) -> String {
        static FOLDERS: AtomicU32 = AtomicU32::new(0);
        let folder = format!("shop-{}", FOLDERS.fetch_add(1, Ordering::Relaxed));
        let url = format!("{}/{folder}", self.text("url"));
        let (storage, environment): (&str, Vec<(&str, &str)>) = match self.kind {
            // Azurite does not list from a name on (startFrom); told that it is an emulator, the client does that itself.
            Kind::Azurite => (
                "azure_storage_sas_token: \"${STORE_SAS}\", azure_storage_use_emulator: \"true\", \
                 timeout: \"${STORE_TIMEOUT:-30s}\"",
                vec![
                    ("STORE_SAS", self.text("sas")),
                    ("AZURITE_BLOB_STORAGE_URL", self.text("emulator")),
                ],
            ),
            Kind::Moto => (
                "aws_access_key_id: \"${STORE_KEY_ID}\", aws_secret_access_key: \"${STORE_SECRET}\", \
                 aws_endpoint_url: \"${STORE_ENDPOINT}\", aws_region: us-east-1, allow_http: \"true\", \
                 timeout: \"${STORE_TIMEOUT:-30s}\"",
                vec![
                    ("STORE_KEY_ID", self.text("key_id")),
                    ("STORE_SECRET", self.text("secret")),
                ],
            ),
        };
        let target = format!("targets:\n  cloud:\n    lake: \"{url}\"\n    storage: {{ {storage} }}");
        shop.edit("pipelines.yaml", "targets:", &target);
        shop.set("CLICKREC_TARGET", "cloud");
        shop.set("STORE_ENDPOINT", self.text("endpoint"));
        for (name, value) in environment {
            shop.set(name, value);
        }
        folder
    }
}

fn missing(test: &str, reason: &str) {
    assert!(std::env::var_os("CI").is_none(), "{test} needs a store: {reason}");
    skipped(test, reason);
}
