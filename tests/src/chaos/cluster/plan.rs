//! What befalls nodes and clients, and when, grown from a seed.
//!
//! Faults of nodes come one after the other: one begins at its time, or when the one before is over. What is to
//! coincide is one fault.

use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::{Fault, GroupLoad, GroupRates, Kind, Load};
use crate::chaos::aside::asides;
use crate::chaos::random::{devices, millis, moment};
use crate::chaos::{Aside, ClientFault};

/// How large a run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterShape {
    /// Nodes.
    pub nodes: usize,
    /// Clients: devices, of somewhat fewer users.
    pub clients: usize,
    /// Users besides who have no client: they are members of groups like others, and never connect.
    pub absent: usize,
    /// How long faults begin, before healing.
    pub storm: Duration,
    /// Messages a second, all clients together; with groups a third of them goes to these.
    pub messages_per_second: u32,
    /// Groups that there are at first, of 2 members to all users.
    pub groups: usize,
    /// What may befall nodes. Each comes once before any comes again.
    pub kinds: Vec<Kind>,
    /// Whether clients have faults of their own.
    pub clients_suffer: bool,
}

impl ClusterShape {
    /// Three nodes, every kind of fault, no groups.
    pub fn new(clients: usize, storm: Duration) -> Self {
        let messages_per_second = 60 + clients as u32 / 2;
        let kinds = Kind::ALL.to_vec();
        Self {
            nodes: 3,
            clients,
            absent: 0,
            storm,
            messages_per_second,
            groups: 0,
            kinds,
            clients_suffer: true,
        }
    }
}

impl ClusterShape {
    /// How many more users there are, in words.
    pub(super) fn absent_too(&self) -> String {
        if self.absent == 0 { String::new() } else { format!(" and {} more without one", self.absent) }
    }

    fn messages_to_groups(&self) -> u32 {
        if self.groups == 0 { 0 } else { self.messages_per_second / 3 }
    }
}

/// A fault and its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strike {
    /// Since the beginning of the storm; later when the fault before took longer.
    pub at: Duration,
    /// What.
    pub fault: Fault,
}

/// A client's fault and its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientStrike {
    /// Since the beginning of the storm.
    pub at: Duration,
    /// Which.
    pub client: usize,
    /// What.
    pub fault: ClientFault,
}

/// All that will happen but the load, which is as large as it is regular: see [`load`](Self::load).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterPlan {
    /// What it grew from.
    pub seed: u64,
    /// How large it is.
    pub shape: ClusterShape,
    /// How many devices each user has; those with none come last.
    pub devices: Vec<usize>,
    /// In order of time.
    pub strikes: Vec<Strike>,
    /// In order of time.
    pub client_strikes: Vec<ClientStrike>,
}

impl ClusterPlan {
    /// The plan of a seed.
    pub fn new(seed: u64, shape: ClusterShape) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut devices = devices(&mut rng, shape.clients);
        devices.extend(std::iter::repeat_n(0, shape.absent));
        let strikes = strikes(&mut rng, &shape);
        let client_strikes = if shape.clients_suffer { client_strikes(&mut rng, &shape) } else { Vec::new() };
        Self { seed, shape, devices, strikes, client_strikes }
    }

    /// A plan of these faults, in this order, with some time between them.
    pub fn of(seed: u64, shape: ClusterShape, faults: impl IntoIterator<Item = Fault>) -> Self {
        let mut at = CALM;
        let mut strikes = Vec::new();
        for fault in faults {
            let next = at + fault.about(shape.nodes) + CALM;
            strikes.push(Strike { at, fault });
            at = next;
        }
        let shape = ClusterShape { storm: at, ..shape };
        Self { strikes, ..Self::new(seed, shape) }
    }

    /// What clients write to each other.
    pub fn load(&self) -> Load {
        let Self { seed, shape, devices, .. } = self;
        let present = devices.len() - shape.absent;
        Load::new(*seed, shape.clients, present, shape.messages_per_second - shape.messages_to_groups())
    }

    /// What clients do beside writing: they fall out with whom they write to.
    pub fn asides(&self) -> Vec<Aside> {
        let Self { seed, shape, .. } = self;
        let (mut rng, load) = (StdRng::seed_from_u64(*seed ^ 0xa51d), self.load());
        asides(&mut rng, shape.clients, shape.storm, |rng, client| load.contact(rng, client))
    }

    /// What clients do in groups.
    pub fn group_load(&self) -> GroupLoad {
        let Self { seed, shape, devices, .. } = self;
        let changes = if shape.groups == 0 { 0.0 } else { (shape.groups as f64 / 4.0).clamp(1.0, 8.0) };
        let rates = GroupRates { messages: f64::from(shape.messages_to_groups()), changes };
        GroupLoad::new(*seed, devices, shape.groups, rates)
    }
}

/// Before the first fault, and between two that are in a plan by name.
const CALM: Duration = Duration::from_secs(3);

fn strikes(rng: &mut StdRng, shape: &ClusterShape) -> Vec<Strike> {
    let mut strikes = Vec::new();
    let mut bag: Vec<Kind> = Vec::new();
    let mut at = CALM;
    while !shape.kinds.is_empty() {
        if bag.is_empty() {
            bag.clone_from(&shape.kinds);
            bag.shuffle(rng);
        }
        let Some(kind) = bag.pop() else { break };
        let fault = Fault::random(rng, kind, shape.nodes);
        let next = at + fault.about(shape.nodes) + millis(rng, 1_000..8_000);
        if next > shape.storm {
            break;
        }
        strikes.push(Strike { at, fault });
        at = next;
    }
    strikes
}

/// About one a client in two minutes.
fn client_strikes(rng: &mut StdRng, shape: &ClusterShape) -> Vec<ClientStrike> {
    let count = shape.clients as u64 * shape.storm.as_secs() / 120;
    let strike = |_| ClientStrike {
        at: moment(rng, shape.storm),
        client: rng.random_range(0..shape.clients),
        fault: ClientFault::random(rng),
    };
    let mut strikes: Vec<_> = (0..count).map(strike).collect();
    strikes.sort_by_key(|strike| strike.at);
    strikes
}

impl fmt::Display for ClusterPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, shape, devices, strikes, client_strikes } = self;
        writeln!(
            f,
            "plan of seed {seed}: {} nodes, {} clients of {} users{}, {} messages/s, {:.0} s, {} faults of nodes, {} of clients",
            shape.nodes,
            shape.clients,
            devices.len() - shape.absent,
            shape.absent_too(),
            shape.messages_per_second,
            shape.storm.as_secs_f64(),
            strikes.len(),
            client_strikes.len(),
        )?;
        if shape.groups > 0 {
            writeln!(f, "  groups of {:?}", self.group_load().sizes())?;
        }
        for Strike { at, fault } in strikes {
            writeln!(f, "  {:>7.1} s  {fault}", at.as_secs_f64())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> ClusterShape {
        ClusterShape::new(100, Duration::from_secs(600))
    }

    #[test]
    fn the_same_seed_gives_the_same_plan_and_another_seed_another() {
        assert_eq!(ClusterPlan::new(7, shape()), ClusterPlan::new(7, shape()));
        assert_ne!(ClusterPlan::new(7, shape()).strikes, ClusterPlan::new(8, shape()).strikes);
    }

    #[test]
    fn ten_minutes_hold_every_kind_of_fault() {
        for seed in 0..20 {
            let plan = ClusterPlan::new(seed, shape());
            for kind in Kind::ALL {
                assert!(plan.strikes.iter().any(|strike| strike.fault.kind() == kind), "{kind:?} in {seed}");
            }
            assert!(plan.strikes.is_sorted_by_key(|strike| strike.at));
            assert!(plan.client_strikes.iter().all(|strike| strike.at <= plan.shape.storm));
        }
    }
}
