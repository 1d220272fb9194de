//! Validates `trigger`: when a batch of `run --follow` starts (`every`, `records`, `bytes`). Malformed times and sizes
//! are refused with their line, and so is zero. Also parses all other times of the file (`duration`).

use std::time::Duration;

use bytesize::ByteSize;
use serde_yaml::{Location, Spanned};

use super::Trigger;
use super::raw::{RawLimits, RawTrigger, Text};
use super::validate::Validator;

impl Validator<'_> {
    pub(super) fn trigger(&mut self, raw: &Spanned<RawTrigger>) -> Trigger {
        let at = raw.referenced;
        let mut trigger = Trigger::default();
        let limits = match &raw.value {
            RawTrigger::Every(every) => &RawLimits {
                every: Some(every.clone()),
                records: None,
                bytes: None,
            },
            RawTrigger::Limits(limits) => limits,
        };
        if let Some(every) = &limits.every {
            trigger.every = self.positive_duration(every, at).unwrap_or(trigger.every);
        }
        match limits.records {
            Some(0) => self.problem(at, "a batch must have at least 1 record", None),
            Some(records) => trigger.records = records,
            None => {}
        }
        if let Some(bytes) = &limits.bytes {
            match bytes.parse::<ByteSize>() {
                Ok(bytes) if bytes.as_u64() > 0 => trigger.bytes = bytes.as_u64(),
                _ => self.problem(
                    at,
                    format!("`{bytes}` is not a size"),
                    Some("write it like 64MiB".to_owned()),
                ),
            }
        }
        trigger
    }

    pub(super) fn every(&mut self, text: &Text) -> Option<Duration> {
        let value = self.text(text)?;
        self.positive_duration(&value, text.referenced)
    }

    pub(super) fn duration(&mut self, text: &Text) -> Option<Duration> {
        let value = self.text(text)?;
        self.parse_duration(&value, text.referenced)
    }

    fn positive_duration(&mut self, value: &str, at: Location) -> Option<Duration> {
        let parsed = self.parse_duration(value, at)?;
        if parsed.is_zero() {
            self.problem(
                at,
                format!("`{value}` is too short"),
                Some("write it like 10s or 5m".to_owned()),
            );
            return None;
        }
        Some(parsed)
    }

    fn parse_duration(&mut self, value: &str, at: Location) -> Option<Duration> {
        let parsed = humantime::parse_duration(value).ok();
        if parsed.is_none() {
            self.problem(
                at,
                format!("`{value}` is not a duration"),
                Some("write it like 10s or 5m".to_owned()),
            );
        }
        parsed
    }
}
