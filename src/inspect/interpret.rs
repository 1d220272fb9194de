//! What a mapping makes of one record: the rows that the generated SQL should return for it. The unit test of a new
//! project expects them.

use serde_json::Value;

use super::mapping::{Choice, Event, Field, FieldType, Kinds, Mapping};
use super::nobody::is_nobody;
use super::times::PLAUSIBLE;

/// A row of `silver.clicks`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// Microseconds since 1970.
    pub event_at: Option<i64>,
    /// The session.
    pub session_id: Option<String>,
    /// The user.
    pub user_id: Option<String>,
    /// The item.
    pub item_id: Option<String>,
    /// What it counts as.
    pub event_type: Option<Event>,
    /// Why it is not accepted.
    pub reason: Option<&'static str>,
}

/// A value of another type than the field has: only SQL knows what it becomes.
struct Misfit;

/// The rows of a record, one per item of the mapping's list; `None` if a value has an unexpected type.
pub fn rows(mapping: &Mapping, record: &Value) -> Option<Vec<Row>> {
    let Some(list) = &mapping.list else {
        return row(mapping, record, None).ok().map(|row| vec![row]);
    };
    let items = match list.path.get(record) {
        Some(Value::Array(items)) => &items[..],
        None => &[],
        Some(_) => return None,
    };
    if items.iter().any(|item| item.is_object() == list.plain.is_some()) {
        return None;
    }
    if items.is_empty() {
        return row(mapping, record, None).ok().map(|row| vec![row]);
    }
    let rows = items.iter().map(|item| row(mapping, record, Some(item)).ok());
    rows.collect()
}

fn row(mapping: &Mapping, record: &Value, item: Option<&Value>) -> Result<Row, Misfit> {
    let text_of = |choice: &Choice| first(choice, |field| text(field, record, item));
    let event_at = first(&mapping.time, |field| time(field, record, item))?;
    let offset_ms = match &mapping.time_offset_ms {
        Some(field) => number(field, record, item)?,
        None => 0,
    };
    let (user_id, mut session_id) = (text_of(&mapping.user)?, text_of(&mapping.session)?);
    let anonymous_id = match &mapping.anonymous {
        Some(field) => text(field, record, item)?,
        None => None,
    };
    let within = anonymous_id.as_ref().or(user_id.as_ref());
    if let (Some(_), Some(session), Some(user)) = (&mapping.session_within_user, &mut session_id, within)
        && anonymous_id.as_ref() != Some(&*session)
    {
        *session = format!("{user}/{session}");
    }
    let known = |id: Option<String>, choice: &Choice| id.filter(|id| !is_nobody(id, choice));
    let mut row = Row {
        event_at: event_at.map(|at| at + 1_000 * offset_ms),
        session_id: known(session_id, &mapping.session),
        user_id: known(user_id, &mapping.user),
        item_id: text_of(&mapping.item)?,
        ..Row::default()
    };
    let mut kind_is_missing = false;
    match &mapping.kinds {
        Kinds::Views => row.event_type = Some(Event::View),
        Kinds::ByPresence(choice) => {
            let is_there = text_of(choice)?.is_some();
            row.event_type = Some(if is_there { Event::Purchase } else { Event::View });
        }
        Kinds::ByValue { choice, known, .. } => {
            let kind = text_of(choice)?;
            kind_is_missing = kind.is_none();
            let kind = kind.and_then(|kind| known.iter().find(|(name, _)| *name == kind));
            row.event_type = kind.map(|(_, event)| *event);
        }
    }
    row.reason = match &row {
        Row { event_at: None, .. } => Some("timestamp is missing"),
        Row { event_at: Some(at), .. } if !PLAUSIBLE.contains(at) => return Err(Misfit),
        Row { item_id: None, .. } => Some("item_id is missing"),
        Row { event_type: None, .. } if kind_is_missing => Some("event_type is missing"),
        Row { event_type: None, .. } => Some("event_type is unknown"),
        Row {
            session_id: None,
            user_id: None,
            ..
        } => Some("session_id and user_id are both missing"),
        _ => None,
    };
    Ok(row)
}

/// The first value of a choice.
fn first<T>(choice: &Choice, value: impl Fn(&Field) -> Result<Option<T>, Misfit>) -> Result<Option<T>, Misfit> {
    let mut found = None;
    for field in &choice.fields {
        // A misfit in any of the columns is an error of the record.
        let value = value(field)?;
        found = found.or(value);
    }
    Ok(found)
}

/// The value of an ID or kind, as text.
fn text(field: &Field, record: &Value, item: Option<&Value>) -> Result<Option<String>, Misfit> {
    match (field.field_type, field.value(record, item)) {
        (_, None) => Ok(None),
        (FieldType::Text | FieldType::Mixed, Some(Value::String(text))) => {
            let text = text.trim_matches(' ');
            Ok((!text.is_empty()).then(|| text.to_owned()))
        }
        (FieldType::Integer | FieldType::Mixed, Some(Value::Number(number))) if number.is_i64() => {
            Ok(Some(number.to_string()))
        }
        _ => Err(Misfit),
    }
}

fn time(field: &Field, record: &Value, item: Option<&Value>) -> Result<Option<i64>, Misfit> {
    match (field.field_type, field.value(record, item)) {
        (_, None) => Ok(None),
        (FieldType::Time(notation), Some(value)) => notation.micros(value).map(Some).ok_or(Misfit),
        _ => Err(Misfit),
    }
}

/// A number of milliseconds; what is none is 0.
fn number(field: &Field, record: &Value, item: Option<&Value>) -> Result<i64, Misfit> {
    let text = text(field, record, item)?;
    Ok(text.and_then(|text| text.parse().ok()).unwrap_or_default())
}

/// The text that two fields of a record have, for a check of how they belong together.
pub(super) fn text_of(choice: &Choice, record: &Value) -> Option<String> {
    first(choice, |field| text(field, record, None)).ok().flatten()
}
