//! What a format decides, and that records need not be lines.

use super::*;
use crate::sources::formats::{Count, Counter, Ends, Layout, RecordHash, Rows, Splitter, Start, TextFormat};

const MAGIC: &[u8] = b"CARDS";
const END: &[u8] = b"END";

/// A file that is written as a whole: a magic number, records of four bytes, and an end mark.
#[derive(Debug)]
struct Cards;

impl Format for Cards {
    fn name(&self) -> &'static str {
        "cards"
    }

    fn endings(&self) -> &'static [&'static str] {
        &[".cards"]
    }

    fn foreign(&self, first: &[u8]) -> Option<&'static str> {
        (!first.starts_with(MAGIC)).then_some("no file of cards")
    }

    fn layout(&self) -> Layout<'_> {
        Layout::Text(self)
    }
}

impl TextFormat for Cards {
    fn ends(&self) -> Box<dyn Ends> {
        Box::new(Whole)
    }

    fn is_complete(&self, rest: &[u8]) -> bool {
        rest.starts_with(MAGIC) && rest.ends_with(END)
    }

    fn unfinished(&self, place: &str, _: u64) -> String {
        format!("{place} has no end mark")
    }

    fn counter(&self, start: Start) -> Box<dyn Counter> {
        Box::new(CardCounter {
            start: start.at,
            hash: RecordHash::default(),
            length: 0,
        })
    }

    fn splitter(&self, _: &[u8]) -> Box<dyn Splitter> {
        Box::<CardSplitter>::default()
    }
}

/// The file is one piece.
struct Whole;

impl Ends for Whole {
    fn next_end(&mut self, _: &[u8]) -> Option<usize> {
        None
    }

    fn has_begun(&self) -> bool {
        true
    }
}

struct CardCounter {
    start: u64,
    hash: RecordHash,
    length: u64,
}

impl Counter for CardCounter {
    fn update(&mut self, text: &[u8]) {
        self.hash.update(text);
        self.length += text.len() as u64;
    }

    fn end(&mut self) {}

    fn count(&self) -> Count {
        let records = self.length.saturating_sub((MAGIC.len() + END.len()) as u64) / 4;
        Count {
            start: self.start,
            lines: records,
            records,
            hash: self.hash.value(),
        }
    }
}

/// The file is decoded once all of it is there.
#[derive(Default)]
struct CardSplitter(Vec<u8>);

impl Splitter for CardSplitter {
    fn feed(&mut self, chunk: &[u8], _: &mut Rows) -> datafusion::error::Result<bool> {
        self.0.extend_from_slice(chunk);
        Ok(true)
    }

    fn end(&mut self, rows: &mut Rows) -> datafusion::error::Result<()> {
        let inside = self.0.strip_prefix(MAGIC).and_then(|rest| rest.strip_suffix(END));
        let inside = inside.ok_or_else(|| datafusion::common::exec_datafusion_err!("no file of cards"))?;
        inside.chunks(4).for_each(|card| _ = rows.push(card));
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_written_as_a_whole_is_read_once_it_is_complete() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let source = source_of(folder.path(), Arc::new(Cards));
    let mut positions = Positions::new();
    fs::write(at("a.cards"), "CARDSK\n02Q\n").unwrap();
    fs::write(at("a.json"), "{}\n").unwrap();
    fs::write(at("odd.cards"), "DARCS").unwrap();
    assert!(read(&source, &mut positions).await.unwrap().is_empty(), "no end mark");
    fs::write(at("a.cards"), "CARDSK\n02Q\n05END").unwrap();
    let expected = [
        ("a.cards".to_owned(), 1, "K\n02".to_owned()),
        ("a.cards".to_owned(), 2, "Q\n05".to_owned()),
    ];
    assert_eq!(read(&source, &mut positions).await.unwrap(), expected);
    assert!(read(&source, &mut positions).await.unwrap().is_empty());

    fs::write(at("b.cards.gz"), gzipped(b"CARDSK\n02Q\n05END")).unwrap();
    fs::remove_file(at("a.cards")).unwrap();
    assert!(
        read(&source, &mut positions).await.unwrap().is_empty(),
        "it was renamed"
    );

    fs::write(at("b.cards.gz"), gzipped(b"CARDSA\n99END")).unwrap();
    let lost = read(&source, &mut positions).await.unwrap_err();
    assert!(matches!(lost, SourceError::PositionLost { .. }), "{lost}");
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_may_go_on_waits_for_its_line_break() {
    let folder = TempDir::new().unwrap();
    let source = source_of(folder.path(), of("text"));
    let mut positions = Positions::new();
    fs::write(folder.path().join("a.log"), "GET /\n{\"n\":1}").unwrap();
    fs::write(folder.path().join("a.json"), "{}\n").unwrap();
    assert_eq!(texts(read(&source, &mut positions).await.unwrap()), ["GET /"]);
    fs::write(folder.path().join("a.log"), "GET /\n{\"n\":1} and more\n").unwrap();
    assert_eq!(
        texts(read(&source, &mut positions).await.unwrap()),
        ["{\"n\":1} and more"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_stops_reading() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("a.json"), "1\n".repeat(1_000)).unwrap();
    let pending = source(folder.path())
        .pending(&At(&Positions::new()), ReadOptions::default())
        .await
        .unwrap();
    assert_eq!(pending.records, 1_000);
    let context = SessionContext::new();
    let rows = context
        .read_table(pending.provider)
        .unwrap()
        .limit(0, Some(7))
        .unwrap()
        .collect()
        .await
        .unwrap();
    assert_eq!(rows.iter().map(|batch| batch.num_rows()).sum::<usize>(), 7);
}
