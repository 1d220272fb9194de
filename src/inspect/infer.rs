//! What records mean, by the names and values of their fields.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::interpret::text_of;
use super::kinds::mapped;
use super::mapping::{Choice, Field, FieldType, Kinds, List, Mapping, Role};
use super::names::weight;
use super::nobody::counts_from_zero;
use super::place::{FieldPath, Place};
use super::roles::{Candidate, Scope, field_type, rival, unnamed};
use super::sample::Record;
use super::shape::{Seen, Shape};
use super::times::TimeNotation;

/// Whether the items of a list are events, or parts of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Items {
    Events,
    Lines,
}

/// What these records mean.
pub(super) fn infer(shape: &Shape, records: &[Record]) -> Mapping {
    let list = list(shape, records);
    let scope = Scope {
        shape,
        list: list.as_ref().map(|(list, _)| &list.path),
    };
    let items = list.as_ref().map(|(_, items)| *items);
    let are_events = items == Some(Items::Events);
    let of = |role, list_first| choice(scope, role, list_first);
    let mut mapping = Mapping {
        event_id: of(Role::EventId, are_events),
        time: of(Role::Time, are_events),
        time_offset_ms: None,
        session: of(Role::Session, false),
        session_within_user: None,
        user: of(Role::User, false),
        anonymous: None,
        item: of(Role::Item, items.is_some()),
        kinds: kinds(scope, are_events),
        others: vec![],
        list: list.as_ref().map(|(list, _)| list.clone()),
    };
    if items == Some(Items::Lines) {
        // Views of one item and orders of many may be in one stream.
        let in_record = Scope { shape, list: None };
        mapping.item.fields.extend(choice(in_record, Role::Item, false).fields);
        // The ID of a line is not that of its record.
        mapping.event_id = choice(in_record, Role::EventId, false);
    }
    guess_unnamed(scope, &mut mapping);
    mapping.session_within_user = session_within_user(shape, records, &mapping);
    let order = mapping.time.fields.is_empty().then_some(Role::Position);
    for role in [Role::Price, Role::Quantity].into_iter().chain(order) {
        let field = choice(scope, role, items.is_some()).fields.into_iter().next();
        mapping.others.extend(field.map(|field| (role, field)));
    }
    mapping
}

/// The list whose items become rows, if there is one: the one whose items name an item best.
fn list(shape: &Shape, records: &[Record]) -> Option<(List, Items)> {
    let lists = shape.lists();
    let named = lists.into_iter().rev().filter_map(|path| {
        let scope = Scope {
            shape,
            list: Some(path),
        };
        let inside = |candidate: &Candidate| candidate.place.list.as_ref() == Some(path);
        let item = scope.candidates(Role::Item).into_iter().find(inside)?;
        let has_time = scope
            .candidates(Role::Time)
            .iter()
            .any(|time| inside(time) && weight(Role::Time, &time.place) > 0);
        Some((path, item, has_time))
    });
    let (path, item, has_time) = named.max_by_key(|(_, item, _)| item.score)?;
    let in_record = Scope { shape, list: None }.candidates(Role::Item).into_iter().next();
    let items = match (&in_record, has_time) {
        (None, true) => Items::Events,
        (None, false) => Items::Lines,
        // A list next to an item, like recommendations on its page, is not a list of events.
        (Some(single), _) if are_together(records, path, single) => return None,
        (Some(_), _) => Items::Lines,
    };
    let seen = shape.field(&item.place)?;
    let list = List {
        path: path.clone(),
        plain: item.place.path.is_empty().then(|| field_type(seen)),
        reason: match items {
            Items::Events => "each of its elements has an item and a time".to_owned(),
            Items::Lines => "each of its elements names an item".to_owned(),
        },
    };
    Some((list, items))
}

/// Whether many records have both a list and an item of their own.
fn are_together(records: &[Record], list: &FieldPath, item: &Candidate) -> bool {
    let (mut lists, mut both) = (0, 0);
    for record in records {
        if matches!(list.get(&record.value), Some(Value::Array(items)) if !items.is_empty()) {
            lists += 1;
            both += usize::from(item.place.path.get(&record.value).is_some());
        }
    }
    10 * both > lists
}

/// The best field for a role, of the items of the list or of the record itself first.
fn choice(scope: Scope<'_>, role: Role, list_first: bool) -> Choice {
    let mut candidates = scope.candidates(role);
    // Stable: within each, the best comes first.
    candidates.sort_by_key(|candidate| candidate.place.list.is_some() != list_first);
    let Some(best) = candidates.first() else {
        return Choice::default();
    };
    let Some(seen) = scope.shape.field(&best.place) else {
        return Choice::default();
    };
    let field = field(role, seen);
    let near = rival(&candidates).map(|near| format!("`{}` would fit almost as well", near.place));
    let of_time = match field.field_type {
        FieldType::Time(_) if seen.times.are_days(seen.present) => {
            Some("it has no time of day, so the order of events within a day is not known".to_owned())
        }
        FieldType::Time(notation) => notation.doubt().map(str::to_owned),
        _ => None,
    };
    Choice {
        reason: best.reason.clone(),
        is_open: near.is_some(),
        doubt: near.or(of_time),
        fields: vec![field],
    }
}

/// A field with its type.
pub(super) fn field(role: Role, seen: &Seen) -> Field {
    let notation = || seen.times.notation(seen.present).unwrap_or(TimeNotation::Text);
    Field {
        place: seen.place.clone(),
        field_type: match role {
            Role::Time => FieldType::Time(notation()),
            _ => field_type(seen),
        },
        counts_from_zero: counts_from_zero(seen),
    }
}

fn kinds(scope: Scope<'_>, list_first: bool) -> Kinds {
    let choice = choice(scope, Role::Kind, list_first);
    let seen = choice.fields.first().and_then(|field| scope.shape.field(&field.place));
    seen.map_or(Kinds::Views, |seen| kinds_of(choice.clone(), seen))
}

/// The kinds in a field that was chosen.
pub(super) fn kinds_of(mut choice: Choice, seen: &Seen) -> Kinds {
    let (known, unknown) = mapped(&seen.commonest());
    if known.is_empty() {
        choice.doubt = Some("none of its values is known: map them in the SQL".to_owned());
    }
    Kinds::ByValue { choice, known, unknown }
}

/// Guesses an item, and a session if there is no user either.
fn guess_unnamed(scope: Scope<'_>, mapping: &mut Mapping) {
    for role in [Role::Session, Role::Item] {
        let is_needed = match role {
            Role::Session => mapping.session.fields.is_empty() && mapping.user.fields.is_empty(),
            _ => mapping.item.fields.is_empty(),
        };
        let choices = mapping.choices();
        let taken: Vec<&Place> = choices
            .iter()
            .flat_map(|(_, choice)| &choice.fields)
            .map(|field| &field.place)
            .collect();
        let guessed = is_needed.then(|| unnamed(scope, role, &taken)).flatten();
        let seen = guessed.as_ref().and_then(|guessed| scope.shape.field(&guessed.place));
        let (Some(guessed), Some(seen)) = (guessed, seen) else {
            continue;
        };
        let choice = Choice {
            fields: vec![field(role, seen)],
            reason: guessed.reason,
            doubt: Some("its name says nothing: check it".to_owned()),
            is_open: true,
        };
        match role {
            Role::Session => mapping.session = choice,
            _ => mapping.item = choice,
        }
    }
}

/// Why session IDs are unique only within a user: times, or counters, may be the same for two of them.
fn session_within_user(shape: &Shape, records: &[Record], mapping: &Mapping) -> Option<String> {
    let [session, ..] = &mapping.session.fields[..] else {
        return None;
    };
    if mapping.user.fields.is_empty() {
        return None;
    }
    let seen = shape.field(&session.place)?;
    if seen.times.notation(seen.present).is_some() {
        return Some("its values are times, which may be the same for two users".to_owned());
    }
    let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for record in records {
        let (session, user) = (
            text_of(&mapping.session, &record.value),
            text_of(&mapping.user, &record.value),
        );
        if let (Some(session), Some(user)) = (session, user) {
            users.entry(session).or_default().insert(user);
        }
    }
    let shared = users.values().filter(|users| users.len() > 1).count();
    (5 * shared > users.len()).then(|| "different users have the same one".to_owned())
}

#[cfg(test)]
mod tests;
