//! Fingerprints that identify the beginning of a text, whatever the file is called: every byte of the first 16 MiB, and
//! samples of what follows.

use std::hash::Hasher;
use std::ops::Range;

use bytes::Bytes;
use twox_hash::XxHash64;

/// Every byte up to this length is hashed.
pub(super) const WHOLE: u64 = 16 << 20;
/// Beyond that, only blocks of this size are, sixteen per doubling of the length, so that checking a file stays cheap.
const BLOCK: u64 = 64 << 10;
/// The last bytes are hashed too.
const TAIL: usize = 64 << 10;

/// A running fingerprint of a text. It is the same for a plain and a compressed file, and for any chunking.
#[derive(Clone)]
pub(super) struct Fingerprint {
    hash: XxHash64,
    length: u64,
    tail: Vec<u8>,
}

impl Default for Fingerprint {
    fn default() -> Self {
        Self {
            hash: XxHash64::with_seed(0),
            length: 0,
            tail: vec![],
        }
    }
}

impl Fingerprint {
    /// Adds the bytes that follow.
    pub fn update(&mut self, mut bytes: &[u8]) {
        self.keep_tail(bytes);
        while !bytes.is_empty() {
            let (counts, end) = part(self.length);
            let part = usize::try_from(end - self.length).map_or(bytes.len(), |left| left.min(bytes.len()));
            let (now, later) = bytes.split_at(part);
            if counts {
                self.hash.write(now);
            }
            self.length += part as u64;
            bytes = later;
        }
    }

    fn keep_tail(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len() as u64;
        if end + TAIL as u64 <= WHOLE {
            return;
        }
        self.tail.extend_from_slice(&bytes[bytes.len().saturating_sub(TAIL)..]);
        if self.tail.len() > 4 * TAIL {
            self.tail.drain(..self.tail.len() - TAIL);
        }
    }

    /// The fingerprint of everything added so far.
    pub fn value(&self) -> i64 {
        finish(
            self.hash.clone(),
            self.length,
            &self.tail[self.tail.len().saturating_sub(TAIL)..],
        )
    }

    /// The parts that make up the fingerprint of a text of this length, which must exceed [`WHOLE`].
    pub fn parts(length: u64) -> Vec<Range<u64>> {
        let (mut parts, mut at) = (vec![], 0);
        while at < length {
            let (counts, end) = part(at);
            if counts {
                parts.push(at..end.min(length));
            }
            at = end;
        }
        parts.push(length.saturating_sub(TAIL as u64)..length);
        parts
    }

    /// The fingerprint of a text of this length, from its [`Fingerprint::parts`].
    pub fn of_parts(length: u64, parts: &[Bytes]) -> i64 {
        let mut hash = XxHash64::with_seed(0);
        let Some((tail, parts)) = parts.split_last() else {
            return 0;
        };
        parts.iter().for_each(|part| hash.write(part));
        finish(hash, length, tail)
    }
}

fn finish(mut hash: XxHash64, length: u64, tail: &[u8]) -> i64 {
    if length > WHOLE {
        hash.write(tail);
        hash.write(&length.to_le_bytes());
    }
    positive(hash.finish())
}

/// Turns a hash into a position, which is never negative.
pub(super) fn positive(hash: u64) -> i64 {
    (hash >> 1).cast_signed()
}

/// Whether the byte at an offset is hashed, and up to where the same holds for the bytes after it.
fn part(at: u64) -> (bool, u64) {
    if at < WHOLE {
        return (true, WHOLE);
    }
    let block = at / BLOCK;
    let step = 1 << (block.ilog2() - 4);
    if block.is_multiple_of(step) {
        (true, (block + 1) * BLOCK)
    } else {
        (false, (block / step + 1) * step * BLOCK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(length: usize) -> Vec<u8> {
        (0..length).map(|n| (n * 31 % 251) as u8).collect()
    }

    #[test]
    fn pieces_and_parts_give_one_fingerprint() {
        let text = text(70 << 20);
        for length in [0, 5, 1 << 20, (16 << 20) + 1, (40 << 20) + 77_777, 70 << 20] {
            let mut whole = Fingerprint::default();
            whole.update(&text[..length]);
            let mut pieces = Fingerprint::default();
            text[..length].chunks(70_001).for_each(|piece| pieces.update(piece));
            assert_eq!(whole.value(), pieces.value(), "{length}");
            if length as u64 > WHOLE {
                let parts = Fingerprint::parts(length as u64);
                let read: Vec<Bytes> = parts
                    .into_iter()
                    .map(|part| Bytes::copy_from_slice(&text[part.start as usize..part.end as usize]))
                    .collect();
                assert_eq!(whole.value(), Fingerprint::of_parts(length as u64, &read), "{length}");
            }
        }
    }

    #[test]
    fn what_is_read_to_check_a_file_does_not_grow_with_it() {
        let read = |length| {
            Fingerprint::parts(length)
                .iter()
                .map(|part| part.end - part.start)
                .sum::<u64>()
        };
        assert!(read(1 << 30) < 24 << 20);
        assert!(read(1 << 40) < 36 << 20);
    }
}
