//! What is pending in the files of a source, and the positions to commit with it: lists the files, finds the new
//! records in them (`new_lines`), and makes the scan that reads these. Their time is the moment when they were found,
//! never a file's modification time. `snapshot` finds what is pending in a snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;

use super::FilesSource;
use super::new_lines::NewLines;
use super::read_so_far::Known;
use crate::sources::formats::Layout;
use crate::sources::{Committed, Head, Pending, ReadOptions, Source, SourceError, Unproven};

/// A run that has reread more than this many bytes only to find nothing new commits what it learned, so that the next
/// run need not reread them.
const READ_AGAIN_MAX: u64 = 64 << 20;

#[async_trait]
impl Source for FilesSource {
    async fn pending(&self, committed: &dyn Committed, options: ReadOptions) -> Result<Pending, SourceError> {
        // A snapshot is always read as a whole.
        if options.from_timestamp_millis.is_some() && !self.config.is_snapshot {
            return Err(SourceError::FromTimestamp {
                what: "files".to_owned(),
                reason: "records in files have no timestamps of their own".to_owned(),
                help: "leave --from-timestamp out, or choose a target that reads Kafka".to_owned(),
            });
        }
        // One time for all: a file records when it was written, not when its records arrived.
        let found_us = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_micros();
        let found_us = i64::try_from(found_us).unwrap_or(i64::MAX);
        if self.config.is_snapshot {
            return self.pending_snapshot(committed, found_us).await;
        }
        let files = self.listing().await?;
        let known = Known::committed(committed, files.iter().map(|file| &file.place)).await?;
        if known.is_snapshot() {
            return Err(SourceError::WasSnapshot {
                what: self.config.path.clone(),
                help: "write `mode: snapshot` again, or rebuild the table with: clickrec run --full-refresh --select \
                       TABLE"
                    .to_owned(),
            });
        }
        let new = NewLines::find(self, &files, &known, options).await?;
        let ranges = new.file_ranges(&files, found_us);
        let records = ranges.iter().map(|range| range.records).sum();
        // Texts were read to be counted.
        let is_trusted = options.trusts_files && matches!(self.config.format.layout(), Layout::Table(_));
        let trusted = ranges.iter().filter(|_| is_trusted);
        let unproven = Unproven::new(trusted.map(|range| range.name.clone()));
        Ok(Pending {
            next: new.positions(&files, &known),
            keep: new.renamed || new.read_again > READ_AGAIN_MAX,
            provider: Arc::new(self.scan(ranges).proving(&unproven)),
            records,
            not_taken: None,
            unproven,
            lag: BTreeMap::from([(self.config.path.clone(), records)]),
        })
    }

    async fn heads(&self) -> Result<Vec<Head>, SourceError> {
        self.heads_of_files().await
    }

    async fn sample(&self, most: usize) -> Result<Vec<Vec<u8>>, SourceError> {
        self.sample_of_files(most).await
    }
}
