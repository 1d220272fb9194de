//! `clickrec man`: the manual pages, made from the options of the commands.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use clap_mangen::{Man, generate_to};

use super::output::write_all;

/// Write the manual pages, one per command
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clickrec man ~/.local/share/man/man1    then run: man clickrec-run
  clickrec man | man -l -                 show the main page directly")]
pub(super) struct ManArgs {
    /// The folder to write to; without it, the main page is printed to standard output
    folder: Option<PathBuf>,
}

pub(super) fn run(args: &ManArgs, command: clap::Command) -> anyhow::Result<()> {
    let Some(folder) = &args.folder else {
        let mut page = vec![];
        Man::new(command).render(&mut page)?;
        return write_all(&String::from_utf8(page)?);
    };
    let failed = || format!("cannot write the manual pages to {}", folder.display());
    std::fs::create_dir_all(folder).with_context(failed)?;
    generate_to(command, folder).with_context(failed)
}
