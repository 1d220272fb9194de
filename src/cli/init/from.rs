//! `clickrec init --from`: looks at a sample, prints what it found, and writes a project that reads it.

use std::path::Path;

use anyhow::Context;

use super::super::global::Global;
use super::super::output::{table, write_all};
use super::scaffold::{SHIPPED, check_free, write};
use crate::inspect::{Findings, files, look, to_do};
use crate::plural::counted;
use crate::settings::normal;

/// Creates the project; writes nothing if the sample cannot be understood.
pub(super) async fn create(sample: &str, folder: &Path, preset: Option<&str>, global: &Global) -> anyhow::Result<()> {
    check_free(folder, &["pipelines.yaml", "sql", "_catalog/items.csv"])?;
    let root = std::path::absolute(folder).with_context(|| format!("cannot use {}", folder.display()))?;
    let findings = look(sample, &normal(&root), preset).await?;
    write(folder, files(&findings, &SHIPPED))?;
    if global.quiet {
        return Ok(());
    }
    write_all(&told(&findings))?;
    for to_do in to_do(&findings) {
        eprintln!("to do: {to_do}");
    }
    Ok(())
}

/// What was found, for people.
fn told(findings: &Findings) -> String {
    let mut found = table(["role", "field", "type", "reason"]);
    for row in findings.rows() {
        found.add_row(row);
    }
    let sources = findings
        .sources
        .iter()
        .map(|source| format!("{} ({})", source.settings, source.format));
    let mut lines: Vec<String> = sources.collect();
    lines.push(looked_at(findings));
    if let Some((name, about, was_recognized)) = &findings.preset {
        let how = if *was_recognized { "recognized" } else { "as asked" };
        lines.push(format!("preset `{name}`, {how}: {about}"));
    }
    if !findings.left_out.is_empty() {
        lines.push(format!(
            "not read, because they have another format: {}",
            findings.left_out.join(", ")
        ));
    }
    format!("{found}\n{}\n", lines.join("\n"))
}

fn looked_at(findings: &Findings) -> String {
    let records = counted(findings.records.len() as u64, "record was", "records were");
    match findings.others as u64 {
        0 => format!("{records} looked at"),
        others => {
            let others = counted(others, "other is not a JSON object", "others are not JSON objects");
            format!("{records} looked at; {others}")
        }
    }
}
