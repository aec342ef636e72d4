//! The highest rate of messages at which hardly one takes too long: rates are doubled until one does not hold, and then the
//! rate between is sought by halving. One that does not hold is tried once more, for a machine that stands still for a moment is
//! no limit.
//!
//! Each rate is an open loop of its own, of `direct` or of `mixed`, on the same node, between the same users, once what the one
//! before has left is done.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::{Args as ClapArgs, ValueEnum};
use hdrhistogram::Histogram;
use rookery_protocol::ConversationId;
use tokio::time::sleep;

use super::day::{Day, Habits};
use super::measure::{SETTLE, rate};
use super::{direct, mixed};
use crate::node::Nodes;
use crate::probe;
use crate::report::Report;
use crate::users::{BenchUser, prepare};

/// The part of a rate that has to be confirmed for the rate to hold: below it the load is not what it is to be.
const ACHIEVED: f64 = 0.95;

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// What is done at each rate.
    #[arg(long, value_enum, default_value_t = Kind::Direct)]
    load: Kind,
    /// Milliseconds that 99 of 100 messages may take from sending to receiving.
    #[arg(long, default_value_t = 50.0, value_parser = milliseconds)]
    gate_ms: f64,
    /// Messages per second to begin with.
    #[arg(long, default_value_t = 250.0, value_parser = rate)]
    from: f64,
    /// Messages per second beyond which is not looked.
    #[arg(long, default_value_t = 200_000.0, value_parser = rate)]
    most: f64,
    /// How near to the limit is near enough: the lowest rate that does not hold is no more than so many percent above the highest
    /// that does.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=100))]
    within_percent: u8,
    /// Rates tried at most.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=64))]
    steps: u16,
    /// Pairs of users, of direct.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pairs: u32,
    /// Nodes on one store. With more than one, each writer and its reader are at different nodes.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    nodes: u8,
    /// Bytes of each message's body.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(16..=65536))]
    body: u32,
    /// Seconds of each rate before counting begins.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(0..=600))]
    warmup: u64,
    /// Seconds counted at each rate.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    #[command(flatten, next_help_heading = "With --load mixed")]
    habits: Habits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Pairs of users, one writing to the other
    Direct,
    /// A day in a messenger: of its messages, those of two are timed
    Mixed,
}

fn milliseconds(text: &str) -> Result<f64, String> {
    let gate = text.parse::<f64>().ok().filter(|gate| (0.1..=60_000.0).contains(gate));
    gate.ok_or_else(|| "a number of milliseconds, from 0.1 to 60000".into())
}

/// Measures; `data` is an empty directory.
pub(crate) async fn run(rookery: &Path, data: &Path, args: Args) -> anyhow::Result<Report> {
    let gate_ms = args.gate_ms;
    ensure!(args.from <= args.most, "--from {} is above --most {}", args.from, args.most);
    let across = if args.nodes > 1 { format!(" across {} nodes", args.nodes) } else { String::new() };
    let what = match args.load {
        Kind::Direct => format!("direct, {} pairs", args.pairs),
        Kind::Mixed => format!("mixed, {} users", args.habits.users),
    };
    let mut report =
        Report::new(format!("capacity: {what}{across}, {} B bodies, p99 within {gate_ms} ms", args.body));
    let disk = probe::fdatasync(data, Duration::ZERO)?;
    let (users, groups) = match args.load {
        Kind::Direct => (prepare(data, 2 * args.pairs as usize).await?, Vec::new()),
        Kind::Mixed => mixed::settle(data, &args.habits).await?,
    };
    let nodes = Nodes::start(rookery, data, args.nodes.into()).await?;

    let mut search = Search::new(args.from, args.most, f64::from(args.within_percent) / 100.0);
    let mut best: Option<Step> = None;
    let mut steps = 0;
    while let Some(rate) = search.next().filter(|_| steps < args.steps) {
        steps += 1;
        let step = Step::take(&nodes, (&users, &groups), (rate, steps), &args)
            .await
            .with_context(|| format!("at {rate} messages/s"))?;
        let held = step.achieved >= ACHIEVED * rate && step.ms(0.99) <= gate_ms;
        eprintln!(
            "{steps:>3}: {rate:>8.0}/s offered, {:>8.0}/s confirmed, p50 {:>8.2} ms, p99 {:>8.2} ms: {}",
            step.achieved,
            step.ms(0.5),
            step.ms(0.99),
            if held { "held" } else { "not held" }
        );
        report.at_rate(rate, step.achieved, &step.latency_us);
        search.note(rate, held);
        if held {
            best = Some(step);
        }
        sleep(SETTLE).await;
    }

    let highest = report.add("highest rate that held", search.held().unwrap_or(0.0), "/s");
    report.headline(highest);
    report.add("lowest rate that did not", search.failed().unwrap_or(f64::NAN), "/s");
    report.add("rates tried", f64::from(steps), "");
    if best.is_none() {
        eprintln!("not even the lowest rate held, {} messages/s within {gate_ms} ms", args.from);
    } else if search.failed().is_none() {
        eprintln!("every rate that was tried held: the limit is above them");
    }
    if let Some(best) = &best {
        report.add("confirmed at it", best.achieved, "/s");
        report.latency("send to receive at it", &best.latency_us)?;
    }
    report.disk(&disk);
    Ok(report)
}

/// What came of one rate.
struct Step {
    /// Messages confirmed per second.
    achieved: f64,
    latency_us: Histogram<u64>,
}

impl Step {
    async fn take(
        nodes: &Nodes,
        (users, groups): (&[BenchUser], &[ConversationId]),
        (rate, round): (f64, u16),
        args: &Args,
    ) -> anyhow::Result<Self> {
        match args.load {
            Kind::Direct => {
                let load = direct::Load {
                    pairs: args.pairs as usize,
                    nodes: args.nodes,
                    window: 1,
                    body: args.body,
                    warmup: args.warmup,
                    seconds: args.seconds,
                    rate: Some(rate),
                    round,
                };
                let mut its_own = Report::new("a rate");
                let loaded = direct::load(nodes, users, &load, &mut its_own).await?;
                Ok(Self { achieved: its_own.value(loaded.confirmed), latency_us: loaded.latency })
            }
            Kind::Mixed => {
                let times = (Duration::from_secs(args.warmup), Duration::from_secs(args.seconds));
                let round = mixed::Round { number: round, body_bytes: args.body as usize, times };
                let day = Day::new(args.habits.clone(), rate);
                let loaded = mixed::load(nodes, users, groups, day, round).await?;
                Ok(Self { achieved: loaded.confirmed_per_second(), latency_us: loaded.direct() })
            }
        }
    }

    fn ms(&self, quantile: f64) -> f64 {
        self.latency_us.value_at_quantile(quantile) as f64 / 1e3
    }
}

/// Which rate to try next: twice the last while they hold, then the middle between the highest that held and the lowest
/// that did not.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Search {
    from: f64,
    most: f64,
    within: f64,
    held: Option<f64>,
    failed: Option<f64>,
    /// A rate that did not hold once.
    doubted: Option<f64>,
}

impl Search {
    /// Between `from` and `most`, until what did not hold is no more than the part `within` above what did.
    fn new(from: f64, most: f64, within: f64) -> Self {
        Self { from, most, within, held: None, failed: None, doubted: None }
    }

    /// The next rate; `None` when it is found, or there is nothing to find.
    fn next(&self) -> Option<f64> {
        if self.doubted.is_some() {
            return self.doubted;
        }
        match (self.held, self.failed) {
            (None, None) => Some(self.from),
            (None, Some(_)) => None,
            (Some(held), None) => (held < self.most).then(|| (2.0 * held).min(self.most)),
            (Some(held), Some(failed)) => {
                (failed > held * (1.0 + self.within)).then(|| f64::midpoint(held, failed))
            }
        }
    }

    /// A rate has been tried.
    fn note(&mut self, rate: f64, held: bool) {
        match (held, self.doubted.take()) {
            (true, _) => self.held = Some(rate),
            (false, None) => self.doubted = Some(rate),
            (false, Some(_)) => self.failed = Some(rate),
        }
    }

    fn held(&self) -> Option<f64> {
        self.held
    }

    fn failed(&self) -> Option<f64> {
        self.failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is tried where `limit` is the highest that holds.
    fn tried(mut search: Search, limit: f64) -> (Vec<f64>, Search) {
        let mut tried = Vec::new();
        while let Some(rate) = search.next() {
            assert!(tried.len() < 100, "the search has no end: {tried:?}");
            tried.push(rate);
            search.note(rate, rate <= limit);
        }
        (tried, search)
    }

    #[test]
    fn rates_double_until_one_does_not_hold_and_then_halve_the_distance() {
        let (tried, search) = tried(Search::new(100.0, 1e6, 0.1), 700.0);
        assert_eq!(tried, [100.0, 200.0, 400.0, 800.0, 800.0, 600.0, 700.0, 750.0, 750.0]);
        assert_eq!((search.held(), search.failed()), (Some(700.0), Some(750.0)));
    }

    #[test]
    fn where_the_lowest_does_not_hold_nothing_else_is_tried() {
        let (tried, search) = tried(Search::new(100.0, 1e6, 0.1), 50.0);
        assert_eq!((tried, search.held()), (vec![100.0, 100.0], None));
    }

    #[test]
    fn a_rate_that_holds_when_tried_again_has_held() {
        let mut search = Search::new(100.0, 300.0, 0.1);
        search.note(100.0, false);
        assert_eq!((search.next(), search.failed()), (Some(100.0), None));
        search.note(100.0, true);
        assert_eq!((search.next(), search.held(), search.failed()), (Some(200.0), Some(100.0), None));
    }

    #[test]
    fn beyond_the_most_nothing_is_tried() {
        let (tried, search) = tried(Search::new(100.0, 300.0, 0.1), 1e9);
        assert_eq!(tried, [100.0, 200.0, 300.0]);
        assert_eq!((search.held(), search.failed()), (Some(300.0), None));
    }

    #[test]
    fn wherever_the_limit_is_what_is_found_is_near_it() {
        for limit in [100.0, 101.0, 399.0, 5_000.0, 123_456.0] {
            let (tried, search) = tried(Search::new(100.0, 1e6, 0.1), limit);
            let held = search.held().unwrap();
            assert!(held <= limit && limit < held * 1.1, "{limit}: {tried:?}");
        }
    }
}
