//! Object stores for the tests: Azurite and moto, started by `scripts/stores`, and projects whose lake is in one.
//!
//! The tests in this binary share one store of each kind, and each has its own folder. Without npm or PyPI, a test
//! prints SKIPPED and its name; with `CI=true` it fails.

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

/// A running store.
pub struct Store {
    kind: Kind,
    script: Script,
    described: Value,
}

impl Store {
    /// The shared store of a kind.
    pub fn shared(kind: Kind, test: &str) -> Option<&'static Self> {
        static AZURITE: LazyLock<Result<Store, String>> = LazyLock::new(|| Store::start(Kind::Azurite));
        static MOTO: LazyLock<Result<Store, String>> = LazyLock::new(|| Store::start(Kind::Moto));
        let store = match kind {
            Kind::Azurite => &AZURITE,
            Kind::Moto => &MOTO,
        };
        store.as_ref().map_err(|reason| missing(test, reason)).ok()
    }

    /// A separate store for one test.
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

    /// A new SAS token for the container, with permissions such as `racwdl`, valid for this many seconds.
    pub fn sas(&self, permissions: &str, seconds: i64) -> String {
        self.script.ask::<Value>(&format!("sas {permissions} {seconds}"))["sas"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Puts a proxy between a shop and the store that fails this share of requests, like busy networks and stores do.
    pub fn fail_some(&self, shop: &mut Shop, rate: f64) {
        let port = self.script.ask::<Value>(&format!("failing {rate}"))["port"].clone();
        shop.set("STORE_TIMEOUT", "1s");
        match self.kind {
            Kind::Azurite => shop.set("AZURITE_BLOB_STORAGE_URL", &format!("http://127.0.0.1:{port}")),
            Kind::Moto => shop.set("STORE_ENDPOINT", &format!("http://127.0.0.1:{port}")),
        }
    }

    /// Stops the faults; returns how often each kind occurred.
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

    /// Makes a folder of the store the lake of a shop, in the target `cloud`, which all its commands use; returns its
    /// name.
    pub fn hold(&self, shop: &mut Shop) -> String {
        static FOLDERS: AtomicU32 = AtomicU32::new(0);
        let folder = format!("shop-{}", FOLDERS.fetch_add(1, Ordering::Relaxed));
        let url = format!("{}/{folder}", self.text("url"));
        let (storage, environment): (&str, Vec<(&str, &str)>) = match self.kind {
            // Azurite does not support listing from a name on (startFrom); for an emulator, the client does that
            // itself.
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
