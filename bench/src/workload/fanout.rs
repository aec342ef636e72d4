//! What workloads have in common in which one writes and many read: the writer, who has what, and how long that took.
//!
//! Closed loop: at most `window` messages at a time that some reader does not have. With `--rate`: open loop, each
//! message at its intended time, and times counted from that one.

use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args as ClapArgs;
use hdrhistogram::Histogram;
use rookery_protocol::{Body, ConversationId, RequestId, Send, ServerFrame, UserId};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::measure::{
    Acks, Counters, LATENCY_US_MAX, Phases, Timeline, Window, bind_by_lmdb, disk_pace, finish, first_failure,
    next_due, pace, rate,
};
use crate::node::Nodes;
use crate::probe::Batches;
use crate::report::{FigureId, Report};
use crate::users::message_id;
use crate::wire::Wire;

/// Messages that may be under way to some reader; more are an error of the run.
const UNDER_WAY_MAX: usize = 1 << 16;

/// Between two looks whether all have everything, at the end.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(5);

/// About what an inbox's entry has that points to a message.
const POINTER_BYTES: usize = 32;

/// Parts of the readers' times: those who read at once seldom wait for one another.
const PARTS: usize = 16;

/// How much the writer writes, and when that is counted.
#[derive(Debug, ClapArgs)]
pub(crate) struct Load {
    /// Messages that some reader who is online does not have, at most.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) window: u32,
    /// Bytes of each message's body.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(16..=65536))]
    pub(crate) body: u32,
    /// Seconds before counting begins.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(..=86_400))]
    warmup: u64,
    /// Seconds counted.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Messages per second, at their intended times; without it as many as the window lets through.
    #[arg(long, value_parser = rate)]
    pub(crate) rate: Option<f64>,
}

impl std::fmt::Display for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.rate {
            Some(rate) => write!(f, "{rate} messages/s, {} B bodies", self.body),
            None => write!(f, "window {}, {} B bodies", self.window, self.body),
        }
    }
}

impl Load {
    /// How often it asks the disk, at the most.
    pub(crate) fn every(&self) -> Duration {
        disk_pace(self.rate)
    }

    /// When its phases are, beginning now.
    pub(crate) fn phases(&self) -> Phases {
        Phases::new(Duration::from_secs(self.warmup), Duration::from_secs(self.seconds))
    }

    /// Lets one write to a conversation on one connection and others `read` on theirs, each with its number, until all have
    /// everything, or do not get it in time.
    pub(super) async fn run<R>(
        &self,
        nodes: &Nodes,
        (from, conversation): (UserId, ConversationId),
        writer: Wire,
        readers: Vec<Wire>,
        read: impl Fn(Arc<Run>, usize, Wire) -> R,
    ) -> anyhow::Result<Counted>
    where
        R: Future<Output = anyhow::Result<()>> + std::marker::Send + 'static,
    {
        let phases = self.phases();
        let run = Arc::new(Run::new(phases, readers.len() as u32, self.window)?);
        let mut reading = JoinSet::new();
        for (number, wire) in readers.into_iter().enumerate() {
            reading.spawn(read(run.clone(), number, wire));
        }
        let due = self.rate.map(|rate| {
            let (tell, due) = mpsc::unbounded_channel();
            std::thread::spawn(move || pace(phases, rate, &[tell]));
            due
        });
        let body = vec![0x5a; self.body as usize];
        let write = Writing { run: run.clone(), from, conversation, due, body, pushed: 0 };
        let mut writing = JoinSet::new();
        writing.spawn(write.run(writer));
        let mut counted = tokio::select! {
            counted = count(run.clone(), self.rate.is_some(), nodes) => counted?,
            failed = first_failure(&mut writing) => return Err(failed.expect_err("it ends with a failure alone")),
            failed = first_failure(&mut reading) => return Err(failed.expect_err("it ends with a failure alone")),
        };
        match finish(&mut writing, &mut reading).await {
            Ok(settled) => settled?,
            Err(_) => counted.missing = run.missing(),
        }
        reading.shutdown().await;
        Ok(counted)
    }
}

/// What was counted.
pub(super) struct Counted {
    run: Arc<Run>,
    is_open: bool,
    before: Counters,
    after: Counters,
    seconds: f64,
    done_over_time: Vec<(f64, f64)>,
    /// Messages confirmed.
    messages: f64,
    /// Arrivals, over all readers, that did not come in time after the last message.
    pub(super) missing: u64,
}

impl Counted {
    /// Arrivals of messages at readers.
    fn deliveries(&self) -> f64 {
        self.after.done - self.before.done
    }

    /// Arrivals that readers have found not to come, of messages before others that came; and [`missing`](Self::missing).
    pub(super) fn lost(&self) -> u64 {
        self.run.lost.load(Ordering::Relaxed) + self.missing
    }

    /// Reports what was delivered, and what it cost. `at_rest`: what commits and writes there are in a second without it.
    /// Returns the figure of deliveries.
    pub(super) fn add(
        &self,
        at_rest: (f64, f64),
        nodes: &Nodes,
        report: &mut Report,
    ) -> anyhow::Result<FigureId> {
        let Self { before, after, seconds, messages, .. } = self;
        let (deliveries, per_message) = (self.deliveries(), |count: f64| count / messages.max(1.0));
        let since = |after: f64, before: f64, at_rest: f64| (after - before - at_rest * seconds).max(0.0);
        let commits = since(after.commits, before.commits, at_rest.0);
        let delivered = report.add("deliveries", deliveries / seconds, "/s");
        report.headline(delivered);
        report.series("deliveries", "/s", self.done_over_time.clone());
        report.add("messages, confirmed", messages / seconds, "/s");
        report.add("commits", (after.commits - before.commits) / seconds, "/s");
        report.add("commits per message", per_message(commits), "");
        report.add(
            "store writes per message",
            per_message(since(after.writes, before.writes, at_rest.1)),
            "",
        );
        report.add("deliveries per commit", deliveries / commits.max(1.0), "");
        after.add_disk(before, *messages, report);
        if nodes.len() > 1 {
            after.add_links(before, *messages, report);
            let bytes = after.link_bytes - before.link_bytes;
            report.add("links: bytes per delivery", bytes / deliveries.max(1.0), "B");
        }
        after.add_processes(before, *seconds, ("delivery", deliveries), nodes, report)?;
        Ok(delivered)
    }

    /// Binds the figure of deliveries by what raw LMDB does where each of so many members has an inbox that grows. In an open
    /// loop nothing does: it is the rate that says how many there are.
    pub(super) fn bind(
        &self,
        delivered: FigureId,
        members: usize,
        data: &Path,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        if self.is_open {
            return Ok(());
        }
        let writes = self.after.writes - self.before.writes;
        let puts = (writes / (self.after.commits - self.before.commits).max(1.0)).round() as usize;
        let batches = Batches { puts, value_bytes: POINTER_BYTES, places: members };
        let each = ("deliveries", writes / self.deliveries().max(1.0));
        bind_by_lmdb(delivered, each, batches, data, report)
    }

    /// Reports how long it took from sending on. `readers`: what one of them is.
    pub(super) fn add_times(&self, reader: &str, report: &mut Report) -> anyhow::Result<()> {
        self.run.add_times(reader, report)
    }
}

async fn count(run: Arc<Run>, is_open: bool, nodes: &Nodes) -> anyhow::Result<Counted> {
    let messages = || run.messages.load(Ordering::Relaxed) as f64;
    let counting = async {
        sleep_until(run.phases.count_from).await;
        messages()
    };
    let (counted, messages_before) = tokio::join!(run.phases.count(&run.delivered, nodes), counting);
    let Window { before, after, seconds, done_over_time } = counted?;
    let messages = messages() - messages_before;
    Ok(Counted { run, is_open, before, after, seconds, done_over_time, messages, missing: 0 })
}

/// What the tasks of a run share.
pub(crate) struct Run {
    pub(crate) phases: Phases,
    /// How many read.
    readers: u32,
    /// How many still have to get a message, by its number, around.
    missing: Vec<AtomicU32>,
    /// Room for messages that not all have.
    pub(crate) window: Semaphore,
    /// Messages confirmed.
    pub(crate) messages: AtomicU64,
    /// Messages received, by all together.
    pub(crate) delivered: AtomicU64,
    /// Messages that readers will not get.
    lost: AtomicU64,
    /// From sending on, to each reader.
    each: Vec<Mutex<Histogram<u64>>>,
    /// From sending on, to the one who is last.
    last: Mutex<Histogram<u64>>,
    last_over_time: Timeline,
}

fn histogram() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, LATENCY_US_MAX, 3)?)
}

fn locked(times: &Mutex<Histogram<u64>>) -> MutexGuard<'_, Histogram<u64>> {
    times.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Run {
    pub(crate) fn new(phases: Phases, readers: u32, window: u32) -> anyhow::Result<Self> {
        Ok(Self {
            phases,
            readers,
            missing: (0..UNDER_WAY_MAX).map(|_| AtomicU32::new(0)).collect(),
            window: Semaphore::new(window as usize),
            messages: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            each: (0..PARTS).map(|_| histogram().map(Mutex::new)).collect::<anyhow::Result<_>>()?,
            last: Mutex::new(histogram()?),
            last_over_time: Timeline::new(phases)?,
        })
    }

    fn place(&self, number: u64) -> &AtomicU32 {
        &self.missing[number as usize % UNDER_WAY_MAX]
    }

    /// Reports how long it took from sending on. `readers`: what one of them is.
    pub(crate) fn add_times(&self, reader: &str, report: &mut Report) -> anyhow::Result<()> {
        let mut each = histogram()?;
        for part in &self.each {
            each.add(&*locked(part))?;
        }
        let (any, last) = (format!("to any {reader}"), format!("until the last {reader} has it"));
        report.latency(format!("send to receive, {any}"), &each)?;
        let last = format!("send to receive, {last}");
        let times = report.latency(&last, &locked(&self.last))?;
        report.headline(times.p99);
        self.last_over_time.add(&last, report);
        Ok(())
    }

    /// Notes that the message of this number is under way to all.
    pub(crate) fn begin(&self, number: u64) -> anyhow::Result<()> {
        let before = self.place(number).swap(self.readers, Ordering::AcqRel);
        ensure!(before == 0, "{UNDER_WAY_MAX} messages were under way at once: the rate is too high");
        Ok(())
    }

    /// Whether, of so many messages, none is under way.
    pub(crate) fn is_with_all(&self, begun: u64) -> bool {
        (begun.saturating_sub(UNDER_WAY_MAX as u64)..begun)
            .all(|number| self.place(number).load(Ordering::Acquire) == 0)
    }

    /// Arrivals that there should still be.
    fn missing(&self) -> u64 {
        self.missing.iter().map(|missing| u64::from(missing.load(Ordering::Acquire))).sum()
    }

    /// The number of a message of this run, from its body.
    pub(super) fn number(body: &[u8]) -> anyhow::Result<u64> {
        part(body, 8)
    }

    /// A reader has a message.
    pub(crate) fn received(&self, reader: usize, body: &[u8], now: Instant) -> anyhow::Result<()> {
        let sent = self.phases.origin + Duration::from_nanos(part(body, 0)?);
        let took = (now - sent).as_micros() as u64;
        let counts = self.phases.counts(sent);
        self.delivered.fetch_add(1, Ordering::Relaxed);
        if counts {
            locked(&self.each[reader % PARTS]).record(took)?;
        }
        if self.is_last(Self::number(body)?) && counts {
            locked(&self.last).record(took)?;
            self.last_over_time.record(sent, took);
        }
        Ok(())
    }

    /// A reader will not get a message.
    pub(super) fn lost(&self, number: u64) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        self.is_last(number);
    }

    /// Counts one more who has a message, or never will. Whether it is the last.
    fn is_last(&self, number: u64) -> bool {
        let is_last = self.place(number).fetch_sub(1, Ordering::AcqRel) == 1;
        if is_last {
            self.window.add_permits(1);
        }
        is_last
    }
}

fn part(body: &[u8], at: usize) -> anyhow::Result<u64> {
    let bytes = body.get(at..).and_then(|rest| rest.first_chunk());
    Ok(u64::from_be_bytes(*bytes.context("a message of this run has a time and a number in its body")?))
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
    /// Writes until the time is up and all readers have every message.
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
            if is_over && confirmed == self.pushed && run.is_with_all(self.pushed) {
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

    /// The next message, due at this time.
    fn message(&mut self, due: Instant) -> anyhow::Result<Send> {
        let number = self.pushed;
        self.run.begin(number)?;
        let since_origin = due.saturating_duration_since(self.run.phases.origin).as_nanos() as u64;
        self.body[..8].copy_from_slice(&since_origin.to_be_bytes());
        self.body[8..16].copy_from_slice(&number.to_be_bytes());
        self.pushed += 1;
        Ok(Send {
            request: RequestId::new(self.pushed as u32),
            conversation: self.conversation,
            id: message_id(self.from, number),
            after: None,
            body: Body::new(self.body.clone()),
            reference: None,
            expires_s: 0,
        })
    }
}
