//! Finds out what a sample is: the sources that read it, as `pipelines.yaml` will have them, with the format of its
//! files.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use glob::Pattern;

use super::InspectError;
use super::presets::{self, Layout};
use super::sample::open;
use crate::settings::{normal, yaml_value};
use crate::sources::formats::{FormatOptions, Guess, guess};
use crate::sources::{Head, Source, is_pattern, is_read_from_folders};

const KAFKA: &str = "kafka://";
/// The name of the source that the shipped SQL reads.
const CLICKS: &str = "clicks";

/// A source of the new project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocatedSource {
    /// Its name in SQL.
    pub name: String,
    /// Its settings as YAML, on one line.
    pub settings: String,
    /// Its format, for people.
    pub format: String,
}

impl LocatedSource {
    /// Opens it, for a project in `folder` (an absolute path).
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(&self, folder: &Path) -> Result<Arc<dyn Source>, InspectError> {
        open(&self.settings, folder)
    }
}

/// What a sample is.
#[derive(Debug, Default)]
pub(super) struct Located {
    pub sources: Vec<LocatedSource>,
    /// Files that are of another format, and are not read.
    pub left_out: Vec<String>,
    /// The preset that columns without names have.
    pub preset: Option<&'static str>,
}

/// Files of one format.
struct Group<'h> {
    guess: Guess,
    layout: Option<(&'static str, Layout)>,
    heads: Vec<&'h Head>,
}

/// The sources of a sample, for a project in `folder`.
pub(super) async fn locate(sample: &str, folder: &Path, preset: Option<&'static str>) -> Result<Located, InspectError> {
    if let Some(topic) = sample.strip_prefix(KAFKA) {
        return kafka(sample, topic);
    }
    let path = path(sample, folder)?;
    let heads = open(&format!("files: {{ path: {} }}", yaml_value(&path)), folder)?
        .heads()
        .await?;
    if heads.is_empty() {
        return Err(InspectError::Empty {
            sample: sample.to_owned(),
        });
    }
    let (groups, reason) = grouped(&heads, preset);
    let Some(main) = groups.iter().max_by_key(|group| group.bytes()) else {
        return Err(InspectError::NotRecords {
            sample: sample.to_owned(),
            reason: format!("it is {}", reason.unwrap_or_default()),
            help: "clickrec reads JSON, CSV, Parquet, Avro and Arrow files; for lines of another kind, run `clickrec init`, \
                   set `format: text`, and parse the lines in sql/silver/clicks.sql"
                .to_owned(),
        });
    };
    // Files of several layouts are read together if one preset knows all of them.
    let kept = |group: &&Group<'_>| match (&group.layout, &main.layout) {
        (Some((one, _)), Some((other, _))) => one == other,
        _ => std::ptr::eq(*group, main),
    };
    let (mut kept, others): (Vec<&Group<'_>>, Vec<&Group<'_>>) = groups.iter().partition(kept);
    // The first one gets the name that the SQL knows.
    kept.sort_by_key(|group| group.layout_name() != Some(CLICKS));
    let mut located = Located {
        preset: main.layout.as_ref().map(|(preset, _)| *preset),
        left_out: others.iter().flat_map(|group| group.places()).collect(),
        sources: vec![],
    };
    for group in &kept {
        let rest = heads
            .iter()
            .filter(|head| !group.heads.iter().any(|own| std::ptr::eq(*own, *head)));
        let rest: Vec<&Head> = rest.collect();
        let Some(path) = group.path(&path, &rest) else {
            return Err(InspectError::Location {
                sample: sample.to_owned(),
                reason: format!(
                    "it has files of several formats, among them {}",
                    group.places().join(", ")
                ),
                help: "name one of them, or a pattern that matches files of one format only".to_owned(),
            });
        };
        located.sources.push(group.source(&path, located.sources.len()));
    }
    Ok(located)
}

/// `kafka://HOST:PORT/TOPIC`.
fn kafka(sample: &str, topic: &str) -> Result<Located, InspectError> {
    match topic.split_once('/') {
        Some((brokers, topic)) if !brokers.is_empty() && !topic.is_empty() && !topic.contains('/') => Ok(Located {
            sources: vec![LocatedSource {
                name: CLICKS.to_owned(),
                settings: format!(
                    "kafka: {{ brokers: {}, topic: {} }}",
                    yaml_value(brokers),
                    yaml_value(topic)
                ),
                format: "JSON in Kafka".to_owned(),
            }],
            ..Located::default()
        }),
        _ => Err(InspectError::Location {
            sample: sample.to_owned(),
            reason: "it does not name a topic".to_owned(),
            help:
                "write kafka://HOST:PORT/TOPIC; if the brokers require credentials, save some records in a file, and name \
                   that instead"
                    .to_owned(),
        }),
    }
}

/// The path of a sample as `pipelines.yaml` has it: relative to the project if it is inside, else absolute.
fn path(sample: &str, folder: &Path) -> Result<String, InspectError> {
    let unusable = |reason: &str, help: &str| InspectError::Location {
        sample: sample.to_owned(),
        reason: reason.to_owned(),
        help: help.to_owned(),
    };
    if sample == "-" {
        return Err(unusable(
            "standard input cannot be read again by the project",
            "save it in a file, and name that",
        ));
    }
    if sample.contains("://") {
        return Ok(sample.to_owned());
    }
    let absolute =
        std::path::absolute(sample).map_err(|error| unusable(&error.to_string(), "name a file or a folder"))?;
    let absolute = normal(&absolute);
    if !is_pattern(sample) && !absolute.exists() {
        return Err(unusable("no such file or folder", "check the path"));
    }
    let inside: Option<PathBuf> = absolute.strip_prefix(folder).ok().map(Path::to_path_buf);
    let path = match inside {
        Some(inside) if inside.as_os_str().is_empty() => PathBuf::from("."),
        Some(inside) => inside,
        None => absolute,
    };
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| unusable("its name is not UTF-8", "rename it"))
}

/// Files by format, and why a file is in none.
fn grouped<'h>(heads: &'h [Head], preset: Option<&'static str>) -> (Vec<Group<'h>>, Option<String>) {
    let (mut groups, mut reason): (Vec<Group<'h>>, _) = (vec![], None);
    for head in heads {
        let guessed = match guess(name(head), &head.text) {
            Ok(guessed) => guessed,
            Err(what) => {
                reason.get_or_insert(what);
                continue;
            }
        };
        match groups.iter_mut().find(|group| group.takes(&guessed)) {
            Some(group) => group.add(guessed, head),
            None => groups.push(Group {
                layout: presets::layout_of(&guessed.rows, preset),
                guess: guessed,
                heads: vec![head],
            }),
        }
    }
    (groups, reason)
}

fn name(head: &Head) -> &str {
    head.place.rsplit('/').next().unwrap_or_default()
}

impl<'h> Group<'h> {
    /// Whether a file is of the same format, whatever texts stand for missing values in it.
    fn takes(&self, other: &Guess) -> bool {
        let without = |options: &FormatOptions| FormatOptions {
            nulls: None,
            ..options.clone()
        };
        self.guess.format == other.format && without(&self.guess.options) == without(&other.options)
    }

    fn add(&mut self, other: Guess, head: &'h Head) {
        let nulls = self.guess.options.nulls.get_or_insert_with(|| vec![String::new()]);
        for null in other.options.nulls.into_iter().flatten() {
            if !nulls.contains(&null) {
                nulls.push(null);
            }
        }
        self.heads.push(head);
    }

    fn layout_name(&self) -> Option<&str> {
        let (_, layout) = self.layout.as_ref()?;
        layout.name.as_deref()
    }

    fn bytes(&self) -> u64 {
        self.heads.iter().map(|head| head.size).sum()
    }

    fn places(&self) -> Vec<String> {
        self.heads.iter().map(|head| head.place.clone()).collect()
    }

    /// A path that reads these files and none of the others: the sample itself, or a file or pattern in it.
    fn path(&self, sample: &str, others: &[&Head]) -> Option<String> {
        let is_file = |head: &Head| head.below.is_empty();
        if (is_pattern(sample) && others.is_empty()) || self.heads.iter().any(|head| is_file(head)) {
            return Some(sample.to_owned());
        }
        let takes = |head: &Head| is_read_from_folders(self.guess.format, &head.below);
        if !is_pattern(sample) && self.heads.iter().all(|head| takes(head)) && !others.iter().any(|head| takes(head)) {
            return Some(sample.to_owned());
        }
        let folder = match is_pattern(sample) {
            true => return None,
            false => sample.trim_end_matches('/'),
        };
        if let [only] = self.heads[..] {
            return Some(format!("{folder}/{}", only.below));
        }
        Some(format!("{folder}/{}", self.pattern(others)?))
    }

    /// A pattern that matches these files in their folder and none of the others: an extension, a common beginning, or
    /// everything.
    fn pattern(&self, others: &[&Head]) -> Option<String> {
        let [first, rest @ ..] = &self.heads[..] else {
            return None;
        };
        let endings = name(first).match_indices('.').map(|(dot, _)| &name(first)[dot..]);
        let endings = endings.map(|ending| format!("*{}", Pattern::escape(ending)));
        let beginning = rest
            .iter()
            .fold(first.below.as_str(), |same, head| beginning(same, &head.below));
        let is_exact = |pattern: &String| {
            Pattern::new(pattern).is_ok_and(|pattern| {
                let matches = |head: &Head| pattern.matches(&head.below);
                self.heads.iter().all(|head| matches(head)) && !others.iter().any(|head| matches(head))
            })
        };
        endings
            .chain([format!("{}*", Pattern::escape(beginning)), "*".to_owned()])
            .find(is_exact)
    }

    fn source(&self, path: &str, place: usize) -> LocatedSource {
        let mut options = self.guess.options.clone();
        if let Some((_, layout)) = &self.layout {
            options.columns = Some(layout.columns.clone());
        }
        let name = match (place, self.layout_name()) {
            (0, _) => CLICKS.to_owned(),
            (_, Some(name)) => name.to_owned(),
            (_, None) => format!("{CLICKS}_{}", place + 1),
        };
        let is_ended = self.heads.iter().all(|head| head.is_ended);
        LocatedSource {
            name,
            settings: settings(path, self.guess.format, &options, is_ended),
            format: description(self.guess.format, &options),
        }
    }
}

/// What a text has in common with another one, from its beginning on.
fn beginning<'t>(text: &'t str, other: &str) -> &'t str {
    let same = text.chars().zip(other.chars()).take_while(|(one, other)| one == other);
    &text[..same.map(|(letter, _)| letter.len_utf8()).sum::<usize>()]
}

/// The settings of files, as `pipelines.yaml` has them.
fn settings(path: &str, format: &str, options: &FormatOptions, is_ended: bool) -> String {
    let list = |texts: &[String]| {
        let texts: Vec<String> = texts.iter().map(|text| yaml_value(text)).collect();
        format!("[{}]", texts.join(", "))
    };
    let mut settings = format!("files: {{ path: {}, format: {format}", yaml_value(path));
    let mut add = |key: &str, written: Option<String>| {
        if let Some(written) = written {
            // Writing to memory does not fail.
            _ = write!(settings, ", {key}: {written}");
        }
    };
    add("header", options.header.map(|header| header.to_string()));
    add("columns", options.columns.as_deref().map(list));
    // YAML reads escapes such as \t in double quotes only.
    add(
        "delimiter",
        options
            .delimiter
            .as_deref()
            .map(|text| serde_json::Value::from(text).to_string()),
    );
    add(
        "nulls",
        options.nulls.as_deref().filter(|nulls| nulls.len() > 1).map(list),
    );
    let is_text = matches!(format, "csv" | "json");
    add("growing", (is_text && !is_ended).then(|| "false".to_owned()));
    settings.push_str(" }");
    settings
}

fn description(format: &str, options: &FormatOptions) -> String {
    let separator = match options.delimiter.as_deref() {
        Some("\t") => ", separated by tabs".to_owned(),
        Some(delimiter) => format!(", separated by {delimiter}"),
        None => String::new(),
    };
    let header = if options.header == Some(false) {
        " without a header"
    } else {
        ""
    };
    format!("{format}{header}{separator}")
}

#[cfg(test)]
mod tests;
