//! `clickrec schema`: the JSON schema of `pipelines.yaml`, with which editors complete and check it.

use clap::Args;

use super::output::write_all;
use crate::config;

/// Print the JSON schema of pipelines.yaml, which editors use to complete and check the file
#[derive(Debug, Args)]
#[command(after_help = "Example:
  clickrec schema > .editor/pipelines.schema.json

The first line of pipelines.yaml points editors with a YAML language server to that file:
  # yaml-language-server: $schema=.editor/pipelines.schema.json")]
pub(super) struct SchemaArgs {}

pub(super) fn run(_: &SchemaArgs) -> anyhow::Result<()> {
    write_all(&schema()?)
}

/// The schema as text.
pub(super) fn schema() -> anyhow::Result<String> {
    Ok(format!("{}\n", serde_json::to_string_pretty(&config::schema())?))
}
