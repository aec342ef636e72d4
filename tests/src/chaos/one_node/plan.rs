//! Who does what when, grown from a seed.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::chaos::aside::asides;
use crate::chaos::random::{body_bytes, devices, millis, moment};
use crate::chaos::{Aside, AsideAct, ClientFault, Saying};

/// How large a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Clients: devices, of somewhat fewer users.
    pub clients: usize,
    /// How often the node is killed.
    pub kills: usize,
    /// How long actions go on, before healing.
    pub storm: Duration,
    /// Messages a second, all clients together.
    pub messages_per_second: u32,
}

impl Shape {
    /// So many clients and kills, with a storm long enough for them.
    pub fn new(clients: usize, kills: usize) -> Self {
        let storm = Duration::from_secs(3) * (kills as u32 + 1);
        Self { clients, kills, storm, messages_per_second: 60 + clients as u32 / 2 }
    }
}

/// Something that is done to the fleet, its networks or the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A client sends a message.
    Send {
        /// Which client.
        client: usize,
        /// To which user, by place among the users.
        to: usize,
        /// What kind of message.
        saying: Saying,
        /// The body's length in bytes.
        bytes: usize,
    },
    /// A client does something else.
    Aside {
        /// Which.
        client: usize,
        /// What.
        act: AsideAct,
    },
    /// Something befalls a client.
    Client {
        /// Which.
        client: usize,
        /// This.
        fault: ClientFault,
    },
    /// The node goes and comes back.
    Node(Down),
}

/// How the node goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Down {
    /// Killed, and started again after so long.
    Killed(Duration),
    /// Stopped as by a debugger for so long.
    Paused(Duration),
}

/// An action and its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Since the beginning of the storm.
    pub at: Duration,
    /// What is done.
    pub action: Action,
}

/// All that will happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What it grew from.
    pub seed: u64,
    /// How large it is.
    pub shape: Shape,
    /// How many devices each user has.
    pub devices: Vec<usize>,
    /// In order of time.
    pub steps: Vec<Step>,
}

impl Plan {
    /// The plan of a seed.
    pub fn new(seed: u64, shape: Shape) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let devices = devices(&mut rng, shape.clients);
        let mut steps = Vec::new();
        messages(&mut rng, &shape, devices.len(), &mut steps);
        let others = asides(&mut rng, shape.clients, shape.storm, |rng, _| skewed(rng, devices.len()));
        steps.extend(
            others
                .into_iter()
                .map(|Aside { at, client, act }| Step { at, action: Action::Aside { client, act } }),
        );
        client_faults(&mut rng, &shape, &mut steps);
        node_faults(&mut rng, &shape, &mut steps);
        steps.sort_by_key(|step| step.at);
        Self { seed, shape, devices, steps }
    }
}

/// A few are much busier than most.
fn skewed(rng: &mut StdRng, count: usize) -> usize {
    let even: f64 = rng.random();
    ((even * even * even * count as f64) as usize).min(count - 1)
}

fn messages(rng: &mut StdRng, shape: &Shape, users: usize, steps: &mut Vec<Step>) {
    let count = (shape.storm.as_secs_f64() * f64::from(shape.messages_per_second)) as usize;
    for _ in 0..count {
        let at = moment(rng, shape.storm);
        let (client, to) = (skewed(rng, shape.clients), skewed(rng, users));
        // Some write several messages without waiting.
        let burst = if rng.random_ratio(1, 20) { rng.random_range(2..12) } else { 1 };
        for _ in 0..burst {
            let (saying, bytes) = (Saying::random(rng), body_bytes(rng));
            steps.push(Step { at, action: Action::Send { client, to, saying, bytes } });
        }
    }
}

fn client_faults(rng: &mut StdRng, shape: &Shape, steps: &mut Vec<Step>) {
    // About one fault a client in half a minute, and one at least for every third.
    let faults = shape.clients * (shape.storm.as_secs() as usize).max(10) / 30;
    for _ in 0..faults {
        let at = moment(rng, shape.storm);
        let client = rng.random_range(0..shape.clients);
        let fault = ClientFault::random(rng);
        steps.push(Step { at, action: Action::Client { client, fault } });
    }
}

/// One kill in each equal part of the storm, and sometimes a pause between two.
fn node_faults(rng: &mut StdRng, shape: &Shape, steps: &mut Vec<Step>) {
    let part = shape.storm / (shape.kills as u32 + 1);
    for kill in 1..=shape.kills {
        let at = part * kill as u32 - part / 8 + moment(rng, part / 4);
        let down = Down::Killed(millis(rng, 0..700));
        steps.push(Step { at, action: Action::Node(down) });
        if rng.random_ratio(1, 3) {
            let at = part * kill as u32 + part / 2;
            // Most pauses are hardly noticed. In some the clients give up, and are all back at once when it goes on.
            let long = rng.random_ratio(1, 5);
            let paused = Down::Paused(millis(rng, if long { 6_500..8_000 } else { 100..1_000 }));
            steps.push(Step { at, action: Action::Node(paused) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_plan_and_another_seed_another() {
        let shape = Shape::new(40, 3);
        assert_eq!(Plan::new(7, shape), Plan::new(7, shape));
        assert_ne!(Plan::new(7, shape).steps, Plan::new(8, shape).steps);
    }

    #[test]
    fn a_plan_has_the_clients_and_kills_it_was_asked_for() {
        for seed in 0..20 {
            let plan = Plan::new(seed, Shape::new(200, 10));
            assert_eq!(plan.devices.iter().sum::<usize>(), 200);
            assert!(plan.devices.iter().any(|devices| *devices > 1));
            let kills = |step: &&Step| matches!(step.action, Action::Node(Down::Killed(_)));
            assert_eq!(plan.steps.iter().filter(kills).count(), 10);
            assert!(plan.steps.is_sorted_by_key(|step| step.at));
            assert!(plan.steps.iter().all(|step| step.at <= plan.shape.storm));
        }
    }
}
