//! Pairs of users, one writing to the other, as [`workload::direct`](crate::workload::direct) has it for a node.
//!
//! A message is confirmed when the server's count of stanzas it has handled (XEP-0198) includes it. It is asked for that
//! count after each write, which carries all messages that had room.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::ensure;
use clap::Args as ClapArgs;
use clap::builder::RangedU64ValueParser;
use hdrhistogram::Histogram;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::body::{self, RunId, Said};
use super::connection::{Connection, Management, ns};
use super::usage::Usage;
use super::{Target, each};
use crate::peer::server::Server;
use crate::probe;
use crate::report::Report;
use crate::workload::measure::{
    LATENCY_US_MAX, Pair, Phases, Timeline, Window, arrivals, disk_pace, first_failure, next_due, pace, rate,
};

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Pairs of users.
    #[arg(long, default_value_t = 200, value_parser = RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    pairs: usize,
    /// Messages each writer keeps unconfirmed.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=64))]
    window: u32,
    /// Bytes of each message's body.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(body::SAYS_BYTES as i64..=65536))]
    body: u32,
    /// Seconds before counting begins.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(..=86_400))]
    warmup: u64,
    /// Seconds counted.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Messages per second over all pairs, at their intended times; without it as many as the windows let through.
    #[arg(long, value_parser = rate)]
    rate: Option<f64>,
}

/// When the run's phases are, and what has been counted.
struct Run {
    id: RunId,
    phases: Phases,
    confirmed: AtomicU64,
    latency_over_time: Timeline,
}

/// Measures.
pub(super) async fn run(target: &Target, server: &Server, data: &Path, args: Args) -> anyhow::Result<Report> {
    let loop_kind =
        args.rate.map_or_else(|| format!("window {}", args.window), |rate| format!("{rate} messages/s"));
    let mut report = Report::new(format!(
        "direct: {} pairs, {loop_kind}, {} B bodies, at {}",
        args.pairs, args.body, target.label
    ));
    let every = disk_pace(args.rate);
    let disk_before = probe::fdatasync(data, every)?;
    let latency = load(target, server, &args, &mut report).await?;
    let disk_after = probe::fdatasync(data, every)?;
    let times = report.latency("send to receive", &latency)?;
    report.bind_by_disk(times, &disk_before, &disk_after);
    Ok(report)
}

async fn load(
    target: &Target,
    server: &Server,
    args: &Args,
    report: &mut Report,
) -> anyhow::Result<Histogram<u64>> {
    let logins = target.logins(2 * args.pairs);
    let from: Vec<_> = logins.iter().step_by(2).cloned().collect();
    let to: Vec<_> = logins.into_iter().skip(1).step_by(2).collect();
    let addresses: Vec<_> = to.iter().map(super::connection::Login::jid).collect();
    let from = each("connecting", from, |login| async move { Connection::login(&login).await }).await?;
    let to = each("connecting", to, |login| async move { Connection::login_present(&login).await }).await?;

    let phases = Phases::new(Duration::from_secs(args.warmup), Duration::from_secs(args.seconds));
    let run = Arc::new(Run {
        id: RunId::random()?,
        phases,
        confirmed: AtomicU64::new(0),
        latency_over_time: Timeline::new(phases)?,
    });
    let (mut writers, mut readers, mut pacing) = (JoinSet::new(), JoinSet::new(), Vec::new());
    for ((from, to), address) in from.into_iter().zip(to).zip(addresses) {
        let due = args.rate.map(|_| {
            let (tell, due) = mpsc::unbounded_channel();
            pacing.push(tell);
            due
        });
        let pair = Arc::new(Pair::default());
        let writing = Writing {
            run: run.clone(),
            pair: pair.clone(),
            to: address,
            window: args.window,
            due,
            bytes: args.body as usize,
            body: String::new(),
            pushed: 0,
            confirmed: 0,
        };
        writers.spawn(writing.run(from));
        readers.spawn(read(run.clone(), pair, to));
    }
    if let Some(rate) = args.rate {
        std::thread::spawn(move || pace(phases, rate, &pacing));
    }
    tokio::select! {
        counted = count(&run, target, server, report) => counted?,
        failed = first_failure(&mut writers) => failed?,
    }
    let latency = arrivals(&mut writers, &mut readers).await?;
    run.latency_over_time.add("send to receive", report);
    Ok(latency)
}

/// Counts between the phases' ends, with a bar.
async fn count(run: &Run, target: &Target, server: &Server, report: &mut Report) -> anyhow::Result<()> {
    let read = async || Usage::read(run.confirmed.load(Ordering::Relaxed), server);
    let counted = run.phases.count_with(&run.confirmed, read).await?;
    let Window { before, after, seconds, done_over_time } = counted;
    let messages = after.done - before.done;
    let confirmed = report.add(target.confirmed(), messages / seconds, "/s");
    report.headline(confirmed);
    report.series("messages confirmed", "/s", done_over_time);
    after.add(&before, seconds, ("message", messages), server, report)
}

/// The writer of a pair.
struct Writing {
    run: Arc<Run>,
    pair: Arc<Pair>,
    /// The reader's address.
    to: String,
    window: u32,
    /// When messages are due; without it, as soon as there is room.
    due: Option<mpsc::UnboundedReceiver<Instant>>,
    bytes: usize,
    body: String,
    pushed: u32,
    confirmed: u32,
}

impl Writing {
    /// Writes until the time is up and every message has been confirmed.
    async fn run(mut self, connection: Connection) -> anyhow::Result<()> {
        let Connection { mut reader, mut writer } = connection;
        let mut management = Management::default();
        let mut due = self.due.take();
        let (mut is_over, mut asked) = (false, 0);
        loop {
            if due.is_none() {
                is_over = Instant::now() >= self.run.phases.send_until;
                while !is_over && self.pushed - self.confirmed < self.window {
                    self.push(Instant::now(), &mut writer);
                }
            }
            if asked != self.pushed {
                Management::ask(&mut writer);
                asked = self.pushed;
            }
            management.answer(&mut writer);
            writer.flush().await?;
            if is_over && self.pushed == self.confirmed {
                break;
            }
            tokio::select! {
                element = reader.next() => {
                    let mut element = Some(element?);
                    while let Some(taken) = element {
                        self.confirm(management.take(&taken)?)?;
                        element = reader.buffered()?;
                    }
                }
                at = next_due(&mut due), if !is_over => match at {
                    Some(at) => self.push(at, &mut writer),
                    None => is_over = true,
                },
            }
        }
        self.pair.finish(self.pushed.into());
        Ok(())
    }

    /// Writes the next message, due at this time.
    fn push(&mut self, due: Instant, writer: &mut super::connection::Writer) {
        let said = Said { number: self.pushed, due: due - self.run.phases.origin };
        body::write(&mut self.body, self.run.id, said, self.bytes);
        let Self { to, pushed, body, .. } = self;
        writer.push(format_args!(
            "<message type='chat' to='{to}' id='{pushed:x}'><body>{body}</body></message>"
        ));
        self.pushed += 1;
    }

    fn confirm(&mut self, newly: u32) -> anyhow::Result<()> {
        ensure!(newly <= self.pushed - self.confirmed, "the server confirms more messages than there were");
        self.confirmed += newly;
        self.run.confirmed.fetch_add(newly.into(), Ordering::Relaxed);
        Ok(())
    }
}

/// Reads until all that its pair's writer sent has arrived. Returns the latencies of what was sent while counting.
async fn read(
    run: Arc<Run>,
    pair: Arc<Pair>,
    (connection, mut management): (Connection, Management),
) -> anyhow::Result<Histogram<u64>> {
    let Connection { mut reader, mut writer } = connection;
    let mut latency = Histogram::new_with_bounds(1, LATENCY_US_MAX, 3)?;
    let mut received = 0;
    while pair.has_more(received) {
        tokio::select! {
            element = reader.next() => {
                let mut element = Some(element?);
                let now = Instant::now();
                while let Some(taken) = element {
                    management.take(&taken)?;
                    let body = taken.child("body", ns::CLIENT);
                    if let Some(said) = body.and_then(|body| body::read(&body.text, run.id)) {
                        received += 1;
                        let due = said.due_at(run.phases.origin);
                        if run.phases.counts(due) {
                            let took = (now - due).as_micros() as u64;
                            latency.record(took)?;
                            run.latency_over_time.record(due, took);
                        }
                    }
                    element = reader.buffered()?;
                }
            }
            () = pair.finished() => {}
        }
        management.answer(&mut writer);
        writer.flush().await?;
    }
    Ok(latency)
}
