//! The one who writes in a channel, and those who follow it: what a post costs, however many do.
//!
//! Those who are online get it as a notice. A notice may be lost: one that is passed over by a later one is counted as lost,
//! and not waited for. Those who are not online follow it in the store, and nothing else.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args as ClapArgs;
use rookery_protocol::{ConversationId, Follow, GroupId, Heartbeat, RequestId, ServerFrame, limits};
use tokio::time::{Instant, interval_at, sleep, timeout};

use super::fanout::{Load, Run};
use super::measure::{Acks, Counters, SETTLE, connect};
use crate::node::Nodes;
use crate::probe;
use crate::report::Report;
use crate::users::{prepare, prepare_channel};
use crate::wire::Wire;

/// Who ask to follow at once.
const FOLLOWING_AT_ONCE: usize = 64;

/// For being told that one follows.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);

/// How long is counted what there is without posts: nodes renew their leases.
const REST: Duration = Duration::from_secs(5);

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Followers of the channel.
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    followers: u32,
    /// Followers with a connection: no more than this process may have open files, nor any node.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    online: u32,
    /// Nodes on one store. With more than one, followers are at each of them in turn.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=16))]
    nodes: u8,
    #[command(flatten)]
    load: Load,
}

/// Measures; `data` is an empty directory.
pub(crate) async fn run(rookery: &Path, data: &Path, args: Args) -> anyhow::Result<Report> {
    let (followers, online) = (args.followers as usize, args.online.min(args.followers) as usize);
    let mut report = Report::new(format!(
        "channel: {followers} followers, {online} online across {} nodes, {}",
        args.nodes, args.load
    ));
    let disk_before = probe::fdatasync(data, args.load.every())?;
    let users = prepare(data, 1 + followers).await?;
    let (here, others) = users[1..].split_at(online);
    let group = prepare_channel(data, &users[0], others).await?;
    let nodes = Nodes::start(rookery, data, args.nodes.into()).await?;
    let (writer, _) = Wire::connect(nodes.of(0).clients(), &users[0]).await?;
    let mut readers = connect(&nodes, here).await?;
    let begun = Instant::now();
    follow(&mut readers, group).await?;
    let follows = online as f64 / begun.elapsed().as_secs_f64();

    sleep(SETTLE).await;
    let before = counters(&nodes).await?;
    sleep(REST).await;
    let after = counters(&nodes).await?;
    let each_second = |after: f64, before: f64| (after - before) / REST.as_secs_f64();
    let at_rest = (each_second(after.commits, before.commits), each_second(after.writes, before.writes));

    let to = (users[0].user, ConversationId::group(group));
    let read = |run, number, wire| read(run, (number, online), wire);
    let counted = args.load.run(&nodes, to, writer, readers, read).await?;
    let disk_after = probe::fdatasync(data, args.load.every())?;

    report.add("followers", followers as f64, "");
    report.add("followers online", online as f64, "");
    report.add("follows, confirmed", follows, "/s");
    counted.add(at_rest, &nodes, &mut report)?;
    report.add("node: CPU at rest", each_second(after.node_cpu, before.node_cpu), "cores");
    report.add("notices lost", counted.lost() as f64, "");
    counted.add_times("follower online", &mut report)?;
    report.disk_around(&disk_before, &disk_after);
    Ok(report)
}

async fn counters(nodes: &Nodes) -> anyhow::Result<Counters> {
    Counters::read(&AtomicU64::new(0), nodes).await
}

/// Has all follow the channel, so many at a time, each on its connection.
async fn follow(wires: &mut [Wire], group: GroupId) -> anyhow::Result<()> {
    let request = RequestId::new(1);
    for some in wires.chunks_mut(FOLLOWING_AT_ONCE) {
        for wire in &mut *some {
            wire.writer.push(&Follow { request, group, follow: true });
            wire.writer.flush().await?;
        }
        for wire in some {
            timeout(ANSWER_TIME_MAX, followed(wire)).await.context("no DONE in time")??;
        }
    }
    Ok(())
}

/// Waits until the connection gets what is said, and the user's devices have been told.
async fn followed(wire: &mut Wire) -> anyhow::Result<()> {
    let (mut is_done, mut acks) = (false, Acks::default());
    while !is_done || acks.is_empty() {
        match wire.reader.next().await? {
            ServerFrame::Done(_) => is_done = true,
            ServerFrame::AccountEvent(event) => acks.note(event.stamp),
            other => bail!("instead of DONE came {other:?}"),
        }
    }
    acks.push(&mut wire.writer);
    wire.writer.flush().await
}

/// Reads until the run is over, when it is ended, and does what else the protocol asks of a client: a heartbeat each 30 s,
/// followers in turn.
async fn read(run: Arc<Run>, (number, of): (usize, usize), wire: Wire) -> anyhow::Result<()> {
    let Wire { mut reader, mut writer } = wire;
    let every = Duration::from_millis(limits::HEARTBEAT_MS.into());
    let mut heartbeats = interval_at(Instant::now() + every.mul_f64(number as f64 / of as f64), every);
    let mut next = 0;
    loop {
        let mut frame = tokio::select! {
            frame = reader.next() => Some(frame?),
            _ = heartbeats.tick() => {
                writer.push(&Heartbeat { nonce: 0 });
                writer.flush().await?;
                continue;
            }
        };
        let now = Instant::now();
        while let Some(arrived) = frame {
            match arrived {
                ServerFrame::ChannelNotice(notice) => {
                    let body = notice.message.body.context("posts have bodies")?;
                    let post = Run::number(body.as_bytes())?;
                    ensure!(post >= next, "post {post} came after the one before {next}");
                    (next..post).for_each(|lost| run.lost(lost));
                    run.received(number, body.as_bytes(), now)?;
                    next = post + 1;
                }
                ServerFrame::HeartbeatAck(_) => {}
                other => bail!("a follower was sent {other:?}"),
            }
            frame = reader.buffered()?;
        }
    }
}
