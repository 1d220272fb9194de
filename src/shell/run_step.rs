//! `\run`: runs steps of the pipeline from the shell; needs `--write`.

use super::restrictions::refused;
use super::{Access, Shell, ShellError};
use crate::config::nearest;
use crate::pipeline::{Decision, Outcome, RunEvent, RunOptions, Selection};
use crate::plural::counted;

impl Shell {
    /// Runs a step or, with `STEP+`, also the steps after it.
    pub(super) async fn run_step(&mut self, step: &str) -> Result<(), ShellError> {
        match self.options.access {
            Access::Write => {}
            Access::Safe => return Err(refused("\\run")),
            Access::Read => {
                return Err(ShellError::Refused(
                    "\\run writes tables, but this shell is read-only\n  help: start it with clickrec sql --write"
                        .to_owned(),
                ));
            }
        }
        let name = step.trim_end_matches('+');
        let node = self.runner.dag().named(name).ok_or_else(|| self.no_step(name))?;
        let pipelines = &self.project.pipelines;
        let Some(pipeline) = pipelines.iter().find(|pipeline| pipeline.name == node.pipeline) else {
            return Err(self.no_step(name));
        };
        let options = RunOptions {
            selection: Selection {
                select: vec![step.to_owned()],
                ..Selection::default()
            },
            ..RunOptions::default()
        };
        let mut tell = |event: RunEvent<'_>| {
            if let RunEvent::Finished(outcome) = event {
                eprintln!("{}", finished(outcome));
            }
        };
        let report = self.runner.run_once(pipeline, &options, &mut tell).await?;
        for skipped in &report.skipped {
            eprintln!("{}: skipped: {}", skipped.step, skipped.reason());
        }
        report.into_outcomes()?;
        Ok(())
    }

    fn no_step(&self, name: &str) -> ShellError {
        let nodes = self.runner.dag().nodes().iter();
        let known: Vec<String> = nodes.map(|node| node.name().to_string()).collect();
        let help = match nearest(name, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`? \\layers lists the steps"),
            None => "\\layers lists the steps".to_owned(),
        };
        ShellError::Command(format!("there is no step `{name}`\n  help: {help}"))
    }
}

fn finished(outcome: &Outcome) -> String {
    let step = outcome.step.to_string();
    match &outcome.decision {
        Decision::UpToDate(reason) => format!("{step}: up to date, {reason}"),
        _ => format!(
            "{step}: {}, {} written, {:.2} s",
            counted(outcome.read, "row read", "rows read"),
            indicatif::HumanCount(outcome.written),
            outcome.took.as_secs_f64()
        ),
    }
}
