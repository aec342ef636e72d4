//! What came of a run, for people.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use super::{Action, Down, Plan};
use crate::Verdict;
use crate::chaos::ClientFault;
use crate::chaos::talk::Talk;
use crate::history::{History, What};

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
    talk: Talk,
    connected: usize,
    kills: usize,
    pauses: usize,
    cuts: usize,
    weather: usize,
    closed: usize,
    crashed: usize,
    rested: Duration,
    /// What is to be said against it.
    pub verdict: Verdict,
}

impl Report {
    pub(super) fn new(plan: &Plan, history: &History, verdict: Verdict, rested: Duration) -> Self {
        let steps = |like: fn(&Action) -> bool| plan.steps.iter().filter(|step| like(&step.action)).count();
        Self {
            seed: plan.seed,
            shape: plan.shape,
            users: plan.devices.len(),
            enqueued: history.count(|what| matches!(what, What::Enqueued { .. })),
            accepted: history.count(|what| matches!(what, What::Accepted { .. })),
            handed: history.count(|what| matches!(what, What::Handed(_))),
            handed_again: handed_again(history),
            receipts: history.count(|what| matches!(what, What::Receipt { .. })),
            talk: Talk::of(history),
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
            verdict,
        }
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
        write!(f, "{}", self.talk)?;
        writeln!(f, "  again      {} messages that a client had in hand when it crashed", self.handed_again)?;
        writeln!(f, "  at rest    {:.1} s after healing", self.rested.as_secs_f64())?;
        write!(f, "{}", self.verdict)
    }
}
