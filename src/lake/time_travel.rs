//! Time travel: reading tables as of a version or a time (`\at` in the shell).

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, Utc};

use super::history::committed_at;
use super::{Lake, LakeError, LakeTable, Version};
use crate::config::TableName;

/// The point in time at which tables are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum At {
    /// The current state.
    #[default]
    Now,
    /// Each table as of this version; a table that has not reached it yet is read as it is now.
    Version(Version),
    /// Each table as of the last commit at or before this time.
    Time(DateTime<Utc>),
}

/// The text is neither a version nor a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is neither a version (12), a time in UTC (2025-07-13, 2025-07-13 09:30, 2025-07-13T09:30:00Z), nor `now`"
)]
pub struct NotAMoment(String);

impl FromStr for At {
    type Err = NotAMoment;

    fn from_str(text: &str) -> Result<Self, NotAMoment> {
        let text = text.trim().trim_matches('\'');
        if text.eq_ignore_ascii_case("now") {
            return Ok(Self::Now);
        }
        if let Ok(version) = text.parse() {
            return Ok(Self::Version(version));
        }
        time(text).map(Self::Time).ok_or_else(|| NotAMoment(text.to_owned()))
    }
}

/// Parses RFC 3339, or a shortened form of it, in UTC.
fn time(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    let text = text.replace('T', " ");
    let formats = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"];
    let time = formats
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(&text, format).ok());
    let day = || NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok();
    time.or_else(|| day().map(|day| day.and_time(NaiveTime::MIN)))
        .map(|time| time.and_utc())
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now => f.write_str("now"),
            Self::Version(version) => version.fmt(f),
            Self::Time(time) => f.write_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        }
    }
}

impl Lake {
    /// Opens a table as of a version or time. A table whose first commit is later is opened as one that does not exist.
    ///
    /// # Errors
    /// As [`Lake::table`], and when the log no longer reaches back that far.
    pub async fn table_at(&self, name: &TableName, at: At) -> Result<LakeTable, LakeError> {
        let table = self.table(name).await?;
        let Some(newest) = table.version() else {
            return Ok(table);
        };
        match at {
            At::Now => Ok(table),
            At::Version(version) if version >= newest => Ok(table),
            At::Version(version) => table.as_of(version).await,
            At::Time(time) => match last_until(&table, newest, time.timestamp_millis()).await? {
                Some(version) if version == newest => Ok(table),
                Some(version) => table.as_of(version).await,
                None => self.not_opened(name),
            },
        }
    }
}

/// The newest version committed at or before a time, according to the timestamps in the commits.
async fn last_until(table: &LakeTable, newest: Version, millis: i64) -> Result<Option<Version>, LakeError> {
    // Versions below `low` are not later, those from `high` on are. Commits that are no longer in the log count as old.
    let (mut low, mut high) = (0, newest + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        match committed_at(table, middle).await? {
            Some(at) if at > millis => high = middle,
            _ => low = middle + 1,
        }
    }
    Ok(low.checked_sub(1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn versions_and_times_are_told_apart() {
        let read = |text: &str| text.parse::<At>().map(|at| at.to_string());
        for (text, expected) in [
            ("12", "12"),
            ("NOW", "now"),
            ("2025-07-13", "2025-07-13T00:00:00Z"),
            ("2025-07-13 09:30", "2025-07-13T09:30:00Z"),
            ("'2025-07-13T09:30:05.25'", "2025-07-13T09:30:05.250Z"),
            ("2025-07-13T09:30:00+02:00", "2025-07-13T07:30:00Z"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        }
        assert!(read("yesterday").is_err() && read("-1").is_err());
    }
}
