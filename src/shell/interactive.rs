//! The prompt: reads an input, runs it, and reads the next one, until Ctrl-D.

use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

use super::editor::{Editor, Names, ShellPrompt, Typed};
use super::script::Flow;
use super::{Shell, ShellError, history};
use crate::lake::At;
use crate::pipeline::chain;

/// Makes the editor let go of the terminal when the session ends in whatever way.
struct Leave(Arc<AtomicBool>);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What may come in from outside while the shell waits.
struct Signals {
    /// Ctrl-C.
    interrupts: Signal,
    /// The terminal is gone. Under `nohup` that ends no program by itself, and the editor would read what is not there
    /// for ever.
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

/// Runs a session at the terminal. The prompt does not wait for the shell, which is made meanwhile.
///
/// # Errors
/// When the shell cannot be made, or the terminal does not answer. Errors of statements are told, and end nothing.
pub async fn interactive<E>(shell: impl Future<Output = Result<Shell, E>>) -> Result<(), E>
where
    E: From<ShellError>,
{
    let leave = Leave(Arc::default());
    let names = Names::default();
    let file = history::file().unwrap_or_else(|error| {
        eprintln!("this session keeps no history: {error}");
        None
    });
    let editor = Editor::new(names.clone(), file, leave.0.clone())?;
    // From here on Ctrl-C is ours; without this it would end the program.
    let mut signals = Signals::new()?;
    eprintln!(
        "clickrec {}: \\? lists the commands, Ctrl-D leaves",
        env!("CARGO_PKG_VERSION")
    );
    let mut reading = read(editor, "clickrec");
    let mut shell = match shell.await {
        Ok(shell) => shell,
        Err(error) => {
            // What is wrong is told once the terminal is as it was.
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

/// Begins to read an input, on a thread that may block.
fn read(mut editor: Editor, prompt: &str) -> Reading {
    let prompt = ShellPrompt(prompt.to_owned());
    tokio::task::spawn_blocking(move || {
        let typed = editor.read(&prompt);
        (editor, typed)
    })
}

/// Waits for the input; meanwhile the names that are completed are brought up to date.
async fn typed(
    reading: &mut Reading,
    shell: &Shell,
    names: &Names,
    signals: &mut Signals,
) -> Result<(Editor, Result<Typed, ShellError>), ShellError> {
    let refresh = async {
        match shell.catalog().await {
            Ok(catalog) => names.set(catalog),
            Err(error) => tracing::info!("nothing to complete: {error}"),
        }
        pending::<()>().await;
    };
    tokio::select! {
        biased;
        read = reading => read.map_err(|error| ShellError::file("read", "the terminal", std::io::Error::other(error))),
        _ = signals.hangups.recv() => Err(ShellError::Command("the terminal is gone".to_owned())),
        () = refresh => Err(ShellError::Command("nothing is read any more".to_owned())),
    }
}

impl Shell {
    /// Runs an input. Ctrl-C ends what runs, and what it has not finished is undone.
    async fn answer(&mut self, text: &str, signals: &mut Signals) -> Flow {
        // One that came when nothing ran is for nothing.
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
                eprintln!("cancelled");
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
