//! `clickrec produce`: sends simulated traffic (`simulate`) to a topic or a file, at a rate; `--create-topic` creates
//! the topic, `--catalog` also writes the shop's catalog.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::Args;
use flate2::Compression;
use flate2::write::GzEncoder;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use super::global::Global;
use crate::plural::counted;
use crate::simulate::{Catalog, Record, Simulation, SimulationConfig};
use crate::sources::kafka::{Created, KafkaConfig, Producer, create_topic};

/// More partitions than this are certainly a typo.
const PARTITIONS_MAX: i64 = 100_000;

/// Simulate the traffic of a shop
///
/// Simulated sessions, each with tastes of its own, click through a catalog in time order, with human-like pauses.
/// Records go to the topic of the project's Kafka source, keyed by session, or to a file. The source must have one
/// topic.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  clickrec produce --events 1_000_000 --to clicks.json.gz
  clickrec produce --target kafka --rate 500 --dirty 0.01
  clickrec produce --target kafka --create-topic 6
  clickrec produce --events 1_000 --to clicks.json --catalog items.csv
  clickrec produce --events 10 --to - | jq .item_id")]
pub(super) struct ProduceArgs {
    /// Number of records
    #[arg(long, default_value = "10_000", value_name = "N", value_parser = count)]
    events: u64,

    /// Maximum number of records per second [default: no limit]
    #[arg(long, value_name = "R", value_parser = count)]
    rate: Option<u64>,

    /// Approximate number of sessions [default: one for every eight records]
    #[arg(long, value_name = "N", value_parser = count)]
    sessions: Option<u64>,

    /// Number of items in the shop
    #[arg(long, default_value_t = 2_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    items: u32,

    /// Number of item categories
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    categories: u32,

    /// Seed of the simulation: the same seed gives the same records
    #[arg(long, default_value_t = 42)]
    seed: u64,

    /// Share of records that are broken, late, repeated or without a session
    #[arg(long, default_value_t = 0.0, value_name = "SHARE", value_parser = share)]
    dirty: f64,

    /// Time of the first record, RFC 3339 or `now`
    #[arg(long, default_value = "2025-07-13T00:00:00Z", value_parser = start)]
    start: DateTime<Utc>,

    /// Where the records go: `kafka`, a file (compressed if its name ends in `.gz`), or `-` for standard output
    #[arg(long, default_value = "kafka", value_name = "kafka|FILE")]
    to: String,

    /// Create the topic with this number of partitions if it does not exist; the brokers set the number of replicas
    #[arg(long, value_name = "PARTITIONS", value_parser = clap::value_parser!(i32).range(1..=PARTITIONS_MAX))]
    create_topic: Option<i32>,

    /// Append to the file if it exists
    #[arg(long)]
    append: bool,

    /// Also write the shop's catalog to this new file: its items as CSV, with titles, prices and pictures
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
}

/// `10000` or `10_000`, at least 1.
pub(super) fn count(text: &str) -> Result<u64, String> {
    match text.replace('_', "").parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("expected a whole number, like 10000 or 10_000".to_owned()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "expected a share from 0 to 1".to_owned())
}

fn start(text: &str) -> Result<DateTime<Utc>, String> {
    if text == "now" {
        return Ok(Utc::now());
    }
    DateTime::parse_from_rfc3339(text)
        .map(|at| at.to_utc())
        .map_err(|_| "expected `now` or a time like 2025-07-13T00:00:00Z".to_owned())
}

impl ProduceArgs {
    /// Whether the records go to the project's Kafka source.
    pub fn needs_kafka(&self) -> bool {
        self.to == "kafka"
    }

    /// The reason why the arguments exclude each other.
    pub fn conflict(&self) -> Option<&'static str> {
        let is_lost = self.create_topic.is_some() && !self.needs_kafka();
        is_lost.then_some("--create-topic creates a Kafka topic, but --to names a file")
    }

    fn simulation(&self) -> SimulationConfig {
        SimulationConfig {
            events: self.events,
            sessions: self.sessions,
            items: self.items,
            categories: self.categories,
            seed: self.seed,
            dirty: self.dirty,
            start: self.start,
        }
    }
}

/// Runs the command; `kafka` is given if [`ProduceArgs::needs_kafka`] is true.
pub(super) fn run(args: &ProduceArgs, kafka: Option<&KafkaConfig>, global: &Global) -> anyhow::Result<()> {
    let config = args.simulation();
    if let Some(path) = &args.catalog {
        write_catalog(&config, path)?;
    }
    match (kafka, args.to.as_str()) {
        (Some(kafka), _) => {
            if let Some(partitions) = args.create_topic {
                create(kafka, partitions, global)?;
            }
            send(&config, kafka, args.rate, global)
        }
        (None, "-") => match write(&config, std::io::stdout().lock(), args.rate, global) {
            // A closed pipe is not an error: `clickrec produce --to - | head`.
            Err(error) if is_broken_pipe(&error) => Ok(()),
            ended => ended,
        },
        (None, path) => {
            let path = Path::new(path);
            let mut options = OpenOptions::new();
            if args.append {
                options.append(true).create(true)
            } else {
                options.write(true).create_new(true)
            };
            let file = options.open(path).with_context(|| match path.exists() {
                true => format!(
                    "{} already exists\n  help: choose another name, or add to the file with --append",
                    path.display()
                ),
                false => format!("cannot write {}", path.display()),
            })?;
            if path.extension().is_some_and(|extension| extension == "gz") {
                let mut file = GzEncoder::new(file, Compression::fast());
                write(&config, &mut file, args.rate, global)?;
                _ = file.finish()?;
                Ok(())
            } else {
                write(&config, file, args.rate, global)
            }
        }
    }
}

/// Writes the catalog of a simulated shop to a new file.
pub(super) fn write_catalog(config: &SimulationConfig, path: &Path) -> anyhow::Result<()> {
    let file = File::create_new(path).with_context(|| match path.exists() {
        true => format!("{} already exists\n  help: choose another name", path.display()),
        false => format!("cannot write {}", path.display()),
    })?;
    let mut file = BufWriter::new(file);
    Catalog::new(config).write_csv(&mut file)?;
    Ok(file.flush()?)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Creates the topic, or reports that it exists.
fn create(kafka: &KafkaConfig, partitions: i32, global: &Global) -> anyhow::Result<()> {
    let topic = kafka.only_topic()?;
    let told = match create_topic(kafka, partitions)? {
        Created::New => format!("created topic {topic}, partitions: {partitions}"),
        Created::Existing => format!("topic {topic} already exists and was left unchanged"),
    };
    if !global.quiet {
        eprintln!("{told}");
    }
    Ok(())
}

/// Sends a simulation to a topic, at the given rate or without a limit.
pub(super) fn to_kafka(config: &SimulationConfig, kafka: &KafkaConfig, global: &Global) -> anyhow::Result<()> {
    send(config, kafka, None, global)
}

fn send(config: &SimulationConfig, kafka: &KafkaConfig, rate: Option<u64>, global: &Global) -> anyhow::Result<()> {
    let mut producer = Producer::connect(kafka)?;
    let where_to = kafka.topics.to_string();
    let pace = Pace::start(config.events, rate, global);
    each(config, &pace, |record| {
        Ok(producer.send(Some(&record.key), Some(&record.value))?)
    })?;
    let delivered = producer.flush()?;
    if delivered != config.events {
        bail!(
            "only {} of {} were delivered\n  help: check the brokers; a second `clickrec produce` sends all records again",
            HumanCount(delivered),
            counted(config.events, "record", "records")
        );
    }
    pace.finish(config.events, &where_to);
    Ok(())
}

fn write(config: &SimulationConfig, out: impl Write, rate: Option<u64>, global: &Global) -> anyhow::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, out);
    let pace = Pace::start(config.events, rate, global);
    each(config, &pace, |record| {
        out.write_all(&record.value)?;
        out.write_all(b"\n")?;
        // Readers follow a slow stream while it grows.
        if rate.is_some() { Ok(out.flush()?) } else { Ok(()) }
    })?;
    out.flush()?;
    pace.finish(config.events, "the file");
    Ok(())
}

fn each(
    config: &SimulationConfig,
    pace: &Pace,
    mut take: impl FnMut(&Record) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut simulation = Simulation::new(config.clone());
    let mut record = Record::default();
    let mut done = 0;
    while simulation.next_into(&mut record) {
        take(&record)?;
        done += 1;
        pace.keep(done);
    }
    Ok(())
}

/// The rate limit and the progress bar.
struct Pace {
    started: Instant,
    rate: Option<u64>,
    bar: ProgressBar,
    quiet: bool,
}

impl Pace {
    fn start(events: u64, rate: Option<u64>, global: &Global) -> Self {
        let bar = if global.progress() {
            ProgressBar::new(events)
        } else {
            ProgressBar::hidden()
        };
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {human_pos} of {human_len} records, {per_sec}") {
            bar.set_style(style);
        }
        Self {
            started: Instant::now(),
            rate,
            bar,
            quiet: global.quiet,
        }
    }

    fn keep(&self, done: u64) {
        if done.is_multiple_of(1_024) {
            self.bar.set_position(done);
        }
        if let Some(rate) = self.rate {
            let due = self.started + Duration::from_secs_f64(done as f64 / rate as f64);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }

    fn finish(&self, events: u64, where_to: &str) {
        self.bar.finish_and_clear();
        if self.quiet {
            return;
        }
        let seconds = self.started.elapsed().as_secs_f64();
        let rate = (events as f64 / seconds.max(f64::EPSILON)) as u64;
        eprintln!(
            "{} to {where_to} in {seconds:.1} s, {} per second",
            counted(events, "record", "records"),
            HumanCount(rate)
        );
    }
}
