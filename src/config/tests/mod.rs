#![allow(clippy::unwrap_used)]

mod files;
mod kafka_topics;
mod recommender;
mod schema_registry;
mod time_zone;

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::{BackendConfig, ConfigError, Environment, LoadOptions, MaintenanceConfig, Mode, OnChange, Project};
use crate::settings::{VariableResolver, interpolate};
use crate::sources::files::FilesConfig;
use crate::sources::kafka::KafkaConfig;

const GOOD: &str = r#"
lake: ./lake
sources:
  clicks:
    files: { path: sample_data/*.json, format: ndjson }
targets:
  kafka:
    sources:
      clicks:
        kafka:
          brokers: "${KAFKA_BROKERS}"
          topic: "${TOPIC:-clickstream}"
          security: { protocol: SASL_SSL, mechanism: PLAIN, username: "${KEY}", password: "${SECRET}" }
          options: { fetch.max.bytes: 1000000, socket.keepalive.enable: true }
  azure:
    lake: "abfss://clicks@${ACCOUNT}.dfs.core.windows.net/lake"
    storage: { azure_storage_sas_key: "${SAS}" }
pipelines:
  clickstream:
    trigger: 10s
    steps:
      - { name: bronze.clicks, sql: a.sql, mode: append }
      - { name: gold.items, sql: a.sql, mode: merge, key: [a], delete: a is null }
      - { name: gold.model, sql: a.sql, mode: overwrite, refresh_after: 5% }
"#;

fn load(yaml: &str, target: Option<&str>, env: &[(&str, &str)]) -> Result<Project, ConfigError> {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("a.sql"), "select 1 as a").unwrap();
    fs::write(folder.path().join("reader.sql"), "select a from gold.factors").unwrap();
    let file = folder.path().join("pipelines.yaml");
    fs::write(&file, yaml).unwrap();
    let vars = BTreeMap::new();
    let env: BTreeMap<String, String> = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let env = Environment::of(move |name| env.get(name).cloned());
    Project::load(
        &file,
        &LoadOptions {
            target,
            vars: &vars,
            env: &env,
        },
    )
}

/// The error's text without the temporary folder.
fn error(yaml: &str, target: Option<&str>) -> String {
    let error = load(yaml, target, &[]).unwrap_err();
    let folder = error.file.parent().unwrap().display().to_string();
    error
        .to_string()
        .replace(&format!("{folder}/"), "")
        .replace(&folder, "FOLDER")
}

#[test]
fn reads_the_whole_of_a_good_file() {
    let project = load(GOOD, None, &[]).unwrap();
    assert_eq!(project.lake.url.scheme(), "file");
    assert!(project.lake.url.path().ends_with("/lake/"));
    let files = FilesConfig::of(&*project.sources["clicks"]).unwrap();
    assert!(files.path.ends_with("/sample_data/*.json") && files.format.name() == "ndjson");
    let steps = &project.pipeline(None).unwrap().steps;
    assert_eq!(
        steps.iter().map(|s| s.name.to_string()).collect::<Vec<_>>(),
        ["bronze.clicks", "gold.items", "gold.model"]
    );
    assert_eq!(
        (steps[1].mode, steps[1].delete.as_deref()),
        (Mode::Merge, Some("a is null"))
    );
    assert_eq!((steps[2].refresh_after, steps[2].line), (Some(0.05), 24));
}

#[test]
fn a_target_replaces_the_source_and_keeps_secrets() {
    let env = [
        ("KAFKA_BROKERS", "broker:9092"),
        ("KEY", "key-1234"),
        ("SECRET", "hush-5678"),
    ];
    let project = load(GOOD, Some("kafka"), &env).unwrap();
    let kafka = KafkaConfig::of(&*project.sources["clicks"]).unwrap();
    assert_eq!(
        (kafka.brokers.as_str(), kafka.topics.only()),
        ("broker:9092", Some("clickstream"))
    );
    assert_eq!(kafka.security.password.as_ref().unwrap().reveal(), "hush-5678");
    assert_eq!(kafka.options["fetch.max.bytes"].reveal(), "1000000");
    let printed = format!("{project:?}");
    assert!(!printed.contains("hush") && !printed.contains("key-1234"), "{printed}");
}

#[test]
fn a_pipeline_is_named_unless_it_is_the_only_one() {
    let problem = |pipelines: &str, name| {
        let project = load(&format!("lake: ./lake\npipelines: {pipelines}\n"), None, &[]).unwrap();
        project.pipeline(name).unwrap_err().to_string()
    };
    let two = "{ a: { steps: [] }, b: { steps: [] } }";
    for (found, expected) in [
        (problem("{}", None), "there are no pipelines"),
        (problem(two, None), "there are several pipelines"),
        (problem(two, Some("c")), "there is no pipeline `c`"),
    ] {
        assert!(found.contains(expected) && found.contains("help: "), "{found}");
    }
}

#[test]
fn the_cloud_lake_is_a_url() {
    let project = load(GOOD, Some("azure"), &[("ACCOUNT", "shop"), ("SAS", "sig=hush")]).unwrap();
    assert_eq!(
        project.lake.url.as_str(),
        "abfss://clicks@shop.dfs.core.windows.net/lake"
    );
    assert!(!format!("{project:?}").contains("hush"));
}

#[test]
fn a_missing_variable_is_named_with_its_place_and_only_where_it_is_used() {
    let text = error(GOOD, Some("azure"));
    assert!(
        text.starts_with("pipelines.yaml:16:11: the environment does not define `ACCOUNT`"),
        "{text}"
    );
    assert!(text.contains("export ACCOUNT=…"), "{text}");
    assert!(text.contains("not define `SAS`"), "all problems at once: {text}");
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_one() {
    let text = error(
        &GOOD.replace("sql: a.sql, mode: append", "sqll: a.sql, mode: append"),
        None,
    );
    assert!(text.contains("pipelines.yaml:22:32: unknown key `sqll`"), "{text}");
    assert!(text.contains("did you mean `sql`?"), "{text}");
}

#[test]
fn every_kind_of_mistake_in_a_step_is_found() {
    for (from, to, expected) in [
        (
            "sql: a.sql, mode: append",
            "sql: b.sql, mode: append",
            "pipelines.yaml:22:37: b.sql cannot be read",
        ),
        ("mode: append", "mode: apend", "did you mean `append`?"),
        (", key: [a], delete: a is null", "", "a merge needs a `key`"),
        (
            "mode: append",
            "mode: append, key: [x]",
            "a step with `mode: append` cannot have `key`",
        ),
        (
            "mode: append",
            "mode: append, on_change: froward",
            "did you mean `forward`?",
        ),
        (
            "mode: overwrite",
            "mode: overwrite, on_change: forward",
            "a step with `mode: overwrite` cannot have `on_change`",
        ),
        ("bronze.clicks", "Bronze", "`Bronze` is not LAYER.TABLE"),
        ("bronze.clicks", "kafka.clicks", "the layer name `kafka` is reserved"),
        (
            "gold.items",
            "bronze.clicks",
            "two steps write `bronze.clicks`: this one and the one on line 22",
        ),
        ("refresh_after: 5%", "refresh_after: much", "`much` is not a share"),
        ("trigger: 10s", "trigger: soon", "`soon` is not a duration"),
        ("lake: ./lake", "lake: ${X", "`${` without a closing `}`"),
        (
            "lake: ./lake",
            "lake: [a, b]",
            "expected a single value, found a list or a mapping",
        ),
        ("lake: ./lake", "lake: ftp://x/lake", "the lake cannot be in `ftp://`"),
        ("mode: append", "", "`mode` is missing"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let text = error(&GOOD.replacen(from, to, 1), None);
        assert!(text.contains(expected), "{to}: {text}");
    }
}

#[test]
fn older_rows_are_computed_again_unless_a_step_says_otherwise() {
    for (setting, expected) in [
        ("", OnChange::Rebuild),
        (", on_change: rebuild", OnChange::Rebuild),
        (", on_change: forward", OnChange::Forward),
        (", on_change: backfill", OnChange::Backfill),
    ] {
        let yaml = GOOD.replace("key: [a]", &format!("key: [a]{setting}"));
        let project = load(&yaml, None, &[]).unwrap();
        assert_eq!(project.pipelines[0].steps[1].on_change, expected);
    }
}

#[test]
fn settings_that_exactly_once_depends_on_are_refused() {
    let yaml = GOOD.replace("fetch.max.bytes: 1000000", "auto.offset.reset: latest");
    let error = load(
        &yaml,
        Some("kafka"),
        &[("KAFKA_BROKERS", "b"), ("KEY", "k"), ("SECRET", "s")],
    )
    .unwrap_err();
    assert!(
        error.to_string().contains("`auto.offset.reset` cannot be set"),
        "{error}"
    );
}

#[test]
fn a_source_is_of_one_kind() {
    let text = error(
        &GOOD.replace("files: { path: sample_data/*.json, format: ndjson }", "{}"),
        None,
    );
    assert!(
        text.contains("source `clicks` needs either `kafka` or `files`"),
        "{text}"
    );
}

#[test]
fn an_unknown_target_or_pipeline_lists_what_there_is() {
    assert!(error(GOOD, Some("s3")).contains("the targets are azure, kafka"));
    let project = load(GOOD, None, &[]).unwrap();
    assert!(
        project
            .pipeline(Some("x"))
            .unwrap_err()
            .to_string()
            .contains("the pipelines are clickstream")
    );
}

#[test]
fn a_missing_file_says_how_to_start() {
    let vars = BTreeMap::new();
    let options = LoadOptions {
        target: None,
        vars: &vars,
        env: &Environment::of(|_| None),
    };
    let error = Project::load("nowhere/pipelines.yaml".as_ref(), &options).unwrap_err();
    assert!(error.to_string().contains("clickrec init"), "{error}");
}

#[test]
fn a_dollar_can_be_escaped() {
    let vars = BTreeMap::from([("A".to_owned(), "1".to_owned())]);
    let variables = VariableResolver::new(&vars, &Environment::of(|_| None), Path::new("nowhere"));
    let filled = interpolate("$${A} ${A} ${B:-2} $", &variables);
    assert_eq!(filled, Ok("${A} 1 2 $".to_owned()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC*", line in 0_usize..28) {
        let mut lines: Vec<&str> = GOOD.lines().collect();
        lines.insert(line.min(lines.len()), &text);
        let _ = load(&lines.join("\n"), Some("kafka"), &[]);
        let _ = load(&text, None, &[]);
    }
}

#[test]
fn maintenance_has_defaults_and_refuses_what_is_unsafe() {
    let with = |keys: &str| format!("maintenance: {{ {keys} }}\n{GOOD}");
    assert_eq!(load(GOOD, None, &[]).unwrap().maintenance, MaintenanceConfig::default());
    let good = "compact_after: 8, compact_min_age: 1m, target_file_size: 64MiB, checkpoint_after: 5, retain: 2d, log_retain: 1d";
    let config = load(&with(good), None, &[]).unwrap().maintenance;
    assert_eq!((config.compact_after, config.checkpoint_after), (8, 5));
    assert_eq!(config.target_file_bytes.get(), 64 << 20);
    assert_eq!(
        (config.retain.as_secs(), config.log_retain.as_secs()),
        (172_800, 86_400)
    );
    for (bad, message) in [
        ("compact_after: 1", "`1` is not a whole number of at least 2"),
        ("checkpoint_after: many", "`many` is not a whole number"),
        ("target_file_size: 3 bytes", "is not a file size"),
        ("retain: 1h", "1h is too short"),
        ("log_retain: soon", "`soon` is not a duration"),
        ("vacuum: daily", "unknown key `vacuum`"),
    ] {
        let error = error(&with(bad), None);
        assert!(error.contains(message), "{bad}: {error}");
    }
}

#[test]
fn vars_of_the_file_give_way_to_those_of_the_command_line() {
    let yaml = format!("vars: {{ schema: evolve, k: 5 }}\n{GOOD}");
    let project = load(&yaml, None, &[]).unwrap();
    let expected = [
        ("k".to_owned(), "5".to_owned()),
        ("schema".to_owned(), "evolve".to_owned()),
    ];
    assert_eq!(project.variables(), BTreeMap::from(expected));
}

#[test]
fn steps_run_here_or_on_a_cluster() {
    let of = |engine: &str| {
        load(
            &format!("{engine}\n{GOOD}"),
            None,
            &[("CLUSTER", "df://10.0.0.5:50050")],
        )
    };
    assert_eq!(of("").unwrap().engine, BackendConfig::Local);
    assert_eq!(of("engine: local").unwrap().engine, BackendConfig::Local);
    for (engine, number) in [
        (r#"engine: { ballista: "df://10.0.0.5:50050", partitions: 48 }"#, 48),
        (r#"engine: { ballista: "${CLUSTER}" }"#, 16),
        (r#"engine: "${CLUSTER}""#, 16),
    ] {
        let expected = BackendConfig::Ballista {
            scheduler: "10.0.0.5:50050".to_owned(),
            partitions: NonZeroUsize::new(number).unwrap(),
        };
        assert_eq!(of(engine).unwrap().engine, expected, "{engine}");
    }
    for engine in [
        "engine: spark",
        "engine: { ballista: http://10.0.0.5:50050 }",
        "engine: { ballista: df://10.0.0.5 }",
        "engine: { ballista: \"df://me:secret@10.0.0.5:50050\" }",
    ] {
        let error = of(engine).unwrap_err().to_string();
        assert!(
            error.contains("df://HOST:PORT") && !error.contains("secret"),
            "{engine}: {error}"
        );
    }
    let error = of("engine: { ballista: \"df://a:1\", partitions: 0 }")
        .unwrap_err()
        .to_string();
    assert!(error.contains("`partitions` must be at least 1"), "{error}");
}
