//! Module dependencies point one way, and the mathematics knows nothing about queries.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::module_graph::{self, Graph, Module};

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
fn what_is_shipped_and_measured_contains_no_faults() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    for profile in ["dist", "bench"] {
        let off = format!("[profile.{profile}.package]\nclickrec.debug-assertions = false\n");
        assert!(
            manifest.contains(&off),
            "profile {profile} builds in the faults that tests inject"
        );
    }
}

#[test]
fn the_mathematics_is_free_of_queries() {
    assert_never("udfs/src/als", &["datafusion", "arrow::"]);
    assert_never("udfs/src/sessions", &["datafusion", "arrow::"]);
    assert_never("udfs/src/visits", &["datafusion", "arrow::"]);
}

#[test]
fn the_functions_know_nothing_of_the_program() {
    assert_never("udfs/src", &["clickrec::", "deltalake", "rdkafka"]);
}

/// The modules of `src`, from lowest to highest: each uses only those before it.
const MODULES: [&str; 22] = [
    "failpoint",
    "plural",
    "settings",
    "sources",
    "config",
    "inspect",
    "store",
    "lake",
    "engine",
    "cluster",
    "backend",
    "lineage",
    "pipeline",
    "erase",
    "testing",
    "docs",
    "shell",
    "recommender",
    "evaluate",
    "serve",
    "simulate",
    "cli",
];

/// The same for `udfs/src`.
const MODULES_OF_UDFS: [&str; 11] = [
    "wire",
    "json_rows",
    "variables",
    "ranking",
    "visits",
    "sessions",
    "als",
    "relation",
    "factors_table",
    "als_sql",
    "functions",
];

fn graph(folder: &str) -> Graph {
    module_graph::of_crate(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
}

/// The uses that break the order.
fn upwards(folder: &str, order: &[&str]) -> Vec<String> {
    let graph = graph(folder);
    let used_by = module_graph::top_level(&graph);
    let place = |module: &str| {
        let place = order.iter().position(|known| *known == module);
        place.unwrap_or_else(|| panic!("{folder}: the order lacks {module}"))
    };
    let mut found = vec![];
    for (module, used) in &used_by {
        let above = used.iter().filter(|used| place(used) > place(module));
        found.extend(above.map(|above| format!("{folder}: {module} uses {above}")));
    }
    found
}

#[test]
fn modules_depend_downwards() {
    let found = [upwards("src", &MODULES), upwards("udfs/src", &MODULES_OF_UDFS)].concat();
    assert!(found.is_empty(), "{}", found.join("\n"));
    // The simulated shop knows nothing of what reads its events.
    assert!(module_graph::top_level(&graph("src"))["simulate"].is_empty());
}

#[test]
fn no_modules_use_each_other_in_a_circle() {
    for folder in ["src", "udfs/src"] {
        let graph = graph(folder);
        let circles = module_graph::circles(&graph);
        let circles: Vec<String> = circles.iter().map(|circle| uses_within(&graph, circle)).collect();
        assert!(
            circles.is_empty(),
            "{folder}: circles of modules:\n{}",
            circles.join("\n")
        );
    }
}

/// Each module of a circle with those of the circle that it uses.
fn uses_within(graph: &Graph, circle: &BTreeSet<Module>) -> String {
    let line = |module: &Module| {
        let used = graph[module].intersection(circle).map(|used| used.join("::"));
        format!("  {} uses {}\n", module.join("::"), used.collect::<Vec<_>>().join(", "))
    };
    circle.iter().map(line).collect()
}

/// Whoever runs a step knows a backend, and not which one; a backend knows no model.
#[test]
fn where_a_step_runs_is_known_to_its_backend_alone() {
    assert_never("src/pipeline", &["cluster::Client", "cluster::stages", "Ballista"]);
    assert_never("src/backend", &["als_train", "als_sql"]);
}

/// A new kind of source, or a new format, is a module and a registration, and nothing else has to know of it.
#[test]
fn kinds_of_sources_and_formats_are_known_to_their_registries_alone() {
    // A grouped import would hide a name from these searches.
    assert_never("src", &["use crate::{"]);
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

/// The files and folders (`lake/commit.rs`, `serve/assets/`) that the header of a module names.
fn named_in_header(text: &str) -> impl Iterator<Item = &str> {
    let header = text.lines().map_while(|line| line.strip_prefix("//!"));
    let words =
        header.flat_map(|line| line.split(|letter: char| !letter.is_alphanumeric() && !"_-./…".contains(letter)));
    let words = words.map(|word| word.trim_end_matches('.'));
    words.filter(|word| {
        let is_name = word.starts_with(char::is_alphanumeric) && !word.contains('…') && *word != "mod.rs";
        is_name && [".rs", ".sql", "/"].iter().any(|end| word.ends_with(end))
    })
}

/// The headers, and the map in `lib.rs` above all, are how a reader finds a file: relative to a folder above the one that
/// names it, or to `src`.
#[test]
fn files_that_headers_name_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let src = root.join("src");
    let (mut named, mut missing) = (0, vec![]);
    for folder in ["src", "udfs/src", "tests", "benches"] {
        for (path, text) in sources(folder) {
            for name in named_in_header(&text) {
                let above = path.ancestors().skip(1).take_while(|above| above.starts_with(root));
                named += 1;
                if !above.chain([src.as_path()]).any(|above| above.join(name).exists()) {
                    missing.push(format!("{} names {name}", path.display()));
                }
            }
        }
    }
    assert!(named > 300, "only {named} names were found");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
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
