//! Module dependencies point one way, and the mathematics knows nothing about queries.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = vec![];
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no sources");
    found
}

fn assert_never(folder: &str, words: &[&str]) {
    for (path, text) in sources(folder) {
        for word in words {
            assert!(!text.contains(word), "{} uses {word}", path.display());
        }
    }
}

#[test]
fn the_mathematics_is_free_of_queries() {
    assert_never("udfs/src/als", &["datafusion", "arrow::"]);
    assert_never("udfs/src/sessions", &["datafusion", "arrow::"]);
}

#[test]
fn the_functions_know_nothing_of_the_program() {
    assert_never("udfs/src", &["clickrec::", "deltalake", "rdkafka"]);
}

/// From lowest to highest; a module may use those before it.
fn assert_downwards(folder: &str, order: &[&str]) {
    for (index, module) in order.iter().enumerate() {
        let above: Vec<String> = order[index + 1..]
            .iter()
            .map(|above| format!("crate::{above}"))
            .collect();
        assert_never(
            &format!("{folder}/{module}"),
            &above.iter().map(String::as_str).collect::<Vec<_>>(),
        );
    }
    // A grouped import would hide the module's name from the search above.
    assert_never(folder, &["use crate::{"]);
}

#[test]
fn modules_of_functions_depend_downwards() {
    assert_downwards(
        "udfs/src",
        &["als", "sessions", "relation", "factors_table", "als_sql", "functions"],
    );
}

/// Whoever runs a step knows a backend, and not which one; a backend knows no model.
#[test]
fn where_a_step_runs_is_known_to_its_backend_alone() {
    assert_never("src/pipeline", &["cluster::Client", "cluster::stages", "Ballista"]);
    assert_never("src/backend", &["als_train", "als_sql"]);
}

#[test]
fn modules_depend_downwards() {
    let order = [
        "settings",
        "sources",
        "config",
        "store",
        "lake",
        "engine",
        "cluster",
        "backend",
        "lineage",
        "pipeline",
        "testing",
        "docs",
        "shell",
        "recommender",
        "evaluate",
        "serve",
        "simulate",
        "cli",
    ];
    assert_downwards("src", &order);
    assert_never("src/simulate", &["crate::pipeline", "crate::engine", "crate::lake"]);
}

/// A new kind of source, or a new format, is a module and a registration, and nothing else has to know of it.
#[test]
fn kinds_of_sources_and_formats_are_known_to_their_registries_alone() {
    assert_never("src/sources/kafka", &["sources::files", "sources::formats"]);
    assert_never("src/sources/files", &["sources::kafka", "Ndjson", "formats::ndjson"]);
    assert_never("src/sources/formats", &["sources::kafka", "sources::files"]);
    // The commands that send records to Kafka are its own business.
    for module in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap() {
        let path = module.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["cli", "config", "sources"].contains(&name.as_str()) {
            assert_never(
                &format!("src/{name}"),
                &["sources::kafka", "sources::files", "KafkaConfig", "FilesConfig"],
            );
        }
    }
}

#[test]
fn files_stay_small() {
    for folder in ["src", "udfs/src", "tests"] {
        for (path, text) in sources(folder) {
            assert!(
                text.lines().count() <= 425,
                "{} has {} lines",
                path.display(),
                text.lines().count()
            );
        }
    }
}
