//! Which sessions of an ID new events may change.

use std::collections::HashSet;

use super::event::Event;

/// Sessions farther than this from all that is new stay as they are.
const DAY_US: i64 = 24 * 60 * 60 * 1_000_000;

/// Whether each event of an ID may get another session. `written` are the sessions that earlier runs gave the events,
/// `None` for new events. The others keep theirs: something else led to them, and not all around them is known here.
///
/// The session that has the ID as its name counts, however far it is: a new event may begin before it. If no silence ends
/// sessions, all of them count.
pub fn affected(id: &str, events: &[Event<'_>], written: &[Option<&str>], silence_us: Option<i64>) -> Vec<bool> {
    if silence_us.is_none() {
        return vec![true; events.len()];
    }
    let forwards = near_news(events.iter().zip(written));
    let mut backwards = near_news(events.iter().zip(written).rev());
    backwards.reverse();
    let near = forwards.iter().zip(&backwards).zip(written);
    let near = near.filter_map(|((before, after), session)| session.filter(|_| *before || *after));
    let near: HashSet<&str> = near.chain([id]).collect();
    written
        .iter()
        .map(|session| session.is_none_or(|session| near.contains(session)))
        .collect()
}

/// Whether a new event is at most a day away from each event, among those that were passed on the way.
fn near_news<'e, 'a: 'e, 's: 'e>(events: impl Iterator<Item = (&'e Event<'a>, &'e Option<&'s str>)>) -> Vec<bool> {
    let mut news_us: Option<i64> = None;
    let near = events.map(|(event, session)| {
        if session.is_none() {
            news_us = Some(event.at_us);
        }
        news_us.is_some_and(|news_us| event.at_us.abs_diff(news_us) <= DAY_US.unsigned_abs())
    });
    near.collect()
}

#[cfg(test)]
mod tests {
    use super::super::event::event;
    use super::*;

    #[test]
    fn whole_sessions_around_news_are_affected_and_the_first_one() {
        let minutes = [0, 5_000, 8_000, 8_500, 10_000, 10_100, 11_400, 11_500, 20_000];
        let events = minutes.map(|minute| event(minute, None, None));
        let written = ["s", "s@1", "s@2", "s@2", "", "s@3", "s@4", "s@5", "s@6"];
        let written = written.map(|session| Some(session).filter(|session| !session.is_empty()));
        let expected = [true, false, false, false, true, true, true, false, false];
        assert_eq!(affected("s", &events, &written, Some(1)), expected);
        assert_eq!(affected("s", &events, &written, None), [true; 9]);
        // A session counts as a whole.
        let mut written = written;
        written[1] = Some("s@3");
        assert!(affected("s", &events, &written, Some(1))[1]);
    }
}
