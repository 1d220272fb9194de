//! `clickrec completions`: scripts that complete commands and options in bash, zsh, fish and others. Completion of SQL
//! is `shell/complete.rs`.

use clap::Args;
use clap_complete::{Shell, generate};

use super::output::write_all;

/// Print a script that makes your shell complete commands and options
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clickrec completions bash > ~/.local/share/bash-completion/completions/clickrec
  clickrec completions zsh > ~/.zfunc/_clickrec
  clickrec completions fish > ~/.config/fish/completions/clickrec.fish")]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs, mut command: clap::Command) -> anyhow::Result<()> {
    let (name, mut script) = (command.get_name().to_owned(), vec![]);
    generate(args.shell, &mut command, name, &mut script);
    write_all(&String::from_utf8(script)?)
}
