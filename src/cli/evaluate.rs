//! `clickrec evaluate`: measures the recommendations against simpler models on sessions held out from training, and
//! tunes them over `--grid`; prints the table and saves the figures (`evaluate` does the work).

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{ArgGroup, Args};
use comfy_table::{Cell, CellAlignment};
use indicatif::ProgressBar;
use serde_json::json;

use super::global::Global;
use super::output::{table, write_all};
use crate::evaluate::{
    Cut, Data, Hints, MEASURES, Measured, Origin, Plan, ROLES, Report, Scratch, Tried, check, evaluate, save,
};
use crate::inspect::mapping::Role;
use crate::inspect::preset_names;
use crate::plural::counted;

/// Measure how good the recommendations are, compared with simpler models, on sessions held out from training
///
/// The lake's events are split at a point in time. The project's own SQL is trained on the earlier sessions, in a
/// temporary lake, and predicts the later ones click by click. Results have 95% intervals and are stored in the table
/// system.evaluations.
///
/// Instead of the lake's events, those of a file can be split (--data), or files that are already split can be used
/// (--train, --test). The command finds their format and fields as `clickrec init --from` does, and reports its
/// choices. Where they are not clear, it stops and asks for --preset or --field.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("files").args(["data", "train"]),
    after_help = "Examples:
  clickrec evaluate
  clickrec evaluate --test-days 1 --k 5,20
  clickrec evaluate --data yoochoose-clicks.dat
  clickrec evaluate --data events.parquet --field session=visit,item=sku
  clickrec evaluate --train train.csv.gz --test test.csv.gz
  clickrec evaluate --grid factors=64,128 alpha=10,40 --model als

Files are JSON, CSV, Parquet, Avro or Arrow; JSON and CSV may be compressed. A folder or a pattern names several. Events
have an item, a session (or a user, whose visits are inferred), and a time (or a position in the session). A --test
file may instead have the fields test_id, prefix (items separated by spaces) and target. Sessions that are in both
files are refused."
)]
pub(super) struct EvaluateArgs {
    /// Evaluate the first K items of each list
    // CLICKREC_K is one number: that of `recommend` and `similar`.
    #[arg(long, env = "CLICKREC_EVALUATE_K", hide_env = true, value_name = "K,…", value_delimiter = ',', default_value = "20", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    k: Vec<u16>,

    /// Test on this share of the sessions, the most recent ones
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, value_parser = share)]
    test_share: f64,

    /// Test on the sessions of the last DAYS days of the project's time zone instead; a few sessions that end more than
    /// a day after all others do not determine the last day
    #[arg(long, value_name = "DAYS", conflicts_with = "test_share", value_parser = days)]
    test_days: Option<f64>,

    /// Maximum number of sessions to test on (no limit with --test), and to score --grid on; they are chosen by a hash
    /// of their IDs
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    sample: u32,

    /// Split the events of a file instead of those of the lake
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,

    /// Learn from a file instead of the lake
    #[arg(long, value_name = "FILE", requires = "test")]
    train: Option<PathBuf>,

    /// Test on a file
    #[arg(long, value_name = "FILE", requires = "train")]
    test: Option<PathBuf>,

    /// The schema of the files, if it is a known one; by default, it is recognized, or inferred
    #[arg(long, value_name = "NAME", requires = "files", value_parser = PossibleValuesParser::new(preset_names()))]
    preset: Option<String>,

    /// Fields of the files, instead of those that were found: session, user, item, time, position or type
    #[arg(long, value_name = "ROLE=FIELD,…", requires = "files", value_delimiter = ',', value_parser = field)]
    field: Vec<(Role, String)>,

    /// Evaluate only these models: `blend` (the project's own recommendations) or any declared under `recommender` in
    /// pipelines.yaml
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    model: Vec<String>,

    /// Values to try for var('NAME', …) in the SQL: every combination is scored by running the last selected
    /// model on the most recent training sessions, and the best combination is used for the test
    #[arg(long, value_name = "NAME=V,…", num_args = 1.., value_parser = axis)]
    grid: Vec<(String, Vec<String>)>,

    /// The metric that selects the best combination of --grid: HR, MRR, recall, precision, NDCG or MAP, at the
    /// largest k
    #[arg(long, value_name = "METRIC", default_value = "MRR", value_parser = measure)]
    judge: String,

    /// Score --grid on this share of the training sessions, the most recent ones
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, value_parser = share)]
    validation_share: f64,

    /// Print every figure as JSON
    #[arg(long)]
    json: bool,
}

/// How often the spinner turns.
const TICK: Duration = Duration::from_millis(120);

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0001..=0.9).contains(&share) => Ok(share),
        _ => Err("expected a share from 0.0001 to 0.9".to_owned()),
    }
}

fn days(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(days) if (0.001..=36_500.0).contains(&days) => Ok(days),
        _ => Err("expected a number of days from 0.001 to 36500".to_owned()),
    }
}

fn axis(text: &str) -> Result<(String, Vec<String>), String> {
    let (name, values) = text.split_once('=').ok_or("expected NAME=VALUE,VALUE,…")?;
    let values: Vec<String> = values.split(',').map(|value| value.trim().to_owned()).collect();
    match name.is_empty() || values.iter().any(String::is_empty) {
        true => Err("expected NAME=VALUE,VALUE,…".to_owned()),
        false => Ok((name.to_owned(), values)),
    }
}

fn field(text: &str) -> Result<(Role, String), String> {
    let (name, field) = text.split_once('=').ok_or("expected ROLE=FIELD")?;
    let role = ROLES.iter().find(|(known, _)| *known == name);
    match role {
        Some((_, role)) if !field.is_empty() => Ok((*role, field.to_owned())),
        Some(_) => Err("expected ROLE=FIELD".to_owned()),
        None => {
            let known: Vec<&str> = ROLES.iter().map(|(known, _)| *known).collect();
            Err(format!("`{name}` is none of {}", known.join(", ")))
        }
    }
}

fn measure(text: &str) -> Result<String, String> {
    let known = MEASURES.iter().find(|known| known.eq_ignore_ascii_case(text));
    known
        .map(|known| (*known).to_owned())
        .ok_or_else(|| format!("expected one of {}", MEASURES.join(", ")))
}

pub(super) async fn run(args: &EvaluateArgs, global: &Global) -> anyhow::Result<()> {
    let (project, runner) = global.runner().await?;
    let plan = args.plan()?;
    check(&runner, &plan)?;
    let data = Data::read(&runner, &args.origin()?).await?;
    if !global.quiet {
        data.told.iter().for_each(|told| eprintln!("{told}"));
    }
    let spinner = if global.progress() {
        ProgressBar::new_spinner()
    } else {
        ProgressBar::hidden()
    };
    spinner.enable_steady_tick(TICK);
    spinner.set_message("loading the training sessions");
    let scratch = Scratch::new(&project, &runner, data.train.clone()).await?;
    let (report, tried) = evaluate(&scratch, &data, &plan, &mut |what| spinner.set_message(what.to_owned())).await?;
    spinner.finish_and_clear();
    if args.json {
        print_json(&report, &tried)?;
    } else {
        print_tried(&tried, &plan)?;
        print_report(&report)?;
    }
    let saved = save(&report, runner.lake(), &runner.session().await?, chrono::Utc::now()).await;
    if let Err(error) = saved {
        tracing::warn!("cannot store the results in system.evaluations: {error}");
    }
    Ok(())
}

impl EvaluateArgs {
    fn plan(&self) -> anyhow::Result<Plan> {
        Ok(Plan {
            ks: self.k.iter().copied().map(usize::from).collect(),
            models: self.model.clone(),
            grid: self.grid.clone(),
            judge: self.judge.clone(),
            validation: Cut::Share(self.validation_share),
            sample: usize::try_from(self.sample)?,
        })
    }

    fn origin(&self) -> anyhow::Result<Origin> {
        let hints = Hints {
            preset: self.preset.clone(),
            fields: self.field.clone(),
        };
        if let (Some(train), Some(test)) = (&self.train, &self.test) {
            return Ok(Origin::Files {
                train: train.clone(),
                test: test.clone(),
                hints,
            });
        }
        let cut = match self.test_days {
            Some(days) => Cut::Days(days),
            None => Cut::Share(self.test_share),
        };
        let sample = Some(usize::try_from(self.sample)?);
        Ok(match &self.data {
            Some(file) => Origin::File {
                file: file.clone(),
                hints,
                cut,
                sample,
            },
            None => Origin::Lake { cut, sample },
        })
    }
}

fn print_json(report: &Report, tried: &[Tried]) -> anyhow::Result<()> {
    let tried: Vec<_> = tried
        .iter()
        .map(|tried| json!({ "variables": tried.variables, "score": tried.score }))
        .collect();
    let variables: serde_json::Map<String, serde_json::Value> = report
        .variables
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    let all = json!({
        "data": report.data,
        "train_sessions": report.train_sessions,
        "test_sessions": report.test_sessions,
        "cases": report.cases,
        "variables": variables,
        "tried": tried,
        "figures": report.rows(),
    });
    write_all(&format!("{}\n", serde_json::to_string_pretty(&all)?))
}

fn print_tried(tried: &[Tried], plan: &Plan) -> anyhow::Result<()> {
    let Some(best) = tried.iter().map(|tried| tried.score).max_by(f64::total_cmp) else {
        return Ok(());
    };
    let mut grid = table(["tried", "judged", ""]);
    for tried in tried {
        let values: Vec<String> = tried
            .variables
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mark = if tried.score == best { "best" } else { "" };
        grid.add_row([values.join(" "), format!("{:.2}", 100.0 * tried.score), mark.to_owned()]);
    }
    let k = plan.ks.iter().max().copied().unwrap_or_default();
    write_all(&format!(
        "{}@{k} in percent, on the most recent training sessions\n{grid}\n\n",
        plan.judge
    ))
}

fn print_report(report: &Report) -> anyhow::Result<()> {
    write_all(&format!(
        "{}\ntrained on {}, tested on {} from {}; in percent, ± half the width of the 95% interval; full results in \
         system.evaluations\n",
        report.data,
        counted(report.train_sessions, "session", "sessions"),
        counted(report.cases as u64, "case", "cases"),
        counted(report.test_sessions as u64, "other session", "other sessions"),
    ))?;
    let ks = report.measured.first().map(|measured| &measured.figures);
    for place in 0..ks.map_or(0, Vec::len) {
        for seen in [true, false] {
            let rows: Vec<&Measured> = report
                .measured
                .iter()
                .filter(|measured| measured.seen == seen)
                .collect();
            print_table(&rows, place, seen)?;
        }
    }
    Ok(())
}

fn print_table(rows: &[&Measured], place: usize, seen: bool) -> anyhow::Result<()> {
    let mut found = table([
        "model", "HR", "MRR", "recall", "prec.", "NDCG", "MAP", "cover.", "popul.", "p50 ms", "p90 ms", "p99 ms",
    ]);
    let mut k = 0;
    for row in rows {
        let figures = &row.figures[place];
        k = figures.k;
        let mut cells = vec![Cell::new(&row.model)];
        let mut number = |text: String| cells.push(Cell::new(text).set_alignment(CellAlignment::Right));
        for (place, estimate) in figures.estimates.iter().enumerate() {
            let half = 50.0 * (estimate.high - estimate.low);
            // One line a model: the intervals of the others are in the table of evaluations.
            number(match place {
                0 | 1 => format!("{:.1} ±{half:.1}", 100.0 * estimate.value),
                _ => format!("{:.1}", 100.0 * estimate.value),
            });
        }
        number(format!("{:.1}", 100.0 * figures.coverage));
        number(format!("{:.1}", 100.0 * figures.popularity));
        for latency in row
            .latency
            .iter()
            .flat_map(|times| [times.p50_ms, times.p90_ms, times.p99_ms])
        {
            number(format!("{latency:.2}"));
        }
        found.add_row(cells);
    }
    let what = if seen {
        "seen items may be recommended again"
    } else {
        "seen items are left out"
    };
    write_all(&format!("\ntop {k}, {what}\n{found}\n"))
}
