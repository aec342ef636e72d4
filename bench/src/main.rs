//! Rookery's load generator. Starts the real program on a data directory of its own, loads it from this process, and
//! says what it measured next to what the machine itself can do.

mod aims;
mod bar;
mod compare;
mod machine;
mod node;
mod peer;
mod plan;
mod plot;
mod probe;
mod process;
mod report;
mod results;
mod show;
mod sockets;
mod statistics;
mod table;
mod users;
mod wire;
mod workload;
mod written;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context as _, bail, ensure};
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use tempfile::NamedTempFile;
use tokio::signal::unix::{SignalKind, signal};

use self::machine::Machine;
use self::report::Report;
use self::results::{Conditions, Results};

/// Measures a Rookery node on this machine.
#[derive(Debug, Parser)]
#[command(name = "rookery-bench", version = rookery_node::VERSION, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    workload: Workload,
    #[command(flatten)]
    global: Global,
}

/// What goes for all workloads, and is no part of any's configuration.
#[derive(Debug, clap::Args)]
struct Global {
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
    /// Also draws SVG plots into this directory: latency and throughput over time, distributions, and latency by throughput.
    #[arg(long, global = true, value_name = "DIR")]
    plots: Option<PathBuf>,
    /// Runs so many times, each on data of its own, and gives medians and spreads.
    #[arg(long, global = true, value_name = "TIMES", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    repeat: u16,
}

/// The argument whose value is kept nowhere.
const PASSWORD: &str = "password";
/// What is kept in its place.
const NOT_KEPT: &str = "(not kept)";

#[derive(Debug, Subcommand)]
enum Workload {
    /// The highest rate of messages at which 99 of 100 do not take too long.
    Capacity(workload::capacity::Args),
    /// The one who writes in a channel, and those who follow it: what a post costs, and how long until the last has it.
    Channel(workload::channel::Args),
    /// Users who connect as fast as they can: connects per second, and how long until each has what waited.
    Connect(workload::connect::Args),
    /// Pairs of users, one writing to the other: durable messages per second, and their latency.
    Direct(workload::direct::Args),
    /// A node is killed under an even load: how long until its users' messages are confirmed again.
    Failover(workload::failover::Args),
    /// One user writing to a group: deliveries per second, and how long until the last member has a message.
    Group(workload::group::Args),
    /// Connections that do nothing: what each costs in memory.
    Idle(workload::idle::Args),
    /// A node joins others that have many idle users: how long until all is in its place again, and at what cost.
    Join(workload::join::Args),
    /// A day in a messenger: messages to contacts and groups, receipts, typing, presence and reconnects, all at once.
    Mixed(workload::mixed::Args),
    /// Messages that wait for users who are away: how fast they are taken when all come back.
    Offline(workload::offline::Args),
    /// Users who come and go while others watch them: what that costs those who write messages.
    Presence(workload::presence::Args),
    /// What the machine does by itself: disk, raw LMDB, loopback, actors.
    Limits(workload::limits::Args),
    /// Another server, which runs already, under a node's workloads.
    #[command(subcommand)]
    Peer(peer::Peer),
    /// What it takes to serve so many people, computed from what runs here have measured.
    Plan(plan::Args),
    /// What was aimed at, beside what files that --json wrote say.
    Aims(aims::Args),
    /// Files that --json wrote, for people or for a page.
    Show(show::Args),
    /// Two files that --json wrote, beside each other: how their figures differ, and whether that is shown.
    Compare(compare::Args),
}

impl Workload {
    /// Whether it does without the program under test.
    fn is_without_node(&self) -> bool {
        matches!(
            self,
            Self::Peer(_)
                | Self::Limits(_)
                | Self::Aims(_)
                | Self::Compare(_)
                | Self::Plan(_)
                | Self::Show(_)
        )
    }

    /// Runs it once; `data` is an empty directory.
    async fn run(self, rookery: &Path, data: &Path) -> anyhow::Result<Report> {
        match self {
            Self::Capacity(args) => workload::capacity::run(rookery, data, args).await,
            Self::Channel(args) => workload::channel::run(rookery, data, args).await,
            Self::Connect(args) => workload::connect::run(rookery, data, args).await,
            Self::Direct(args) => workload::direct::run(rookery, data, args).await,
            Self::Failover(args) => workload::failover::run(rookery, data, args).await,
            Self::Group(args) => workload::group::run(rookery, data, args).await,
            Self::Idle(args) => workload::idle::run(rookery, data, args).await,
            Self::Join(args) => workload::join::run(rookery, data, args).await,
            Self::Mixed(args) => workload::mixed::run(rookery, data, args).await,
            Self::Offline(args) => workload::offline::run(rookery, data, args).await,
            Self::Presence(args) => workload::presence::run(rookery, data, args).await,
            Self::Limits(args) => workload::limits::run(data, args).await,
            Self::Peer(peer) => peer::run(data, peer).await,
            Self::Aims(_) | Self::Compare(_) | Self::Plan(_) | Self::Show(_) => {
                unreachable!("it has no runs")
            }
        }
    }
}

fn main() -> anyhow::Result<()> {
    let matches = Cli::command().get_matches();
    process::raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // Nodes, and their data, end with what started them.
    runtime.block_on(async {
        let mut interrupted = signal(SignalKind::interrupt())?;
        let mut terminated = signal(SignalKind::terminate())?;
        let mut hung_up = signal(SignalKind::hangup())?;
        tokio::select! {
            ended = run(&matches) => ended,
            _ = interrupted.recv() => bail!("interrupted: nothing is kept"),
            _ = terminated.recv() => bail!("terminated: nothing is kept"),
            _ = hung_up.recv() => bail!("its terminal is gone: nothing is kept"),
        }
    })
}

async fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let Cli { workload, global } = Cli::from_arg_matches(matches)?;
    match &workload {
        Workload::Aims(args) => return aims::run(args),
        Workload::Compare(args) => return compare::run(args),
        Workload::Plan(args) => return plan::run(args),
        Workload::Show(args) => return show::run(args),
        _ => {}
    }
    let rookery = match global.rookery {
        Some(path) => path,
        None => std::env::current_exe()?.with_file_name("rookery"),
    };
    let program = if workload.is_without_node() { None } else { Some(version(&rookery)?) };
    std::fs::create_dir_all(&global.data)
        .with_context(|| format!("cannot make {}", global.data.display()))?;
    // What cannot be kept is known before it is measured.
    let json = global.json.as_deref().map(Json::create).transpose()?;
    if let Some(plots) = &global.plots {
        std::fs::create_dir_all(plots).with_context(|| format!("cannot make {}", plots.display()))?;
        tempfile::tempfile_in(plots).with_context(|| format!("cannot write to {}", plots.display()))?;
    }
    let (workload, config) = config(matches);
    let conditions = Conditions {
        workload,
        config,
        command: command(std::env::args()),
        began: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        machine: Machine::this(&global.data)?,
        program,
        bench: rookery_node::VERSION.into(),
        bench_is_optimised: !cfg!(debug_assertions),
    };

    let mut runs = Vec::new();
    for number in 1..=global.repeat {
        if global.repeat > 1 {
            eprintln!("run {number} of {}", global.repeat);
        }
        let data = tempfile::tempdir_in(&global.data)
            .with_context(|| format!("cannot write to {}", global.data.display()))?;
        let workload = Cli::from_arg_matches(matches)?.workload;
        let report = workload.run(&rookery, data.path()).await?;
        let surroundings = report.surroundings();
        runs.push((report, surroundings));
    }
    let results = Results::new(conditions, runs);
    table::print(&results);
    if let Some(json) = json {
        json.write(&results)?;
    }
    if let Some(plots) = &global.plots {
        let drawn = plot::write(&results, plots)?;
        drawn.iter().for_each(|path| eprintln!("drawn: {}", path.display()));
        if drawn.is_empty() {
            eprintln!("this workload has nothing to plot");
        }
    }
    Ok(())
}

/// What a program says of its version.
fn version(program: &Path) -> anyhow::Result<String> {
    ensure!(
        program.is_file(),
        "there is no program {}: build it with `cargo build --release`, or name it with --rookery",
        program.display()
    );
    let told = Command::new(program)
        .arg("--version")
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    ensure!(told.status.success(), "{} --version ended with {}", program.display(), told.status);
    Ok(String::from_utf8_lossy(&told.stdout).trim().to_owned())
}

/// The workload's name, and its arguments with their values, without those that go for all workloads.
fn config(matches: &ArgMatches) -> (String, BTreeMap<String, String>) {
    let (mut name, mut config) = (Vec::new(), BTreeMap::new());
    let (mut matches, mut command) = (matches, &Cli::command());
    let global: Vec<String> = command.get_arguments().map(|argument| argument.get_id().to_string()).collect();
    while let Some((subcommand, its)) = matches.subcommand() {
        command = command.find_subcommand(subcommand).expect("it has been found once");
        let arguments = command.get_arguments().map(|argument| argument.get_id().as_str());
        for argument in arguments.filter(|argument| !global.iter().any(|other| other == argument)) {
            if let Ok(Some(values)) = its.try_get_raw(argument) {
                let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
                let values = if argument == PASSWORD { NOT_KEPT.into() } else { values.join(" ") };
                config.insert(argument.to_owned(), values);
            }
        }
        name.push(subcommand);
        matches = its;
    }
    (name.join(" "), config)
}

/// The command line, without a password that was given on it.
fn command(arguments: impl Iterator<Item = String>) -> Vec<String> {
    let option = format!("--{PASSWORD}");
    let mut is_next = false;
    let kept = arguments.map(|argument| match argument.split_once('=') {
        _ if std::mem::replace(&mut is_next, argument == option) => NOT_KEPT.into(),
        Some((name, _)) if name == option => format!("{option}={NOT_KEPT}"),
        _ => argument,
    });
    kept.collect()
}

/// A file for JSON: in its place once all of it is written.
struct Json {
    file: NamedTempFile,
    path: PathBuf,
}

impl Json {
    fn create(path: &Path) -> anyhow::Result<Self> {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let file = tempfile::Builder::new()
            .permissions(std::fs::Permissions::from_mode(0o644))
            .tempfile_in(directory.unwrap_or(Path::new(".")))
            .with_context(|| format!("cannot write {}", path.display()))?;
        ensure!(!path.is_dir(), "cannot write {}: it is a directory", path.display());
        Ok(Self { file, path: path.to_owned() })
    }

    fn write(mut self, results: &Results) -> anyhow::Result<()> {
        let cannot = || format!("cannot write {}", self.path.display());
        self.file.write_all(&results.to_json()?).with_context(cannot)?;
        self.file.persist(&self.path).with_context(cannot)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_kept_nowhere() {
        let peer = ["rookery-bench", "peer", "xmpp"];
        for given in [&["--password", "secret"][..], &["--password=secret"]] {
            let line: Vec<&str> =
                [&peer[..], given, &["--domain", "d", "--address", "127.0.0.1:1", "idle"]].concat();
            let matches = Cli::command().get_matches_from(&line);
            let (_, config) = config(&matches);
            assert_eq!(config["password"], NOT_KEPT);
            let kept = command(line.into_iter().map(String::from));
            assert!(kept.iter().all(|argument| !argument.contains("secret")), "{kept:?}");
            assert_eq!(kept.last().map(String::as_str), Some("idle"));
        }
    }
}
