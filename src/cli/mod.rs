//! The command line: what users type, and what they get back.
//!
//! Standard output carries only results; progress, logs and errors go to standard error. Exit codes: 0 success, 1
//! failure, 2 usage error or invalid configuration (`exit`). `global` has the options of all commands, `signals` Ctrl-C
//! and SIGTERM; each option can also be set in the environment (`CLICKREC_…`), which `command` arranges; every other
//! file is a command, or what commands share: `output`, `item_details`, `progress`, `graph`, `step_result`.

mod completions;
mod demo;
mod docs;
mod erase;
mod evaluate;
mod executor;
mod exit;
mod follow;
mod global;
mod graph;
mod history;
mod init;
mod item_details;
mod man;
mod metrics;
mod optimize;
mod output;
mod plan;
mod produce;
mod progress;
mod quarantine;
mod recommend;
mod run;
mod scheduler;
mod schema;
mod serve;
mod signals;
mod similar;
mod sql;
mod step_result;
mod test;
mod test_report;
mod vacuum;

use std::process::ExitCode;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use tokio_util::sync::CancellationToken;

use global::Global;

/// Plans are trees, which are walked recursively; a scheduler receives them from clients.
const STACK_BYTES: usize = 16 << 20;
/// How long threads may take to end after the command.
const SHUTDOWN: Duration = Duration::from_secs(1);

/// A session-based recommender for clickstreams: from Kafka to Delta Lake to recommendations, in SQL
///
/// You can also set every option in the environment: --accept-loss is CLICKREC_ACCEPT_LOSS=true.
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
    Test(test::TestArgs),
    Docs(docs::DocsArgs),
    Sql(sql::SqlArgs),
    Recommend(recommend::RecommendArgs),
    Similar(similar::SimilarArgs),
    Evaluate(evaluate::EvaluateArgs),
    Serve(serve::ServeArgs),
    Scheduler(scheduler::SchedulerArgs),
    Executor(executor::ExecutorArgs),
    History(history::HistoryArgs),
    Optimize(optimize::OptimizeArgs),
    Vacuum(vacuum::VacuumArgs),
    Quarantine(quarantine::QuarantineArgs),
    Erase(erase::EraseArgs),
    Schema(schema::SchemaArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

/// The command line; every option has an environment variable: `--accept-loss` is `CLICKREC_ACCEPT_LOSS`.
fn command() -> clap::Command {
    fn with_envs(command: clap::Command) -> clap::Command {
        command.mut_args(with_env).mut_subcommands(with_envs)
    }
    fn with_env(arg: clap::Arg) -> clap::Arg {
        let Some(long) = arg
            .get_long()
            .filter(|long| arg.get_env().is_none() && !matches!(*long, "help" | "version"))
        else {
            return arg;
        };
        let name = format!("CLICKREC_{}", long.replace('-', "_").to_uppercase());
        let arg = arg.env(name).hide_env(true);
        match arg.get_action() {
            clap::ArgAction::SetTrue => arg.value_parser(FalseyValueParser::new()),
            _ => arg,
        }
    }
    with_envs(Cli::command())
}

/// Parses the arguments, runs the command, and reports what went wrong.
pub fn main() -> ExitCode {
    let cli = match Cli::from_arg_matches(&command().get_matches()) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    cli.global.start_logging(matches!(cli.command, Command::Test(_)));
    exit::log_panics_of_workers();
    match dispatch(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::report(&error),
    }
}

fn dispatch(cli: Cli) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK_BYTES)
        .build()?;
    let global = &cli.global;
    let stop = CancellationToken::new();
    let ends_by_itself = match &cli.command {
        Command::Run(args) => args.follows(),
        Command::Serve(_) | Command::Executor(_) => true,
        Command::Demo(args) => args.serve,
        _ => false,
    };
    let tell = ends_by_itself.then_some(&stop);
    let own_ctrl_c = matches!(&cli.command, Command::Sql(args) if args.is_interactive());
    let ended = runtime.block_on(async {
        let command = async {
            match cli.command {
                Command::Init(args) => init::run(&args, global).await,
                Command::Demo(args) => demo::run(&args, global, &stop).await,
                Command::Produce(args) => run_produce(args, global).await,
                Command::Run(args) => run::run(&args, global, &stop).await,
                Command::Plan(args) => plan::run(&args, global).await,
                Command::Test(args) => test::run(&args, global).await,
                Command::Docs(args) => docs::run(&args, global).await,
                Command::Sql(args) => sql::run(&args, global).await,
                Command::Recommend(args) => recommend::run(&args, global).await,
                Command::Similar(args) => similar::run(&args, global).await,
                Command::Evaluate(args) => evaluate::run(&args, global).await,
                Command::Serve(args) => serve::run(&args, global, &stop).await,
                Command::Scheduler(args) => scheduler::run(&args, global).await,
                Command::Executor(args) => executor::run(&args, global, &stop).await,
                Command::History(args) => history::run(&args, global).await,
                Command::Optimize(args) => optimize::run(&args, global).await,
                Command::Vacuum(args) => vacuum::run(&args, global).await,
                Command::Quarantine(args) => quarantine::run(&args, global).await,
                Command::Erase(args) => erase::run(&args, global).await,
                Command::Schema(args) => schema::run(&args),
                Command::Completions(args) => completions::run(&args, command()),
                Command::Man(args) => man::run(&args, command()),
            }
        };
        tokio::select! {
            // First, so that it listens before the command begins.
            biased;
            // Dropping the command rolls back: uncommitted work stays invisible.
            _ = signals::signal(tell, own_ctrl_c) => Err(anyhow::Error::new(signals::Interrupted)),
            ended = command => ended,
        }
    });
    // After a signal, training may still run on a thread of its own; its result is no longer needed.
    runtime.shutdown_timeout(SHUTDOWN);
    ended
}

async fn run_produce(args: produce::ProduceArgs, global: &Global) -> anyhow::Result<()> {
    if let Some(conflict) = args.conflict() {
        command().error(ErrorKind::ArgumentConflict, conflict).exit();
    }
    let kafka = if args.needs_kafka() {
        Some(global.kafka_source()?)
    } else {
        None
    };
    let global = global.clone();
    tokio::task::spawn_blocking(move || produce::run(&args, kafka.as_ref(), &global)).await?
}

#[cfg(test)]
mod tests {
    use super::command;

    fn check(command: &clap::Command) {
        for option in command.get_arguments().filter(|arg| !arg.is_positional()) {
            assert!(
                option.get_env().is_some(),
                "{}: {}",
                command.get_name(),
                option.get_id()
            );
        }
        command.get_subcommands().for_each(check);
    }

    #[test]
    fn every_option_of_every_command_can_be_set_in_the_environment() {
        check(&command());
    }
}
