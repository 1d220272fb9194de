//! Helper scripts that serve something as long as a test needs it: they describe it in a line of JSON, answer each line
//! on their standard input with another, and exit when it is closed, however the test process ends.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use serde::de::DeserializeOwned;

pub struct Script(Mutex<Running>);

struct Running {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Script {
    /// Starts a script in the repository; returns its first line.
    pub fn start<T: DeserializeOwned>(script: &str, arguments: &[&str]) -> Result<(Self, T), String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(script);
        let mut child = Command::new(&path)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let mut running = Running {
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        };
        let first = running.answer();
        let first = first.ok_or_else(|| format!("scripts/{script} {} did not start", arguments.join(" ")))?;
        Ok((Self(Mutex::new(running)), first))
    }

    /// Sends it a line; returns the answer.
    pub fn ask<T: DeserializeOwned>(&self, line: &str) -> T {
        let mut running = self.0.lock().unwrap();
        let input = running.input.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
        input.flush().unwrap();
        running.answer().expect("the script ended")
    }
}

impl Running {
    /// The script's next line; `None` if it has exited.
    fn answer<T: DeserializeOwned>(&mut self) -> Option<T> {
        let mut line = String::new();
        self.output.read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.input.take());
        self.child.wait().ok();
    }
}
