//! Rookery's load generator. Starts the real program on a data directory of its own, loads it from this process, and
//! says what it measured next to what the machine itself can do.

mod node;
mod probe;
mod process;
mod report;
mod users;
mod wire;
mod workload;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

/// Measures a Rookery node on this machine.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    workload: Workload,
    /// The program under test.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help = "The program under test [default: `rookery` beside this one]"
    )]
    rookery: Option<PathBuf>,
    /// Where the node's data goes. The disk it is on is part of what is measured.
    #[arg(long, global = true, value_name = "DIR", default_value = "bench-data")]
    data: PathBuf,
    /// Also writes the figures as JSON.
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Workload {
    /// The one who writes in a channel, and those who follow it: what a post costs, and how long until the last has it.
    Channel(workload::channel::Args),
    /// Pairs of users, one writing to the other: durable messages per second, and their latency.
    Direct(workload::direct::Args),
    /// One user writing to a group: deliveries per second, and how long until the last member has a message.
    Group(workload::group::Args),
    /// Connections that do nothing: what each costs in memory.
    Idle(workload::idle::Args),
    /// A node joins others that have many idle users: how long until all is in its place again, and at what cost.
    Join(workload::join::Args),
    /// Users who come and go while others watch them: what that costs those who write messages.
    Presence(workload::presence::Args),
    /// What the disk does by itself.
    Disk,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    process::raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(cli))
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let rookery = match cli.rookery {
        Some(path) => path,
        None => std::env::current_exe()?.with_file_name("rookery"),
    };
    anyhow::ensure!(
        rookery.is_file(),
        "there is no program {}: build it with `cargo build --release`, or name it with --rookery",
        rookery.display()
    );
    std::fs::create_dir_all(&cli.data).with_context(|| format!("cannot make {}", cli.data.display()))?;
    let data =
        tempfile::tempdir_in(&cli.data).with_context(|| format!("cannot write to {}", cli.data.display()))?;
    let report = match cli.workload {
        Workload::Channel(args) => workload::channel::run(&rookery, data.path(), args).await?,
        Workload::Direct(args) => workload::direct::run(&rookery, data.path(), args).await?,
        Workload::Group(args) => workload::group::run(&rookery, data.path(), args).await?,
        Workload::Idle(args) => workload::idle::run(&rookery, data.path(), args).await?,
        Workload::Join(args) => workload::join::run(&rookery, data.path(), args).await?,
        Workload::Presence(args) => workload::presence::run(&rookery, data.path(), args).await?,
        Workload::Disk => {
            let mut report = report::Report::new("disk");
            report.disk(&probe::fdatasync(data.path(), Duration::ZERO)?);
            report
        }
    };
    report.print();
    if let Some(path) = cli.json {
        std::fs::write(&path, serde_json::to_vec_pretty(&report)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
