//! `timezone`: of the file, of a target, of the command line.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;

use tempfile::TempDir;

use super::{GOOD, error, load};
use crate::config::{ConfigError, Environment, LoadOptions, Project, TimeZone};

fn in_berlin() -> String {
    format!("timezone: Europe/Berlin\n{GOOD}")
}

fn with_var(yaml: &str, zone: &str) -> Result<Project, ConfigError> {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("a.sql"), "select 1 as a").unwrap();
    let file = folder.path().join("pipelines.yaml");
    fs::write(&file, yaml).unwrap();
    let options = LoadOptions {
        target: None,
        vars: &BTreeMap::from([("timezone".to_owned(), zone.to_owned())]),
        env: &Environment::of(|_| None),
    };
    Project::load(&file, &options)
}

/// The zone, and the variable in SQL.
fn zone(project: &Project) -> (&'static str, Option<String>) {
    (project.timezone.name(), project.variables().remove("timezone"))
}

#[test]
fn it_is_utc_unless_the_file_a_target_or_the_command_line_says_otherwise() {
    let said = |name: &'static str| (name, Some(name.to_owned()));
    assert_eq!(
        zone(&load(GOOD, None, &[]).unwrap()),
        (TimeZone::default().name(), None)
    );
    assert_eq!(zone(&load(&in_berlin(), None, &[]).unwrap()), said("Europe/Berlin"));
    let target = in_berlin().replace(
        "    storage:",
        "    timezone: \"${ZONE:-America/Denver}\"\n    storage:",
    );
    let env = [("ACCOUNT", "shop"), ("SAS", "hush")];
    assert_eq!(
        zone(&load(&target, Some("azure"), &env).unwrap()),
        said("America/Denver")
    );
    assert_eq!(zone(&load(&target, None, &[]).unwrap()), said("Europe/Berlin"));
    for yaml in [GOOD, &in_berlin()] {
        assert_eq!(zone(&with_var(yaml, "Asia/Kathmandu").unwrap()), said("Asia/Kathmandu"));
    }
}

#[test]
fn an_unknown_one_is_refused_with_its_line_and_the_nearest_names() {
    for (wrong, expected) in [
        ("Europe/Berlim", "Europe/Berlin"),
        ("denver", "America/Denver"),
        (
            "+02:00",
            "such as Europe/Berlin or America/Denver; an offset would not follow clock changes",
        ),
    ] {
        let text = error(&in_berlin().replace("Europe/Berlin", &format!("\"{wrong}\"")), None);
        let place = format!("pipelines.yaml:1:11: `{wrong}` is not a time zone");
        assert!(text.contains(&place) && text.contains(expected), "{text}");
        let text = with_var(GOOD, wrong).unwrap_err().to_string();
        let place = format!("--var timezone: `{wrong}` is not a time zone");
        assert!(text.contains(&place) && text.contains(expected), "{text}");
    }
    let text = error(&format!("vars: {{ timezone: Europe/Berlin }}\n{GOOD}"), None);
    assert!(
        text.contains("`timezone` cannot be one of the `vars`") && text.contains("timezone: Europe/Berlin"),
        "{text}"
    );
}
