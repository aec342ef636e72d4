//! What workloads that send messages have in common: when they count, and what.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressStyle};
use rookery_protocol::{Ack, Stamp};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, interval_at, sleep_until, timeout};

use crate::bar;
use crate::node::Nodes;
use crate::probe::{self, Batches};
use crate::process;
use crate::report::{FigureId, Report};
use crate::users::BenchUser;
use crate::wire::{Wire, Writer, exchanged_bytes};
use crate::written::Written;

/// The longest latency the histogram holds, in microseconds.
pub(crate) const LATENCY_US_MAX: u64 = 120_000_000;

/// The slowest pace at which the disk is asked.
const DISK_PACE_MAX: Duration = Duration::from_millis(20);

/// How long the last messages may take to arrive once sending has ended.
pub(crate) const SETTLE_TIME_MAX: Duration = Duration::from_secs(30);

/// Into so many stretches is the time divided over which things are shown, if they are not too short.
const STRETCHES: u32 = 60;

/// The shortest of them.
const STRETCH_MIN: Duration = Duration::from_millis(500);

/// How often a bar moves.
const BAR_EVERY: Duration = Duration::from_millis(200);

/// Until what clients did is done: acknowledgements wait up to a second for one another.
pub(super) const SETTLE: Duration = Duration::from_secs(3);

/// Handshakes at once: fewer than a node allows one address.
pub(crate) const CONNECTING_AT_ONCE: usize = 16;

/// A rate from the command line.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| (0.1..=1e7).contains(rate));
    rate.ok_or_else(|| "a number of messages per second, from 0.1 to 10000000".into())
}

/// How often the disk is asked beside a load of so many messages per second: as often as the load asks it, and at once again
/// where the load is a closed loop.
pub(crate) fn disk_pace(rate: Option<f64>) -> Duration {
    rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(1.0 / rate).min(DISK_PACE_MAX))
}

/// Connects the users, to the nodes in turn.
pub(super) async fn connect(nodes: &Nodes, users: &[BenchUser]) -> anyhow::Result<Vec<Wire>> {
    let bar = bar::counting(users.len() as u64, "connecting");
    let mut wires = Vec::with_capacity(users.len());
    for (chunk, some) in users.chunks(CONNECTING_AT_ONCE).enumerate() {
        let connecting: Vec<_> = some
            .iter()
            .enumerate()
            .map(|(number, user)| {
                let at = nodes.of(chunk * CONNECTING_AT_ONCE + number);
                let (address, user) = (at.clients().clone(), user.clone());
                tokio::spawn(async move { Wire::connect(&address, &user).await })
            })
            .collect();
        for connected in connecting {
            wires.push(connected.await.context("connecting does not panic")??.0);
        }
        bar.set_position(wires.len() as u64);
    }
    bar.finish_and_clear();
    Ok(wires)
}

/// When a run's phases begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Phases {
    pub(crate) origin: Instant,
    pub(crate) count_from: Instant,
    pub(crate) send_until: Instant,
}

impl Phases {
    /// Beginning now.
    pub(crate) fn new(warmup: Duration, counted: Duration) -> Self {
        let origin = Instant::now();
        Self { origin, count_from: origin + warmup, send_until: origin + warmup + counted }
    }

    /// Whether what was sent then counts.
    pub(crate) fn counts(&self, sent: Instant) -> bool {
        (self.count_from..self.send_until).contains(&sent)
    }

    /// The time counted is shown in stretches of this length.
    fn stretch(&self) -> Duration {
        ((self.send_until - self.count_from) / STRETCHES).max(STRETCH_MIN)
    }

    /// Counts from the beginning of counting to the end, with a bar.
    pub(super) async fn count(&self, done: &AtomicU64, nodes: &Nodes) -> anyhow::Result<Window> {
        self.count_with(done, async || Counters::read(done, nodes).await).await
    }

    /// As [`count`](Self::count), of what is not nodes: `read` reads its counters.
    pub(crate) async fn count_with<C>(
        &self,
        done: &AtomicU64,
        read: impl AsyncFn() -> anyhow::Result<C>,
    ) -> anyhow::Result<Window<C>> {
        let style = ProgressStyle::with_template("{msg:>12} {bar:40} {percent:>3} %")
            .expect("the template is a valid one");
        let bar = ProgressBar::new((self.send_until - self.origin).as_millis() as u64).with_style(style);
        let show = || bar.set_position(self.origin.elapsed().as_millis() as u64);
        bar.set_message("warming up");
        each(BAR_EVERY, self.count_from, show).await;
        bar.set_message("counting");
        let before = read().await?;
        let begun = Instant::now();
        let (mut over_time, mut last) = (Vec::new(), (begun, done.load(Ordering::Relaxed)));
        let mut sample = || {
            show();
            let now = (Instant::now(), done.load(Ordering::Relaxed));
            let since = now.0 - last.0;
            // What is much shorter than the others would stand out by chance.
            if since >= self.stretch() / 2 {
                let rate = (now.1 - last.1) as f64 / since.as_secs_f64();
                over_time.push(((now.0 - begun).as_secs_f64(), rate));
                last = now;
            }
        };
        each(self.stretch(), self.send_until, &mut sample).await;
        sample();
        let after = read().await?;
        let seconds = begun.elapsed().as_secs_f64();
        bar.finish_and_clear();
        Ok(Window { before, after, seconds, done_over_time: over_time })
    }
}

/// Does something once for each stretch of time until then that is over.
async fn each(every: Duration, until: Instant, mut act: impl FnMut()) {
    let mut ticks = interval_at(Instant::now() + every, every);
    while Instant::now() < until {
        tokio::select! {
            _ = ticks.tick() => act(),
            () = sleep_until(until) => return,
        }
    }
}

/// What was counted between two times.
pub(crate) struct Window<C = Counters> {
    pub(crate) before: C,
    pub(crate) after: C,
    /// Between the two.
    pub(crate) seconds: f64,
    /// How fast the load went: seconds since `before`, and what it did per second up to then, since the point before.
    pub(crate) done_over_time: Vec<(f64, f64)>,
}

/// How long something took over the time counted, by when it was to begin.
pub(crate) struct Timeline {
    phases: Phases,
    stretches: Vec<Mutex<Histogram<u64>>>,
}

impl Timeline {
    pub(crate) fn new(phases: Phases) -> anyhow::Result<Self> {
        let counted = (phases.send_until - phases.count_from).as_secs_f64();
        let stretches = (counted / phases.stretch().as_secs_f64()).ceil().max(1.0) as usize;
        // Two digits: a curve shows no more.
        let empty = Histogram::new_with_bounds(1, LATENCY_US_MAX, 2)?;
        Ok(Self { phases, stretches: (0..stretches).map(|_| Mutex::new(empty.clone())).collect() })
    }

    /// Something that was to begin then took so long, in microseconds.
    pub(crate) fn record(&self, began: Instant, took_us: u64) {
        if self.phases.counts(began) {
            let since = (began - self.phases.count_from).as_secs_f64();
            let at = (since / self.phases.stretch().as_secs_f64()) as usize;
            let stretch = &self.stretches[at.min(self.stretches.len() - 1)];
            stretch.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(took_us);
        }
    }

    /// Reports the median and the 99th percentile over time, in milliseconds.
    pub(crate) fn add(&self, name: &str, report: &mut Report) {
        for (what, quantile) in [("p50", 0.5), ("p99", 0.99)] {
            let points = self.stretches.iter().enumerate().filter_map(|(number, stretch)| {
                let stretch = stretch.lock().unwrap_or_else(PoisonError::into_inner);
                let end = (number + 1) as f64 * self.phases.stretch().as_secs_f64();
                let took = stretch.value_at_quantile(quantile) as f64 / 1e3;
                (!stretch.is_empty()).then_some((end, took))
            });
            report.series(format!("{name}, {what}"), "ms", points.collect());
        }
    }
}

/// What nodes and this process have counted so far.
pub(crate) struct Counters {
    pub(super) done: f64,
    pub(super) commits: f64,
    pub(super) ops: f64,
    pub(super) writes: f64,
    pub(super) node_cpu: f64,
    pub(super) own_cpu: f64,
    pub(super) link_bytes: f64,
    pub(super) link_batches: f64,
    pub(super) link_messages: f64,
    pub(super) mailed: f64,
    pub(super) client_bytes: f64,
    pub(super) file_bytes: f64,
    /// By the disk that holds the data.
    pub(super) disk_written: Option<Written>,
}

impl Counters {
    /// `done` is what the load itself counts.
    pub(super) async fn read(done: &AtomicU64, nodes: &Nodes) -> anyhow::Result<Self> {
        let out = "direction=\"out\"";
        Ok(Self {
            done: done.load(Ordering::Relaxed) as f64,
            commits: nodes.metric("rookery_store_commit_seconds_count", "").await?,
            ops: nodes.metric("rookery_store_commit_operations_sum", "").await?,
            writes: nodes.metric("rookery_store_writes_total", "").await?,
            node_cpu: nodes.cpu()?.as_secs_f64(),
            own_cpu: process::cpu(std::process::id())?.as_secs_f64(),
            link_bytes: nodes.metric("rookery_link_bytes_total", out).await?,
            link_batches: nodes.metric("rookery_link_batches_total", out).await?,
            link_messages: nodes.metric("rookery_link_messages_in_total", "").await?,
            mailed: nodes.metric("rookery_doorbells_mailed_total", "").await?,
            client_bytes: exchanged_bytes() as f64,
            file_bytes: nodes.of(0).metric("rookery_store_file_bytes").await?,
            disk_written: nodes.of(0).disk_written(),
        })
    }

    /// Reports what each of so many messages since `before` left in the store's file, and what of it went to and from
    /// clients.
    pub(super) fn add_bytes(&self, before: &Self, messages: f64, report: &mut Report) {
        let each = |after: f64, before: f64| (after - before) / messages.max(1.0);
        report.add("store: file growth per message", each(self.file_bytes, before.file_bytes), "B");
        report.add("clients: bytes per message", each(self.client_bytes, before.client_bytes), "B");
    }

    /// Reports what the disk wrote since `before` for each of so many messages: of every page that a commit has changed
    /// anything in, the whole.
    pub(super) fn add_disk(&self, before: &Self, messages: f64, report: &mut Report) {
        let (Some(before), Some(after)) = (before.disk_written, self.disk_written) else { return };
        let each = |after: u64, before: u64| after.saturating_sub(before) as f64 / messages.max(1.0);
        report.add("disk: bytes written per message", each(after.bytes, before.bytes), "B");
        report.add("disk: write requests per message", each(after.requests, before.requests), "");
    }

    /// Reports what went over the nodes' links since `before`, for each of so many messages.
    pub(super) fn add_links(&self, before: &Self, messages: f64, report: &mut Report) {
        let each = |after: f64, before: f64| (after - before) / messages.max(1.0);
        report.add("links: bytes per message", each(self.link_bytes, before.link_bytes), "B");
        report.add("links: batches per message", each(self.link_batches, before.link_batches), "");
        report.add("links: bells per message", each(self.link_messages, before.link_messages), "");
        report.add("links: bells that went by mail", self.mailed - before.mailed, "");
    }

    /// Reports what the nodes and the load generator took in the seconds since `before`, the nodes' processors also for
    /// each `(what, how many)`.
    pub(super) fn add_processes(
        &self,
        before: &Self,
        seconds: f64,
        (what, count): (&str, f64),
        nodes: &Nodes,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let cpu = self.node_cpu - before.node_cpu;
        report.add("node: CPU", cpu / seconds, "cores");
        report.add(format!("node: CPU per {what}"), cpu * 1e6 / count.max(1.0), "µs");
        report.add("load generator: CPU", (self.own_cpu - before.own_cpu) / seconds, "cores");
        report.add("node: RSS at the end", nodes.rss_bytes()? as f64 / 1e6, "MB");
        Ok(())
    }
}

/// Measures how many puts raw LMDB does in `data`, in commits like those of the load, and reports how many of `what` that
/// would be at so many writes each: the limit of `figure`.
pub(super) fn bind_by_lmdb(
    figure: FigureId,
    (what, writes_each): (&str, f64),
    batches: Batches,
    data: &Path,
    report: &mut Report,
) -> anyhow::Result<()> {
    let puts = probe::lmdb(data, batches, report)?;
    let limit = report.add(format!("limit: raw LMDB, {what} of as many puts"), puts / writes_each, "/s");
    report.share_of(figure, limit);
    Ok(())
}

/// Waits until writers have finished, then readers, and puts together how long things took to these.
///
/// # Errors
/// When one fails, or the last messages do not arrive in time.
pub(crate) async fn arrivals(
    writers: &mut JoinSet<anyhow::Result<()>>,
    readers: &mut JoinSet<anyhow::Result<Histogram<u64>>>,
) -> anyhow::Result<Histogram<u64>> {
    let mut latency = Histogram::<u64>::new_with_bounds(1, LATENCY_US_MAX, 3)?;
    let settled = timeout(SETTLE_TIME_MAX, async {
        all_end(writers).await?;
        while let Some(ended) = readers.join_next().await {
            latency.add(ended.context("a load task does not panic")??)?;
        }
        anyhow::Ok(())
    });
    settled.await.context("the last messages did not arrive in time")??;
    Ok(latency)
}

/// Waits until writers have finished, for so long as the last messages may take. Readers end with a failure alone.
pub(crate) async fn finish(
    writers: &mut JoinSet<anyhow::Result<()>>,
    readers: &mut JoinSet<anyhow::Result<()>>,
) -> Result<anyhow::Result<()>, Elapsed> {
    let finished = async {
        tokio::select! {
            written = all_end(writers) => written,
            failed = first_failure(readers) => failed,
        }
    };
    timeout(SETTLE_TIME_MAX, finished).await
}

async fn all_end(tasks: &mut JoinSet<anyhow::Result<()>>) -> anyhow::Result<()> {
    while let Some(ended) = tasks.join_next().await {
        ended.context("a load task does not panic")??;
    }
    Ok(())
}

/// What the two tasks of a pair tell each other.
#[derive(Default)]
pub(crate) struct Pair {
    /// Messages sent in all, once the writer has finished.
    total: OnceLock<u64>,
    finished: Notify,
}

impl Pair {
    /// The writer has finished, after so many messages.
    pub(crate) fn finish(&self, total: u64) {
        self.total.set(total).expect("a pair's writer finishes once");
        self.finished.notify_one();
    }

    /// Whether there is, or may be, more to come for a reader who has so many.
    pub(crate) fn has_more(&self, received: u64) -> bool {
        self.total.get().is_none_or(|total| received < *total)
    }

    /// Ends when the writer finishes.
    pub(crate) async fn finished(&self) {
        self.finished.notified().await;
    }
}

/// Ends when a task fails, and not otherwise.
pub(crate) async fn first_failure(tasks: &mut JoinSet<anyhow::Result<()>>) -> anyhow::Result<()> {
    while let Some(ended) = tasks.join_next().await {
        ended.context("a load task does not panic")??;
    }
    std::future::pending().await
}

/// Tells each writer when a message is due, in turn. A thread of its own, for the runtime's timers tick in
/// milliseconds: what they would add is of the size of what is measured.
pub(crate) fn pace(phases: Phases, rate: f64, writers: &[mpsc::UnboundedSender<Instant>]) {
    let mut turns = writers.iter().cycle();
    pace_with(phases, rate, |due| {
        if let Some(writer) = turns.next() {
            // A writer that has failed has said so.
            let _ = writer.send(due);
        }
    });
}

/// Does something at each time when it is due, so many times a second. For a thread of its own, as [`pace`].
pub(super) fn pace_with(phases: Phases, rate: f64, mut act: impl FnMut(Instant)) {
    for number in 0_u64.. {
        let due = phases.origin + Duration::from_secs_f64(number as f64 / rate);
        if due >= phases.send_until {
            return;
        }
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        act(due);
    }
}

/// When the next message is due: `None` when there is none any more, never where messages are not due at times.
pub(crate) async fn next_due(due: &mut Option<mpsc::UnboundedReceiver<Instant>>) -> Option<Instant> {
    match due {
        Some(due) => due.recv().await,
        None => std::future::pending().await,
    }
}

/// Acknowledgements due: one for all that arrived together.
#[derive(Default)]
pub(super) struct Acks {
    newest: Option<Stamp>,
}

impl Acks {
    pub(super) fn note(&mut self, stamp: Stamp) {
        self.newest = Some(stamp);
    }

    /// Whether none is due.
    pub(super) fn is_empty(&self) -> bool {
        self.newest.is_none()
    }

    pub(super) fn push(&mut self, writer: &mut Writer) {
        if let Some(stamp) = self.newest.take() {
            writer.push(&Ack { stamp });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeline_has_a_point_for_each_stretch_in_which_something_was_due() {
        let phases = Phases::new(Duration::from_secs(10), Duration::from_secs(3));
        let timeline = Timeline::new(phases).expect("its bounds are valid ones");
        let at = |seconds: f64| phases.count_from + Duration::from_secs_f64(seconds);
        for took_us in [1_000, 1_000, 5_000] {
            timeline.record(at(0.1), took_us);
        }
        timeline.record(at(2.9), 7_000);
        // Neither what was due before nor what was due after is counted.
        timeline.record(phases.origin, 90_000);
        timeline.record(phases.send_until, 90_000);
        let mut report = Report::new("a test");
        timeline.add("it", &mut report);
        let [p50, p99] = &report.series[..] else { panic!("there are two") };
        let rounded = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
            points.iter().map(|(seconds, ms)| (*seconds, ms.round())).collect()
        };
        assert_eq!((p50.name.as_str(), rounded(&p50.points)), ("it, p50", vec![(0.5, 1.0), (3.0, 7.0)]));
        assert_eq!((p99.name.as_str(), rounded(&p99.points)), ("it, p99", vec![(0.5, 5.0), (3.0, 7.0)]));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_done_is_counted_from_the_end_of_the_warm_up() {
        let phases = Phases::new(Duration::from_secs(1), Duration::from_secs(4));
        let done = AtomicU64::new(0);
        let load = async {
            let mut ticks = interval_at(Instant::now(), Duration::from_millis(10));
            loop {
                ticks.tick().await;
                done.fetch_add(1, Ordering::Relaxed);
            }
        };
        let window = tokio::select! {
            window = phases.count_with(&done, async || Ok(done.load(Ordering::Relaxed))) => window,
            () = load => unreachable!("it goes on"),
        };
        let window = window.expect("counters can be read");
        assert!((window.seconds - 4.0).abs() < 0.1, "{} s", window.seconds);
        assert!((395..=405).contains(&(window.after - window.before)), "{}", window.after - window.before);
        assert_eq!(window.done_over_time.len(), 8);
        for (_, rate) in window.done_over_time {
            assert!((rate - 100.0).abs() < 5.0, "{rate} per second");
        }
    }
}
