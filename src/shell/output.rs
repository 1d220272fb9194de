//! Where results go.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Stdout, Write};

use comfy_table::Table;

use super::ShellError;

/// Tables that go to a file or pipe are no wider.
const PLAIN_WIDTH: u16 = 120;

/// Standard output that is content where the reader has gone away (`clickrec … | head`).
#[derive(Debug)]
pub struct Out(BufWriter<Stdout>);

impl Out {
    /// Buffers; what is printed is there once it is flushed or dropped.
    pub fn new() -> Self {
        Self(BufWriter::new(io::stdout()))
    }
}

impl Default for Out {
    fn default() -> Self {
        Self::new()
    }
}

fn without_broken_pipe<T>(result: io::Result<T>, otherwise: T) -> io::Result<T> {
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(otherwise),
        other => other,
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        without_broken_pipe(self.0.write(bytes), bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        without_broken_pipe(self.0.flush(), ())
    }
}

/// The terminal, or a file.
#[derive(Debug)]
pub(super) enum Output {
    Standard(Out),
    File(BufWriter<File>),
}

impl Output {
    pub fn standard() -> Self {
        Self::Standard(Out::new())
    }

    /// Makes the file, or empties it.
    pub fn file(path: &str) -> Result<Self, ShellError> {
        let file = File::create(path).map_err(|error| ShellError::file("write", path, error))?;
        Ok(Self::File(BufWriter::new(file)))
    }

    pub fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Standard(out) => out,
            Self::File(file) => file,
        }
    }

    /// How wide a table may be.
    pub fn width(&self) -> u16 {
        match self {
            Self::Standard(_) => terminal_width(),
            Self::File(_) => PLAIN_WIDTH,
        }
    }
}

/// How wide a table on standard output may be.
pub fn terminal_width() -> u16 {
    let of_terminal = io::stdout().is_terminal().then(|| Table::new().width()).flatten();
    of_terminal.unwrap_or(PLAIN_WIDTH)
}
