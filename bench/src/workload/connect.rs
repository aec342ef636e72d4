//! Many users who connect as fast as they can: what an authenticated connect costs, and how long until a user has what
//! waited.

use std::path::Path;

use clap::Args as ClapArgs;
use tokio::time::sleep;

use super::measure::SETTLE;
use super::storm::Storm;
use crate::node::{Nodes, Transport};
use crate::process;
use crate::report::Report;
use crate::users::{READERS_PER_WRITER, prepare, prepare_messages};

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Users who connect, each with one device: no more than this process may have open files, nor any node.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    users: u32,
    /// Handshakes at once.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=4_096))]
    at_once: u32,
    /// Messages that wait for each user. They are put into the store before the nodes start.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    inbox: u32,
    /// Bytes of each message's body.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(0..=65536))]
    body: u32,
    /// Over TLS, each with a handshake of its own, instead of plain TCP.
    #[arg(long)]
    tls: bool,
    /// Nodes on one store. With more than one, users come to each of them in turn.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    nodes: u8,
}

/// Measures; `data` is an empty directory.
pub(crate) async fn run(rookery: &Path, data: &Path, args: Args) -> anyhow::Result<Report> {
    let (users, inbox) = (args.users as usize, u64::from(args.inbox));
    let transport = Transport::encrypted(args.tls);
    let across = if args.nodes > 1 { format!(" across {} nodes", args.nodes) } else { String::new() };
    let mut report = Report::new(format!(
        "connect: {users} users{across}, {transport}, {} handshakes at once, {inbox} messages waiting for each",
        args.at_once
    ));
    let writers = if inbox > 0 { users.div_ceil(READERS_PER_WRITER) } else { 0 };
    let all = prepare(data, users + writers).await?;
    let (connecting, writing) = all.split_at(users);
    prepare_messages(data, writing, connecting, (inbox * users as u64, args.body as usize)).await?;
    let nodes = Nodes::start_with(rookery, data, args.nodes.into(), transport).await?;

    let (cpu, own_cpu, rss) = (nodes.cpu()?, process::cpu(std::process::id())?, nodes.rss_bytes()?);
    let storm = Storm::rage(&nodes, connecting, args.at_once as usize, inbox).await?;
    let (own_cpu, rss_after) = (process::cpu(std::process::id())? - own_cpu, nodes.rss_bytes()?);
    sleep(SETTLE).await;
    let cpu = nodes.cpu()? - cpu;

    let each = |total: f64| total / users as f64;
    let connects = report.add("connects, authenticated", users as f64 / storm.welcomed_s, "/s");
    report.headline(connects);
    report.latency("connect to WELCOME", &storm.welcome)?;
    if inbox > 0 {
        report.add("inboxes drained", users as f64 / storm.drained_s, "/s");
        report.latency("connect until the inbox is drained", &storm.drain)?;
    }
    report.add("node: CPU per connect, with its inbox", each(cpu.as_secs_f64() * 1e6), "µs");
    report.add("load generator: CPU per connect", each(own_cpu.as_secs_f64() * 1e6), "µs");
    report.add("load generator: CPU", own_cpu.as_secs_f64() / storm.drained_s, "cores");
    report.add(
        "node: RSS per connection, just welcomed",
        each(rss_after as f64 - rss as f64) / 1024.0,
        "KiB",
    );
    Ok(report)
}
