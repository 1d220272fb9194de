//! The events of one user: those without a session join one.

use super::event::{Event, Open, is_over};

/// What becomes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// It has a session.
    Has,
    /// It joins the session of the event at this place.
    To(usize),
    /// It belongs to a visit without a session, which begins at this place.
    Visit(usize),
}

/// Lets the events of a user that have no session join one. The events are in the order in which they happened.
///
/// An event joins the session of the last event before it that has one, if that is no longer ago than a silence, or else
/// of the next one after it. What is left forms visits: they end as sessions do. An event that joins does not prolong a
/// session: what the shop's server reports is no sign that somebody is still there.
pub fn join(events: &[Event<'_>], has_session: impl Fn(usize) -> bool, silence_us: Option<i64>) -> Vec<Joined> {
    let next = next_with_session(events.len(), &has_session);
    let near = |one: &Event<'_>, other: usize, is_before: bool| {
        let (earlier, later) = if is_before {
            (&events[other], one)
        } else {
            (one, &events[other])
        };
        !is_over(earlier, later, silence_us)
    };
    let mut before = None;
    let mut visit: Option<Open<'_>> = None;
    let joined = events.iter().enumerate().map(|(place, event)| {
        if has_session(place) {
            before = Some(place);
            return Joined::Has;
        }
        let earlier = before.filter(|earlier| near(event, *earlier, true));
        if let Some(open) = earlier.or_else(|| next[place].filter(|later| near(event, *later, false))) {
            return Joined::To(open);
        }
        let goes_on = visit.filter(|visit| near(event, visit.newest, true));
        let now = match goes_on {
            Some(mut going) => {
                going.add(place, event);
                going
            }
            None => Open::at(place, event),
        };
        visit = Some(now);
        Joined::Visit(now.start)
    });
    joined.collect()
}

/// For each place, the next one whose event has a session.
fn next_with_session(events: usize, has_session: &impl Fn(usize) -> bool) -> Vec<Option<usize>> {
    let mut next = vec![None; events];
    let mut later = None;
    for place in (0..events).rev() {
        next[place] = later;
        if has_session(place) {
            later = Some(place);
        }
    }
    next
}

#[cfg(test)]
mod tests {
    use super::super::event::event;
    use super::*;

    const SILENCE: Option<i64> = Some(30 * 60_000_000);

    /// Minutes of events, and whether they have sessions.
    fn joined<const N: usize>(events: [(i64, bool); N]) -> Vec<Joined> {
        let made = events.map(|(minute, _)| event(minute, Some("u1"), None));
        join(&made, |place| events[place].1, SILENCE)
    }

    #[test]
    fn an_event_joins_the_session_before_it_or_else_the_one_after_it() {
        use Joined::{Has, To};
        let events = [(0, false), (20, true), (30, false), (40, true), (70, false)];
        assert_eq!(joined(events), [To(1), Has, To(1), Has, To(3)]);
    }

    #[test]
    fn what_is_too_far_away_forms_visits_of_its_own() {
        use Joined::{Has, To, Visit};
        assert_eq!(joined([(0, true), (30, false), (31, false)]), [Has, To(0), Visit(2)]);
        let events = [(0, false), (29, false), (60, false), (80, false), (111, true)];
        assert_eq!(joined(events), [Visit(0), Visit(0), Visit(2), Visit(2), Has]);
        assert_eq!(joined([]), []);
    }

    #[test]
    fn events_that_joined_end_no_visit() {
        use Joined::{Has, To, Visit};
        let events = [
            (0, false),
            (25, false),
            (50, true),
            (51, false),
            (52, true),
            (83, false),
        ];
        assert_eq!(joined(events), [Visit(0), To(2), Has, To(2), Has, Visit(5)]);
    }
}
