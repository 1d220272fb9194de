//! Validates the file as written into a project: applies the target, fills in variables, and checks the lake and the
//! steps: which keys a mode allows (`fits_mode`), two steps of one name, reserved layers, empty SQL files. What is
//! malformed is refused with its line (`problem`). Each other part has a `validate_…` of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_yaml::{Location, Spanned};
use url::Url;

use super::ordered_map::OrderedMap;
use super::raw::{RawErasure, RawPipeline, RawProject, RawStep};
use super::{
    ConfigError, ErasureConfig, LakeConfig, LoadOptions, Mode, OnChange, Pipeline, Project, Step, Storage, TableName,
    Trigger, nearest, share,
};
use crate::settings::{Secret, Text, Values, VariableResolver, as_secret, normal};
use crate::sources::layer;

/// The URL schemes a lake can have.
const STORES: [&str; 8] = ["file", "s3", "s3a", "abfss", "abfs", "az", "azure", "adl"];
/// Layers that have another meaning in SQL, in addition to those of sources.
const RESERVED_LAYERS: [&str; 2] = ["information_schema", "system"];

/// Collects problems while it validates a file.
pub(super) struct Validator<'a> {
    file: &'a Path,
    pub(super) options: &'a LoadOptions<'a>,
    pub(super) values: Values,
}

impl<'a> Validator<'a> {
    pub fn new(file: &'a Path, options: &'a LoadOptions<'a>) -> Self {
        let root = file
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
        Self {
            file,
            options,
            values: Values::new(VariableResolver::new(options.vars, options.env, &root), root),
        }
    }

    pub fn project(mut self, mut raw: RawProject) -> Result<Project, ConfigError> {
        self.refuse_literals(&raw);
        self.apply_target(&mut raw);
        let lake = self.lake(&raw.lake, &raw.storage);
        let mut sources = BTreeMap::new();
        for (name, source) in &raw.sources {
            if let Some(config) = self.source(name, source) {
                sources.insert(name.clone(), config);
            }
        }
        let mut vars = self.vars(&raw.vars);
        let timezone = self.timezone(&raw, &mut vars);
        let engine = self.engine(raw.engine.as_ref());
        let maintenance = self.maintenance(&raw.maintenance);
        let erasure = self.erasure(&raw.erasure);
        let pipelines = self.pipelines(&raw.pipelines);
        let recommender = self.recommender(&raw, &pipelines);
        let (root, mut problems) = self.values.done();
        match lake {
            Some(lake) if problems.is_empty() => Ok(Project {
                root,
                file: self.file.to_owned(),
                lake,
                timezone,
                engine,
                sources,
                maintenance,
                erasure,
                recommender,
                pipelines,
                vars,
            }),
            _ => {
                // In the order of the file.
                problems.sort_by_key(|problem| problem.at);
                Err(ConfigError {
                    file: self.file.to_owned(),
                    problems,
                })
            }
        }
    }

    pub(super) fn problem(&mut self, at: Location, message: impl Into<String>, help: Option<String>) {
        self.values.problem(at, message, help);
    }

    /// Overrides the defaults with the chosen target's settings. Other targets are ignored, so that their variables
    /// need not be set.
    fn apply_target(&mut self, raw: &mut RawProject) {
        let Some(name) = self.options.target else { return };
        let Some(target) = raw.targets.remove(name) else {
            let known: Vec<&str> = raw.targets.keys().map(String::as_str).collect();
            let help = if known.is_empty() {
                "the file has no `targets`".to_owned()
            } else {
                format!("the targets are {}", known.join(", "))
            };
            self.values
                .problem_of_all(format!("there is no target `{name}`"), Some(help));
            return;
        };
        if let Some(lake) = target.lake {
            raw.lake = lake;
        }
        if let Some(storage) = target.storage {
            raw.storage = storage;
        }
        raw.timezone = target.timezone.or(raw.timezone.take());
        raw.engine = target.engine.or(raw.engine.take());
        raw.sources.extend(target.sources);
    }

    /// The value with its variables replaced.
    pub(super) fn text(&mut self, text: &Text) -> Option<String> {
        self.values.text(text)
    }

    pub(super) fn optional(&mut self, text: Option<&Text>) -> Option<String> {
        self.values.optional(text)
    }

    /// The values in the file, overridden by those on the command line.
    fn vars(&mut self, vars: &BTreeMap<String, Text>) -> BTreeMap<String, Secret> {
        let given = self.options.vars;
        let mut all: BTreeMap<String, Secret> = given.iter().map(|(k, v)| (k.clone(), Secret::new(v))).collect();
        for (name, value) in vars.iter().filter(|(name, _)| !given.contains_key(*name)) {
            if let Some(value) = self.text(value) {
                all.insert(name.clone(), Secret::new(value));
            }
        }
        all
    }

    /// The columns in the file, or the defaults.
    fn erasure(&mut self, raw: &RawErasure) -> ErasureConfig {
        let defaults = ErasureConfig::default();
        let mut columns = |given: &Option<Vec<Text>>, defaults: Vec<String>| match given {
            Some(columns) => columns.iter().filter_map(|column| self.text(column)).collect(),
            None => defaults,
        };
        ErasureConfig {
            users: columns(&raw.users, defaults.users),
            sessions: columns(&raw.sessions, defaults.sessions),
        }
    }

    fn lake(&mut self, lake: &Text, storage: &BTreeMap<String, Text>) -> Option<LakeConfig> {
        let mut settings = BTreeMap::new();
        for (key, value) in storage {
            if let Some(value) = self.text(value) {
                settings.insert(key.clone(), as_secret(key, value));
            }
        }
        let written = storage
            .iter()
            .map(|(key, text)| (key.clone(), text.value.clone()))
            .collect();
        let path = self.text(lake)?;
        let url = match Url::parse(&path) {
            Ok(url) if path.contains("://") => Some(url),
            _ => Url::from_directory_path(normal(&self.values.root().join(&path))).ok(),
        };
        if url.is_none() || path.trim().is_empty() {
            let help = "write a folder, like ./lake, or a URL, like s3://bucket/lake".to_owned();
            self.problem(lake.referenced, "`lake` must be a folder or a URL", Some(help));
            return None;
        }
        if let Some(scheme) = url.as_ref().map(Url::scheme).filter(|scheme| !STORES.contains(scheme)) {
            let help = format!("use a folder, or a URL with one of the schemes {}", STORES.join(", "));
            self.problem(
                lake.referenced,
                format!("the lake cannot be in `{scheme}://`"),
                Some(help),
            );
            return None;
        }
        let storage = Storage::new(settings, written, self.values.variables().clone());
        url.map(|url| LakeConfig { url, storage })
    }

    fn pipelines(&mut self, raw: &OrderedMap<RawPipeline>) -> Vec<Pipeline> {
        let mut lines: BTreeMap<TableName, u64> = BTreeMap::new();
        let mut pipelines = vec![];
        for (name, pipeline) in &raw.0 {
            let trigger = pipeline
                .trigger
                .as_ref()
                .map_or_else(Trigger::default, |raw| self.trigger(raw));
            let mut steps = vec![];
            for step in &pipeline.steps {
                let Some(valid) = self.step(step) else { continue };
                if let Some(first) = lines.insert(valid.name.clone(), valid.line) {
                    let message = format!("two steps write `{}`: this one and the one on line {first}", valid.name);
                    let help = "remove or rename one of them".to_owned();
                    self.problem(step.value.name.referenced, message, Some(help));
                }
                steps.push(valid);
            }
            pipelines.push(Pipeline {
                name: name.clone(),
                trigger,
                steps,
            });
        }
        pipelines
    }

    fn step(&mut self, raw: &Spanned<RawStep>) -> Option<Step> {
        let step = &raw.value;
        let name = self.name(&step.name);
        let expect = name.as_ref().map(|name| self.expectations(name, &step.expect));
        let mode = self.mode(&step.mode);
        let file = self.text(&step.sql).map(PathBuf::from);
        let sql = file.as_deref().and_then(|file| self.sql(file, step.sql.referenced));
        let key: Vec<String> = step.key.iter().filter_map(|column| self.text(column)).collect();
        let partition_by = step.partition_by.iter().filter_map(|c| self.text(c)).collect();
        let cluster_by = step.cluster_by.iter().filter_map(|c| self.text(c)).collect();
        let delete = self.optional(step.delete.as_ref());
        let description = self.optional(step.description.as_ref());
        let columns = step
            .columns
            .iter()
            .filter_map(|(name, text)| Some((name.clone(), self.text(text)?)));
        let columns = columns.collect();
        let on_change = step.on_change.as_ref().and_then(|text| self.on_change(text));
        let refresh_after = step.refresh_after.as_ref().and_then(|text| self.share(text));
        let every = step.every.as_ref().and_then(|text| self.every(text));
        let compact_min_age = step.compact_min_age.as_ref().and_then(|text| self.duration(text));
        if let Some(mode) = mode {
            self.fits_mode(step, mode);
        }
        Some(Step {
            name: name?,
            file: file?,
            sql: sql?,
            mode: mode?,
            description,
            columns,
            key,
            delete,
            on_change: on_change.unwrap_or_default(),
            refresh_after,
            every,
            compact_min_age,
            partition_by,
            cluster_by,
            expect: expect?,
            line: raw.referenced.line(),
        })
    }

    fn name(&mut self, text: &Text) -> Option<TableName> {
        let name = self.text(text)?;
        match name.parse::<TableName>() {
            Ok(name) if RESERVED_LAYERS.contains(&name.layer.as_str()) || layer(&name.layer).is_some() => {
                let message = format!("the layer name `{}` is reserved", name.layer);
                self.problem(text.referenced, message, Some("choose another layer".to_owned()));
                None
            }
            Ok(name) => Some(name),
            Err(error) => {
                self.problem(text.referenced, error.to_string(), None);
                None
            }
        }
    }

    fn mode(&mut self, text: &Text) -> Option<Mode> {
        let value = self.text(text)?;
        let found = Mode::ALL.iter().find(|(name, _)| *name == value).map(|(_, mode)| *mode);
        if found.is_none() {
            let help = nearest(&value, Mode::ALL.iter().map(|(name, _)| *name));
            let help = help.map(|near| format!("did you mean `{near}`?"));
            let message = format!("unknown mode `{value}`; the modes are append, overwrite, merge, view");
            self.problem(text.referenced, message, help);
        }
        found
    }

    fn on_change(&mut self, text: &Text) -> Option<OnChange> {
        let value = self.text(text)?;
        let found = OnChange::ALL.iter().find(|(name, _)| *name == value);
        if found.is_none() {
            let help = nearest(&value, OnChange::ALL.iter().map(|(name, _)| *name));
            let help = help.map(|near| format!("did you mean `{near}`?"));
            let message = format!("unknown choice `{value}`; `on_change` is rebuild, forward or backfill");
            self.problem(text.referenced, message, help);
        }
        found.map(|(_, on_change)| *on_change)
    }

    pub(super) fn sql(&mut self, file: &Path, at: Location) -> Option<String> {
        match std::fs::read_to_string(self.values.root().join(file)) {
            Ok(sql) if sql.trim().is_empty() => {
                let help = "write one query into it: select …".to_owned();
                self.problem(at, format!("{} is empty", file.display()), Some(help));
                None
            }
            Ok(sql) => Some(sql),
            Err(error) => {
                let help = format!(
                    "the paths of SQL files are relative to {}",
                    self.values.root().display()
                );
                self.problem(at, format!("{} cannot be read: {error}", file.display()), Some(help));
                None
            }
        }
    }

    /// Parses `5%` or `0.05`.
    fn share(&mut self, text: &Text) -> Option<f64> {
        let value = self.text(text)?;
        let share = share::parse(&value);
        if share.is_none() {
            self.problem(
                text.referenced,
                format!("`{value}` is not a share"),
                Some("write a share from 0% to 100%, like 5% or 0.05".to_owned()),
            );
        }
        share
    }

    /// Rejects settings that do not apply to the step's mode.
    fn fits_mode(&mut self, step: &RawStep, mode: Mode) {
        if mode == Mode::Merge && step.key.is_empty() {
            let help = "name the columns that identify the rows to replace: key: [session_id]".to_owned();
            self.problem(step.mode.referenced, "a merge needs a `key`", Some(help));
        }
        let misplaced = [
            ("key", step.key.first(), mode == Mode::Merge),
            ("delete", step.delete.as_ref(), mode == Mode::Merge),
            (
                "on_change",
                step.on_change.as_ref(),
                matches!(mode, Mode::Append | Mode::Merge),
            ),
            ("refresh_after", step.refresh_after.as_ref(), mode == Mode::Overwrite),
            ("every", step.every.as_ref(), mode != Mode::View),
            ("compact_min_age", step.compact_min_age.as_ref(), mode == Mode::Merge),
            ("partition_by", step.partition_by.first(), mode != Mode::View),
            ("cluster_by", step.cluster_by.first(), mode != Mode::View),
        ];
        if let Some(first) = step.expect.first().filter(|_| mode == Mode::View) {
            let help = "a view writes no rows; give `expect` to a step that reads the view".to_owned();
            self.problem(
                first.referenced,
                "a step with `mode: view` cannot have `expect`",
                Some(help),
            );
        }
        for (name, given, allowed) in misplaced {
            if let Some(text) = given.filter(|_| !allowed) {
                self.problem(
                    text.referenced,
                    format!("a step with `mode: {mode}` cannot have `{name}`"),
                    Some(format!("remove `{name}`, or choose another mode")),
                );
            }
        }
    }
}
