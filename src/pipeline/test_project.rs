//! Projects without files, for unit tests of what follows from their steps.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use url::Url;

use super::Dag;
use crate::config::{
    BackendConfig, ErasureConfig, LakeConfig, MaintenanceConfig, Mode, OnChange, Pipeline, Project, RecommenderConfig,
    Step, Storage, TableName, TimeZone, Trigger,
};

/// The name of a table.
pub(super) fn table(name: &str) -> TableName {
    name.parse().unwrap()
}

/// A step, with no settings but these.
pub(super) fn step(name: &str, mode: Mode, sql: &str) -> Step {
    Step {
        name: table(name),
        file: PathBuf::from(format!("{name}.sql")),
        sql: sql.to_owned(),
        mode,
        description: None,
        columns: BTreeMap::new(),
        key: vec![],
        delete: None,
        on_change: OnChange::Rebuild,
        refresh_after: None,
        every: None,
        compact_min_age: None,
        partition_by: vec![],
        cluster_by: vec![],
        expect: vec![],
        line: 1,
    }
}

/// A project of one pipeline. It has no sources: steps that read one are broken, which is not looked at.
pub(super) fn project(steps: Vec<Step>) -> Project {
    Project {
        root: PathBuf::new(),
        file: PathBuf::from("pipelines.yaml"),
        lake: LakeConfig {
            url: Url::parse("memory:///lake/").unwrap(),
            storage: Storage::default(),
        },
        timezone: TimeZone::default(),
        engine: BackendConfig::Local,
        sources: BTreeMap::new(),
        maintenance: MaintenanceConfig::default(),
        erasure: ErasureConfig::default(),
        recommender: RecommenderConfig::default(),
        pipelines: vec![Pipeline {
            name: "shop".to_owned(),
            trigger: Trigger::default(),
            steps,
        }],
        vars: BTreeMap::new(),
    }
}

/// The steps of a project in order.
pub(super) fn dag(project: &Project) -> Dag {
    Dag::new(project, &|_| false).unwrap()
}
