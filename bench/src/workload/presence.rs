//! Users who come and go all the time, while others watch them and still others write to each other: what a storm of
//! presence costs those who write, those who watch, and the nodes.
//!
//! The machine has its moods, and a time in a hundred is soon one of them. So calm and storm take turns, the same pairs write
//! in both, and each storm is compared with the calm before it.

mod flapping;
mod watching;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args as ClapArgs;
use clap::builder::RangedU64ValueParser;
use hdrhistogram::Histogram;
use rookery_protocol::limits;
use tokio::time::{Instant, sleep};

use self::flapping::Flapping;
use self::watching::{Seen, watch};
use super::direct;
use super::measure::{LATENCY_US_MAX, rate};
use crate::node::Nodes;
use crate::process;
use crate::report::Report;
use crate::statistics::Spread;
use crate::users::{BenchUser, prepare};

/// Until coming and going has had all its effects, and until it has no more of them: ten seconds after somebody has gone it is
/// put on record when that was, and what has had nothing to do for as long falls asleep.
const EFFECTS_LAST: Duration = Duration::from_secs(12);

/// Until those who write are under way.
const WARM_UP_S: u64 = 2;

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
    /// Turns, each of a calm and then a storm.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    turns: u16,
    /// Seconds counted in each calm and in each storm. No more than a minute: of longer silence a node takes clients for dead.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
}

/// Measures; `data` is an empty directory.
pub(crate) async fn run(rookery: &Path, data: &Path, args: Args) -> anyhow::Result<Report> {
    let nodes = if args.nodes > 1 { format!(" across {} nodes", args.nodes) } else { String::new() };
    let (flapping, each) = (args.users as usize, args.watchers);
    let mut report = Report::new(format!(
        "presence: {flapping} users{nodes} with {each} watchers each, {} comings and goings/s, {} messages/s, {} turns",
        args.flaps, args.rate, args.turns
    ));
    let watching = (flapping * each as usize).div_ceil(limits::WATCH_USERS_MAX);
    let all = prepare(data, flapping + watching + 2 * args.pairs).await?;
    let (flapping, rest) = all.split_at(flapping);
    let (watching, writing) = rest.split_at(watching);
    let nodes = Arc::new(Nodes::start(rookery, data, args.nodes.into()).await?);

    let seen = Arc::new(Seen::default());
    let _watchers = watch(&nodes, watching, flapping, &seen).await?;
    let mut flapping = Flapping::begin(&nodes, flapping, args.flaps).await?;
    let mut turns = Turns::new()?;
    let (mut calms, mut storms) = (Costs::default(), Costs::default());
    let (mut flaps, mut notices, mut changes, mut seconds) = (0.0, 0, 0, 0.0);
    let rss_before = nodes.rss_bytes()?;
    for turn in 0..args.turns {
        sleep(EFFECTS_LAST).await;
        let calm = calms.during(&nodes, write(&nodes, writing, &args, 2 * turn)).await?;

        let storm = flapping.start();
        sleep(EFFECTS_LAST).await;
        let (before, begun) = (seen.read(), Instant::now());
        let stormy = storms.during(&nodes, write(&nodes, writing, &args, 2 * turn + 1)).await?;
        let after = seen.read();
        (notices, changes) = (notices + after.0 - before.0, changes + after.1 - before.1);
        seconds += begun.elapsed().as_secs_f64();
        let rate;
        (flapping, rate) = storm.end().await?;
        flaps += rate / f64::from(args.turns);
        turns.add(&calm, &stormy)?;
    }
    // Those who watch are still there, or their connections would have failed by now.
    anyhow::ensure!(!seen.has_failed(), "a watcher's connection has ended");

    turns.report(&mut report)?;
    report.add("comings and goings done", flaps, "/s");
    let watchers = watching.len();
    report.add("watchers", watchers as f64, "");
    report.add("notices", notices as f64 / seconds, "/s");
    report.add("changes in a notice", changes as f64 / notices.max(1) as f64, "");
    report.add("notices per watcher", notices as f64 / seconds / watchers.max(1) as f64, "/s");
    report.add("notices per watcher, the most in a second", seen.most() as f64, "/s");
    calms.report("in the calm", &mut report);
    storms.report("in the storm", &mut report);
    report.add("nodes: RSS before the first storm", rss_before as f64 / 1e6, "MB");
    report.add("nodes: RSS after the last", nodes.rss_bytes()? as f64 / 1e6, "MB");
    Ok(report)
}

/// Lets the pairs write for the seconds that count, and returns how long each message took to its reader, in microseconds.
/// `round` tells the messages from those of other times.
async fn write(
    nodes: &Nodes,
    pairs: &[BenchUser],
    args: &Args,
    round: u16,
) -> anyhow::Result<Histogram<u64>> {
    let load = direct::Load {
        pairs: args.pairs,
        nodes: args.nodes,
        window: 8,
        body: 128,
        warmup: WARM_UP_S,
        seconds: args.seconds,
        rate: Some(args.rate),
        round,
    };
    Ok(direct::load(nodes, pairs, &load, &mut Report::new("one of many")).await?.latency)
}

/// How long messages took, in microseconds.
struct Turns {
    calm: Histogram<u64>,
    storm: Histogram<u64>,
    /// Of each turn, the 99th percentile in its storm to that in its calm.
    ratios: Vec<f64>,
}

impl Turns {
    fn new() -> anyhow::Result<Self> {
        let empty = Histogram::new_with_bounds(1, LATENCY_US_MAX, 3)?;
        Ok(Self { calm: empty.clone(), storm: empty, ratios: Vec::new() })
    }

    fn add(&mut self, calm: &Histogram<u64>, storm: &Histogram<u64>) -> anyhow::Result<()> {
        self.calm.add(calm)?;
        self.storm.add(storm)?;
        self.ratios.push(p99_ratio(calm, storm));
        Ok(())
    }

    /// # Errors
    /// When no message was counted.
    fn report(&self, report: &mut Report) -> anyhow::Result<()> {
        report.latency("send to receive in the calm", &self.calm)?;
        report.latency("send to receive in the storm", &self.storm)?;
        if let Some(Spread { median, min, max }) = Spread::of(&self.ratios) {
            let ratio = report.add("p99, storm to calm, median of the turns", median, "");
            report.headline(ratio);
            report.add("p99, storm to calm, least of a turn", min, "");
            report.add("p99, storm to calm, most of a turn", max, "");
        }
        report.add("p99, storm to calm, all turns together", p99_ratio(&self.calm, &self.storm), "");
        Ok(())
    }
}

fn p99_ratio(calm: &Histogram<u64>, storm: &Histogram<u64>) -> f64 {
    let p99 = |latency: &Histogram<u64>| latency.value_at_quantile(0.99) as f64;
    p99(storm) / p99(calm).max(1.0)
}

/// What was taken while pairs wrote, their connecting and warming up included: over all calms, or all storms.
#[derive(Default)]
struct Costs {
    seconds: f64,
    node_cpu: Duration,
    own_cpu: Duration,
    commits: f64,
}

impl Costs {
    async fn during<T>(
        &mut self,
        nodes: &Nodes,
        load: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let read = async || {
            let commits = nodes.metric("rookery_store_commit_seconds_count", "").await?;
            anyhow::Ok((nodes.cpu()?, process::cpu(std::process::id())?, commits))
        };
        let (begun, before) = (Instant::now(), read().await?);
        let done = load.await?;
        let after = read().await?;
        self.seconds += begun.elapsed().as_secs_f64();
        self.node_cpu += after.0 - before.0;
        self.own_cpu += after.1 - before.1;
        self.commits += after.2 - before.2;
        Ok(done)
    }

    fn report(&self, when: &str, report: &mut Report) {
        let mut each_second =
            |what, count, unit| report.add(format!("{what} {when}"), count / self.seconds, unit);
        each_second("nodes: CPU", self.node_cpu.as_secs_f64(), "cores");
        each_second("load generator: CPU", self.own_cpu.as_secs_f64(), "cores");
        each_second("commits", self.commits, "/s");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn took(ms: &[u64]) -> Histogram<u64> {
        let mut times = Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).unwrap();
        ms.iter().for_each(|ms| times.record(ms * 1_000).unwrap());
        times
    }

    #[test]
    fn one_bad_turn_of_three_moves_what_all_turns_say_together_and_not_their_median() {
        let mut turns = Turns::new().unwrap();
        turns.add(&took(&[1, 2]), &took(&[1, 4])).unwrap();
        turns.add(&took(&[1, 2]), &took(&[1, 2])).unwrap();
        turns.add(&took(&[1, 10]), &took(&[1, 1_000])).unwrap();
        let mut report = Report::new("a test");
        turns.report(&mut report).unwrap();
        let value = |name: &str| report.value_of(name).map(f64::round);
        assert_eq!(value("p99, storm to calm, median of the turns"), Some(2.0));
        assert_eq!(value("p99, storm to calm, least of a turn"), Some(1.0));
        assert_eq!(value("p99, storm to calm, most of a turn"), Some(100.0));
        assert_eq!(value("p99, storm to calm, all turns together"), Some(100.0));
        assert_eq!(value("send to receive in the calm, p99"), Some(10.0));
        assert_eq!(value("send to receive in the storm, p50"), Some(1.0));
        let headlines: Vec<&str> =
            report.figures.iter().filter(|it| it.is_headline).map(|it| &*it.name).collect();
        assert_eq!(headlines, ["p99, storm to calm, median of the turns"]);
    }

    #[test]
    fn without_a_message_there_is_nothing_to_say() {
        assert!(Turns::new().unwrap().report(&mut Report::new("a test")).is_err());
    }
}
