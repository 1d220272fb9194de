use clap::Args;

use super::output::write_all;
use crate::config;

/// Print the JSON schema of pipelines.yaml, by which editors complete and check it
#[derive(Debug, Args)]
#[command(after_help = "Example:
  clickrec schema > .editor/pipelines.schema.json

The first line of pipelines.yaml names the file to editors that know the YAML language server:
  # yaml-language-server: $schema=.editor/pipelines.schema.json")]
pub(super) struct SchemaArgs {}

pub(super) fn run(_: &SchemaArgs) -> anyhow::Result<()> {
    write_all(&schema()?)
}

/// The schema as text.
pub(super) fn schema() -> anyhow::Result<String> {
    Ok(format!("{}\n", serde_json::to_string_pretty(&config::schema())?))
}
