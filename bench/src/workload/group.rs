//! One member of a group, writing to all.
//!
//! Closed loop: at most `window` messages at a time that some member who is online does not have. With `--rate`: open
//! loop, each message at its intended time, and times counted from that one. Members who are not online have their
//! messages put into their inboxes as all do.

use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args as ClapArgs;
use hdrhistogram::Histogram;
use rookery_protocol::{
    Body, ChangeGroup, ConversationId, CreateGroup, GroupChange, GroupId, GroupSettings, MessageId,
    RequestId, Send, ServerFrame, UserId, limits,
};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::measure::{
    Acks, LATENCY_US_MAX, PROBE_PACE_MAX, Phases, SETTLE_TIME_MAX, first_failure, next_due, pace, rate,
};
use crate::node::Nodes;
use crate::probe;
use crate::report::Report;
use crate::users::{BenchUser, prepare};
use crate::wire::Wire;

/// Messages that may be under way to some member; more are an error of the run.
const UNDER_WAY_MAX: usize = 1 << 16;

/// Between two looks whether all have everything, at the end.
const LOOK_EVERY: Duration = Duration::from_millis(5);

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Members of the group.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(2..=limits::GROUP_MEMBERS_MAX as i64))]
    members: u32,
    /// Members with a connection, the writer among them [default: all].
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..=limits::GROUP_MEMBERS_MAX as i64))]
    online: Option<u32>,
    /// Nodes on one store. With more than one, members are at each of them in turn.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    nodes: u8,
    /// Messages that some member online does not have, at most.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    window: u32,
    /// Bytes of each message's body.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(16..=65536))]
    body: u32,
    /// Seconds before counting begins.
    #[arg(long, default_value_t = 3)]
    warmup: u64,
    /// Seconds counted.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// Messages per second, at their intended times; without it as many as the window lets through.
    #[arg(long, value_parser = rate)]
    rate: Option<f64>,
}

/// Measures; `data` is an empty directory.
pub(crate) async fn run(rookery: &Path, data: &Path, args: Args) -> anyhow::Result<Report> {
    let online = args.online.unwrap_or(args.members).min(args.members);
    let loop_kind =
        args.rate.map_or_else(|| format!("window {}", args.window), |rate| format!("{rate} messages/s"));
    let mut report = Report::new(format!(
        "group: {} members, {online} online across {} nodes, {loop_kind}, {} B bodies",
        args.members, args.nodes, args.body
    ));
    let every =
        args.rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(1.0 / rate).min(PROBE_PACE_MAX));
    let disk_before = probe::fdatasync(data, every)?;
    let users = prepare(data, args.members as usize).await?;
    let nodes = Nodes::start(rookery, data, args.nodes.into()).await?;
    let mut wires = Vec::new();
    for (number, user) in users.iter().take(online as usize).enumerate() {
        wires.push(Wire::connect(nodes.of(number).tcp(), user).await?.0);
    }
    let mut wires = wires.into_iter();
    let mut writer = wires.next().context("a group has members")?;
    let group = make_group(&mut writer, &users).await?;

    let phases = Phases::new(Duration::from_secs(args.warmup), Duration::from_secs(args.seconds));
    let run = Arc::new(Run::new(phases, online - 1, args.window)?);
    let mut readers = JoinSet::new();
    for wire in wires {
        readers.spawn(read(run.clone(), wire));
    }
    let due = args.rate.map(|rate| {
        let (tell, due) = mpsc::unbounded_channel();
        std::thread::spawn(move || pace(phases, rate, &[tell]));
        due
    });
    let writing = Writing {
        run: run.clone(),
        from: users[0].user,
        conversation: ConversationId::group(group),
        due,
        body: vec![0x5a; args.body as usize],
        pushed: 0,
    };
    let mut writers = JoinSet::new();
    writers.spawn(writing.run(writer));
    tokio::select! {
        shown = figures(&run, &nodes, &mut report) => shown?,
        failed = first_failure(&mut writers) => failed?,
        failed = first_failure(&mut readers) => failed?,
    }
    let settled = timeout(SETTLE_TIME_MAX, async {
        let written = async {
            while let Some(ended) = writers.join_next().await {
                ended.context("a load task does not panic")??;
            }
            Ok(())
        };
        tokio::select! {
            written = written => written,
            failed = first_failure(&mut readers) => failed,
        }
    });
    settled.await.context("the last messages did not arrive in time")??;
    readers.shutdown().await;

    let disk_after = probe::fdatasync(data, every)?;
    let times = run.times();
    for (name, times) in [("to any member", &times.each), ("until the last member has it", &times.last)] {
        for (part, quantile) in [("p50", 0.5), ("p99", 0.99)] {
            let time = times.value_at_quantile(quantile) as f64 / 1000.0;
            report.add(format!("send to receive, {name}, {part}"), time, "ms");
        }
    }
    drop(times);
    report.disk(&disk_before);
    report.add("disk: fdatasync p50 after the run", disk_after.quantile_us(0.5) as f64 / 1000.0, "ms");
    Ok(report)
}

/// The group of all users, made by the first.
async fn make_group(wire: &mut Wire, users: &[BenchUser]) -> anyhow::Result<GroupId> {
    let others: Vec<UserId> = users[1..].iter().map(|user| user.user).collect();
    let mut some = others.chunks(limits::GROUP_USERS_AT_ONCE_MAX);
    let (id, request) = (MessageId::from_bytes([0xff; 16]), RequestId::new(u32::MAX));
    let members = some.next().unwrap_or_default().to_vec();
    let settings = GroupSettings::default();
    wire.writer.push(&CreateGroup { request, id, name: "bench".into(), members, settings });
    wire.writer.flush().await?;
    let group = loop {
        match wire.reader.next().await? {
            ServerFrame::GroupCreated(created) => break created.group,
            ServerFrame::MessageEvent(_) => {}
            other => bail!("instead of a group came {other:?}"),
        }
    };
    for (number, more) in some.enumerate() {
        let id = MessageId::from_bytes([0xf0 + number as u8; 16]);
        let change = GroupChange::Added(more.to_vec());
        wire.writer.push(&ChangeGroup { request, group, id, change });
        wire.writer.flush().await?;
        loop {
            match wire.reader.next().await? {
                ServerFrame::Sent(_) => break,
                ServerFrame::MessageEvent(_) => {}
                other => bail!("instead of a larger group came {other:?}"),
            }
        }
    }
    Ok(group)
}

/// The figures of the time that counts.
async fn figures(run: &Run, nodes: &Nodes, report: &mut Report) -> anyhow::Result<()> {
    let messages = || run.messages.load(Ordering::Relaxed) as f64;
    let counting = async {
        sleep_until(run.phases.count_from).await;
        messages()
    };
    let (counted, before_messages) = tokio::join!(run.phases.count(&run.delivered, nodes), counting);
    let (before, after, seconds) = counted?;
    let messages = messages() - before_messages;
    let deliveries = after.done - before.done;
    let commits = after.commits - before.commits;
    report.add("deliveries", deliveries / seconds, "/s");
    report.add("messages, confirmed", messages / seconds, "/s");
    report.add("commits", commits / seconds, "/s");
    report.add("commits per message", commits / messages.max(1.0), "");
    report.add("deliveries per commit", deliveries / commits.max(1.0), "");
    if nodes.len() > 1 {
        after.add_links(&before, messages, report);
        let bytes = after.link_bytes - before.link_bytes;
        report.add("links: bytes per delivery", bytes / deliveries.max(1.0), "B");
    }
    after.add_processes(&before, seconds, ("delivery", deliveries), nodes, report)
}

/// What the tasks of a run share.
struct Run {
    phases: Phases,
    /// Members online besides the writer.
    readers: u32,
    /// Who still have to get a message, by its number, around.
    missing: Vec<AtomicU32>,
    /// Room for messages that not all have.
    window: Semaphore,
    /// Messages confirmed.
    messages: AtomicU64,
    /// Messages received, by all together.
    delivered: AtomicU64,
    times: Mutex<Times>,
}

/// From sending on.
struct Times {
    /// To each member.
    each: Histogram<u64>,
    /// To the one who is last.
    last: Histogram<u64>,
}

impl Run {
    fn new(phases: Phases, readers: u32, window: u32) -> anyhow::Result<Self> {
        let times = || Histogram::new_with_bounds(1, LATENCY_US_MAX, 3);
        Ok(Self {
            phases,
            readers,
            missing: (0..UNDER_WAY_MAX).map(|_| AtomicU32::new(0)).collect(),
            window: Semaphore::new(window as usize),
            messages: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            times: Mutex::new(Times { each: times()?, last: times()? }),
        })
    }

    fn times(&self) -> std::sync::MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self, number: u64) -> &AtomicU32 {
        &self.missing[number as usize % UNDER_WAY_MAX]
    }

    /// A reader has a message.
    fn received(&self, body: &[u8], now: Instant, own: &mut Histogram<u64>) -> anyhow::Result<()> {
        let part = |at: usize| body[at..].first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
        let (sent, number) = part(0).zip(part(8)).context("a message of this run has a time in its body")?;
        let sent = self.phases.origin + Duration::from_nanos(sent);
        let took = (now - sent).as_micros() as u64;
        let counts = self.phases.counts(sent);
        self.delivered.fetch_add(1, Ordering::Relaxed);
        if counts {
            own.record(took)?;
        }
        if self.place(number).fetch_sub(1, Ordering::AcqRel) == 1 {
            self.window.add_permits(1);
            if counts {
                self.times().last.record(took)?;
            }
        }
        Ok(())
    }
}

/// Reads until the run is over, when it is ended.
async fn read(run: Arc<Run>, wire: Wire) -> anyhow::Result<()> {
    let Wire { mut reader, mut writer } = wire;
    let mut acks = Acks::default();
    let mut own = Own { run: run.clone(), times: Histogram::new_with_bounds(1, LATENCY_US_MAX, 3)? };
    loop {
        let mut frame = Some(reader.next().await?);
        let now = Instant::now();
        while let Some(ServerFrame::MessageEvent(event)) = frame {
            acks.note(event.stamp);
            if let Some(body) = &event.message.body {
                run.received(body.as_bytes(), now, &mut own.times)?;
            }
            frame = reader.buffered()?;
        }
        if let Some(other) = frame {
            bail!("a reader was sent {other:?}");
        }
        acks.push(&mut writer);
        writer.flush().await?;
    }
}

/// A reader's own times, which join the others' when it is ended.
struct Own {
    run: Arc<Run>,
    times: Histogram<u64>,
}

impl Drop for Own {
    fn drop(&mut self) {
        self.run.times().each.add(&self.times).expect("all have the same bounds");
    }
}

/// The writer.
struct Writing {
    run: Arc<Run>,
    from: UserId,
    conversation: ConversationId,
    /// When messages are due; without it, as soon as there is room.
    due: Option<mpsc::UnboundedReceiver<Instant>>,
    body: Vec<u8>,
    pushed: u64,
}

impl Writing {
    /// Writes until the time is up and all members online have every message.
    async fn run(mut self, wire: Wire) -> anyhow::Result<()> {
        let Wire { mut reader, mut writer } = wire;
        let run = self.run.clone();
        let mut acks = Acks::default();
        let (mut confirmed, mut is_over) = (0, false);
        let mut due = self.due.take();
        let is_closed = due.is_none();
        loop {
            if is_closed {
                is_over = Instant::now() >= run.phases.send_until;
            }
            if is_over && confirmed == self.pushed && self.is_with_all() {
                return Ok(());
            }
            tokio::select! {
                frame = reader.next() => {
                    let mut frame = Some(frame?);
                    while let Some(taken) = frame {
                        match taken {
                            ServerFrame::Sent(_) => {
                                confirmed += 1;
                                run.messages.fetch_add(1, Ordering::Relaxed);
                            }
                            ServerFrame::MessageEvent(event) => acks.note(event.stamp),
                            other => bail!("the writer was sent {other:?}"),
                        }
                        frame = reader.buffered()?;
                    }
                }
                at = next_due(&mut due), if !is_over => match at {
                    Some(at) => writer.push(&self.message(at)?),
                    None => is_over = true,
                },
                room = run.window.acquire(), if is_closed && !is_over => {
                    room.expect("it is never closed").forget();
                    writer.push(&self.message(Instant::now())?);
                }
                () = sleep(LOOK_EVERY), if is_over => {}
            }
            acks.push(&mut writer);
            writer.flush().await?;
        }
    }

    /// Whether no message is under way.
    fn is_with_all(&self) -> bool {
        let under_way = UNDER_WAY_MAX as u64;
        (self.pushed.saturating_sub(under_way)..self.pushed)
            .all(|number| self.run.place(number).load(Ordering::Acquire) == 0)
    }

    /// The next message, due at this time.
    fn message(&mut self, due: Instant) -> anyhow::Result<Send> {
        let number = self.pushed;
        let before = self.run.place(number).swap(self.run.readers, Ordering::AcqRel);
        ensure!(before == 0, "{UNDER_WAY_MAX} messages were under way at once: the rate is too high");
        let since_origin = due.saturating_duration_since(self.run.phases.origin).as_nanos() as u64;
        self.body[..8].copy_from_slice(&since_origin.to_be_bytes());
        self.body[8..16].copy_from_slice(&number.to_be_bytes());
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.from.get().to_be_bytes());
        id[8..].copy_from_slice(&number.to_be_bytes());
        self.pushed += 1;
        Ok(Send {
            request: RequestId::new(self.pushed as u32),
            conversation: self.conversation,
            id: MessageId::from_bytes(id),
            after: None,
            body: Body::new(self.body.clone()),
            reference: None,
            expires_s: 0,
        })
    }
}
