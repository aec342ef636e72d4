//! What came of a run, for people.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use super::{Action, Down, Plan};
use crate::chaos::ClientFault;
use crate::fleet::Unsettled;
use crate::history::{History, What};
use crate::oracle::{INVARIANTS, Violation};

/// The outcome of a run.
#[derive(Debug)]
pub struct Report {
    seed: u64,
    shape: super::Shape,
    users: usize,
    enqueued: usize,
    accepted: usize,
    handed: usize,
    handed_again: usize,
    receipts: usize,
    connected: usize,
    kills: usize,
    pauses: usize,
    cuts: usize,
    weather: usize,
    closed: usize,
    crashed: usize,
    rested: Duration,
    /// What broke an invariant.
    pub violations: Vec<Violation>,
    /// What was missing at the end, if anything was.
    pub unsettled: Option<Unsettled>,
    /// Clients that ended by themselves, and messages that were refused for good: there should be none.
    pub surprises: Vec<String>,
}

impl Report {
    pub(super) fn new(
        plan: &Plan,
        history: &History,
        violations: Vec<Violation>,
        unsettled: Option<Unsettled>,
        stopped_well: bool,
        rested: Duration,
    ) -> Self {
        let steps = |like: fn(&Action) -> bool| plan.steps.iter().filter(|step| like(&step.action)).count();
        let mut surprises: Vec<String> = history
            .entries
            .iter()
            .filter_map(|entry| match &entry.what {
                What::Ended { reason } => Some(format!("{} ended by itself: {reason}", entry.client)),
                What::Refused { id, reason } => {
                    Some(format!("{}'s message {id} was refused: {reason}", entry.client))
                }
                _ => None,
            })
            .collect();
        if !stopped_well {
            surprises.push("the node did not stop in order at the end".to_owned());
        }
        Self {
            seed: plan.seed,
            shape: plan.shape,
            users: plan.devices.len(),
            enqueued: history.count(|what| matches!(what, What::Enqueued { .. })),
            accepted: history.count(|what| matches!(what, What::Accepted { .. })),
            handed: history.count(|what| matches!(what, What::Handed(_))),
            handed_again: handed_again(history),
            receipts: history.count(|what| matches!(what, What::Receipt { .. })),
            connected: history.count(|what| *what == What::Connected),
            kills: steps(|action| matches!(action, Action::Node(Down::Killed(_)))),
            pauses: steps(|action| matches!(action, Action::Node(Down::Paused(_)))),
            cuts: steps(|action| matches!(action, Action::Client { fault: ClientFault::Cut(_), .. })),
            weather: steps(|action| {
                matches!(action, Action::Client { fault: ClientFault::Weather { .. }, .. })
            }),
            closed: history.count(|what| *what == What::Closed).saturating_sub(plan.shape.clients),
            crashed: history.count(|what| *what == What::Crashed),
            rested,
            violations,
            unsettled,
            surprises,
        }
    }

    /// Whether everything was as it should be.
    pub fn is_good(&self) -> bool {
        self.violations.is_empty() && self.unsettled.is_none() && self.surprises.is_empty()
    }
}

/// Messages that came a second time. Whether they were allowed to is the oracle's to say.
fn handed_again(history: &History) -> usize {
    let mut seen = HashSet::new();
    history.handed().filter(|(client, message)| !seen.insert((*client, message.id))).count()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shape, .. } = self;
        writeln!(f, "chaos, seed {}", self.seed)?;
        writeln!(f, "  {} clients of {} users, a storm of {:?}", shape.clients, self.users, shape.storm)?;
        writeln!(f, "  node       {} kills, {} pauses", self.kills, self.pauses)?;
        writeln!(f, "  networks   {} cuts, {} times bad weather", self.cuts, self.weather)?;
        writeln!(f, "  clients    {} restarts in order, {} crashes", self.closed, self.crashed)?;
        writeln!(f, "  connected  {} times", self.connected)?;
        writeln!(f, "  messages   {} given, {} confirmed to their sender", self.enqueued, self.accepted)?;
        writeln!(f, "  handed up  {} messages, {} receipts", self.handed, self.receipts)?;
        writeln!(f, "  again      {} messages that a client had in hand when it crashed", self.handed_again)?;
        writeln!(f, "  at rest    {:.1} s after healing", self.rested.as_secs_f64())?;
        for (name, _) in INVARIANTS {
            let broken = self.violations.iter().filter(|violation| violation.invariant == name).count();
            let verdict = if broken == 0 { "holds" } else { "BROKEN" };
            writeln!(f, "  {name:<32} {verdict}")?;
        }
        for violation in &self.violations {
            writeln!(f, "  ! {violation}")?;
        }
        for surprise in &self.surprises {
            writeln!(f, "  ! {surprise}")?;
        }
        if let Some(unsettled) = &self.unsettled {
            writeln!(f, "  ! {unsettled}")?;
        }
        Ok(())
    }
}
