//! Messages that wait for users who are away: how fast they are taken when everybody comes back.

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use clap::{Args as ClapArgs, ValueEnum};
use tokio::time::sleep;

use super::measure::SETTLE;
use super::storm::Storm;
use super::waiting::write_messages;
use crate::node::Nodes;
use crate::probe;
use crate::process;
use crate::report::Report;
use crate::users::{READERS_PER_WRITER, prepare, prepare_messages};

/// In all: what a run puts on the disk, and what it takes of time, have an end.
const WAITING_MAX: u64 = 20_000_000;

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Users who were away.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    users: u32,
    /// Messages that wait for each of them.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    messages: u32,
    /// Bytes of each message's body.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(0..=65536))]
    body: u32,
    /// Handshakes at once.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=4_096))]
    at_once: u32,
    /// How the messages come to wait.
    #[arg(long, value_enum, default_value_t = Through::Store)]
    through: Through,
    /// Nodes on one store. With more than one, users come to each of them in turn.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    nodes: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Through {
    /// Put into the store before the nodes start: no node has seen them
    Store,
    /// Sent to the running nodes by users who are there
    Wire,
}

/// Measures; `data` is an empty directory.
pub(crate) async fn run(rookery: &Path, data: &Path, args: Args) -> anyhow::Result<Report> {
    let (users, each, body_bytes) = (args.users as usize, u64::from(args.messages), args.body as usize);
    let messages = users as u64 * each;
    ensure!(
        messages <= WAITING_MAX,
        "{messages} messages are too many for a run: at most {WAITING_MAX}, users times messages"
    );
    let through = match args.through {
        Through::Store => "put into the store",
        Through::Wire => "sent over the wire",
    };
    let across = if args.nodes > 1 { format!(" across {} nodes", args.nodes) } else { String::new() };
    let mut report = Report::new(format!(
        "offline: {each} messages of {} B waiting for each of {users} users{across}, {through} before, {} handshakes at once",
        args.body, args.at_once
    ));
    let disk = probe::fdatasync(data, Duration::ZERO)?;
    let all = prepare(data, users + users.div_ceil(READERS_PER_WRITER)).await?;
    let (away, writing) = all.split_at(users);
    if args.through == Through::Store {
        prepare_messages(data, writing, away, (messages, body_bytes)).await?;
    }
    let nodes = Nodes::start(rookery, data, args.nodes.into()).await?;
    if args.through == Through::Wire {
        write_messages(&nodes, writing, away, (each, body_bytes)).await?;
        sleep(SETTLE).await;
    }

    let (cpu, own_cpu) = (nodes.cpu()?, process::cpu(std::process::id())?);
    let storm = Storm::rage(&nodes, away, args.at_once as usize, each).await?;
    let own_cpu = process::cpu(std::process::id())? - own_cpu;
    sleep(SETTLE).await;
    let cpu = nodes.cpu()? - cpu;

    let drained = report.add("messages drained", messages as f64 / storm.drained_s, "/s");
    report.add(
        "bytes of bodies drained",
        messages as f64 * f64::from(args.body) / storm.drained_s / 1e6,
        "MB/s",
    );
    report.add("bytes of frames received", storm.received_bytes as f64 / storm.drained_s / 1e6, "MB/s");
    report.headline(drained);
    report.add("connects, authenticated", users as f64 / storm.welcomed_s, "/s");
    report.latency("connect until the inbox is drained", &storm.drain)?;
    report.add(
        "node: CPU per message, with its user's connect",
        cpu.as_secs_f64() * 1e6 / messages as f64,
        "µs",
    );
    report.add("load generator: CPU", own_cpu.as_secs_f64() / storm.drained_s, "cores");
    report.add("node: RSS at the end", nodes.rss_bytes()? as f64 / 1e6, "MB");
    report.disk(&disk);
    Ok(report)
}
