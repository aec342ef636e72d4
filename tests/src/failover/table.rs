//! What came of it: a table for people, and the same as JSON.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Failover, Mark, Measured};
use crate::Verdict;
use crate::chaos::{Deliveries, Spread, shown};
use crate::history::{History, What};

/// All runs of a fault.
#[derive(Debug)]
pub struct FailoverReport {
    what: Failover,
    runs: Vec<Measured>,
    accepted: usize,
    verdict: Verdict,
}

impl FailoverReport {
    pub(super) fn new(what: Failover, history: &History, marks: &[Mark], verdict: Verdict) -> Self {
        let deliveries = Deliveries::of(history, &[]);
        Self {
            what,
            runs: marks.iter().map(|mark| Measured::of(*mark, history, &deliveries)).collect(),
            accepted: history.count(|what| matches!(what, What::Accepted { .. })),
            verdict,
        }
    }

    /// Whether nothing was lost, doubled or refused and all came to rest. How long things took is for people to judge.
    pub fn is_right(&self) -> bool {
        self.verdict.is_good()
    }

    /// What was measured, each run and over all.
    pub fn json(&self) -> Value {
        let Failover { fault, nodes, clients, messages_per_second, seed, .. } = self.what;
        let ms = |time: Option<Duration>| time.map(|time| (time.as_secs_f64() * 1e6).round() / 1e3);
        let over_all = |times: &dyn Fn(&Measured) -> Option<Duration>| {
            let spread = self.spread(times);
            json!({ "median": ms(spread.quantile(0.5)), "worst": ms(spread.worst()), "of": spread.count() })
        };
        json!({
            "fault": fault.name(),
            "nodes": nodes,
            "clients": clients,
            "messages_per_second": messages_per_second,
            "seed": seed,
            "right": self.is_right(),
            "messages_confirmed": self.accepted,
            "violations": self.verdict.violations.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "surprises": self.verdict.surprises,
            "view_moved_ms": over_all(&|run| run.mark.moved),
            "recovered_ms": over_all(&|run| run.recovered),
            "p99_ms": over_all(&|run| run.p99),
            "runs": self.runs.iter().map(Measured::json).collect::<Vec<_>>(),
        })
    }

    fn spread(&self, times: &dyn Fn(&Measured) -> Option<Duration>) -> Spread {
        Spread::of(self.runs.iter().filter_map(times).collect())
    }
}

impl fmt::Display for FailoverReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failover { fault, nodes, clients, messages_per_second, seed, .. } = self.what;
        writeln!(
            f,
            "{}, {nodes} nodes, {clients} clients, {messages_per_second} messages/s, seed {seed}",
            fault.name()
        )?;
        writeln!(
            f,
            "  {:>3} {:>5} {:>11} {:>11} {:>8} {:>10} {:>10} {:>10} {:>11} {:>7} {:>7}",
            "run",
            "node",
            "view moved",
            "recovered",
            "given",
            "p50",
            "p99",
            "worst",
            "p99 before",
            "gone",
            "refused"
        )?;
        for (number, run) in self.runs.iter().enumerate() {
            writeln!(
                f,
                "  {:>3} {:>5} {:>11} {:>11} {:>8} {:>10} {:>10} {:>10} {:>11} {:>7} {:>7}",
                number + 1,
                format!("n{}", run.mark.victim + 1),
                shown(run.mark.moved),
                shown(run.recovered),
                run.given,
                shown(run.p50),
                shown(run.p99),
                shown(run.worst),
                shown(run.p99_before),
                run.disconnected,
                run.refused
            )?;
        }
        for (name, spread) in [
            ("view moved", self.spread(&|run| run.mark.moved)),
            ("recovered", self.spread(&|run| run.recovered)),
            ("p99", self.spread(&|run| run.p99)),
            ("worst", self.spread(&|run| run.worst)),
        ] {
            let (median, worst) = (shown(spread.quantile(0.5)), shown(spread.worst()));
            let never = match self.runs.len() - spread.count() {
                0 => String::new(),
                never => format!("   and never in {never} of {} runs", self.runs.len()),
            };
            writeln!(f, "  {name:<12} median {median:>10}   worst {worst:>10}{never}")?;
        }
        writeln!(f, "  {} messages confirmed to their senders", self.accepted)?;
        write!(f, "{}", self.verdict)?;
        writeln!(
            f,
            "  {}",
            if self.is_right() { "nothing was lost, doubled or refused" } else { "NOT RIGHT" }
        )
    }
}
