//! What sessions are called: the ID that the shop gave, or one made of an ID and the time at which the session began.

use std::fmt::Write;

use chrono::DateTime;

use super::cut::Session;
use super::event::Event;

/// The name of a session of this ID: `None` if it is the first one, which keeps the ID. Later ones are called
/// `s1@2026-03-01T10:00:00.000Z`.
pub fn later(id: &str, events: &[Event<'_>], session: &Session<'_>) -> Option<String> {
    let before = session.start.checked_sub(1)?;
    let (before_us, at_us) = (events[before].at_us, events[session.start].at_us);
    let mut name = inferred(id, at_us);
    // Of several people who begin in the same millisecond, only the first gets a name without the person.
    if millisecond(before_us) == millisecond(at_us) {
        name.push('/');
        name.push_str(session.person.unwrap_or_default());
    }
    Some(name)
}

/// The name of a session of a user that began at this time.
pub fn inferred(id: &str, at_us: i64) -> String {
    let mut name = format!("{id}@");
    // Neither arm fails: a string takes any text.
    let _ = match DateTime::from_timestamp_micros(at_us) {
        Some(at) => write!(name, "{}", at.format("%Y-%m-%dT%H:%M:%S%.3fZ")),
        None => write!(name, "{at_us}"),
    };
    name
}

fn millisecond(at_us: i64) -> i64 {
    at_us.div_euclid(1_000)
}

#[cfg(test)]
mod tests {
    use super::super::cut::cut;
    use super::super::event::event;
    use super::*;

    #[test]
    fn the_first_session_keeps_the_id_and_no_two_have_one_name() {
        let events =
            [(0, "u1"), (0, "u2"), (90, "u2"), (90, "u3")].map(|(minute, user)| event(minute, Some(user), None));
        let names: Vec<Option<String>> = cut(&events, Some(30 * 60_000_000))
            .iter()
            .map(|session| later("s", &events, session))
            .collect();
        let expected = [
            "s@1970-01-01T00:00:00.000Z/u2",
            "s@1970-01-01T01:30:00.000Z",
            "s@1970-01-01T01:30:00.000Z/u3",
        ];
        assert_eq!(names[0], None);
        assert_eq!(names[1..], expected.map(|name| Some(name.to_owned())));
    }
}
