//! Connections that do nothing: what each costs in memory once it has fallen idle, the node and the kernel.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args as ClapArgs;
use clap::builder::RangedU64ValueParser;
use indicatif::{ProgressBar, ProgressStyle};
use rookery_protocol::{Heartbeat, limits};
use tokio::time::{Instant, interval_at, timeout};

use super::measure::CONNECTING_AT_ONCE;
use crate::node::{Nodes, Transport};
use crate::process;
use crate::report::Report;
use crate::sockets::SocketMemory;
use crate::users::prepare;
use crate::wire::Wire;

/// The node hibernates what has been idle for 10 s by default.
const FALL_ASLEEP_TIME_MAX: Duration = Duration::from_secs(60);

/// Memory that has not fallen by a hundredth for this long has settled.
const SETTLED_AFTER: Duration = Duration::from_secs(12);

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Connections, each of a user of its own.
    #[arg(long, default_value_t = 10_000, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000_000))]
    connections: usize,
    /// Over TLS instead of plain TCP.
    #[arg(long)]
    tls: bool,
}

/// Measures; `data` is an empty directory.
pub(crate) async fn run(rookery: &Path, data: &Path, args: Args) -> anyhow::Result<Report> {
    let transport = Transport::encrypted(args.tls);
    let mut report = Report::new(format!("idle: {} connections, {transport}", args.connections));
    let users = prepare(data, args.connections).await?;
    let nodes = Nodes::start_with(rookery, data, 1, transport).await?;
    let node = nodes.of(0);
    let empty = process::rss_bytes(node.pid())?;
    let sockets = SocketMemory::read();
    let cpu_before = process::cpu(node.pid())?;

    let style =
        ProgressStyle::with_template("{msg:>12} {bar:40} {pos}/{len}").expect("the template is a valid one");
    let bar = ProgressBar::new(args.connections as u64).with_style(style).with_message("connecting");
    let begun = Instant::now();
    let mut wires = Vec::with_capacity(args.connections);
    for users in users.chunks(CONNECTING_AT_ONCE) {
        let connecting: Vec<_> = users
            .iter()
            .map(|user| {
                let (address, user) = (node.clients().clone(), user.clone());
                tokio::spawn(async move { Wire::connect(&address, &user).await })
            })
            .collect();
        for connected in connecting {
            wires.push(connected.await.context("connecting does not panic")??.0);
        }
        bar.set_position(wires.len() as u64);
    }
    let connect_seconds = begun.elapsed().as_secs_f64();
    let cpu_connecting = process::cpu(node.pid())? - cpu_before;
    let awake = process::rss_bytes(node.pid())?;

    bar.set_message("falling asleep");
    let asleep = timeout(FALL_ASLEEP_TIME_MAX, async {
        let every = Duration::from_secs(1);
        let mut ticks = interval_at(Instant::now() + every, every);
        loop {
            ticks.tick().await;
            let actors = node.metric("rookery_session_actors").await?
                + node.metric("rookery_connection_actors").await?;
            if actors == 0.0 {
                return anyhow::Ok(());
            }
        }
    });
    asleep.await.context("sessions and connections did not fall asleep")??;
    bar.set_message("settling");
    let hibernating = settled_rss(node.pid(), &mut wires).await?;
    bar.finish_and_clear();
    let sockets_bytes = match (sockets, SocketMemory::read()) {
        (Ok(before), Ok(after)) => Some(after.since(&before)),
        (Err(error), _) | (_, Err(error)) => {
            eprintln!("the kernel's memory of sockets is not counted: {error:#}");
            None
        }
    };

    // Each must still be there, and answer.
    for wire in &mut wires {
        heartbeat(wire).await?;
    }

    let each = |rss: u64| (rss.saturating_sub(empty)) as f64 / args.connections as f64 / 1024.0;
    report.add("node: RSS without connections", empty as f64 / 1e6, "MB");
    report.add("node: RSS per connection, just welcomed", each(awake), "KiB");
    let headline = report.add("node: RSS per connection, hibernating", each(hibernating), "KiB");
    report.headline(headline);
    if let Some(bytes) = sockets_bytes {
        // Both ends are on this machine, and alike.
        let kernel = bytes / 2.0 / args.connections as f64 / 1024.0;
        report.add("kernel: sockets per connection, the node's end", kernel, "KiB");
        report.add("node and kernel per connection, hibernating", each(hibernating) + kernel, "KiB");
    }
    report.add("connects with authentication", args.connections as f64 / connect_seconds, "/s");
    report.add("node: CPU per connect", cpu_connecting.as_secs_f64() * 1e6 / args.connections as f64, "µs");
    Ok(report)
}

/// Memory once it has stopped falling: the allocator gives back what was freed little by little, as its threads wake.
/// Meanwhile the clients do what the protocol asks of an idle one: a heartbeat each 30 s.
async fn settled_rss(pid: u32, wires: &mut [Wire]) -> anyhow::Result<u64> {
    let mut lowest = process::rss_bytes(pid)?;
    let (begun, mut lowered) = (Instant::now(), Instant::now());
    let each_second = wires.len().div_ceil(limits::HEARTBEAT_MS as usize / 1000);
    let mut turns = (0..wires.len()).cycle();
    while lowered.elapsed() < SETTLED_AFTER && begun.elapsed() < FALL_ASLEEP_TIME_MAX {
        tokio::time::sleep(Duration::from_secs(1)).await;
        for at in turns.by_ref().take(each_second) {
            heartbeat(&mut wires[at]).await?;
        }
        let rss = process::rss_bytes(pid)?;
        if rss < lowest - lowest / 100 {
            (lowest, lowered) = (rss, Instant::now());
        }
    }
    process::rss_bytes(pid)
}

async fn heartbeat(wire: &mut Wire) -> anyhow::Result<()> {
    wire.writer.push(&Heartbeat { nonce: 1 });
    wire.writer.flush().await?;
    timeout(FALL_ASLEEP_TIME_MAX, wire.reader.next()).await.context("a heartbeat was not answered")??;
    Ok(())
}
