//! The shop's time zone (`timezone`): the calendar of its days and hours. Tables keep UTC.
//!
//! Where clocks are set back, a local time occurs twice, and the first one is meant. Where they are set forward, a
//! local time is skipped; it then means as much after the change as it would be without one.

use std::str::FromStr;

use chrono::offset::LocalResult;
use chrono::{
    DateTime, Days, NaiveDate, NaiveDateTime, Offset, SecondsFormat, TimeDelta, TimeZone as _, Timelike, Utc,
};
use chrono_tz::{TZ_VARIANTS, Tz};

/// A time zone of the IANA database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeZone(Tz);

/// The text is not the name of a time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a time zone")]
pub struct NotATimeZone {
    text: String,
    /// Names that may be meant, the nearest one first.
    pub nearest: Vec<&'static str>,
}

impl Default for TimeZone {
    fn default() -> Self {
        Self(Tz::UTC)
    }
}

impl FromStr for TimeZone {
    type Err = NotATimeZone;

    fn from_str(text: &str) -> Result<Self, NotATimeZone> {
        text.parse::<Tz>().map(Self).map_err(|_| NotATimeZone {
            text: text.to_owned(),
            nearest: nearest(text),
        })
    }
}

/// How many names are suggested.
const SUGGESTED: usize = 3;
/// The similarity, 0 to 1, above which a name may be meant.
const ALIKE: f64 = 0.85;

/// The names that are most like `text`, as a whole or in their last part, the city.
fn nearest(text: &str) -> Vec<&'static str> {
    let text = text.trim().to_lowercase().replace(' ', "_");
    let likeness = |name: &str| {
        let name = name.to_lowercase();
        let city = name.rsplit('/').next().unwrap_or_default();
        strsim::jaro_winkler(&name, &text).max(strsim::jaro_winkler(city, &text))
    };
    let names = TZ_VARIANTS.iter().map(|zone| zone.name());
    let mut alike: Vec<(f64, &str)> = names.map(|name| (likeness(name), name)).collect();
    alike.retain(|(likeness, _)| *likeness > ALIKE);
    alike.sort_by(|a, b| b.0.total_cmp(&a.0));
    alike.into_iter().take(SUGGESTED).map(|(_, name)| name).collect()
}

impl TimeZone {
    /// Its name, such as `Europe/Berlin`.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// The local date of a moment.
    pub fn date(self, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&self.0).date_naive()
    }

    /// When the local hour of a moment began, as `date_trunc('hour', …)` has it.
    pub fn start_of_hour(self, at: DateTime<Utc>) -> DateTime<Utc> {
        let local = at.with_timezone(&self.0);
        let Some(start) = local.date_naive().and_hms_opt(local.hour(), 0, 0) else {
            return at;
        };
        match self.0.from_local_datetime(&start) {
            LocalResult::Ambiguous(_, second) if second.offset().fix() == local.offset().fix() => second.to_utc(),
            _ => self.moment(start),
        }
    }

    /// The moment of a local time.
    pub fn moment(self, local: NaiveDateTime) -> DateTime<Utc> {
        // Longer than any change: Samoa once skipped a whole day.
        const BEFORE_THE_CHANGE: TimeDelta = TimeDelta::hours(25);
        let at = |local: NaiveDateTime| Some(self.0.from_local_datetime(&local).earliest()?.to_utc());
        at(local)
            .or_else(|| at(local.checked_sub_signed(BEFORE_THE_CHANGE)?)?.checked_add_signed(BEFORE_THE_CHANGE))
            .unwrap_or_else(|| local.and_utc())
    }

    /// The moment some days before another, at the same local time, however long the days in between were. A part of a
    /// day counts as its share of 24 hours.
    pub fn days_before(self, at: DateTime<Utc>, days: f64) -> DateTime<Utc> {
        const MICROS_PER_DAY: f64 = 86_400e6;
        let whole = Days::new(days.trunc() as u64);
        let part = TimeDelta::microseconds((days.fract() * MICROS_PER_DAY) as i64);
        let date = match whole == Days::new(0) {
            true => Some(at),
            false => at
                .with_timezone(&self.0)
                .naive_local()
                .checked_sub_days(whole)
                .map(|local| self.moment(local)),
        };
        date.and_then(|date| date.checked_sub_signed(part)).unwrap_or(at)
    }

    /// A moment as text with the local time and its distance from UTC: `2026-03-29T03:00:00+02:00`.
    pub fn text(self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.0).to_rfc3339_opts(SecondsFormat::AutoSi, true)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn zone(name: &str) -> TimeZone {
        name.parse().unwrap()
    }

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn local(text: &str) -> NaiveDateTime {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_no_name_gets_suggestions() {
        for (text, expected) in [
            ("Europe/Berlim", "Europe/Berlin"),
            ("europe/berlin", "Europe/Berlin"),
            ("Berlin", "Europe/Berlin"),
            ("new york", "America/New_York"),
            ("Lord Howe", "Australia/Lord_Howe"),
        ] {
            let error = text.parse::<TimeZone>().unwrap_err();
            assert_eq!(error.nearest.first(), Some(&expected), "{text}: {:?}", error.nearest);
        }
        for text in ["+02:00", "", "the shop's"] {
            assert!(text.parse::<TimeZone>().unwrap_err().nearest.is_empty(), "{text}");
        }
    }

    #[test]
    fn a_local_time_that_occurs_twice_is_the_first_and_a_skipped_one_is_moved_on() {
        for (name, text, expected) in [
            ("Europe/Berlin", "2026-10-25T02:30:00", "2026-10-25T00:30:00Z"),
            ("Europe/Berlin", "2026-10-25T03:00:00", "2026-10-25T02:00:00Z"),
            ("Europe/Berlin", "2026-03-29T02:30:00", "2026-03-29T01:30:00Z"),
            ("Asia/Kathmandu", "2026-03-29T00:00:00", "2026-03-28T18:15:00Z"),
            // No midnight on that day, and no such day.
            ("America/Havana", "2026-03-08T00:00:00", "2026-03-08T05:00:00Z"),
            ("Pacific/Apia", "2011-12-30T12:00:00", "2011-12-30T22:00:00Z"),
        ] {
            assert_eq!(zone(name).moment(local(text)), utc(expected), "{name} {text}");
        }
    }

    #[test]
    fn days_have_as_many_hours_as_the_clocks_say() {
        let berlin = zone("Europe/Berlin");
        for (at, days, expected) in [
            ("2026-03-29T12:00:00Z", 1.0, "2026-03-28T13:00:00Z"),
            ("2026-10-25T12:00:00Z", 1.0, "2026-10-24T11:00:00Z"),
            ("2026-10-26T12:00:00Z", 1.5, "2026-10-25T00:00:00Z"),
            ("2026-10-25T12:00:00Z", 0.5, "2026-10-25T00:00:00Z"),
        ] {
            assert_eq!(berlin.days_before(utc(at), days), utc(expected), "{days} before {at}");
        }
        let at = utc("2026-03-29T12:00:00Z");
        assert_eq!(TimeZone::default().days_before(at, 1.0), utc("2026-03-28T12:00:00Z"));
        assert_eq!(berlin.text(at), "2026-03-29T14:00:00+02:00");
        assert_eq!(TimeZone::default().text(at), "2026-03-29T12:00:00Z");
    }

    #[test]
    fn an_hour_begins_where_its_clock_says_so() {
        for (name, at, expected) in [
            ("Asia/Kathmandu", "2026-07-01T10:00:00Z", "2026-07-01T09:15:00Z"),
            // The second of two hours after two o'clock.
            ("Europe/Berlin", "2026-10-25T01:30:00Z", "2026-10-25T01:00:00Z"),
            // Half an hour is repeated: the hour after one o'clock has 90 minutes.
            ("Australia/Lord_Howe", "2026-04-04T15:20:00Z", "2026-04-04T14:00:00Z"),
            // Half an hour is skipped: the clock goes from two o'clock to half past two.
            ("Australia/Lord_Howe", "2026-10-03T15:40:00Z", "2026-10-03T15:30:00Z"),
        ] {
            assert_eq!(zone(name).start_of_hour(utc(at)), utc(expected), "{name} {at}");
        }
    }

    proptest! {
        #[test]
        fn a_moment_is_the_moment_of_its_local_time_unless_that_occurs_twice(
            seconds in 0_i64..4_000_000_000,
            name in prop::sample::select(vec!["Europe/Berlin", "America/Denver", "Australia/Lord_Howe", "Pacific/Apia"]),
        ) {
            let (zone, at) = (zone(name), DateTime::from_timestamp(seconds, 0).unwrap());
            let again = zone.moment(at.with_timezone(&zone.0).naive_local());
            prop_assert!(again <= at && at - again <= TimeDelta::hours(1));
            prop_assert_eq!(zone.date(again), zone.date(at));
            let start = zone.start_of_hour(at);
            prop_assert!(start <= at && at - start < TimeDelta::minutes(90));
        }
    }
}
