//! Files of records as a source: a folder that grows is read like a topic.
//!
//! A file is a topic: its path from the project's folder stands for the topic, 0 for the partition, the line for the
//! offset. What was read of a file is known by its content, not by its name: a file of which the store tells nothing new
//! is not opened again, one that has grown is read on from there, one that was renamed, compressed or rotated goes on
//! under its new name, and one whose content was replaced is refused.
//!
//! - [`FilesSource`]: the source.
//! - `listing`: the files that there are; `names`: what their names say.
//! - `waiting`: what is new in them, and which of them were moved.
//! - `copies`: files that are there twice, plain and compressed.
//! - `look`: opens them; `codec`: decompresses them; `pass`: goes through their text once.
//! - `fingerprint`: what tells the content of one from that of another.
//! - `lines`: where the lines of a text end.
//! - `state`: how far they were read, as positions.
//! - `scan`: the plan leaf that reads them.
//! - [`wire`]: that leaf as bytes, for another process.
//!
//! What is new is counted before it is read, so that the positions of the commit are known when the plan is made: the
//! new part of a plain file, and the whole of a compressed one, is read twice.

mod codec;
mod copies;
mod fingerprint;
mod lines;
mod listing;
mod look;
mod names;
mod pass;
mod scan;
mod source;
mod state;
#[cfg(test)]
mod tests;
mod waiting;
pub mod wire;

pub use scan::LinesScan;
pub use source::FilesSource;
