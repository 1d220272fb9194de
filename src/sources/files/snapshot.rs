//! Files that are rewritten as a whole (`mode: snapshot`), such as a catalog: their newest state replaces what was
//! read before. All records of all files are pending whenever the content or the name of one has changed, and none
//! otherwise. As for other files, unchanged metadata means that none is opened.
//!
//! A state is taken as a whole or not at all: a file that is damaged, cut off or empty, or no file at all, leaves the
//! table as it is, and so does a file that changes while the state is read. The next run looks again. When the records
//! are read, `scan` makes sure that they are those that were counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::TableType;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use futures::{StreamExt, TryStreamExt, stream};

use super::codec::{Codec, Kind, bytes_of, is_damage, peek};
use super::compare::{AT_ONCE, Seen};
use super::copies::Copies;
use super::file_range::FileRange;
use super::files_source::FilesSource;
use super::listing::{Listed, hash};
use super::newest::{Content, Taken};
use super::read_so_far::{SNAPSHOT, STAMP};
use super::whole_text::WholeText;
use crate::sources::formats::{Count, Layout, RecordHash, TableFormat, TextFormat};
use crate::sources::{Committed, Pending, Positions, SourceError, Unproven, record_schema};

/// Soon, the clock of a file system will have ticked: until then, a file may change without a trace in its metadata.
const SOON: Duration = Duration::from_millis(25);
const CHANGED: &str = "it changed while it was read";

/// A file of a snapshot.
struct Part {
    range: FileRange,
    /// A hash of all bytes: of the file, or of its text.
    hash: i64,
}

impl FilesSource {
    /// All records of a snapshot, if it is not the one that was read.
    pub(super) async fn pending_snapshot(
        &self,
        committed: &dyn Committed,
        found_us: i64,
    ) -> Result<Pending, SourceError> {
        let read = committed.position(SNAPSHOT).await?;
        let files = match self.settled().await {
            // What was read before is away while others put its successor in its place.
            Err(SourceError::Missing { what, reason, help }) if read.is_some() => {
                return Err(SourceError::Unreachable { what, reason, help });
            }
            files => files?,
        };
        let stamp = self.stamp(&files);
        if let Some(identity) = read
            && stamp != 0
            && committed.position(STAMP).await? == Some(stamp)
        {
            return Ok(self.unchanged(identity, stamp, found_us));
        }
        Ok(match self.state(&files, stamp).await? {
            Err(reason) => self.not_taken(reason),
            Ok(content) if read == Some(content.identity) => self.unchanged(content.identity, stamp, found_us),
            Ok(content) => self.changed(content, stamp, found_us, read.is_some()),
        })
    }

    /// The files, if that is possible soon at a moment at which none of them has just changed.
    async fn settled(&self) -> Result<Vec<Listed>, SourceError> {
        let files = self.listing().await?;
        if files.iter().all(|file| file.stamp != 0) {
            return Ok(files);
        }
        tokio::time::sleep(SOON).await;
        self.listing().await
    }

    fn changed(&self, content: Content, stamp: i64, found_us: i64, was_read: bool) -> Pending {
        let (path, records) = (&self.config.path, content.records());
        if records == 0 && was_read {
            self.warn(format!("the snapshot {path} has no records now"));
        }
        Pending {
            next: positions(content.identity, stamp),
            keep: true,
            provider: Arc::new(self.scan(content.found(found_us))),
            records,
            lag: BTreeMap::from([(path.clone(), records)]),
            not_taken: None,
            unproven: Unproven::default(),
        }
    }

    /// The files are opened only if a step needs their records for another reason.
    fn unchanged(&self, identity: i64, stamp: i64, found_us: i64) -> Pending {
        let provider = Unopened {
            source: self.clone(),
            identity,
            found_us,
        };
        Pending {
            next: positions(identity, stamp),
            keep: false,
            provider: Arc::new(provider),
            records: 0,
            lag: BTreeMap::from([(self.config.path.clone(), 0)]),
            not_taken: None,
            unproven: Unproven::default(),
        }
    }

    fn not_taken(&self, reason: String) -> Pending {
        let path = &self.config.path;
        self.warn(format!(
            "the snapshot {path} was not read: {reason}\n  help: the table keeps its rows, and the next run looks \
             again; write files under another name, and rename them once they are complete"
        ));
        Pending {
            next: Positions::new(),
            keep: false,
            provider: Arc::new(self.scan(vec![])),
            records: 0,
            lag: BTreeMap::from([(path.clone(), 0)]),
            not_taken: Some(reason),
            unproven: Unproven::default(),
        }
    }

    /// Identifies the metadata of all files; 0 if they may change without changing it.
    fn stamp(&self, files: &[Listed]) -> i64 {
        match files.iter().any(|file| file.stamp == 0) {
            true => 0,
            false => self.identity(files.iter().map(|file| (file.place.as_str(), file.stamp))),
        }
    }

    /// Tells files with these numbers, read in this way, from others.
    fn identity<'a>(&self, files: impl Iterator<Item = (&'a str, i64)>) -> i64 {
        let config = &self.config;
        let options = serde_json::to_vec(&config.options).unwrap_or_default();
        let mut parts = vec![config.format.name().as_bytes().to_vec(), options];
        for (place, number) in files {
            parts.push(place.as_bytes().to_vec());
            parts.push(number.to_le_bytes().to_vec());
        }
        hash(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    /// The state of these files.
    async fn state(&self, files: &[Listed], stamp: i64) -> Result<Taken<Content>, SourceError> {
        if let Some(known) = self.newest.get(stamp) {
            return Ok(known);
        }
        if files.is_empty() {
            return Ok(Err("there are no files".to_owned()));
        }
        let taken = self.take(files).await?;
        // What was read one after another was there together only if nothing has changed meanwhile.
        let after = self.listing().await?;
        let before = files.iter().map(|file| &file.meta);
        if !before.eq(after.iter().map(|file| &file.meta)) {
            return Ok(Err("its files changed while they were being read".to_owned()));
        }
        self.newest.set(stamp, taken.clone());
        Ok(taken)
    }

    /// Reads all files, but for compressed copies of others.
    async fn take(&self, files: &[Listed]) -> Result<Taken<Content>, SourceError> {
        let copies = Copies::find(self, files, (0..files.len()).collect()).await?;
        let is_read = |index: &usize| !copies.whole.contains(index) && !copies.growing.contains(index);
        let which: Vec<usize> = (0..files.len()).filter(is_read).collect();
        let parts = stream::iter(which).map(|index| async move {
            let file = &files[index];
            let part = self
                .part(file)
                .await
                .map_err(|error| self.failed(&file.place, &error))?;
            Ok::<_, SourceError>(part.map_err(|reason| format!("{}: {reason}", file.place)))
        });
        let parts: Vec<Taken<Part>> = parts.buffered(AT_ONCE).try_collect().await?;
        let parts: Taken<Vec<Part>> = parts.into_iter().collect();
        Ok(parts.map(|parts| self.content_of(parts)))
    }

    fn content_of(&self, parts: Vec<Part>) -> Content {
        let identity = self.identity(parts.iter().map(|part| (part.range.name.as_str(), part.hash)));
        let ranges = parts.into_iter().map(|part| part.range);
        Content {
            identity,
            ranges: ranges.filter(|range| range.records > 0).collect(),
        }
    }

    async fn part(&self, file: &Listed) -> Result<Taken<Part>, DataFusionError> {
        if file.meta.size == 0 {
            return Ok(Err("it is empty, like a file that is about to be written".to_owned()));
        }
        match self.config.format.layout() {
            Layout::Text(format) => self.part_of_text(file, format).await,
            Layout::Table(format) => self.part_of_table(file, format).await,
        }
    }

    async fn part_of_text(&self, file: &Listed, format: &dyn TextFormat) -> Result<Taken<Part>, DataFusionError> {
        let path = &file.meta.location;
        let (first, bytes) = peek(bytes_of(&*self.store, path, 0..file.meta.size).await?).await?;
        let codec = match Kind::of(&*self.config.format, path, &first) {
            Kind::Text(codec) => codec,
            Kind::Foreign(what) => return Ok(Err(format!("it is {what}"))),
        };
        let (mut chunks, mut text) = (codec.text(bytes), WholeText::new(format));
        loop {
            let added = match chunks.try_next().await {
                Ok(Some(chunk)) => text.add(&chunk),
                Ok(None) => break,
                Err(error) if is_damage(&error) => Err(error.strip_backtrace()),
                Err(error) => return Err(error),
            };
            if let Err(reason) = added {
                return Ok(Err(reason));
            }
        }
        Ok(text.end().map(|found| Part {
            range: range(file, codec, found.count, found.length, None),
            hash: found.hash,
        }))
    }

    async fn part_of_table(&self, file: &Listed, format: &dyn TableFormat) -> Result<Taken<Part>, DataFusionError> {
        let (path, size) = (&file.meta.location, file.meta.size);
        let (codec, pass) = match self.table(file, format, &[], false).await? {
            Seen::Records(codec, pass) => (codec, pass),
            Seen::Foreign(what) => return Ok(Err(format!("it is {what}"))),
        };
        if let Some(reason) = pass.damage {
            return Ok(Err(reason));
        }
        let Some(rows) = pass.marks.first().filter(|_| pass.end == size) else {
            return Ok(Err(CHANGED.to_owned()));
        };
        // `pass.content` is a hash of samples of a large file.
        let mut hash = RecordHash::default();
        let mut chunks = bytes_of(&*self.store, path, 0..size).await?;
        while let Some(chunk) = chunks.try_next().await? {
            hash.update(&chunk);
        }
        Ok(Ok(Part {
            range: range(file, codec, rows.count, size, pass.tag),
            hash: hash.value(),
        }))
    }
}

fn positions(identity: i64, stamp: i64) -> Positions {
    Positions::from([(SNAPSHOT.to_owned(), identity), (STAMP.to_owned(), stamp)])
}

/// All records of a file.
fn range(file: &Listed, codec: Codec, count: Count, end: u64, tag: Option<String>) -> FileRange {
    FileRange {
        path: file.meta.location.clone(),
        name: file.place.clone(),
        codec,
        size: file.meta.size,
        text: count.start..end,
        records: count.records,
        first_line: 1,
        hash: count.hash,
        tag,
        found_us: 0,
    }
}

/// A snapshot that was read before, whose files are opened only once its records are asked for.
#[derive(Debug)]
struct Unopened {
    source: FilesSource,
    identity: i64,
    found_us: i64,
}

#[async_trait]
impl TableProvider for Unopened {
    fn schema(&self) -> SchemaRef {
        record_schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let failed = |error: SourceError| DataFusionError::External(Box::new(error));
        let files = self.source.listing().await.map_err(failed)?;
        let stamp = self.source.stamp(&files);
        match self.source.state(&files, stamp).await.map_err(failed)? {
            Ok(content) if content.identity == self.identity => {
                let scan = self.source.scan(content.found(self.found_us));
                scan.scan(state, projection, filters, limit).await
            }
            Ok(_) => Err(failed(self.unavailable("it has just changed"))),
            Err(reason) => Err(failed(self.unavailable(&reason))),
        }
    }
}

impl Unopened {
    fn unavailable(&self, reason: &str) -> SourceError {
        SourceError::Unreachable {
            what: format!("the snapshot {}", self.source.config.path),
            reason: reason.to_owned(),
            help: "nothing was committed; run again".to_owned(),
        }
    }
}
