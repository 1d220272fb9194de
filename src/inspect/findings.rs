//! What a look at a sample finds, and how it is printed.

use std::path::Path;

use super::InspectError;
use super::infer::infer;
use super::locate::{LocatedSource, locate};
use super::mapping::{Choice, FieldType, Kinds, Mapping, Role};
use super::presets::{Preset, preset, recognized};
use super::sample::{Other, Record, Sample};
use super::shape::Shape;

/// How many fields an error names.
const FIELDS_NAMED: usize = 12;

/// What is known of a sample.
#[derive(Debug)]
pub struct Findings {
    /// As it was given.
    pub sample: String,
    /// The sources that read it.
    pub sources: Vec<LocatedSource>,
    /// Files that are of another format.
    pub left_out: Vec<String>,
    /// Records that were looked at.
    pub records: Vec<Record>,
    /// Records that are not JSON objects.
    pub others: usize,
    /// The preset that decided, with what it is, and whether it was recognized rather than asked for.
    pub preset: Option<(&'static str, String, bool)>,
    /// What the records mean.
    pub mapping: Mapping,
}

/// Looks at a sample, for a project in `folder` (an absolute path).
///
/// # Errors
/// When it cannot be read, has no records, or is not what the preset says.
pub async fn look(sample: &str, folder: &Path, wanted: Option<&str>) -> Result<Findings, InspectError> {
    let wanted = wanted.and_then(preset);
    let located = locate(sample, folder, wanted.as_ref().map(|(name, _)| *name)).await?;
    let settings: Vec<String> = located.sources.iter().map(|source| source.settings.clone()).collect();
    let read = Sample::read(&settings, folder).await?;
    if read.records.is_empty() {
        return Err(no_records(sample, read.example));
    }
    let shape = Shape::of(read.records.iter().map(|record| &record.value));
    let of_layout = || located.preset.and_then(preset);
    let was_asked = wanted.is_some();
    // Events of a known schema may lack what is needed, or have it elsewhere.
    let fits = |(name, preset): &(&'static str, Preset)| preset.mapping(name, &shape).is_ok();
    let known = wanted.or_else(of_layout).or_else(|| recognized(&shape).filter(fits));
    let mapping = match &known {
        Some((name, preset)) => mapped(sample, name, preset, &shape, &read.records)?,
        None => infer(&shape, &read.records),
    };
    Ok(Findings {
        sample: sample.to_owned(),
        sources: located.sources,
        left_out: located.left_out,
        records: read.records,
        others: read.others,
        preset: known.map(|(name, preset)| (name, preset.about, !was_asked)),
        mapping,
    })
}

fn mapped(
    sample: &str,
    name: &str,
    preset: &Preset,
    shape: &Shape,
    records: &[Record],
) -> Result<Mapping, InspectError> {
    let mut mapping = preset
        .mapping(name, shape)
        .map_err(|missing| InspectError::NotOfPreset {
            sample: sample.to_owned(),
            preset: name.to_owned(),
            missing,
            fields: named_fields(shape),
        })?;
    mapping.others = infer(shape, records).others;
    Ok(mapping)
}

/// The fields of records, for an error.
pub(super) fn named_fields(shape: &Shape) -> String {
    let fields: Vec<String> = shape.fields().map(|seen| seen.place.to_string()).collect();
    let more = if fields.len() > FIELDS_NAMED { ", …" } else { "" };
    format!("{}{more}", fields[..fields.len().min(FIELDS_NAMED)].join(", "))
}

fn no_records(sample: &str, example: Option<Other>) -> InspectError {
    let sample = sample.to_owned();
    match example {
        None => InspectError::Empty { sample },
        Some(Other { reason, help }) => InspectError::NotRecords {
            sample,
            reason,
            help: help.to_owned(),
        },
    }
}

impl Findings {
    /// One row for each role: its name, the field, its type, and the reason.
    pub fn rows(&self) -> Vec<[String; 4]> {
        let mut rows = vec![];
        if let Some(list) = &self.mapping.list {
            let path = format!("{}[]", list.path);
            rows.push([
                "list".to_owned(),
                path,
                "a row for each item".to_owned(),
                list.reason.clone(),
            ]);
        }
        let choices = self.mapping.choices();
        for role in Role::ALL {
            let choice = choices
                .iter()
                .find(|(known, _)| *known == role)
                .map(|(_, choice)| *choice);
            match choice {
                Some(choice) if !choice.fields.is_empty() => rows.push(self.row(role, choice)),
                _ => rows.extend(self.without(role)),
            }
        }
        if let Some(field) = &self.mapping.anonymous {
            rows.push([
                "anonymous ID".to_owned(),
                field.place.to_string(),
                described(field.field_type),
                "stays in `extra`, as `anonymous_id`: a login tells whose it is".to_owned(),
            ]);
        }
        for (role, field) in &self.mapping.others {
            let kept = "stays in `extra`".to_owned();
            rows.push([
                role.label().to_owned(),
                field.place.to_string(),
                described(field.field_type),
                kept,
            ]);
        }
        rows
    }

    fn row(&self, role: Role, choice: &Choice) -> [String; 4] {
        let fields: Vec<String> = choice.fields.iter().map(|field| field.place.to_string()).collect();
        let first = choice.fields.first().map(|field| described(field.field_type));
        let mut reason = choice.reason.clone();
        if let (Role::Session, Some(why)) = (role, &self.mapping.session_within_user) {
            reason = format!("{reason}; with {}, because {why}", self.mapping.owner_of_sessions());
        }
        if let (Role::Kind, Kinds::ByValue { known, unknown, .. }) = (role, &self.mapping.kinds) {
            let known: Vec<String> = known.iter().map(|(kind, event)| format!("{kind} → {event}")).collect();
            reason = format!("{reason}: {}", known.join(", "));
            if !unknown.is_empty() {
                let unknown: Vec<&str> = unknown.iter().map(|(kind, _)| kind.as_str()).collect();
                reason = format!("{reason}; not accepted: {}", unknown.join(", "));
            }
        }
        if let Some(doubt) = &choice.doubt {
            reason = format!("{reason}. Not sure: {doubt}");
        }
        let fields = fields.join(", else ");
        [role.label().to_owned(), fields, first.unwrap_or_default(), reason]
    }

    /// What a project does without a role.
    fn without(&self, role: Role) -> Option<[String; 4]> {
        let has_user = !self.mapping.user.fields.is_empty();
        let consequence = match role {
            Role::EventId => "records with the same content are one event",
            Role::Session if has_user => "sessions are inferred: one ends when its user is silent for 30 minutes",
            Role::Session | Role::Time | Role::Item => "no field looks like it: see below",
            Role::Kind => "every event counts as a view",
            Role::User | Role::Price | Role::Quantity | Role::Position => return None,
        };
        let dash = "–".to_owned();
        Some([role.label().to_owned(), dash.clone(), dash, consequence.to_owned()])
    }
}

fn described(field_type: FieldType) -> String {
    match field_type {
        FieldType::Text => "text".to_owned(),
        FieldType::Integer => "integer".to_owned(),
        FieldType::Mixed => "text and numbers".to_owned(),
        FieldType::Time(notation) => notation.description(),
    }
}
