//! Users who come and go all the time, while others watch them and still others write to each other: what a storm of
//! presence costs those who write, those who watch, and the nodes.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args as ClapArgs;
use clap::builder::RangedU64ValueParser;
use hdrhistogram::Histogram;
use rookery_protocol::{Heartbeat, RequestId, ServerFrame, UserId, Watch, limits};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::direct;
use super::measure::rate;
use crate::node::Nodes;
use crate::report::Report;
use crate::users::{BenchUser, prepare};
use crate::wire::Wire;

/// Handshakes at once, of those who watch and of those who come and go: fewer than a node allows one address.
const CONNECTING_AT_ONCE: usize = 8;

/// For the last to connect, and for whoever is asked something.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);

/// Clients say anew what they watch before it ends.
const WATCH_EVERY: Duration = Duration::from_millis(limits::WATCH_MS as u64 * 2 / 3);

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Users who come and go.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    users: u32,
    /// Watchers of each of them; a watcher watches 64.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    watchers: u32,
    /// Comings and goings per second, over all of them.
    #[arg(long, default_value_t = 1_000.0, value_parser = rate)]
    flaps: f64,
    /// Nodes on one store.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    nodes: u8,
    /// Pairs of users who write, one to the other.
    #[arg(long, default_value_t = 50, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000_000))]
    pairs: usize,
    /// Messages per second over all pairs, at their intended times.
    #[arg(long, default_value_t = 500.0, value_parser = rate)]
    rate: f64,
    /// Seconds counted, in the calm and in the storm.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
}

/// Measures; `data` is an empty directory.
pub(crate) async fn run(rookery: &Path, data: &Path, args: Args) -> anyhow::Result<Report> {
    let nodes = if args.nodes > 1 { format!(" across {} nodes", args.nodes) } else { String::new() };
    let (flapping, each) = (args.users as usize, args.watchers);
    let mut report = Report::new(format!(
        "presence: {flapping} users{nodes} with {each} watchers each, {} comings and goings/s, {} messages/s",
        args.flaps, args.rate
    ));
    let watching = (flapping * each as usize).div_ceil(limits::WATCH_USERS_MAX);
    let all = prepare(data, flapping + watching + 4 * args.pairs).await?;
    let (flapping, rest) = all.split_at(flapping);
    let (watching, writing) = rest.split_at(watching);
    let (calm, storm) = writing.split_at(2 * args.pairs);
    let nodes = Arc::new(Nodes::start(rookery, data, args.nodes.into()).await?);

    let seen = Arc::new(Seen::default());
    let _watchers = watch(&nodes, watching, flapping, &seen).await?;
    report.add("watchers", watching.len() as f64, "");
    let rss_before = nodes.rss_bytes()?;
    let in_the_calm = direct::load(&nodes, calm, &args.direct(), &mut Report::new("calm")).await?.latency;

    let over = Arc::new(AtomicBool::new(false));
    let mut comers = come_and_go(&nodes, flapping, args.flaps, &over);
    let (notices, begun) = (seen.read(), Instant::now());
    let in_the_storm = direct::load(&nodes, storm, &args.direct(), &mut Report::new("storm")).await?.latency;
    let seconds = begun.elapsed().as_secs_f64();
    let after = seen.read();
    let rss_after = nodes.rss_bytes()?;
    over.store(true, Ordering::Relaxed);
    let mut flaps = 0;
    while let Some(ended) = comers.join_next().await {
        flaps += ended.context("coming and going does not panic")??;
    }
    // Those who watch are still there, or their connections would have failed by now.
    anyhow::ensure!(!seen.failed.load(Ordering::Relaxed), "a watcher's connection has ended");

    report.add("comings and goings done", flaps as f64 / begun.elapsed().as_secs_f64(), "/s");
    let (frames, changes) = (after.0 - notices.0, after.1 - notices.1);
    report.add("notices", frames as f64 / seconds, "/s");
    report.add("changes in a notice", changes as f64 / frames.max(1) as f64, "");
    report.add("notices per watcher", frames as f64 / seconds / watching.len().max(1) as f64, "/s");
    report.add("notices per watcher, the most in a second", seen.most.load(Ordering::Relaxed) as f64, "/s");
    report.latency("send to receive in the calm", &in_the_calm)?;
    let times = report.latency("send to receive in the storm", &in_the_storm)?;
    report.headline(times.p99);
    let p99 = |latency: &Histogram<u64>| latency.value_at_quantile(0.99) as f64;
    report.add("p99, storm to calm", p99(&in_the_storm) / p99(&in_the_calm).max(1.0), "");
    report.add("nodes: RSS before the storm", rss_before as f64 / 1e6, "MB");
    report.add("nodes: RSS after it", rss_after as f64 / 1e6, "MB");
    Ok(report)
}

impl Args {
    fn direct(&self) -> direct::Args {
        direct::Args {
            pairs: self.pairs,
            nodes: self.nodes,
            window: 8,
            body: 128,
            warmup: 5,
            seconds: self.seconds,
            rate: Some(self.rate),
            stored: 0,
            idle: 0,
            round: 0,
        }
    }
}

/// What watchers have been told.
#[derive(Default)]
struct Seen {
    notices: AtomicU64,
    changes: AtomicU64,
    /// To one watcher within one second.
    most: AtomicU64,
    failed: AtomicBool,
}

impl Seen {
    fn read(&self) -> (u64, u64) {
        (self.notices.load(Ordering::Relaxed), self.changes.load(Ordering::Relaxed))
    }
}

/// Connects those who watch, each for its share of the others.
async fn watch(
    nodes: &Nodes,
    watching: &[BenchUser],
    watched: &[BenchUser],
    seen: &Arc<Seen>,
) -> anyhow::Result<JoinSet<()>> {
    let mut all = JoinSet::new();
    let mut turns = watched.iter().map(|user| user.user).cycle();
    for (number, some) in watching.chunks(CONNECTING_AT_ONCE).enumerate() {
        let mut connecting = JoinSet::new();
        for user in some {
            let users: Vec<UserId> =
                turns.by_ref().take(limits::WATCH_USERS_MAX.min(watched.len())).collect();
            let (address, user) = (nodes.of(number).clients().clone(), user.clone());
            connecting.spawn(async move { anyhow::Ok((Wire::connect(&address, &user).await?.0, users)) });
        }
        while let Some(connected) = connecting.join_next().await {
            let (wire, users) = connected.context("connecting does not panic")??;
            let seen = seen.clone();
            all.spawn(async move {
                if keep_watching(wire, users, &seen).await.is_err() {
                    seen.failed.store(true, Ordering::Relaxed);
                }
            });
        }
    }
    Ok(all)
}

/// Watches until the connection ends, and counts what comes.
async fn keep_watching(wire: Wire, users: Vec<UserId>, seen: &Seen) -> anyhow::Result<()> {
    let Wire { mut reader, mut writer } = wire;
    let mut requests = 0;
    let mut renewals = tokio::time::interval(WATCH_EVERY);
    let (mut second, mut in_second) = (0, 0);
    let begun = Instant::now();
    loop {
        let frame = tokio::select! {
            frame = reader.next() => frame?,
            _ = renewals.tick() => {
                requests += 1;
                let request = RequestId::new(requests);
                writer.push(&Watch { request, users: users.clone(), conversations: Vec::new() });
                writer.push(&Heartbeat { nonce: 0 });
                writer.flush().await?;
                continue;
            }
        };
        if let ServerFrame::PresenceNotice(notice) = frame {
            seen.notices.fetch_add(1, Ordering::Relaxed);
            seen.changes.fetch_add(notice.people.len() as u64, Ordering::Relaxed);
            let now = begun.elapsed().as_secs();
            in_second = if now == second { in_second + 1 } else { 1 };
            second = now;
            seen.most.fetch_max(in_second, Ordering::Relaxed);
        }
    }
}

/// Lets users connect, each in its turn, and leave when their turn comes again, `flaps` times a second over all, until it is
/// over. Each task has users of its own.
fn come_and_go(
    nodes: &Arc<Nodes>,
    users: &[BenchUser],
    flaps: f64,
    over: &Arc<AtomicBool>,
) -> JoinSet<anyhow::Result<u64>> {
    let mut tasks = JoinSet::new();
    for number in 0..CONNECTING_AT_ONCE {
        let mine: Vec<BenchUser> = users.iter().skip(number).step_by(CONNECTING_AT_ONCE).cloned().collect();
        let (nodes, over) = (nodes.clone(), over.clone());
        let every = Duration::from_secs_f64(CONNECTING_AT_ONCE as f64 / flaps);
        tasks.spawn(async move {
            let mut there: Vec<Option<Wire>> = mine.iter().map(|_| None).collect();
            let mut flaps = 0;
            let mut due = Instant::now();
            let mut turns = (0..mine.len()).cycle();
            while !over.load(Ordering::Relaxed) && !mine.is_empty() {
                sleep_until(due).await;
                due += every;
                let at = turns.next().context("there are users")?;
                there[at] = match there[at].take() {
                    Some(_) => None,
                    None => {
                        let connecting = Wire::connect(nodes.of(at).clients(), &mine[at]);
                        Some(timeout(ANSWER_TIME_MAX, connecting).await.context("no WELCOME in time")??.0)
                    }
                };
                flaps += 1;
            }
            Ok(flaps)
        });
    }
    tasks
}
