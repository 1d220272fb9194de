//! Validates `maintenance`: malformed counts, sizes (files from 1 MiB to 4 GiB) and times are refused with their line,
//! and so is a retention of less than a day.

use std::num::NonZeroU64;
use std::time::Duration;

use bytesize::ByteSize;

use super::MaintenanceConfig;
use super::maintenance::MIN_RETAIN;
use super::raw::{RawMaintenance, Text};
use super::validate::Validator;

/// Smaller files would be no better than the ones being compacted.
const MIN_FILE_BYTES: u64 = 1 << 20;
const MAX_FILE_BYTES: u64 = 4 << 30;

impl Validator<'_> {
    pub(super) fn maintenance(&mut self, raw: &RawMaintenance) -> MaintenanceConfig {
        let mut config = MaintenanceConfig::default();
        if let Some(text) = &raw.compact_after
            && let Some(files) = self.count(text, 2)
        {
            config.compact_after = usize::try_from(files).unwrap_or(usize::MAX);
        }
        if let Some(text) = &raw.checkpoint_after
            && let Some(commits) = self.count(text, 1)
        {
            config.checkpoint_after = commits;
        }
        if let Some(bytes) = raw.target_file_size.as_ref().and_then(|text| self.file_size(text)) {
            config.target_file_bytes = bytes;
        }
        if let Some(age) = raw.compact_min_age.as_ref().and_then(|text| self.duration(text)) {
            config.compact_min_age = age;
        }
        if let Some(time) = raw.retain.as_ref().and_then(|text| self.retention(text)) {
            config.retain = time;
        }
        if let Some(time) = raw.log_retain.as_ref().and_then(|text| self.retention(text)) {
            config.log_retain = time;
        }
        config.retain_events = raw.retain_events.as_ref().and_then(|text| self.retention(text));
        config
    }

    fn count(&mut self, text: &Text, least: u64) -> Option<u64> {
        let value = self.text(text)?;
        let count = value.parse().ok().filter(|count| *count >= least);
        if count.is_none() {
            let message = format!("`{value}` is not a whole number of at least {least}");
            self.problem(text.referenced, message, None);
        }
        count
    }

    fn file_size(&mut self, text: &Text) -> Option<NonZeroU64> {
        let value = self.text(text)?;
        let size = value.parse::<ByteSize>().ok().map(|size| size.as_u64());
        let size = size.filter(|size| (MIN_FILE_BYTES..=MAX_FILE_BYTES).contains(size));
        if size.is_none() {
            let help = "write a size from 1MiB to 4GiB, like 128MiB".to_owned();
            self.problem(text.referenced, format!("`{value}` is not a file size"), Some(help));
        }
        size.and_then(NonZeroU64::new)
    }

    fn retention(&mut self, text: &Text) -> Option<Duration> {
        let time = self.duration(text)?;
        if time < MIN_RETAIN {
            let help = "use at least 1d: running steps and readers may still need younger files".to_owned();
            let message = format!("{} is too short", humantime::format_duration(time));
            self.problem(text.referenced, message, Some(help));
            return None;
        }
        Some(time)
    }
}
