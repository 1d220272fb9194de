//! The line editor: reedline, with highlighting, completion and multi-line input for SQL.

use std::borrow::Cow;
use std::fmt::Display;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};

use nu_ansi_term::Style;
use reedline::{
    Completer, CompletionResult, DefaultHinter, Emacs, FileBackedHistory, Highlighter, History, HistoryItem,
    HistoryItemId, HistorySessionId, IdeMenu, InputMode, KeyCode, KeyModifiers, MenuBuilder, Prompt, PromptEditMode,
    PromptHistorySearch, Reedline, ReedlineEvent, ReedlineMenu, SearchQuery, Signal, Span, StyledText, Suggestion,
    ValidationResult, Validator, default_emacs_keybindings,
};

use super::ShellError;
use super::complete::complete;
use super::highlight::parts;
use super::known_names::KnownNames;
use super::output::has_colors;
use super::secrets::holds_secret;
use super::split::is_complete;

/// How many inputs the history file keeps.
const HISTORY: usize = 10_000;
const MENU: &str = "completions";
const MENU_ROWS: u16 = 12;

/// The names for completion; the shell updates them when it learns more.
#[derive(Debug, Clone, Default)]
pub(super) struct Names(Arc<RwLock<Arc<KnownNames>>>);

impl Names {
    pub fn set(&self, known: KnownNames) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
    }

    fn get(&self) -> Arc<KnownNames> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What the user typed.
#[derive(Debug)]
pub(super) enum Typed {
    Text(String),
    /// Ctrl-C: drops the line, but does not leave the shell.
    Cleared,
    /// Ctrl-D.
    End,
}

/// Reads inputs from the terminal.
pub(super) struct Editor(Reedline);

impl Editor {
    /// Sets up the editor. `leave` makes it stop reading the current line.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn new(names: Names, history: Option<PathBuf>, leave: Arc<AtomicBool>) -> Result<Self, ShellError> {
        // The line is drawn on standard error.
        let colors = has_colors(&std::io::stderr());
        let history = match history {
            Some(file) => FileBackedHistory::with_file(HISTORY, file),
            None => FileBackedHistory::new(HISTORY),
        };
        let history = history.map_err(|error| failed("the history", error))?;
        let mut keys = default_emacs_keybindings();
        let tab = vec![ReedlineEvent::Menu(MENU.to_owned()), ReedlineEvent::MenuNext];
        keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, ReedlineEvent::UntilFound(tab));
        keys.add_binding(KeyModifiers::SHIFT, KeyCode::BackTab, ReedlineEvent::MenuPrevious);
        let menu = IdeMenu::default()
            .with_default_border()
            .with_max_completion_height(MENU_ROWS)
            .with_name(MENU)
            // The text after the cursor counts, too: it may name the tables.
            .with_input_mode(InputMode::FullBuffer)
            // The prompt stays as it is.
            .with_marker("> ");
        let editor = Reedline::create()
            .with_history(Box::new(Discreet(history)))
            .with_completer(Box::new(Names::clone(&names)))
            .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)))
            .with_quick_completions(true)
            .with_partial_completions(true)
            .with_highlighter(Box::new(Colors(colors)))
            .with_validator(Box::new(Semicolon))
            .with_edit_mode(Box::new(Emacs::new(keys)))
            .with_ansi_colors(colors)
            .with_break_signal(leave)
            .use_bracketed_paste(true);
        // Without colors, a hint could not be distinguished from typed text.
        let hinter = DefaultHinter::default()
            .with_style(Style::new().dimmed())
            .with_min_chars(2);
        Ok(Self(if colors {
            editor.with_hinter(Box::new(hinter))
        } else {
            editor
        }))
    }

    /// Reads one input, of one line or several. Blocks.
    ///
    /// # Errors
    /// When the terminal does not respond.
    pub fn read(&mut self, prompt: &ShellPrompt) -> Result<Typed, ShellError> {
        let read = self
            .0
            .read_line(prompt)
            .map_err(|error| failed("the terminal", error))?;
        // At once, so that nothing is lost if the shell is killed.
        if let Err(error) = self.0.sync_history() {
            tracing::warn!("cannot write the history: {error}");
        }
        Ok(match read {
            Signal::Success(text) => Typed::Text(text),
            Signal::CtrlC => Typed::Cleared,
            _ => Typed::End,
        })
    }
}

fn failed(what: &str, error: impl Display) -> ShellError {
    ShellError::Io {
        what: format!("cannot use {what}"),
        source: std::io::Error::other(error.to_string()),
    }
}

/// `clickrec>`, or `clickrec@12>` if an older version of the lake is read.
#[derive(Debug, Clone)]
pub(super) struct ShellPrompt(pub String);

impl Prompt for ShellPrompt {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed("> ")
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Owned(format!("{:>width$}> ", "", width = self.0.chars().count()))
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        Cow::Owned(format!(" (search: {})> ", search.term))
    }
}

/// Enter submits a complete input; otherwise, it begins a new line.
struct Semicolon;

impl Validator for Semicolon {
    fn validate(&self, text: &str) -> ValidationResult {
        match is_complete(text) {
            true => ValidationResult::Complete,
            false => ValidationResult::Incomplete,
        }
    }
}

struct Colors(bool);

impl Highlighter for Colors {
    fn highlight(&self, line: &str, _: usize) -> StyledText {
        let mut styled = StyledText::new();
        for (range, part) in parts(line) {
            let style = if self.0 { part.style() } else { Style::new() };
            styled.push((style, line[range].to_owned()));
        }
        styled
    }
}

impl Completer for Names {
    fn complete(&mut self, line: &str, pos: usize) -> CompletionResult {
        let found = complete(line, pos, &self.get());
        let span = Span::new(found.range.start, found.range.end);
        let suggestions = found.candidates.into_iter().map(|candidate| Suggestion {
            value: candidate.text,
            description: Some(candidate.detail).filter(|detail| !detail.is_empty()),
            span,
            ..Suggestion::default()
        });
        CompletionResult::fresh(suggestions.collect::<Vec<_>>())
    }
}

/// A history that does not store inputs with secrets.
struct Discreet(FileBackedHistory);

impl History for Discreet {
    fn save(&mut self, item: HistoryItem) -> reedline::Result<HistoryItem> {
        if holds_secret(&item.command_line) {
            return Ok(item);
        }
        self.0.save(item)
    }

    fn load(&self, id: HistoryItemId) -> reedline::Result<HistoryItem> {
        self.0.load(id)
    }

    fn count(&self, query: SearchQuery) -> reedline::Result<i64> {
        self.0.count(query)
    }

    fn search(&self, query: SearchQuery) -> reedline::Result<Vec<HistoryItem>> {
        self.0.search(query)
    }

    fn update(&mut self, id: HistoryItemId, updater: &dyn Fn(HistoryItem) -> HistoryItem) -> reedline::Result<()> {
        self.0.update(id, updater)
    }

    fn clear(&mut self) -> reedline::Result<()> {
        self.0.clear()
    }

    fn delete(&mut self, id: HistoryItemId) -> reedline::Result<()> {
        self.0.delete(id)
    }

    fn sync(&mut self) -> std::io::Result<()> {
        self.0.sync()
    }

    fn session(&self) -> Option<HistorySessionId> {
        self.0.session()
    }
}
