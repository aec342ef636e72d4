//! Connections that do nothing: what each costs in memory once it has fallen idle, the node and the kernel.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args as ClapArgs;
use clap::builder::RangedU64ValueParser;
use rookery_protocol::{Heartbeat, limits};
use tokio::time::{Instant, interval_at, timeout};

use super::measure::connect;
use crate::bar;
use crate::node::{Nodes, Transport};
use crate::process;
use crate::report::Report;
use crate::sockets::SocketMemory;
use crate::users::prepare;
use crate::wire::Wire;

/// The node hibernates what has been idle for 10 s by default.
const FALL_ASLEEP_TIME_MAX: Duration = Duration::from_secs(60);

/// What memory may take to settle.
const SETTLE_TIME_MAX: Duration = Duration::from_secs(60);

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
    report.add("node: start until ready", node.ready_after().as_secs_f64() * 1e3, "ms");
    let empty = process::rss_bytes(node.pid())?;
    let sockets = SocketMemory::read();
    let cpu_before = process::cpu(node.pid())?;

    let begun = Instant::now();
    let mut wires = connect(&nodes, &users).await?;
    let connect_seconds = begun.elapsed().as_secs_f64();
    let cpu_connecting = process::cpu(node.pid())? - cpu_before;
    let awake = process::rss_bytes(node.pid())?;

    let bar = bar::counting(args.connections as u64, "falling asleep");
    bar.set_position(args.connections as u64);
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
    let sockets_bytes = SocketMemory::taken_since(sockets);

    // Each must still be there, and answer.
    for wire in &mut wires {
        heartbeat(wire).await?;
    }

    let connections = args.connections;
    let costs =
        Costs { connections, empty, awake, hibernating, sockets_bytes, connect_seconds, cpu_connecting };
    costs.report(&mut report);
    Ok(report)
}

/// What connections that do nothing have cost. Memory is in bytes, of the whole server.
pub(crate) struct Costs {
    pub(crate) connections: usize,
    pub(crate) empty: u64,
    pub(crate) awake: u64,
    pub(crate) hibernating: u64,
    /// Of both ends, where the kernel tells.
    pub(crate) sockets_bytes: Option<f64>,
    pub(crate) connect_seconds: f64,
    pub(crate) cpu_connecting: Duration,
}

impl Costs {
    /// Reports what one connection has cost.
    pub(crate) fn report(&self, report: &mut Report) {
        let connections = self.connections as f64;
        let each = |rss: u64| rss.saturating_sub(self.empty) as f64 / connections / 1024.0;
        report.add("node: RSS without connections", self.empty as f64 / 1e6, "MB");
        report.add("node: RSS per connection, just welcomed", each(self.awake), "KiB");
        let headline = report.add("node: RSS per connection, hibernating", each(self.hibernating), "KiB");
        report.headline(headline);
        if let Some(bytes) = self.sockets_bytes {
            // Both ends are on this machine, and alike.
            let kernel = bytes / 2.0 / connections / 1024.0;
            report.add("kernel: sockets per connection, the node's end", kernel, "KiB");
            report.add("node and kernel per connection, hibernating", each(self.hibernating) + kernel, "KiB");
        }
        report.add("connects with authentication", connections / self.connect_seconds, "/s");
        report.add("node: CPU per connect", self.cpu_connecting.as_secs_f64() * 1e6 / connections, "µs");
    }
}

/// Memory on its way down, in bytes.
pub(crate) struct Settling {
    begun: Instant,
    lowest: u64,
    lowered: Instant,
}

impl Settling {
    /// From so much.
    pub(crate) fn from(rss: u64) -> Self {
        let now = Instant::now();
        Self { begun: now, lowest: rss, lowered: now }
    }

    /// Whether it has stopped falling, or had its time.
    pub(crate) fn is_over(&self) -> bool {
        self.lowered.elapsed() >= SETTLED_AFTER || self.begun.elapsed() >= SETTLE_TIME_MAX
    }

    /// It is so much now.
    pub(crate) fn note(&mut self, rss: u64) {
        if rss < self.lowest - self.lowest / 100 {
            (self.lowest, self.lowered) = (rss, Instant::now());
        }
    }
}

/// Memory once it has stopped falling: the allocator gives back what was freed little by little, as its threads wake.
/// Meanwhile the clients do what the protocol asks of an idle one: a heartbeat each 30 s.
async fn settled_rss(pid: u32, wires: &mut [Wire]) -> anyhow::Result<u64> {
    let mut settling = Settling::from(process::rss_bytes(pid)?);
    let each_second = wires.len().div_ceil(limits::HEARTBEAT_MS as usize / 1000);
    let mut turns = (0..wires.len()).cycle();
    while !settling.is_over() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        for at in turns.by_ref().take(each_second) {
            heartbeat(&mut wires[at]).await?;
        }
        settling.note(process::rss_bytes(pid)?);
    }
    process::rss_bytes(pid)
}

async fn heartbeat(wire: &mut Wire) -> anyhow::Result<()> {
    wire.writer.push(&Heartbeat { nonce: 1 });
    wire.writer.flush().await?;
    timeout(FALL_ASLEEP_TIME_MAX, wire.reader.next()).await.context("a heartbeat was not answered")??;
    Ok(())
}
