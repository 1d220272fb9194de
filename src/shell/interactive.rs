//! The prompt: reads an input, runs it, and reads the next one, until Ctrl-D; Ctrl-C cancels a running query.

use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

use super::editor::{Editor, Names, ShellPrompt, Typed};
use super::script::Flow;
use super::{Shell, ShellError, history_file};
use crate::lake::At;
use crate::pipeline::chain;

/// Makes the editor release the terminal, however the session ends.
struct Leave(Arc<AtomicBool>);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Signals that may arrive while the shell waits.
struct Signals {
    /// Ctrl-C.
    interrupts: Signal,
    /// The terminal is gone. Under `nohup`, that alone does not end the program, and the editor would try to read
    /// forever.
    hangups: Signal,
}

impl Signals {
    fn new() -> Result<Self, ShellError> {
        let watch = |kind| signal(kind).map_err(|error| ShellError::file("watch", "the terminal", error));
        Ok(Self {
            interrupts: watch(SignalKind::interrupt())?,
            hangups: watch(SignalKind::hangup())?,
        })
    }
}

type Reading = JoinHandle<(Editor, Result<Typed, ShellError>)>;

/// Runs a session at the terminal. The prompt appears at once, while the shell is still being set up.
///
/// # Errors
/// When the shell cannot be set up, or the terminal does not respond. Errors of statements are only printed.
pub async fn interactive<E>(shell: impl Future<Output = Result<Shell, E>>) -> Result<(), E>
where
    E: From<ShellError>,
{
    let leave = Leave(Arc::default());
    let names = Names::default();
    let file = history_file::file().unwrap_or_else(|error| {
        eprintln!("the history of this session is not saved: {error}");
        None
    });
    let editor = Editor::new(names.clone(), file, leave.0.clone())?;
    // From here on, we handle Ctrl-C; otherwise, it would end the program.
    let mut signals = Signals::new()?;
    eprintln!(
        "clickrec {}: \\? lists the commands, Ctrl-D leaves",
        env!("CARGO_PKG_VERSION")
    );
    let mut reading = read(editor, "clickrec");
    let mut shell = match shell.await {
        Ok(shell) => shell,
        Err(error) => {
            // The error is printed once the terminal is restored.
            drop(leave);
            _ = reading.await;
            return Err(error);
        }
    };
    loop {
        let (editor, typed) = typed(&mut reading, &shell, &names, &mut signals).await?;
        match typed? {
            Typed::End => return Ok(()),
            Typed::Cleared => {}
            Typed::Text(text) => {
                if shell.answer(&text, &mut signals).await == Flow::Leave {
                    return Ok(());
                }
            }
        }
        reading = read(editor, &shell.prompt());
    }
}

/// Starts to read an input, on a thread that may block.
fn read(mut editor: Editor, prompt: &str) -> Reading {
    let prompt = ShellPrompt(prompt.to_owned());
    tokio::task::spawn_blocking(move || {
        let typed = editor.read(&prompt);
        (editor, typed)
    })
}

/// Waits for the input, and updates the names for completion in the meantime.
async fn typed(
    reading: &mut Reading,
    shell: &Shell,
    names: &Names,
    signals: &mut Signals,
) -> Result<(Editor, Result<Typed, ShellError>), ShellError> {
    let refresh = async {
        match shell.known_names().await {
            Ok(known) => names.set(known),
            Err(error) => tracing::info!("cannot complete names: {error}"),
        }
        pending::<()>().await;
    };
    tokio::select! {
        biased;
        read = reading => read.map_err(|error| ShellError::file("read", "the terminal", std::io::Error::other(error))),
        _ = signals.hangups.recv() => Err(ShellError::Command("the terminal was closed".to_owned())),
        () = refresh => Err(ShellError::Command("cannot read any more input".to_owned())),
    }
}

impl Shell {
    /// Runs an input. Ctrl-C cancels it, and unfinished work is rolled back.
    async fn answer(&mut self, text: &str, signals: &mut Signals) -> Flow {
        // Ignore a Ctrl-C from before the input ran.
        while signals.interrupts.recv().now_or_never().is_some() {}
        let answered = tokio::select! {
            biased;
            _ = signals.interrupts.recv() => None,
            _ = signals.hangups.recv() => return Flow::Leave,
            done = self.run_items(text, None) => Some(done),
        };
        match answered {
            Some(Ok(flow)) => return flow,
            Some(Err(error)) => eprintln!("error: {}", chain(&error, "\n  because: ")),
            None => {
                self.files.clear();
                _ = self.output.writer().flush();
                eprintln!("canceled");
            }
        }
        Flow::GoOn
    }

    fn prompt(&self) -> String {
        match self.at {
            At::Now => "clickrec".to_owned(),
            at => format!("clickrec@{at}"),
        }
    }
}
