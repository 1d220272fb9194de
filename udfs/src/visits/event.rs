//! Events, and sessions that can still grow.

/// What a session depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// Microseconds since 1970.
    pub at_us: i64,
    /// Who did it, if that is known.
    pub user: Option<&'a str>,
    /// The campaign that led here, if it says so.
    pub campaign: Option<&'a str>,
    /// The day on which it happened, if sessions end with the day.
    pub day: Option<i32>,
}

/// Whether a session does not go on from one event to a later one: too long a silence in microseconds (`None`: silence
/// never ends a session), or another day.
pub(super) fn is_over(earlier: &Event<'_>, later: &Event<'_>, silence_us: Option<i64>) -> bool {
    let pause_us = later.at_us.saturating_sub(earlier.at_us);
    earlier.day != later.day || silence_us.is_some_and(|silence_us| pause_us > silence_us)
}

/// A session to which events can still be added.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open<'a> {
    /// The places of its first and its newest event.
    pub start: usize,
    pub newest: usize,
    /// The newest campaign since the last silence.
    campaign: Option<&'a str>,
}

impl<'a> Open<'a> {
    pub fn at(start: usize, event: &Event<'a>) -> Self {
        Self {
            start,
            newest: start,
            campaign: event.campaign,
        }
    }

    /// Adds an event that follows without a silence. A campaign other than the newest one begins a session; an event
    /// without one does not.
    pub fn add(&mut self, place: usize, event: &Event<'a>) {
        if event.campaign.is_some() && event.campaign != self.campaign {
            self.start = place;
        }
        self.campaign = event.campaign.or(self.campaign);
        self.newest = place;
    }
}

/// An event of a test.
#[cfg(test)]
pub(super) fn event<'a>(minute: i64, user: Option<&'a str>, campaign: Option<&'a str>) -> Event<'a> {
    Event {
        at_us: minute * 60_000_000,
        user,
        campaign,
        day: None,
    }
}
