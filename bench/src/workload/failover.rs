//! One of several nodes is killed under an even load: how long until its users' messages are confirmed again, and what
//! everybody notices meanwhile.
//!
//! Pairs of users, one writing to the other, in an open loop. Clients do what the protocol asks of them: those of the dead
//! node connect to another, and send again what was not confirmed. At the end every confirmed message is where it was to go,
//! once, or the run has failed.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args as ClapArgs;
use hdrhistogram::Histogram;
use rookery_protocol::{Body, ConversationId, Seq, ServerFrame, UserId};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::client::{self, App, Client, Connections, Next, Out};
use super::measure::{LATENCY_US_MAX, Phases, SETTLE_TIME_MAX, disk_pace, first_failure, pace, rate};
use super::outbox::Message;
use super::placement::{Placement, owner};
use super::steps::{STEP, Steps};
use crate::node::Nodes;
use crate::probe;
use crate::report::Report;
use crate::users::{BenchUser, message_id, prepare};
use crate::wire::Wire;

/// The part of the rate before the kill that counts as back.
const BACK: f64 = 0.9;

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Pairs of users. Each writer and its reader are at different nodes.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pairs: u32,
    /// Nodes on one store. The last to start is killed.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=9))]
    nodes: u8,
    /// Messages per second over all pairs, at their intended times.
    #[arg(long, default_value_t = 1_000.0, value_parser = rate)]
    rate: f64,
    /// Bytes of each message's body.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(16..=65536))]
    body: u32,
    /// Seconds before counting begins.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(0..=600))]
    warmup: u64,
    /// Seconds counted before the kill.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    before: u64,
    /// Seconds after the kill that are taken for its neighbourhood, in which it is felt.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    around: u64,
    /// Seconds counted after those.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    after: u64,
    /// Milliseconds in which those who have lost their connection look for another, each at a random one, as clients do; 0: all
    /// at once.
    #[arg(long, default_value_t = 250, value_parser = clap::value_parser!(u64).range(0..=60_000))]
    reconnect_ms: u64,
}

/// Measures; `data` is an empty directory.
pub(crate) async fn run(rookery: &Path, data: &Path, args: Args) -> anyhow::Result<Report> {
    let (pairs, victim) = (args.pairs as usize, usize::from(args.nodes) - 1);
    let mut report = Report::new(format!(
        "failover: kill -9 of one of {} nodes, {pairs} pairs, {} messages/s, {} B bodies",
        args.nodes, args.rate, args.body
    ));
    let disk = probe::fdatasync(data, disk_pace(Some(args.rate)))?;
    let users = prepare(data, 2 * pairs).await?;
    let mut nodes = Nodes::start(rookery, data, args.nodes.into()).await?;
    let view = Placement::of(data)?.view().await?;
    let is_victims: Vec<bool> = users.iter().map(|user| owner(&view, user) == victim).collect();
    ensure!(
        is_victims.iter().step_by(2).any(|is_victims| *is_victims),
        "the node to be killed owns none of {pairs} writers: take more --pairs"
    );

    let known = client::Nodes {
        all: (0..nodes.len()).map(|at| nodes.of(at).clients().clone()).collect(),
        reconnect_max: Duration::from_millis(args.reconnect_ms),
    };
    let mut wires = Vec::new();
    for (number, user) in users.iter().enumerate() {
        wires.push(Wire::connect(nodes.of(place(number)).clients(), user).await?.0);
    }
    let warmup = Duration::from_secs(args.warmup);
    let phases = Phases::new(warmup, Duration::from_secs(args.before + args.around + args.after));
    let mut load = Load::start(phases, &args, known, &users, wires);
    let kill = phases.count_from + Duration::from_secs(args.before);
    load.until(kill).await?;
    let killed = Instant::now();
    nodes.kill(victim)?;
    load.until(phases.send_until).await?;
    let pairs = load.end().await?;

    let verdict = pairs.iter().map(Pair::verdict).sum::<Verdict>();
    Times { phases, killed, around: Duration::from_secs(args.around) }.add(
        &pairs,
        &is_victims,
        &mut report,
    )?;
    report.add("messages confirmed", verdict.confirmed as f64, "");
    report.add("messages that came to a reader again", verdict.repeated as f64, "");
    report.add("confirmed messages missing at their readers", verdict.missing as f64, "");
    report.add("messages that a reader has twice", verdict.twice as f64, "");
    report.disk(&disk);
    ensure!(
        verdict.is_right(),
        "of {} confirmed messages {} are missing at their readers and {} are not where they were confirmed to be; readers \
         have {} twice, and {} were never confirmed",
        verdict.confirmed,
        verdict.missing,
        verdict.elsewhere,
        verdict.twice,
        verdict.unconfirmed
    );
    Ok(report)
}

/// At which node a user begins. Pair by pair: the reader at the node after its writer's.
fn place(number: usize) -> usize {
    number / 2 + number % 2
}

/// A message, as one end of a pair knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    number: u64,
    due: Instant,
    /// When it was confirmed, or came.
    at: Instant,
    seq: Seq,
}

impl Known {
    fn took(&self) -> Duration {
        self.at.saturating_duration_since(self.due)
    }
}

/// What a pair has done and seen.
#[derive(Debug, Default)]
struct Pair {
    /// Messages that were due.
    pushed: u64,
    confirmed: Vec<Known>,
    arrived: Vec<Known>,
    /// Of both ends.
    connections: Connections,
}

/// Which both ends fill in.
type Log = Arc<Mutex<Pair>>;

fn with<T>(log: &Log, act: impl FnOnce(&mut Pair) -> T) -> T {
    act(&mut log.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The writer's end.
struct Writing {
    from: UserId,
    conversation: ConversationId,
    origin: Instant,
    body: Vec<u8>,
    log: Log,
}

impl App for Writing {
    /// When a message is due.
    type Command = Instant;

    fn told(&mut self, due: Instant, out: &mut Out<'_>) -> Next {
        let number = with(&self.log, |pair| {
            pair.pushed += 1;
            pair.pushed - 1
        });
        self.body[..8].copy_from_slice(&((due - self.origin).as_nanos() as u64).to_be_bytes());
        self.body[8..16].copy_from_slice(&number.to_be_bytes());
        let (conversation, id) = (self.conversation, message_id(self.from, number));
        out.message(Message { conversation, id, body: Body::new(self.body.clone()), due });
        Next::Go
    }

    fn confirmed(&mut self, message: &Message, seq: Seq, at: Instant) {
        let number = part(message.body.as_bytes(), 8).expect("the body is this writer's own");
        let known = Known { number, due: message.due, at, seq };
        with(&self.log, |pair| pair.confirmed.push(known));
    }

    fn came(&mut self, frame: ServerFrame, _: Instant, _: &mut Out<'_>) -> anyhow::Result<()> {
        match frame {
            ServerFrame::MessageEvent(_) | ServerFrame::ReceiptEvent(_) => Ok(()),
            other => bail!("a writer was sent {other:?}"),
        }
    }
}

/// The reader's end.
struct Reading {
    origin: Instant,
    log: Log,
}

impl App for Reading {
    type Command = ();

    fn told(&mut self, (): (), _: &mut Out<'_>) -> Next {
        Next::Go
    }

    fn confirmed(&mut self, _: &Message, _: Seq, _: Instant) {}

    fn came(&mut self, frame: ServerFrame, at: Instant, _: &mut Out<'_>) -> anyhow::Result<()> {
        let ServerFrame::MessageEvent(event) = frame else { bail!("a reader was sent {frame:?}") };
        let body = event.message.body.context("messages have bodies")?;
        let due = self.origin + Duration::from_nanos(part(body.as_bytes(), 0)?);
        let known = Known { number: part(body.as_bytes(), 8)?, due, at, seq: event.message.seq };
        with(&self.log, |pair| pair.arrived.push(known));
        Ok(())
    }

    fn is_done(&self) -> bool {
        with(&self.log, |pair| pair.arrived.len() as u64 >= pair.pushed)
    }
}

fn part(body: &[u8], at: usize) -> anyhow::Result<u64> {
    let bytes = body.get(at..).and_then(|rest| rest.first_chunk());
    Ok(u64::from_be_bytes(*bytes.context("a message of this run has a time and a number in its body")?))
}

/// The pairs at work.
struct Load {
    writing: JoinSet<anyhow::Result<()>>,
    reading: JoinSet<anyhow::Result<()>>,
    /// Readers go on while they might be told something.
    readers: Vec<mpsc::UnboundedSender<()>>,
    logs: Vec<Log>,
}

impl Load {
    fn start(
        phases: Phases,
        args: &Args,
        known: client::Nodes,
        users: &[BenchUser],
        wires: Vec<Wire>,
    ) -> Self {
        let (known, origin) = (Arc::new(known), phases.origin);
        let mut load =
            Self { writing: JoinSet::new(), reading: JoinSet::new(), readers: Vec::new(), logs: Vec::new() };
        let (mut pacing, mut wires) = (Vec::new(), wires.into_iter());
        for (pair, users) in users.chunks_exact(2).enumerate() {
            let log = Log::default();
            let (from, to) = (&users[0], &users[1]);
            let conversation = ConversationId::direct(from.user, to.user);
            let body = vec![0x5a; args.body as usize];
            let writing = Writing { from: from.user, conversation, origin, body, log: log.clone() };
            let reading = Reading { origin, log: log.clone() };
            let writing = Client::new(from.clone(), known.clone(), place(2 * pair), writing);
            let reading = Client::new(to.clone(), known.clone(), place(2 * pair + 1), reading);
            let (tell, due) = mpsc::unbounded_channel();
            pacing.push(tell);
            let mut wire = || wires.next().expect("each user has a connection");
            load.writing.spawn(work(writing, wire(), due, log.clone()));
            let (tell, told) = mpsc::unbounded_channel();
            load.readers.push(tell);
            load.reading.spawn(work(reading, wire(), told, log.clone()));
            load.logs.push(log);
        }
        let rate = args.rate;
        std::thread::spawn(move || pace(phases, rate, &pacing));
        load
    }

    /// Lets them work until then.
    async fn until(&mut self, time: Instant) -> anyhow::Result<()> {
        tokio::select! {
            () = sleep_until(time) => Ok(()),
            failed = first_failure(&mut self.writing) => failed,
            failed = first_failure(&mut self.reading) => failed,
        }
    }

    /// Waits until all is confirmed and has arrived, or the time for that is up.
    async fn end(self) -> anyhow::Result<Vec<Pair>> {
        let Self { mut writing, mut reading, readers, logs } = self;
        let settled = timeout(SETTLE_TIME_MAX, async {
            while let Some(ended) = writing.join_next().await {
                ended.context("a load task does not panic")??;
            }
            drop(readers);
            while let Some(ended) = reading.join_next().await {
                ended.context("a load task does not panic")??;
            }
            anyhow::Ok(())
        });
        // What has not arrived in time is missing.
        settled.await.unwrap_or(Ok(()))?;
        Ok(logs.iter().map(|log| with(log, std::mem::take)).collect())
    }
}

async fn work<A: App>(
    client: Client<A>,
    wire: Wire,
    commands: mpsc::UnboundedReceiver<A::Command>,
    log: Log,
) -> anyhow::Result<()> {
    let Connections { lost, repeated } = client.run(wire, commands).await?.connections;
    with(&log, |pair| {
        pair.connections.lost.extend(lost);
        pair.connections.repeated += repeated;
    });
    Ok(())
}

/// Whether all is where it should be.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Verdict {
    confirmed: u64,
    /// Confirmed, and the reader does not have it.
    missing: u64,
    /// Confirmed with another place in the conversation than the reader has it at.
    elsewhere: u64,
    /// The reader has it at two places of the conversation.
    twice: u64,
    unconfirmed: u64,
    /// Pushed to the reader once more, at the same place: the protocol allows it.
    repeated: u64,
}

impl Verdict {
    fn is_right(&self) -> bool {
        self.missing + self.elsewhere + self.twice + self.unconfirmed == 0
    }
}

impl std::iter::Sum for Verdict {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            confirmed: sum.confirmed + one.confirmed,
            missing: sum.missing + one.missing,
            elsewhere: sum.elsewhere + one.elsewhere,
            twice: sum.twice + one.twice,
            unconfirmed: sum.unconfirmed + one.unconfirmed,
            repeated: sum.repeated + one.repeated,
        })
    }
}

impl Pair {
    fn verdict(&self) -> Verdict {
        let mut places = HashMap::new();
        let mut verdict = Verdict {
            confirmed: self.confirmed.len() as u64,
            unconfirmed: self.pushed - self.confirmed.len() as u64,
            repeated: self.connections.repeated,
            ..Verdict::default()
        };
        for arrived in &self.arrived {
            if places.insert(arrived.number, arrived.seq).is_some() {
                verdict.twice += 1;
            }
        }
        for confirmed in &self.confirmed {
            match places.get(&confirmed.number) {
                None => verdict.missing += 1,
                Some(seq) if *seq != confirmed.seq => verdict.elsewhere += 1,
                Some(_) => {}
            }
        }
        verdict
    }
}

/// When what was.
struct Times {
    phases: Phases,
    killed: Instant,
    around: Duration,
}

impl Times {
    /// Reports how long things took. `is_victims`: whether the dead node owned a user.
    fn add(&self, pairs: &[Pair], is_victims: &[bool], report: &mut Report) -> anyhow::Result<()> {
        let Self { phases, killed, around } = *self;
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let since = |time: Instant| time - phases.count_from;

        let mut steps = Steps::default();
        let counted = |at: Instant| phases.counts(at).then(|| since(at));
        pairs.iter().flat_map(|pair| &pair.confirmed).filter_map(|known| counted(known.at)).for_each(|at| {
            steps.confirmed(at);
        });
        let mut sent = Latency::new("send to confirmed around it, of the dead node's users")?;
        let victims = || {
            let pairs = pairs.iter().zip(is_victims.iter().step_by(2));
            pairs.filter(|(_, is_victims)| **is_victims).flat_map(|(pair, _)| &pair.confirmed)
        };
        for known in victims().filter(|known| (killed..killed + around).contains(&known.due)) {
            sent.record(known)?;
        }
        let mut latencies = [
            Latency::new("send to receive before the kill")?,
            Latency::new("send to receive around it")?,
            Latency::new("send to receive after it")?,
        ];
        for known in pairs.iter().flat_map(|pair| &pair.arrived) {
            let Some(due) = counted(known.due) else { continue };
            steps.took(due, known.took());
            let which = usize::from(known.due >= killed) + usize::from(known.due >= killed + around);
            latencies[which].record(known)?;
        }

        let (fault, end) = (since(killed), phases.send_until - phases.count_from);
        let before = steps.rate(Duration::ZERO, fault);
        report.add("messages confirmed before the kill", before, "/s");
        let first =
            victims().filter(|known| known.due >= killed).map(|known| known.at - killed).min().context(
                "no message of the dead node's users was due after the kill: take a higher --rate",
            )?;
        let first = report.add("kill until the first message of the dead node's users", ms(first), "ms");
        report.headline(first);
        let back = steps.back_after(fault, end, BACK * before);
        if back.is_none() {
            eprintln!("the rate did not come back to {:.0} % of {before:.0} messages/s", BACK * 100.0);
        }
        let back = report.add("kill until 90 % of the rate are back", back.map_or(f64::NAN, ms), "ms");
        report.headline(back);
        let lost: Vec<_> = pairs.iter().flat_map(|pair| &pair.connections.lost).collect();
        report.add("connections lost", lost.len() as f64, "");
        if let Some(last) = lost.iter().map(|(_, back)| *back).max() {
            let took = last.saturating_duration_since(killed);
            report.add("kill until the last of them was welcomed elsewhere", ms(took), "ms");
        }
        for Latency { name, times_us } in [&sent].into_iter().chain(&latencies) {
            report.latency(*name, times_us)?;
        }
        let longest = latencies.iter().map(|latency| latency.times_us.max()).max().unwrap_or(0);
        report.add("send to receive, the longest", longest as f64 / 1e3, "ms");

        // A step's value is that of its end.
        let over_time = |value: &dyn Fn(&super::steps::Step) -> f64| {
            let end = |number: usize| (number + 1) as f64 * STEP.as_secs_f64();
            steps.steps().iter().enumerate().map(|(number, step)| (end(number), value(step))).collect()
        };
        let confirmed = over_time(&|step| step.confirmed as f64 / STEP.as_secs_f64());
        report.series("messages confirmed", "/s", confirmed);
        report.series("send to receive, the longest", "ms", over_time(&|step| ms(step.worst)));
        Ok(())
    }
}

/// How long messages took that were due in a part of the run.
struct Latency {
    name: &'static str,
    times_us: Histogram<u64>,
}

impl Latency {
    fn new(name: &'static str) -> anyhow::Result<Self> {
        Ok(Self { name, times_us: Histogram::new_with_bounds(1, LATENCY_US_MAX, 3)? })
    }

    fn record(&mut self, known: &Known) -> anyhow::Result<()> {
        Ok(self.times_us.record(known.took().as_micros() as u64)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(number: u64, seq: u64) -> Known {
        let now = Instant::now();
        Known { number, due: now, at: now, seq: Seq::new(seq) }
    }

    fn pair(confirmed: &[(u64, u64)], arrived: &[(u64, u64)]) -> Pair {
        let known = |all: &[(u64, u64)]| all.iter().map(|(number, seq)| known(*number, *seq)).collect();
        let pushed = confirmed.len() as u64;
        Pair { pushed, confirmed: known(confirmed), arrived: known(arrived), ..Pair::default() }
    }

    #[test]
    fn all_where_it_was_confirmed_to_be_is_right() {
        assert!(pair(&[(0, 1), (1, 2)], &[(0, 1), (1, 2)]).verdict().is_right());
    }

    #[test]
    fn what_is_lost_doubled_moved_or_unconfirmed_is_counted() {
        let verdict = pair(&[(0, 1), (1, 2)], &[(0, 1)]).verdict();
        assert_eq!((verdict.missing, verdict.is_right()), (1, false));
        let verdict = pair(&[(0, 1)], &[(0, 1), (0, 2)]).verdict();
        assert_eq!((verdict.twice, verdict.is_right()), (1, false));
        let verdict = pair(&[(0, 1)], &[(0, 2)]).verdict();
        assert_eq!((verdict.elsewhere, verdict.is_right()), (1, false));
        let verdict = Pair { pushed: 3, ..pair(&[(0, 1)], &[(0, 1)]) }.verdict();
        assert_eq!((verdict.unconfirmed, verdict.is_right()), (2, false));
    }

    #[test]
    fn verdicts_of_pairs_add_up() {
        let pairs = [pair(&[(0, 1)], &[]), pair(&[(0, 1), (1, 2)], &[(1, 2)])];
        let verdict: Verdict = pairs.iter().map(Pair::verdict).sum();
        assert_eq!((verdict.confirmed, verdict.missing), (3, 2));
    }
}
