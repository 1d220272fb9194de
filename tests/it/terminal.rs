//! The program at a terminal: what is typed, and what the screen then shows.

use std::fs;
use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Shop, binary};

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const ROWS: u16 = 50;
const COLUMNS: u16 = 110;
/// The sequence with which a program requests the cursor position.
const WHERE: &[u8] = b"\x1b[6n";

/// The file with the program's process ID, in the shop's folder.
const PID: &str = "terminal.pid";

/// A terminal running the program.
pub struct Terminal {
    child: Child,
    input: Arc<Mutex<ChildStdin>>,
    screen: Arc<Mutex<vt100::Parser>>,
}

impl Terminal {
    /// Starts the program in a shop's folder, with its own history.
    pub fn start(shop: &Shop, args: &[&str]) -> Self {
        Self::start_with(shop, args, &[])
    }

    /// The same with additional environment variables.
    pub fn start_with(shop: &Shop, args: &[&str], environment: &[(&str, &str)]) -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let state = format!("state{}", STARTED.fetch_add(1, Ordering::Relaxed));
        // script(1) creates the pseudo-terminal; crates for that need features of libc that would cause a full rebuild.
        let size = format!("stty rows {ROWS} cols {COLUMNS}");
        // As under nohup, so that only the program itself reacts when its terminal goes away.
        let run = format!(
            "{size}; trap '' HUP; echo $$ > {PID}; exec '{}' {}",
            binary().display(),
            args.join(" ")
        );
        let mut command = Command::new("script");
        command
            .args(["--quiet", "--return", "--command", &run, "/dev/null"])
            .current_dir(shop.path(""))
            .env("TERM", "xterm-256color")
            .env("XDG_STATE_HOME", shop.path(&state))
            .env_remove("NO_COLOR")
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let input = Arc::new(Mutex::new(child.stdin.take().unwrap()));
        let (rows, columns) = (NonZero::new(ROWS).unwrap(), NonZero::new(COLUMNS).unwrap());
        let screen = Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 1_000)));
        let output = child.stdout.take().unwrap();
        thread::spawn({
            let (input, screen) = (input.clone(), screen.clone());
            move || show(output, &screen, &input)
        });
        Self { child, input, screen }
    }

    /// Types; `\r` is Enter, `\t` Tab, `\x03` Ctrl-C.
    pub fn send(&self, keys: &str) {
        let mut input = self.input.lock().unwrap();
        input.write_all(keys.as_bytes()).unwrap();
        input.flush().unwrap();
    }

    /// Waits until the screen contains a text; returns the screen.
    pub fn wait(&self, text: &str) -> String {
        self.wait_until(text, |screen| screen.contains(text))
    }

    /// Waits until the screen satisfies a condition; returns the screen.
    pub fn wait_until(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let started = Instant::now();
        loop {
            let screen = self.contents();
            if wanted(&screen) {
                return screen;
            }
            assert!(started.elapsed() < PATIENCE, "waited for {what}; the screen:\n{screen}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn contents(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    /// The color at the last occurrence of a text, and whether it is bold.
    pub fn color_of(&self, text: &str) -> (vt100::Color, bool) {
        let screen = self.screen.lock().unwrap();
        let screen = screen.screen();
        let places = screen.rows(0, COLUMNS).enumerate();
        let place = places.filter_map(|(row, line)| Some((row, line.rfind(text)?))).last();
        let (row, column) = place.unwrap_or_else(|| panic!("{text} is not on the screen"));
        let cell = screen
            .cell(u16::try_from(row).unwrap(), u16::try_from(column).unwrap())
            .unwrap();
        (cell.fgcolor(), cell.bold())
    }

    /// Waits for a new prompt after everything else.
    pub fn wait_for_prompt(&self) -> String {
        self.wait_until("a prompt", |screen| {
            screen
                .trim_end()
                .lines()
                .last()
                .is_some_and(|line| line.trim_end() == "clickrec>")
        })
    }

    /// Closes the program's terminal, and waits for it to exit.
    pub fn tear_off(mut self, shop: &Shop) {
        let process = fs::read_to_string(shop.path(PID)).unwrap();
        let process = Path::new("/proc").join(process.trim());
        assert!(process.exists());
        self.child.kill().unwrap();
        let started = Instant::now();
        while process.exists() {
            assert!(started.elapsed() < PATIENCE, "it goes on without a terminal");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The exit code, once the program has ended.
    pub fn exit_code(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have exited by itself.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Draws the program's output, and answers requests for the cursor position.
fn show(mut output: impl Read, screen: &Mutex<vt100::Parser>, input: &Mutex<ChildStdin>) {
    let mut bytes = [0; 4_096];
    while let Ok(count @ 1..) = output.read(&mut bytes) {
        let mut rest = &bytes[..count];
        while let Some(at) = rest.windows(WHERE.len()).position(|window| window == WHERE) {
            let (row, column) = {
                let mut screen = screen.lock().unwrap();
                screen.process(&rest[..at]);
                screen.screen().cursor_position()
            };
            let answer = format!("\x1b[{};{}R", row + 1, column + 1);
            input.lock().unwrap().write_all(answer.as_bytes()).unwrap();
            rest = &rest[at + WHERE.len()..];
        }
        screen.lock().unwrap().process(rest);
    }
}
