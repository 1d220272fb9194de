//! Where results go: standard output, even if the reader of a pipe has left, or a file (`\o`); the width of the
//! terminal, and whether it gets colors.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Stdout, Write};

use comfy_table::Table;

use super::ShellError;

/// The maximum width of tables that go to a file or a pipe.
const PLAIN_WIDTH: u16 = 120;

/// Standard output that ignores a closed pipe (`clickrec … | head`).
#[derive(Debug)]
pub struct Out(BufWriter<Stdout>);

impl Out {
    /// Buffers output until it is flushed or dropped.
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

    /// Creates the file, or truncates it.
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

    /// The maximum width of a table.
    pub fn width(&self) -> u16 {
        match self {
            Self::Standard(_) => terminal_width(),
            Self::File(_) => PLAIN_WIDTH,
        }
    }
}

/// Whether to use colors: on a terminal, unless `NO_COLOR` is set (<https://no-color.org>).
pub fn has_colors(stream: &impl IsTerminal) -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && stream.is_terminal()
}

/// The maximum width of a table on standard output.
pub fn terminal_width() -> u16 {
    let of_terminal = io::stdout().is_terminal().then(|| Table::new().width()).flatten();
    of_terminal.unwrap_or(PLAIN_WIDTH)
}
