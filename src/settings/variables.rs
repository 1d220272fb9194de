//! Resolves `${NAME}`: from the command line, the environment, the `.env` file next to the project file, the file named
//! in `NAME_FILE`, or the output of the command in `NAME_COMMAND`.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use super::missing::Missing;

/// How long a command that prints a secret may take.
const COMMAND_TIME: Duration = Duration::from_secs(60);

type Get = dyn Fn(&str) -> Option<String> + Send + Sync;

/// The environment variables of a process, or a substitute.
#[derive(Clone)]
pub struct Environment(Arc<Get>);

impl Environment {
    /// The variables of this process.
    pub fn process() -> Self {
        Self::of(|name| std::env::var(name).ok())
    }

    /// An environment with these values.
    pub fn of(get: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(get))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}

/// Values by name. Files and commands are read again each time.
#[derive(Clone)]
pub struct VariableResolver {
    given: BTreeMap<String, String>,
    environment: Environment,
    dotenv: PathBuf,
}

impl VariableResolver {
    /// `given` overrides everything else; `folder` may contain a `.env`.
    pub fn new(given: &BTreeMap<String, String>, environment: &Environment, folder: &Path) -> Self {
        Self {
            given: given.clone(),
            environment: environment.clone(),
            dotenv: folder.join(".env"),
        }
    }

    /// The value of a name; `None` if it is not set anywhere, or is empty.
    ///
    /// # Errors
    /// When its file cannot be read, or its command fails.
    pub fn get(&self, name: &str) -> Result<Option<String>, Missing> {
        if let Some(value) = self.plain(name)? {
            return Ok(Some(value));
        }
        let (file, command) = (format!("{name}_FILE"), format!("{name}_COMMAND"));
        let value =
            match (self.plain(&file)?, self.plain(&command)?) {
                (Some(path), _) => {
                    let read = std::fs::read_to_string(&path);
                    Some(read.map_err(|error| {
                        Missing::Unread(format!("{file} names {path}, which cannot be read: {error}"))
                    })?)
                }
                (None, Some(line)) => Some(output(&command, &line)?),
                (None, None) => None,
            };
        let value = value.map(|value| value.trim().to_owned());
        Ok(value.filter(|value| !value.is_empty()))
    }

    fn plain(&self, name: &str) -> Result<Option<String>, Missing> {
        let value = match self.given.get(name).cloned().or_else(|| (self.environment.0)(name)) {
            Some(value) => Some(value),
            None => self.of_file(name)?,
        };
        Ok(value.filter(|value| !value.is_empty()))
    }

    fn of_file(&self, name: &str) -> Result<Option<String>, Missing> {
        let unread = |reason: &str| Missing::Unread(format!("{}: {reason}", self.dotenv.display()));
        if !self.dotenv.is_file() {
            return Ok(None);
        }
        let lines = dotenvy::from_path_iter(&self.dotenv);
        for line in lines.map_err(|error| unread(&format!("cannot be read: {error}")))? {
            // The library's error quotes the line, which may contain a secret.
            let (known, value) = line.map_err(|_| unread("every line must have the form NAME=VALUE"))?;
            if known == name {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }
}

/// The standard output of a command.
fn output(variable: &str, line: &str) -> Result<String, Missing> {
    let failed = |reason: String| Missing::Unread(format!("the command in {variable} failed: {reason}"));
    let unknown = |error: std::io::Error| failed(error.to_string());
    let deadline = Instant::now() + COMMAND_TIME;
    let mut child = Command::new("sh")
        .args(["-c", line])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // Its standard error may reveal part of a secret.
        .stderr(Stdio::null())
        .spawn()
        .map_err(unknown)?;
    let text = match child.stdout.take() {
        Some(stdout) => read(stdout, deadline).map(|text| text.map_err(unknown)),
        None => Some(Ok(String::new())),
    };
    match (text, exit(&mut child, deadline).map_err(unknown)?) {
        (Some(text), Some(status)) if status.success() => text,
        (Some(_), Some(status)) => Err(failed(status.to_string())),
        _ => Err(failed(format!("it took longer than {} s", COMMAND_TIME.as_secs()))),
    }
}

/// Reads to the end, in a thread of its own: a pipe holds 64 KiB, and a command that fills it waits for its reader.
/// `None` if the end does not come in time.
fn read(mut stdout: ChildStdout, deadline: Instant) -> Option<std::io::Result<String>> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let result = stdout.read_to_string(&mut text).map(|_| text);
        // Nobody receives it after the deadline.
        _ = send.send(result);
    });
    receive
        .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        .ok()
}

/// Waits for the end of a command that has closed its output; kills it at the deadline and returns `None`.
fn exit(child: &mut Child, deadline: Instant) -> std::io::Result<Option<ExitStatus>> {
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    // It may have exited in the meantime.
    _ = child.kill();
    _ = child.wait();
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_may_print_more_than_a_pipe_holds() {
        let text = output("KEY_COMMAND", "head -c 300000 /dev/zero | tr '\\0' x");
        assert!(matches!(text, Ok(text) if text.len() == 300_000));
    }

    #[test]
    fn a_failed_command_is_an_error_that_does_not_repeat_its_output() {
        let error = output("KEY_COMMAND", "echo secret; exit 3");
        assert!(
            matches!(error, Err(Missing::Unread(text)) if text.contains("KEY_COMMAND") && !text.contains("secret"))
        );
    }
}
