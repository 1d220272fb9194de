//! The sessions of one session ID, as the shop gave it.

use std::collections::HashMap;

use super::event::{Event, Open, is_over};

/// The session of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session<'a> {
    /// The place of its first event.
    pub start: usize,
    /// Whose session it is, if that is known.
    pub person: Option<&'a str>,
}

/// Cuts the events of an ID, in the order in which they happened, into sessions; returns each event's.
///
/// Each person has sessions of their own, even if the events of several alternate. A person's session ends with a
/// silence, with the day, or when another campaign begins.
pub fn cut<'a>(events: &[Event<'a>], silence_us: Option<i64>) -> Vec<Session<'a>> {
    let mut open: HashMap<Option<&str>, Open<'a>> = HashMap::new();
    let placed = events.iter().zip(persons(events, silence_us)).enumerate();
    let sessions = placed.map(|(place, (event, person))| {
        let session = match open.get_mut(&person) {
            Some(session) if !is_over(&events[session.newest], event, silence_us) => {
                session.add(place, event);
                *session
            }
            _ => {
                let session = Open::at(place, event);
                open.insert(person, session);
                session
            }
        };
        Session {
            start: session.start,
            person,
        }
    });
    sessions.collect()
}

/// Who did each event. An event without a user belongs to whoever was known last before it, without a silence between.
/// If nobody was, it belongs to the next who is: a login in the middle does not end a session.
fn persons<'a>(events: &[Event<'a>], silence_us: Option<i64>) -> Vec<Option<&'a str>> {
    let mut persons = Vec::with_capacity(events.len());
    for visit in events.chunk_by(|earlier, later| !is_over(earlier, later, silence_us)) {
        let mut person = visit.iter().find_map(|event| event.user);
        persons.extend(visit.iter().map(|event| {
            person = event.user.or(person);
            person
        }));
    }
    persons
}

#[cfg(test)]
mod tests {
    use super::super::event::event;
    use super::*;

    const SILENCE: Option<i64> = Some(30 * 60_000_000);

    fn starts(events: &[Event<'_>], silence_us: Option<i64>) -> Vec<usize> {
        cut(events, silence_us).iter().map(|session| session.start).collect()
    }

    #[test]
    fn silence_ends_a_session_unless_it_is_off() {
        let events = [0, 30, 61].map(|minute| event(minute, Some("u1"), None));
        assert_eq!(starts(&events, SILENCE), [0, 0, 2]);
        assert_eq!(starts(&events, None), [0, 0, 0]);
        assert_eq!(starts(&[], SILENCE), [0; 0]);
    }

    #[test]
    fn each_person_has_a_session_even_if_their_events_alternate() {
        let events = [(0, "u1"), (10, "u2"), (20, "u1"), (40, "u2"), (51, "u1")];
        let events = events.map(|(minute, user)| event(minute, Some(user), None));
        assert_eq!(starts(&events, SILENCE), [0, 1, 0, 1, 4]);
    }

    #[test]
    fn a_login_does_not_end_a_session_but_another_persons_does() {
        let events = [(0, None), (10, Some("u1")), (20, None), (30, Some("u2")), (40, None)];
        let events = events.map(|(minute, user)| event(minute, user, None));
        assert_eq!(starts(&events, SILENCE), [0, 0, 0, 3, 3]);
        // Nobody is known after a silence.
        let events = [(0, Some("u1")), (40, None), (50, Some("u2"))].map(|(minute, user)| event(minute, user, None));
        assert_eq!(starts(&events, SILENCE), [0, 1, 1]);
    }

    #[test]
    fn another_campaign_begins_a_session_and_so_does_another_day() {
        let events = [
            (0, None),
            (1, Some("a")),
            (2, None),
            (3, Some("a")),
            (4, Some("b")),
            (5, Some("a")),
        ];
        let mut events = events.map(|(minute, campaign)| event(minute, None, campaign));
        assert_eq!(starts(&events, SILENCE), [0, 1, 1, 1, 4, 5]);
        for event in &mut events {
            event.campaign = None;
            event.day = Some(i32::from(event.at_us > 120_000_000));
        }
        assert_eq!(starts(&events, SILENCE), [0, 0, 0, 3, 3, 3]);
        assert_eq!(starts(&events, None), [0, 0, 0, 3, 3, 3]);
    }
}
