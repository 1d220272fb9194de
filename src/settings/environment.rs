//! Finds the value of `${NAME}`: on the command line (`--var`), in the environment, in the `.env` file next to the
//! project file, in the file named in `NAME_FILE`, or in the output of the command in `NAME_COMMAND` (within 60
//! seconds). An empty value counts as none. `var('NAME', …)` of the SQL is `udfs/src/variables.rs`.

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
                (None, Some(line)) => Some(output(&command, &line, COMMAND_TIME)?),
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

/// The standard output of a command. By `limit`, the command has to end, and so has every process that holds its output
/// open.
fn output(variable: &str, line: &str, limit: Duration) -> Result<String, Missing> {
    let failed = |reason: String| Missing::Unread(format!("the command in {variable} failed: {reason}"));
    let unknown = |error: std::io::Error| failed(error.to_string());
    let deadline = Instant::now() + limit;
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
    let seconds = limit.as_secs_f64();
    match (text, exit(&mut child, deadline).map_err(unknown)?) {
        (_, Some(status)) if !status.success() => Err(failed(status.to_string())),
        (Some(text), Some(_)) => text,
        (None, Some(_)) => Err(failed(format!(
            "it ended, but after {seconds} s a process that it started still holds its output open; end that process, or \
             start it with >/dev/null"
        ))),
        (_, None) => Err(failed(format!("it took longer than {seconds} s"))),
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

/// Waits for the end of a command; kills it at the deadline and returns `None`.
fn exit(child: &mut Child, deadline: Instant) -> std::io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            break;
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

    /// Why a command gives no secret, at the latest after a second.
    fn failure(line: &str) -> String {
        let started = Instant::now();
        let output = output("KEY_COMMAND", line, Duration::from_secs(1));
        assert!(started.elapsed() < Duration::from_secs(10), "it waited for the command");
        match output {
            Err(Missing::Unread(reason)) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_dotenv_that_cannot_be_read_is_an_error_that_repeats_none_of_it() {
        use std::fs;
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".env");
        let get = || VariableResolver::new(&BTreeMap::new(), &Environment::of(|_| None), folder.path()).get("KEY");
        fs::write(&file, "KEY=value\n").unwrap();
        assert_eq!(get(), Ok(Some("value".to_owned())));
        fs::write(&file, "hush hush\nKEY=value\n").unwrap();
        let Err(Missing::Unread(reason)) = get() else {
            panic!("a line without a name");
        };
        assert!(reason.contains("NAME=VALUE") && !reason.contains("hush"), "{reason}");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
        // The superuser reads everything.
        if fs::read(&file).is_err() {
            let unread = matches!(get(), Err(Missing::Unread(reason)) if reason.contains("cannot be read"));
            assert!(unread, "{:?}", get());
        }
    }

    #[test]
    fn a_command_may_print_more_than_a_pipe_holds() {
        let text = output("KEY_COMMAND", "head -c 300000 /dev/zero | tr '\\0' x", COMMAND_TIME);
        assert!(matches!(text, Ok(text) if text.len() == 300_000));
    }

    #[test]
    fn a_failed_command_is_an_error_that_does_not_repeat_its_output() {
        let error = output("KEY_COMMAND", "echo secret; exit 3", COMMAND_TIME);
        assert!(
            matches!(error, Err(Missing::Unread(text)) if text.contains("KEY_COMMAND") && !text.contains("secret"))
        );
    }

    #[test]
    fn a_command_that_does_not_end_is_an_error() {
        for line in ["sleep 20", "echo secret; exec >&-; sleep 20"] {
            let reason = failure(line);
            assert!(reason.ends_with("failed: it took longer than 1 s"), "{line}: {reason}");
        }
    }

    #[test]
    fn a_process_that_a_command_leaves_behind_may_not_hold_its_output() {
        let reason = failure("sleep 20 & echo secret");
        assert!(
            reason.contains("a process that it started still holds its output"),
            "{reason}"
        );
        assert!(!reason.contains("secret"), "{reason}");
        let text = output("KEY_COMMAND", "sleep 20 >/dev/null & echo secret", COMMAND_TIME);
        assert_eq!(text.as_deref().map(str::trim), Ok("secret"));
    }
}
