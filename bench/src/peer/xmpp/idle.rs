//! Connections that do nothing, of users who are there: what each costs the server in memory, as
//! [`workload::idle`](crate::workload::idle) has it for a node.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args as ClapArgs;
use clap::builder::RangedU64ValueParser;
use tokio::time::{Instant, sleep, timeout};

use super::connection::{Connection, Management};
use super::{Target, each};
use crate::peer::server::Server;
use crate::report::Report;
use crate::sockets::SocketMemory;

/// Memory that has not fallen by a hundredth for this long has settled.
const SETTLED_AFTER: Duration = Duration::from_secs(12);

const SETTLE_TIME_MAX: Duration = Duration::from_secs(60);

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Connections, each of a user of its own.
    #[arg(long, default_value_t = 10_000, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000_000))]
    connections: usize,
}

/// Measures.
pub(super) async fn run(target: &Target, server: &Server, args: Args) -> anyhow::Result<Report> {
    ensure!(!server.is_unknown(), "name the server's process with --pid: this is about its memory");
    let mut report = Report::new(format!("idle: {} connections, at {}", args.connections, target.label));
    let (empty, sockets) = (server.rss_bytes()?, SocketMemory::read());
    let (cpu_before, begun) = (server.cpu()?, Instant::now());
    let login = |login| async move { Connection::login_present(&login).await };
    let mut connections = each("connecting", target.logins(args.connections), login).await?;
    let connect_seconds = begun.elapsed().as_secs_f64();
    let cpu_connecting = server.cpu()? - cpu_before;
    let awake = server.rss_bytes()?;

    let (mut lowest, begun, mut lowered) = (awake, Instant::now(), Instant::now());
    while lowered.elapsed() < SETTLED_AFTER && begun.elapsed() < SETTLE_TIME_MAX {
        sleep(Duration::from_secs(1)).await;
        let rss = server.rss_bytes()?;
        if rss < lowest - lowest / 100 {
            (lowest, lowered) = (rss, Instant::now());
        }
    }
    let idle = server.rss_bytes()?;
    let sockets_bytes = match (sockets, SocketMemory::read()) {
        (Ok(before), Ok(after)) => Some(after.since(&before)),
        (Err(error), _) | (_, Err(error)) => {
            eprintln!("the kernel's memory of sockets is not counted: {error:#}");
            None
        }
    };

    // Each must still be there, and answer.
    for (connection, management) in &mut connections {
        let answered = timeout(SETTLE_TIME_MAX, answer(connection, management)).await;
        answered.context("an idle connection was not answered")??;
    }

    let each = |rss: u64| (rss.saturating_sub(empty)) as f64 / args.connections as f64 / 1024.0;
    report.add("node: RSS without connections", empty as f64 / 1e6, "MB");
    report.add("node: RSS per connection, just welcomed", each(awake), "KiB");
    let headline = report.add("node: RSS per connection, hibernating", each(idle), "KiB");
    report.headline(headline);
    if let Some(bytes) = sockets_bytes {
        // Both ends are on this machine, and alike.
        let kernel = bytes / 2.0 / args.connections as f64 / 1024.0;
        report.add("kernel: sockets per connection, the node's end", kernel, "KiB");
        report.add("node and kernel per connection, hibernating", each(idle) + kernel, "KiB");
    }
    report.add("connects with authentication", args.connections as f64 / connect_seconds, "/s");
    report.add("node: CPU per connect", cpu_connecting.as_secs_f64() * 1e6 / args.connections as f64, "µs");
    Ok(report)
}

/// Asks the server to confirm what it has, and waits until it does: the presence.
async fn answer(connection: &mut Connection, management: &mut Management) -> anyhow::Result<()> {
    Management::ask(&mut connection.writer);
    connection.writer.flush().await?;
    while management.take(&connection.reader.next().await?)? == 0 {}
    Ok(())
}
