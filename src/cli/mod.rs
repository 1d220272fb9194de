//! The command line: what users type, and what they get back.
//!
//! Standard output carries results and nothing else; progress, logs and errors go to standard error. Exit codes:
//! 0 good, 1 failed, 2 usage or invalid configuration.

mod demo;
mod exit;
mod global;
mod history;
mod init;
mod output;
mod plan;
mod produce;
mod progress;
mod recommend;
mod run;
mod similar;
mod sql;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use global::Global;

/// A session-based recommender for click-streams: Kafka to Delta Lake to recommendations, in SQL.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::InitArgs),
    Demo(demo::DemoArgs),
    Produce(produce::ProduceArgs),
    Run(run::RunArgs),
    Plan(plan::PlanArgs),
    Sql(sql::SqlArgs),
    Recommend(recommend::RecommendArgs),
    Similar(similar::SimilarArgs),
    History(history::HistoryArgs),
}

/// Parses the arguments, runs the command, and reports what went wrong.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    cli.global.start_logging();
    match dispatch(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::report(&error),
    }
}

fn dispatch(cli: Cli) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let global = &cli.global;
    runtime.block_on(async {
        let command = async {
            match cli.command {
                Command::Init(args) => init::run(&args),
                Command::Demo(args) => demo::run(&args, global).await,
                Command::Produce(args) => run_produce(&args, global),
                Command::Run(args) => run::run(&args, global).await,
                Command::Plan(args) => plan::run(&args, global).await,
                Command::Sql(args) => sql::run(&args, global).await,
                Command::Recommend(args) => recommend::run(&args, global).await,
                Command::Similar(args) => similar::run(&args, global).await,
                Command::History(args) => history::run(&args, global).await,
            }
        };
        tokio::select! {
            ended = command => ended,
            // Dropping the command rolls back: what is not committed stays invisible.
            _ = exit::signal() => Err(anyhow::Error::new(exit::Interrupted)),
        }
    })
}

fn run_produce(args: &produce::ProduceArgs, global: &Global) -> anyhow::Result<()> {
    let kafka = if args.needs_kafka() {
        Some(global.kafka_source()?)
    } else {
        None
    };
    produce::run(args, kafka.as_ref(), global.progress())
}
