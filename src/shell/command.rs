//! Backslash commands, in the spirit of psql: their list for help, how each is parsed, and what is suggested for a
//! mistyped one.

use std::time::Duration;

use clap::ValueEnum;

use super::ShellError;
use super::print::Format;
use crate::config::nearest;
use crate::lake::At;

/// The commands, their arguments and what they do, as help shows them.
pub(super) const COMMANDS: &[(&str, &str, &str)] = &[
    (
        "\\d",
        "[TABLE]",
        "show the columns of a table and the step that writes it; without a table, the same as \\dt",
    ),
    (
        "\\dt",
        "[TEXT]",
        "list tables, views and topics, or only those whose names contain TEXT",
    ),
    (
        "\\df",
        "[FUNCTION]",
        "show help for a function, or list the functions whose names contain FUNCTION",
    ),
    (
        "\\layers",
        "",
        "list the steps in order: what each writes, how, and from what",
    ),
    ("\\history", "TABLE", "list a table's commits, newest first"),
    (
        "\\at",
        "[VERSION | TIME | now]",
        "read the lake as it was then, until \\at now; without an argument, show which versions are read",
    ),
    (
        "\\run",
        "STEP[+]",
        "run a step (and, with +, the steps after it); needs --write",
    ),
    (
        "\\explain",
        "[analyze] [STATEMENT]",
        "show the plan of a statement, or of the last one",
    ),
    ("\\watch", "[SECONDS] [TIMES]", "repeat the last statement until Ctrl-C"),
    (
        "\\format",
        "[FORMAT]",
        "print rows as table, csv, tsv, json, ndjson, markdown or vertical",
    ),
    ("\\x", "[on | off]", "print one line per column instead of one per row"),
    (
        "\\limit",
        "[ROWS | off]",
        "set how many rows of a result the shell shows",
    ),
    (
        "\\timing",
        "[on | off]",
        "show how long statements take, and their peak memory",
    ),
    (
        "\\o",
        "[FILE]",
        "write results to a file; without a file, to the terminal again",
    ),
    ("\\i", "FILE", "run the statements and commands in a file"),
    ("\\?", "", "show this help"),
    ("\\q", "", "leave the shell, as Ctrl-D does"),
];

/// A command with its arguments.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Command {
    Describe(String),
    Tables(Option<String>),
    Functions(Option<String>),
    Layers,
    History(String),
    At(Option<At>),
    Run(String),
    Explain { analyze: bool, statement: Option<String> },
    Watch { every: Duration, times: Option<u32> },
    Format(Option<Format>),
    Expanded(Option<bool>),
    Limit(Option<Limit>),
    Timing(Option<bool>),
    Output(Option<String>),
    Include(String),
    Help,
    Quit,
}

/// How many rows of a result are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    Rows(usize),
    Off,
}

impl Command {
    /// Parses a line that begins with a backslash.
    ///
    /// # Errors
    /// When there is no such command, or its arguments are wrong; says how to fix it.
    pub fn parse(line: &str) -> Result<Self, ShellError> {
        let line = line.trim().trim_end_matches(';').trim_end();
        let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        let argument = || (!rest.is_empty()).then(|| rest.to_owned());
        let wrong = || usage(name);
        Ok(match name {
            "\\d" => match argument() {
                Some(table) => Self::Describe(one_word(&table).ok_or_else(wrong)?),
                None => Self::Tables(None),
            },
            "\\dt" => Self::Tables(argument()),
            "\\df" => Self::Functions(argument()),
            "\\layers" if rest.is_empty() => Self::Layers,
            "\\history" => Self::History(one_word(rest).ok_or_else(wrong)?),
            "\\at" => Self::At(match argument() {
                Some(moment) => Some(
                    moment
                        .parse()
                        .map_err(|error| ShellError::Command(format!("\\at: {error}")))?,
                ),
                None => None,
            }),
            "\\run" => Self::Run(one_word(rest).ok_or_else(wrong)?),
            "\\explain" => explain(rest),
            "\\watch" => watch(rest).ok_or_else(wrong)?,
            "\\format" => Self::Format(match argument() {
                Some(format) => Some(parse_format(&format)?),
                None => None,
            }),
            "\\x" => Self::Expanded(switch(rest).ok_or_else(wrong)?),
            "\\limit" => Self::Limit(limit(rest).ok_or_else(wrong)?),
            "\\timing" => Self::Timing(switch(rest).ok_or_else(wrong)?),
            "\\o" => Self::Output(argument()),
            "\\i" => Self::Include(argument().ok_or_else(wrong)?),
            "\\?" | "\\h" | "\\help" => Self::Help,
            "\\q" if rest.is_empty() => Self::Quit,
            name => return Err(usage(name)),
        })
    }
}

/// The error for wrong arguments, or for an unknown command, with the nearest one.
fn usage(name: &str) -> ShellError {
    let known = COMMANDS.iter().find(|(known, ..)| *known == name);
    ShellError::Command(match known {
        Some((name, "", _)) => format!("{name} takes no arguments"),
        Some((name, arguments, doc)) => format!("usage: {name} {arguments}\n  help: use it to {doc}"),
        None => match nearest(name, COMMANDS.iter().map(|(known, ..)| *known)) {
            Some(near) => format!("there is no command {name}\n  help: did you mean {near}? \\? lists all commands"),
            None => format!("there is no command {name}\n  help: \\? lists all commands"),
        },
    })
}

fn one_word(rest: &str) -> Option<String> {
    (!rest.is_empty() && !rest.contains(char::is_whitespace)).then(|| rest.to_owned())
}

/// `on`, `off`, or nothing to toggle.
fn switch(rest: &str) -> Option<Option<bool>> {
    match rest {
        "" => Some(None),
        "on" => Some(Some(true)),
        "off" => Some(Some(false)),
        _ => None,
    }
}

fn limit(rest: &str) -> Option<Option<Limit>> {
    match rest {
        "" => Some(None),
        "off" | "0" => Some(Some(Limit::Off)),
        rows => rows.parse().ok().map(|rows| Some(Limit::Rows(rows))),
    }
}

fn explain(rest: &str) -> Command {
    let (first, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let analyze = first.eq_ignore_ascii_case("analyze");
    let statement = if analyze { after.trim() } else { rest };
    Command::Explain {
        analyze,
        statement: (!statement.is_empty()).then(|| statement.to_owned()),
    }
}

/// Every two seconds by default, as in psql.
fn watch(rest: &str) -> Option<Command> {
    let mut words = rest.split_whitespace();
    let seconds: f64 = words.next().map_or(Some(2.0), |seconds| seconds.parse().ok())?;
    let times = match words.next() {
        Some(times) => Some(times.parse().ok().filter(|times| *times > 0)?),
        None => None,
    };
    if words.next().is_some() {
        return None;
    }
    // Less would be a busy loop.
    let every = Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|every| every.as_millis() >= 10)?;
    Some(Command::Watch { every, times })
}

fn parse_format(text: &str) -> Result<Format, ShellError> {
    Format::from_str(text, true).map_err(|_| {
        let names: Vec<String> = Format::value_variants().iter().map(ToString::to_string).collect();
        ShellError::Command(format!(
            "unknown format {text}\n  help: the formats are {}",
            names.join(", ")
        ))
    })
}

/// What `\?` prints.
pub(super) fn help() -> String {
    let mut text = String::from("A statement ends with a semicolon; a command is one line.\n\n");
    for (name, arguments, doc) in COMMANDS {
        let call = format!("{name} {arguments}");
        text.push_str(&format!("  {call:<32}{doc}\n"));
    }
    text.push_str(
        "\n  Tab completes, Up and Ctrl-R search the history, Ctrl-C cancels a query or clears the line, Ctrl-D leaves.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn refused(line: &str) -> String {
        Command::parse(line).unwrap_err().to_string()
    }

    #[test]
    fn arguments_are_read() {
        let of = |line: &str| Command::parse(line).unwrap();
        assert_eq!(of("\\d silver.events;"), Command::Describe("silver.events".to_owned()));
        assert_eq!(of("\\d"), Command::Tables(None));
        assert_eq!(of("\\o my file.csv"), Command::Output(Some("my file.csv".to_owned())));
        assert_eq!(of("\\at 3"), Command::At(Some(At::Version(3))));
        assert_eq!(of("\\limit off"), Command::Limit(Some(Limit::Off)));
        let every = Duration::from_millis(500);
        assert_eq!(of("\\watch 0.5 3"), Command::Watch { every, times: Some(3) });
        let explain = |analyze, statement: Option<&str>| Command::Explain {
            analyze,
            statement: statement.map(str::to_owned),
        };
        assert_eq!(of("\\explain analyze select 1"), explain(true, Some("select 1")));
        assert_eq!(of("\\explain select 1"), explain(false, Some("select 1")));
        assert_eq!(of("\\explain"), explain(false, None));
    }

    #[test]
    fn what_is_written_wrong_gets_the_way_out() {
        assert!(refused("\\formt csv").contains("did you mean \\format?"));
        assert!(refused("\\zzz").contains("\\? lists all commands"));
        assert!(refused("\\format xml").contains("table, csv, tsv, json, ndjson, markdown, vertical"));
        assert!(refused("\\run").contains("\\run STEP[+]"));
        assert!(refused("\\at yesterday").contains("neither a version"));
        assert!(refused("\\watch 0").contains("\\watch [SECONDS] [TIMES]"));
        assert!(refused("\\q now").contains("takes no arguments"));
    }

    #[test]
    fn every_command_of_the_help_is_one() {
        for (name, arguments, _) in COMMANDS {
            let error = Command::parse(name)
                .err()
                .map(|error| error.to_string())
                .unwrap_or_default();
            assert!(!error.contains("there is no command"), "{name} {arguments}");
        }
    }
}
