//! Presets: what is known of public schemas. Each is a file of YAML: the fields, and what kinds of events count as.

use serde::Deserialize;

use super::infer::field;
use super::mapping::{Choice, Field, KindLists, Kinds, List, Mapping, Role};
use super::place::Place;
use super::roles::field_type;
use super::shape::Shape;
use super::times::TimeNotation;

/// The files, by name.
const PRESETS: [(&str, &str); 9] = [
    ("ga4", include_str!("ga4.yaml")),
    ("segment", include_str!("segment.yaml")),
    ("snowplow", include_str!("snowplow.yaml")),
    ("retailrocket", include_str!("retailrocket.yaml")),
    ("otto", include_str!("otto.yaml")),
    ("yoochoose", include_str!("yoochoose.yaml")),
    ("diginetica", include_str!("diginetica.yaml")),
    ("rees46", include_str!("rees46.yaml")),
    ("datagen", include_str!("datagen.yaml")),
];

/// A known schema. Places are written `properties.products[].product_id`; the first that has a value counts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Preset {
    /// What it is.
    pub about: String,
    /// The fields that tell it, all of them.
    #[serde(default)]
    recognized_by: Vec<String>,
    /// Its files without a header.
    #[serde(default)]
    layouts: Vec<Layout>,
    #[serde(default)]
    event_id: Vec<String>,
    time: Vec<String>,
    /// A number of milliseconds to add to the time.
    time_offset_ms: Option<String>,
    #[serde(default)]
    session: Vec<String>,
    /// Whether different users may have the same session.
    #[serde(default)]
    session_within_user: bool,
    #[serde(default)]
    user: Vec<String>,
    /// The browser or device, apart from the user.
    anonymous: Option<String>,
    item: Vec<String>,
    #[serde(default)]
    kind: Vec<String>,
    #[serde(default)]
    kinds: KindLists,
    /// The field that only purchases have, if there is no kind.
    purchase_if: Option<String>,
}

/// The columns of a file without a header.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Layout {
    /// The name of its source, if it is not the only one.
    pub name: Option<String>,
    pub columns: Vec<String>,
    /// What the values of each column are.
    types: Vec<ColumnType>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ColumnType {
    Digits,
    Time,
    Any,
}

/// The names of the presets.
pub fn names() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|(name, _)| *name)
}

/// The preset of a name.
pub(super) fn preset(name: &str) -> Option<(&'static str, Preset)> {
    let (name, text) = *PRESETS.iter().find(|(known, _)| *known == name)?;
    // A unit test parses them all.
    Some((name, serde_yaml::from_str(text).ok()?))
}

fn all() -> impl Iterator<Item = (&'static str, Preset)> {
    names().filter_map(preset)
}

/// The preset that a sample looks like.
pub(super) fn recognized(shape: &Shape) -> Option<(&'static str, Preset)> {
    let has = |place: &String| shape.field(&Place::parse(place)).is_some();
    let mut known = all().filter(|(_, preset)| !preset.recognized_by.is_empty());
    known.find(|(_, preset)| preset.recognized_by.iter().all(has))
}

/// The layout of a file with these first rows and no header: of this preset, or of any that it looks like.
pub(super) fn layout_of(rows: &[Vec<String>], wanted: Option<&str>) -> Option<(&'static str, Layout)> {
    let fits = |layout: &Layout| {
        let of_row = |row: &Vec<String>| {
            row.len() == layout.types.len() && row.iter().zip(&layout.types).all(|(value, kind)| kind.takes(value))
        };
        !rows.is_empty() && rows.iter().all(of_row)
    };
    let mut known = all().filter(|(name, _)| wanted.is_none_or(|wanted| wanted == *name));
    known.find_map(|(name, preset)| Some((name, preset.layouts.into_iter().find(fits)?)))
}

impl ColumnType {
    fn takes(self, value: &str) -> bool {
        match self {
            Self::Digits => !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()),
            Self::Time => TimeNotation::Text.micros(&value.into()).is_some(),
            Self::Any => true,
        }
    }
}

impl Preset {
    /// What records of this shape mean.
    ///
    /// # Errors
    /// The fields that they lack.
    pub fn mapping(&self, name: &str, shape: &Shape) -> Result<Mapping, String> {
        let items = self.item.iter().map(|text| Place::parse(text));
        let mut items = items.filter(|place| shape.field(place).is_some());
        let (list, of_list) = items.find_map(|place| Some((place.list.clone()?, place))).unzip();
        let fields = |role: Role, texts: &[String]| -> Vec<Field> {
            let places = texts.iter().map(|text| Place::parse(text));
            let seen = places.filter_map(|place| shape.field(&place));
            seen.filter(|seen| seen.place.list.is_none() || seen.place.list == list)
                .map(|seen| field(role, seen))
                .collect()
        };
        let chosen = |role: Role, texts: &[String]| Choice {
            fields: fields(role, texts),
            reason: format!("the preset `{name}`"),
            doubt: None,
            is_open: false,
        };
        let (time, item) = (chosen(Role::Time, &self.time), chosen(Role::Item, &self.item));
        for (choice, texts) in [(&time, &self.time), (&item, &self.item)] {
            if choice.fields.is_empty() {
                return Err(texts.join(" or "));
            }
        }
        let plain = of_list.filter(|place| place.path.is_empty());
        let plain = plain.and_then(|place| shape.field(&place)).map(field_type);
        let offset = self.time_offset_ms.as_slice();
        let (session, user) = (chosen(Role::Session, &self.session), chosen(Role::User, &self.user));
        let anonymous = fields(Role::User, self.anonymous.as_slice()).into_iter().next();
        let has_user = anonymous.is_some() || !user.fields.is_empty();
        let is_within_user = self.session_within_user && !session.fields.is_empty() && has_user;
        Ok(Mapping {
            list: list.clone().map(|path| List {
                path,
                plain,
                reason: format!("the preset `{name}`"),
            }),
            event_id: chosen(Role::EventId, &self.event_id),
            time,
            time_offset_ms: fields(Role::Quantity, offset).into_iter().next(),
            session,
            session_within_user: is_within_user.then(|| "different users may have the same one".to_owned()),
            user,
            anonymous,
            item,
            kinds: self.kinds_in(shape, &chosen),
            others: vec![],
        })
    }

    fn kinds_in(&self, shape: &Shape, chosen: &dyn Fn(Role, &[String]) -> Choice) -> Kinds {
        let choice = chosen(Role::Kind, &self.kind);
        if choice.fields.is_empty() {
            let marks = chosen(Role::Kind, self.purchase_if.as_slice());
            return match marks.fields.is_empty() {
                true => Kinds::Views,
                false => Kinds::ByPresence(marks),
            };
        }
        let known = self.kinds.known();
        let seen = choice.fields.iter().filter_map(|field| shape.field(&field.place));
        let mut unknown: Vec<(String, usize)> = vec![];
        for (kind, count) in seen.flat_map(|seen| seen.commonest()) {
            let is_listed = known.iter().any(|(name, _)| name == kind) || unknown.iter().any(|(name, _)| name == kind);
            if !is_listed {
                unknown.push((kind.to_owned(), count));
            }
        }
        Kinds::ByValue { choice, known, unknown }
    }
}

#[cfg(test)]
mod tests;
