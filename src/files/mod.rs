//! Files of records as a source: a folder that grows is read like a topic.
//!
//! A file is a topic: its path from the project's folder stands for the topic, 0 for the partition, the line for the
//! offset. Three positions are kept a file: the lines that were read, the bytes, and a hash of how it begins; a file that
//! has not grown is not opened again, one that has is read on from there, and one that was replaced is refused.
//!
//! - [`FilesSource`]: finds the files, and what of them is new.
//! - `lines`: where the lines of a stretch of bytes end.
//! - `scan`: the plan leaf that reads them.
//! - [`wire`]: that leaf as bytes, for another process.
//!
//! What is new is counted before it is read, so that the positions of the commit are known when the plan is made: the
//! new part of a plain file, and the whole of a grown `.gz`, is read twice.

mod lines;
mod scan;
mod source;
#[cfg(test)]
mod tests;
pub mod wire;

pub use scan::LinesScan;
pub use source::FilesSource;
