//! Pairs of users, one writing to the other.
//!
//! Closed loop: each writer keeps `window` messages unconfirmed. With `--rate`: open loop, each message at its intended
//! time whatever the answers do, and latency counted from that time, so that a stall is not hidden by the load waiting
//! for it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args as ClapArgs;
use clap::builder::RangedU64ValueParser;
use hdrhistogram::Histogram;
use rookery_protocol::{Body, ConversationId, MessageEvent, RequestId, Send, ServerFrame, UserId};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::measure::{
    Acks, CONNECTING_AT_ONCE, LATENCY_US_MAX, Pair, Phases, Timeline, Window, arrivals, bind_by_lmdb,
    disk_pace, first_failure, next_due, pace, rate,
};
use super::storm::Storm;
use crate::node::Nodes;
use crate::probe::{self, Batches};
use crate::report::{FigureId, Report};
use crate::users::{BenchUser, READERS_PER_WRITER, message_id, prepare, prepare_messages};
use crate::wire::Wire;

/// The most messages there may be before.
const STORED_MAX: u64 = 100_000_000;

/// Those have so many inboxes, if they are so many.
const STORED_INBOXES: u64 = 1_000;

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(flatten)]
    load: Load,
    /// Messages of others that are in the store before, each in an inbox, unread.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=STORED_MAX))]
    stored: u64,
    /// Others who are connected, and do nothing.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    idle: u32,
}

/// What pairs do.
#[derive(Debug, ClapArgs)]
pub(super) struct Load {
    /// Pairs of users.
    #[arg(long, default_value_t = 200, value_parser = RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    pub(super) pairs: usize,
    /// Nodes on one store. With more than one, each writer and its reader are at different nodes.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub(super) nodes: u8,
    /// Messages each writer keeps unconfirmed.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(super) window: u32,
    /// Bytes of each message's body.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(8..=65536))]
    pub(super) body: u32,
    /// Seconds before counting begins.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(..=86_400))]
    pub(super) warmup: u64,
    /// Seconds counted.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(super) seconds: u64,
    /// Messages per second over all pairs, at their intended times; without it as many as the windows let through.
    #[arg(long, value_parser = rate)]
    pub(super) rate: Option<f64>,
    /// Tells the messages of one load from those of others between the same users.
    #[arg(skip)]
    pub(super) round: u16,
}

/// When the run's phases are, and what has been counted.
struct Run {
    phases: Phases,
    round: u16,
    confirmed: AtomicU64,
    latency_over_time: Timeline,
}

/// Measures; `data` is an empty directory.
pub(crate) async fn run(
    rookery: &Path,
    data: &Path,
    Args { load: args, stored, idle }: Args,
) -> anyhow::Result<Report> {
    let loop_kind =
        args.rate.map_or_else(|| format!("window {}", args.window), |rate| format!("{rate} messages/s"));
    let nodes = if args.nodes > 1 { format!(" across {} nodes", args.nodes) } else { String::new() };
    let mut title = format!("direct: {} pairs{nodes}, {loop_kind}, {} B bodies", args.pairs, args.body);
    if stored > 0 {
        title += &format!(", {stored} messages stored before");
    }
    if idle > 0 {
        title += &format!(", {idle} others connected");
    }
    let mut report = Report::new(title);
    // The disk is asked as often as the load asks it.
    let every = disk_pace(args.rate);
    let disk_before = probe::fdatasync(data, every)?;
    let (idle, away) = (idle as usize, stored.min(STORED_INBOXES) as usize);
    let writing = away.div_ceil(READERS_PER_WRITER);
    let all = prepare(data, 2 * args.pairs + idle + writing + away).await?;
    let (users, others) = all.split_at(2 * args.pairs);
    let (idle, others) = others.split_at(idle);
    let (writing, away) = others.split_at(writing);
    prepare_messages(data, writing, away, (stored, args.body as usize)).await?;
    let nodes = Nodes::start(rookery, data, args.nodes.into()).await?;
    let staying = Storm::rage(&nodes, idle, CONNECTING_AT_ONCE, 0).await?;
    let Loaded { latency, confirmed, store } = load(&nodes, users, &args, &mut report).await?;
    drop((nodes, staying));

    let disk_after = probe::fdatasync(data, every)?;
    let times = report.latency("send to receive", &latency)?;
    report.bind_by_disk(times, &disk_before, &disk_after);
    // In an open loop it is the rate that says how many messages there are.
    if args.rate.is_none() {
        // A log and an inbox for each pair grow.
        let (puts, value_bytes) = (store.writes_per_commit.round() as usize, args.body as usize);
        let batches = Batches { puts, value_bytes, places: 2 * args.pairs };
        bind_by_lmdb(confirmed, ("messages", store.writes_per_message), batches, data, &mut report)?;
    }
    probe::echo(&mut report).await?;
    probe::casts(&mut report).await?;
    Ok(report)
}

/// What a load has done.
pub(super) struct Loaded {
    /// From sending to receiving, in microseconds, of what was counted.
    pub(super) latency: Histogram<u64>,
    /// The figure of messages confirmed per second.
    pub(super) confirmed: FigureId,
    pub(super) store: StoreLoad,
}

/// What a load asked of the store.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoreLoad {
    pub(super) writes_per_message: f64,
    pub(super) writes_per_commit: f64,
}

/// Lets each two of `users` write and read as `args` say.
pub(super) async fn load(
    nodes: &Nodes,
    users: &[BenchUser],
    args: &Load,
    report: &mut Report,
) -> anyhow::Result<Loaded> {
    let mut wires = Vec::new();
    for (number, user) in users.iter().enumerate() {
        // Pair by pair: the reader at the node after its writer's.
        wires.push(Wire::connect(nodes.of(number / 2 + number % 2).clients(), user).await?.0);
    }
    let phases = Phases::new(Duration::from_secs(args.warmup), Duration::from_secs(args.seconds));
    let run = Arc::new(Run {
        phases,
        round: args.round,
        confirmed: AtomicU64::new(0),
        latency_over_time: Timeline::new(phases)?,
    });

    let mut writers = JoinSet::new();
    let mut readers = JoinSet::new();
    let mut wires = wires.into_iter();
    let mut pacing = Vec::new();
    for users in users.chunks_exact(2) {
        let due = args.rate.map(|_| {
            let (tell, due) = mpsc::unbounded_channel();
            pacing.push(tell);
            due
        });
        let (from, to) =
            (wires.next().context("a connection each")?, wires.next().context("a connection each")?);
        let pair = Arc::new(Pair::default());
        let writing = Writing {
            run: run.clone(),
            pair: pair.clone(),
            from: users[0].user,
            conversation: ConversationId::direct(users[0].user, users[1].user),
            window: args.window,
            due,
            body: vec![0x5a; args.body as usize],
            pushed: 0,
            confirmed: 0,
        };
        writers.spawn(writing.run(from));
        readers.spawn(read(run.clone(), pair, to));
    }

    if let Some(rate) = args.rate {
        let phases = run.phases;
        std::thread::spawn(move || pace(phases, rate, &pacing));
    }
    let (confirmed, store) = tokio::select! {
        shown = show_progress(&run, nodes, report) => shown?,
        failed = first_failure(&mut writers) => return Err(failed.expect_err("it ends with a failure alone")),
    };
    let latency = arrivals(&mut writers, &mut readers).await?;
    run.latency_over_time.add("send to receive", report);
    Ok(Loaded { latency, confirmed, store })
}

/// Counts between the phases' ends, with a bar.
async fn show_progress(
    run: &Run,
    nodes: &Nodes,
    report: &mut Report,
) -> anyhow::Result<(FigureId, StoreLoad)> {
    let Window { before, after, seconds, done_over_time } = run.phases.count(&run.confirmed, nodes).await?;
    let (messages, commits) = (after.done - before.done, (after.commits - before.commits).max(1.0));
    let writes = after.writes - before.writes;
    let store =
        StoreLoad { writes_per_message: writes / messages.max(1.0), writes_per_commit: writes / commits };
    let confirmed = report.add("durable messages, confirmed", messages / seconds, "/s");
    report.headline(confirmed);
    report.series("messages confirmed", "/s", done_over_time);
    report.add("messages per commit", messages / commits, "");
    report.add("commits", commits / seconds, "/s");
    report.add("operations per commit", (after.ops - before.ops) / commits, "");
    report.add("store writes per message", store.writes_per_message, "");
    after.add_bytes(&before, messages, report);
    after.add_disk(&before, messages, report);
    if nodes.len() > 1 {
        after.add_links(&before, messages, report);
    }
    after.add_processes(&before, seconds, ("message", messages), nodes, report)?;
    Ok((confirmed, store))
}

/// The writer of a pair.
struct Writing {
    run: Arc<Run>,
    pair: Arc<Pair>,
    from: UserId,
    conversation: ConversationId,
    window: u32,
    /// When messages are due; without it, as soon as there is room.
    due: Option<mpsc::UnboundedReceiver<Instant>>,
    body: Vec<u8>,
    pushed: u64,
    confirmed: u64,
}

impl Writing {
    /// Writes until the time is up and every message has been confirmed.
    async fn run(mut self, wire: Wire) -> anyhow::Result<()> {
        let Wire { mut reader, mut writer } = wire;
        let mut acks = Acks::default();
        let mut due = self.due.take();
        let mut is_over = false;
        loop {
            if due.is_none() {
                is_over = Instant::now() >= self.run.phases.send_until;
                while !is_over && self.pushed - self.confirmed < u64::from(self.window) {
                    writer.push(&self.message(Instant::now()));
                }
            }
            acks.push(&mut writer);
            writer.flush().await?;
            if is_over && self.pushed == self.confirmed {
                break;
            }
            tokio::select! {
                frame = reader.next() => {
                    self.take(frame?, &mut acks)?;
                    while let Some(frame) = reader.buffered()? {
                        self.take(frame, &mut acks)?;
                    }
                }
                at = next_due(&mut due), if !is_over => match at {
                    Some(at) => writer.push(&self.message(at)),
                    None => is_over = true,
                },
            }
        }
        self.pair.finish(self.pushed);
        Ok(())
    }

    /// The next message, due at this time.
    fn message(&mut self, due: Instant) -> Send {
        let since_origin = (due - self.run.phases.origin).as_nanos() as u64;
        self.body[..8].copy_from_slice(&since_origin.to_be_bytes());
        let id = message_id(self.from, u64::from(self.run.round) << 48 | self.pushed);
        self.pushed += 1;
        Send {
            request: RequestId::new(self.pushed as u32),
            conversation: self.conversation,
            id,
            after: None,
            body: Body::new(self.body.clone()),
            reference: None,
            expires_s: 0,
        }
    }

    fn take(&mut self, frame: ServerFrame, acks: &mut Acks) -> anyhow::Result<()> {
        match frame {
            ServerFrame::Sent(_) => {
                self.confirmed += 1;
                self.run.confirmed.fetch_add(1, Ordering::Relaxed);
            }
            ServerFrame::MessageEvent(event) => acks.note(event.stamp),
            ServerFrame::ReceiptEvent(event) => acks.note(event.stamp),
            other => bail!("a writer was sent {other:?}"),
        }
        Ok(())
    }
}

/// Reads until all that its pair's writer sent has arrived. Returns the latencies of what was sent while counting.
async fn read(run: Arc<Run>, pair: Arc<Pair>, wire: Wire) -> anyhow::Result<Histogram<u64>> {
    let Wire { mut reader, mut writer } = wire;
    let mut latency = Histogram::new_with_bounds(1, LATENCY_US_MAX, 3)?;
    let mut acks = Acks::default();
    let mut received = 0;
    while pair.has_more(received) {
        tokio::select! {
            frame = reader.next() => {
                let mut frame = Some(frame?);
                let now = Instant::now();
                while let Some(ServerFrame::MessageEvent(event)) = frame {
                    acks.note(event.stamp);
                    frame = reader.buffered()?;
                    if !run.is_its(&event) {
                        continue;
                    }
                    received += 1;
                    let sent = run.sent_at(&event).context("a message of this run has a time in its body")?;
                    if run.phases.counts(sent) {
                        let took_us = (now - sent).as_micros() as u64;
                        latency.record(took_us)?;
                        run.latency_over_time.record(sent, took_us);
                    }
                }
                if let Some(other) = frame {
                    bail!("a reader was sent {other:?}");
                }
            }
            () = pair.finished() => {}
        }
        acks.push(&mut writer);
        writer.flush().await?;
    }
    Ok(latency)
}

impl Run {
    /// Whether a message is of this load: what was acknowledged last in an earlier one may come again.
    fn is_its(&self, event: &MessageEvent) -> bool {
        event.message.id.as_bytes()[8..10] == self.round.to_be_bytes()
    }

    /// When a message was to be sent, from its body.
    fn sent_at(&self, event: &MessageEvent) -> Option<Instant> {
        let nanos =
            event.message.body.as_ref()?.as_bytes().first_chunk().map(|bytes| u64::from_be_bytes(*bytes))?;
        Some(self.phases.origin + Duration::from_nanos(nanos))
    }
}
