//! Sessions of random events, compared with their definition, looked up event by event.

use proptest::prelude::*;

use super::event::{Event, event, is_over};
use super::{Joined, cut, join, later};

const SILENCE: Option<i64> = Some(30 * 60_000_000);
const USERS: [&str; 3] = ["u1", "u2", "u3"];
const CAMPAIGNS: [&str; 2] = ["mail", "search"];

/// Minutes, users and campaigns, in the order of time.
fn events() -> impl Strategy<Value = Vec<Event<'static>>> {
    let one = (
        0_i64..400,
        proptest::option::of(0_usize..3),
        proptest::option::weighted(0.2, 0_usize..2),
    );
    proptest::collection::vec(one, 0..40).prop_map(|mut events| {
        events.sort_by_key(|(minute, ..)| *minute);
        let made = events.into_iter().map(|(minute, user, campaign)| {
            let (user, campaign) = (
                user.map(|user| USERS[user]),
                campaign.map(|campaign| CAMPAIGNS[campaign]),
            );
            Event {
                day: Some(i32::from(minute > 200)),
                ..event(minute, user, campaign)
            }
        });
        made.collect()
    })
}

/// The event before that goes on to this one, among those of some kind.
fn before(events: &[Event<'_>], place: usize, is_one: impl Fn(usize) -> bool) -> Option<usize> {
    let earlier = (0..place).rev().find(|earlier| is_one(*earlier))?;
    (!is_over(&events[earlier], &events[place], SILENCE)).then_some(earlier)
}

fn person(events: &[Event<'static>], place: usize) -> Option<&'static str> {
    let mut at = place;
    while let Some(earlier) = before(events, at, |_| true).filter(|_| events[at].user.is_none()) {
        at = earlier;
    }
    if events[at].user.is_some() {
        return events[at].user;
    }
    at = place;
    while events[at].user.is_none() && at + 1 < events.len() && before(events, at + 1, |_| true).is_some() {
        at += 1;
    }
    events[at].user
}

/// The first event of the session of an event, among those of some kind.
fn start(events: &[Event<'static>], place: usize, is_one: &impl Fn(usize) -> bool) -> usize {
    let Some(earlier) = before(events, place, is_one) else {
        return place;
    };
    let mut known = Some(earlier);
    while let Some(at) = known.filter(|at| events[*at].campaign.is_none()) {
        known = before(events, at, is_one);
    }
    let campaign = known.and_then(|at| events[at].campaign);
    match events[place].campaign {
        Some(own) if campaign != Some(own) => place,
        _ => start(events, earlier, is_one),
    }
}

proptest! {
    #[test]
    fn an_id_is_cut_as_defined_and_no_two_sessions_share_a_name(events in events()) {
        let sessions = cut(&events, SILENCE);
        prop_assert_eq!(sessions.len(), events.len());
        for (place, session) in sessions.iter().enumerate() {
            let whose = person(&events, place);
            prop_assert_eq!(session.person, whose);
            prop_assert_eq!(session.start, start(&events, place, &|other| person(&events, other) == whose));
        }
        for one in &sessions {
            for other in &sessions {
                // Two campaigns of one person in one millisecond are one session.
                if one.start != other.start && one.person != other.person {
                    prop_assert_ne!(later("s", &events, one), later("s", &events, other));
                }
            }
        }
    }

    #[test]
    fn events_join_as_defined(events in events(), named in proptest::collection::vec(any::<bool>(), 40)) {
        let is_named = |place: usize| named[place];
        let joined = join(&events, is_named, SILENCE);
        let open = |place: usize| {
            let next = (place + 1..events.len()).find(|later| is_named(*later));
            let next = next.filter(|next| !is_over(&events[place], &events[*next], SILENCE));
            before(&events, place, is_named).or(next)
        };
        let is_alone = |place: usize| !is_named(place) && open(place).is_none();
        for (place, joined) in joined.iter().enumerate() {
            let expected = match (is_named(place), open(place)) {
                (true, _) => Joined::Has,
                (false, Some(open)) => Joined::To(open),
                (false, None) => Joined::Visit(start(&events, place, &is_alone)),
            };
            prop_assert_eq!(*joined, expected);
        }
    }
}
