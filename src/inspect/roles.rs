//! Which fields may have which role, best first, by their names and values.

use super::kinds::{Recognized, recognized};
use super::mapping::{FieldType, Role};
use super::names::weight;
use super::place::{FieldPath, Place};
use super::shape::{Seen, Shape};

/// Candidates this close to each other leave a doubt.
const NEAR: usize = 8;
/// A kind has few different values.
const KINDS_MAX: usize = 60;
/// A name of this weight says what a field is, whatever its values are.
const CERTAIN: usize = 80;
/// The least share, in percent, of records or items in which a field must have a value.
const COVERAGE_MIN: usize = 5;

/// A field that may have a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub place: Place,
    pub score: usize,
    pub reason: String,
}

/// Where a field for a role may be: in records, or in the items of a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    pub shape: &'a Shape,
    pub list: Option<&'a FieldPath>,
}

impl<'a> Scope<'a> {
    fn fields(self) -> impl Iterator<Item = &'a Seen> {
        self.shape.fields().filter(move |seen| match &seen.place.list {
            None => true,
            Some(list) => Some(list) == self.list,
        })
    }

    /// The candidates for a role, best first.
    pub fn candidates(self, role: Role) -> Vec<Candidate> {
        let scored = self.fields().filter_map(|seen| {
            let (score, reason) = self.score(role, seen)?;
            // Of two fields of the same kind, the less nested one, which more records have.
            let score = (score + self.shape.coverage(seen) / 5).saturating_sub(seen.place.path.len());
            Some(Candidate {
                place: seen.place.clone(),
                score,
                reason,
            })
        });
        let mut scored: Vec<Candidate> = scored.collect();
        // Stable: where scores are equal, the first field wins.
        scored.sort_by_key(|candidate| std::cmp::Reverse(candidate.score));
        scored
    }

    fn score(self, role: Role, seen: &Seen) -> Option<(usize, String)> {
        if seen.present == 0 || self.shape.coverage(seen) < COVERAGE_MIN {
            return None;
        }
        let named = weight(role, &seen.place);
        let by_name = || "its name".to_owned();
        match role {
            Role::Time => time(named, seen),
            Role::Kind => kind(named, seen),
            Role::EventId => {
                // An ID that is often missing, or occurs twice, identifies something else.
                let is_unique = 100 * seen.distinct() >= 99 * seen.present && self.shape.coverage(seen) >= 50;
                (named > 0 && is_unique && is_id(seen))
                    .then(|| (named, "its name, and no value occurs twice".to_owned()))
            }
            Role::Session | Role::User | Role::Item => (named > 0 && is_id(seen)).then(|| (named, by_name())),
            Role::Price | Role::Quantity => (named > 0 && seen.booleans == 0).then(|| (named, by_name())),
            Role::Position => {
                // Numbers that are called a time, and are none of this century, still tell the order.
                let named = named.max(weight(Role::Time, &seen.place) / 2);
                (named > 0 && is_number(seen)).then(|| (named, by_name()))
            }
        }
    }
}

/// A time has a plausible year in nine of ten values.
fn time(named: usize, seen: &Seen) -> Option<(usize, String)> {
    let notation = seen.times.notation(seen.present)?;
    let values = notation.description();
    let score = match named {
        // A number may be a time by accident.
        0 => 25,
        named => named,
    };
    let score = score.saturating_sub(if seen.times.are_days(seen.present) { 25 } else { 0 });
    let why = if named > 0 {
        "its name, and its values: "
    } else {
        "its values: "
    };
    Some((score, format!("{why}{values}")))
}

/// A kind has few different values, and some of them are known.
fn kind(named: usize, seen: &Seen) -> Option<(usize, String)> {
    if seen.booleans > 0 || seen.distinct() > KINDS_MAX || (seen.present > 20 && 2 * seen.distinct() > seen.present) {
        return None;
    }
    let (mut known, mut all) = (0, 0);
    for (value, count) in &seen.values {
        all += count;
        known += match recognized(value) {
            Some(Recognized::As(_)) => *count,
            Some(Recognized::Page) => count.div_ceil(2),
            None => 0,
        };
    }
    let share = 100 * known / all.max(1);
    match (named, share) {
        (CERTAIN.., 0) if seen.distinct() > 1 => {
            Some((named / 2, "its name, although none of its values is known".to_owned()))
        }
        (_, 0) => None,
        (0, share) if share < 50 => None,
        (0, share) => Some((share * 3 / 5, "its values are kinds of events".to_owned())),
        (named, share) => Some((
            named / 2 + share * 3 / 5,
            "its name, and its values are kinds of events".to_owned(),
        )),
    }
}

/// Whether values may be ids: texts, or numbers without a fraction.
fn is_id(seen: &Seen) -> bool {
    let has_fraction = |value: &String| value.split_once('.').is_some_and(|(_, fraction)| fraction != "0");
    seen.booleans == 0 && (seen.numbers == 0 || !seen.values.keys().any(has_fraction))
}

fn is_number(seen: &Seen) -> bool {
    seen.booleans == 0 && seen.values.keys().all(|value| value.parse::<f64>().is_ok())
}

/// A candidate that is almost as good as the best one.
pub(super) fn rival(candidates: &[Candidate]) -> Option<&Candidate> {
    let [best, others @ ..] = candidates else { return None };
    let near = others.iter().find(|other| other.place.list == best.place.list)?;
    (near.score + NEAR >= best.score).then_some(near)
}

/// Guesses where no name tells anything: a session by values that follow each other, an item by many different values.
pub(super) fn unnamed(scope: Scope<'_>, role: Role, taken: &[&Place]) -> Option<Candidate> {
    let shape = scope.shape;
    let free = scope.fields().filter(|seen| {
        !taken.contains(&&seen.place)
            && is_id(seen)
            && shape.coverage(seen) >= 90
            && seen.distinct() > 1
            && seen.times.notation(seen.present).is_none()
            && [Role::Price, Role::Quantity, Role::EventId]
                .iter()
                .all(|role| weight(*role, &seen.place) == 0)
    });
    let (best, reason) = match role {
        Role::Session => {
            let sessions = free.filter(|seen| 5 * seen.repeats >= seen.present && seen.distinct() > 2);
            let best = sessions.max_by_key(|seen| (100 * seen.repeats / seen.present, seen.distinct()));
            (best, "the same value often occurs in consecutive records")
        }
        Role::Item => {
            let best = free.max_by_key(|seen| seen.distinct());
            (best, "it has the most distinct values")
        }
        _ => return None,
    };
    best.map(|seen| Candidate {
        place: seen.place.clone(),
        score: 0,
        reason: reason.to_owned(),
    })
}

/// The type of a field's values, for IDs and kinds.
pub(super) fn field_type(seen: &Seen) -> FieldType {
    match (seen.texts, seen.integers, seen.numbers) {
        (_, 0, 0) => FieldType::Text,
        (0, _, 0) => FieldType::Integer,
        _ => FieldType::Mixed,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Value, json};

    use super::*;

    fn best(records: &[Value], role: Role) -> Option<String> {
        let shape = Shape::of(records);
        let scope = Scope {
            shape: &shape,
            list: None,
        };
        scope.candidates(role).first().map(|best| best.place.to_string())
    }

    fn rows(fields: impl Fn(usize) -> Value) -> Vec<Value> {
        (0..40).map(fields).collect()
    }

    #[test]
    fn names_and_values_decide_together() {
        let kinds = ["Order Completed", "Product Viewed", "Product Viewed"];
        let records = rows(|n| {
            json!({
                "type": "track",
                "event": kinds[n % 3],
                "timeframe": 526_309 + n,
                "sentAt": "2026-03-01T10:00:01Z",
                "timestamp": 1_772_359_200_000_u64 + n as u64,
                "anonymousId": format!("a{}", n % 5),
                "userId": (n % 2 == 0).then_some(n % 3),
                "session": n % 7,
                "category_id": n % 4,
                "productId": format!("p{}", n % 11),
                "messageId": format!("m{n}"),
                "price": 1.5 + n as f64,
            })
        });
        for (role, expected) in [
            (Role::Time, "timestamp"),
            (Role::Kind, "event"),
            (Role::User, "anonymousId"),
            (Role::Session, "session"),
            (Role::Item, "productId"),
            (Role::EventId, "messageId"),
            (Role::Price, "price"),
        ] {
            assert_eq!(best(&records, role).as_deref(), Some(expected), "{role:?}");
        }
    }

    #[test]
    fn a_name_without_fitting_values_is_no_reason() {
        let records = rows(|n| json!({"time": n, "id": n % 3, "item_id": 1.5, "type": "struct", "timestamp": "soon"}));
        for role in [Role::Time, Role::EventId, Role::Item, Role::Kind] {
            assert_eq!(best(&records, role), None, "{role:?}");
        }
        let records = rows(|n| json!({"event_type": format!("E{}", n % 4), "op": "c"}));
        assert_eq!(
            best(&records, Role::Kind).as_deref(),
            Some("event_type"),
            "its values are to be mapped by hand"
        );
    }

    #[test]
    fn what_is_almost_as_good_is_a_rival() {
        let records = rows(
            |n| json!({"userId": n % 3, "customer_id": n % 3, "created_at": 1_772_359_200 + n, "day": "2026-03-01"}),
        );
        let shape = Shape::of(&records);
        let scope = Scope {
            shape: &shape,
            list: None,
        };
        let users = scope.candidates(Role::User);
        assert_eq!(
            rival(&users).map(|rival| rival.place.to_string()).as_deref(),
            Some("customer_id")
        );
        assert_eq!(rival(&scope.candidates(Role::Time)), None);
    }

    #[test]
    fn without_names_values_decide() {
        let records =
            rows(|n| json!({"x": n / 5, "y": format!("p{}", n % 20), "z": "2026-03-01T10:00:00Z", "c": n % 2}));
        let shape = Shape::of(&records);
        let scope = Scope {
            shape: &shape,
            list: None,
        };
        let session = unnamed(scope, Role::Session, &[]).unwrap().place;
        assert_eq!(session.to_string(), "x");
        assert_eq!(unnamed(scope, Role::Item, &[&session]).unwrap().place.to_string(), "y");
        assert_eq!(scope.candidates(Role::Time)[0].place.to_string(), "z");
    }
}
