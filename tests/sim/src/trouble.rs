//! What may befall nodes, their links, their store and their clocks.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use rookery_actors::Victim;
use rookery_protocol::UserId;
use tokio::time::sleep;

use crate::world::World;
use crate::world::store::StoreWeather;

/// Something goes wrong, and after a while is right again. Nodes are named by their places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// A node is killed, and started again after so long.
    Killed {
        /// Which.
        node: usize,
        /// How long it is away.
        down: Duration,
        /// Whether its host lost power: nobody is told anything.
        silently: bool,
    },
    /// Every node is killed at once.
    AllKilled {
        /// How long they are away.
        down: Duration,
    },
    /// A node is stopped in order, and started again.
    Restarted {
        /// Which.
        node: usize,
        /// How long it is away.
        down: Duration,
    },
    /// A node stands still.
    Paused {
        /// Which.
        node: usize,
        /// For how long.
        lasts: Duration,
    },
    /// A node that does not run at first is there for a while.
    Joined {
        /// Which.
        node: usize,
        /// For how long.
        lasts: Duration,
    },
    /// A node's clock is wrong.
    Skewed {
        /// Which.
        node: usize,
        /// By so many milliseconds.
        by_ms: i64,
        /// For how long.
        lasts: Duration,
    },
    /// The store is bad to one node, or to all.
    Store {
        /// To which; to all, if to none.
        node: Option<usize>,
        /// How.
        weather: StoreWeather,
        /// For how long.
        lasts: Duration,
    },
    /// Two nodes are cut off from each other.
    Cut {
        /// One.
        one: usize,
        /// The other.
        other: usize,
        /// For how long.
        lasts: Duration,
    },
    /// What one node sends another goes nowhere.
    Swallowed {
        /// From.
        from: usize,
        /// To.
        to: usize,
        /// For how long.
        lasts: Duration,
    },
    /// A node's links are slow.
    Slow {
        /// Whose.
        node: usize,
        /// As slow as this.
        longest: Duration,
        /// For how long.
        lasts: Duration,
    },
    /// A node's links break, once.
    Broken {
        /// Whose.
        node: usize,
    },
    /// Actors panic.
    Crashed {
        /// Where.
        node: usize,
        /// Which.
        actor: Panicking,
        /// Whose, by place among the users.
        user: usize,
    },
}

/// Which actors panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Panicking {
    /// A user's session.
    Session,
    /// A user's shard.
    Shard,
    /// A user's connections.
    Connections,
    /// What tells those who are looking.
    Looking,
}

fn seconds(rng: &mut StdRng, range: std::ops::Range<f64>) -> Duration {
    Duration::from_millis((rng.random_range(range) * 1000.0) as u64)
}

impl Trouble {
    /// Some trouble for a world with so many nodes, the last of which do not run at first.
    pub fn random(rng: &mut StdRng, nodes: usize, spares: usize, users: usize, clocks: bool) -> Self {
        let regular = nodes - spares;
        let node = rng.random_range(0..regular);
        let other = (node + rng.random_range(1..regular.max(2))) % regular;
        let lasts = if rng.random_ratio(1, 4) { seconds(rng, 5.0..40.0) } else { seconds(rng, 0.05..5.0) };
        match rng.random_range(0..22) {
            0..4 => Self::Killed { node, down: seconds(rng, 0.0..20.0), silently: rng.random_ratio(1, 3) },
            4 => Self::AllKilled { down: seconds(rng, 0.1..10.0) },
            5..7 => Self::Restarted { node, down: seconds(rng, 0.0..10.0) },
            7..9 => Self::Paused { node, lasts },
            9 if spares > 0 => Self::Joined {
                node: regular + rng.random_range(0..spares),
                lasts: (4 * lasts).min(Duration::from_secs(60)),
            },
            9..11 if clocks => {
                let by_ms = [-3_600_000, -2_000, 700, 60_000, 86_400_000][rng.random_range(0..5)];
                Self::Skewed { node, by_ms, lasts: 2 * lasts }
            }
            9..15 => {
                let weather = match rng.random_range(0..10) {
                    0..2 => StoreWeather::Slow(seconds(rng, 0.05..2.0)),
                    2 => StoreWeather::Full,
                    3..5 => StoreWeather::Unreachable,
                    5..7 => StoreWeather::Conflicting,
                    _ => StoreWeather::Uncertain,
                };
                Self::Store { node: (!rng.random_ratio(1, 4)).then_some(node), weather, lasts }
            }
            15..17 if regular > 1 => Self::Cut { one: node, other, lasts },
            17 if regular > 1 => Self::Swallowed { from: node, to: other, lasts },
            18 => Self::Slow { node, longest: seconds(rng, 0.02..3.0), lasts },
            19 => Self::Broken { node },
            _ => {
                let actor = match rng.random_range(0..8) {
                    0..3 => Panicking::Session,
                    3..6 => Panicking::Connections,
                    6 => Panicking::Shard,
                    _ => Panicking::Looking,
                };
                Self::Crashed { node, actor, user: rng.random_range(0..users) }
            }
        }
    }

    /// Which nodes may be taken for dead for it. A wrong clock, broken links and actors that panic are no reasons.
    fn excuses(self, nodes: usize) -> Vec<usize> {
        match self {
            Self::Killed { node, .. }
            | Self::Restarted { node, .. }
            | Self::Paused { node, .. }
            | Self::Joined { node, .. }
            | Self::Store { node: Some(node), .. } => vec![node],
            Self::AllKilled { .. } | Self::Store { node: None, .. } => (0..nodes).collect(),
            Self::Skewed { .. }
            | Self::Cut { .. }
            | Self::Swallowed { .. }
            | Self::Slow { .. }
            | Self::Broken { .. }
            | Self::Crashed { .. } => Vec::new(),
        }
    }

    /// Lets it happen, and makes it end.
    pub async fn befall(self, world: &Arc<World>, users: &[UserId]) {
        let excused = self.excuses(world.nodes());
        excused.iter().for_each(|node| world.excuse(*node, true));
        self.happen(world, users).await;
        excused.iter().for_each(|node| world.excuse(*node, false));
    }

    async fn happen(self, world: &Arc<World>, users: &[UserId]) {
        match self {
            Self::Killed { node, down, silently } => {
                world.kill(node, silently).await;
                sleep(down).await;
                world.start(node).await;
            }
            Self::AllKilled { down } => {
                let runs = world.running().await;
                for node in &runs {
                    world.kill(*node, false).await;
                }
                sleep(down).await;
                for node in runs {
                    world.start(node).await;
                }
            }
            Self::Restarted { node, down } => {
                world.stop(node).await;
                sleep(down).await;
                world.start(node).await;
            }
            Self::Paused { node, lasts } => world.pause(node, lasts).await,
            Self::Joined { node, lasts } => {
                world.start(node).await;
                sleep(lasts).await;
                world.stop(node).await;
            }
            Self::Skewed { node, by_ms, lasts } => {
                world.skew(node, by_ms);
                sleep(lasts).await;
                world.skew(node, 0);
            }
            Self::Store { node, weather, lasts } => {
                let nodes = node.map_or(0..world.nodes(), |node| node..node + 1);
                for node in nodes.clone() {
                    world.store_weather(node, weather).await;
                }
                sleep(lasts).await;
                for node in nodes {
                    world.store_weather(node, StoreWeather::Clear).await;
                }
            }
            Self::Cut { one, other, lasts } => {
                world.cut(one, other, true);
                sleep(lasts).await;
                world.cut(one, other, false);
            }
            Self::Swallowed { from, to, lasts } => {
                world.swallow(from, to, true);
                sleep(lasts).await;
                world.swallow(from, to, false);
            }
            Self::Slow { node, longest, lasts } => {
                world.slow(node, longest);
                sleep(lasts).await;
                world.slow(node, Duration::ZERO);
            }
            Self::Broken { node } => world.break_links(node),
            Self::Crashed { node, actor, user } => {
                let user = users[user];
                let victim = match actor {
                    Panicking::Session => Victim::Session(user),
                    Panicking::Shard => Victim::Shard(user),
                    Panicking::Connections => Victim::Connections(user),
                    Panicking::Looking => Victim::Looking,
                };
                world.crash(node, victim).await;
            }
        }
    }
}

/// Nodes are counted from 1 where people read it, as in their names.
impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed { node, down, silently } => {
                let how = if *silently { "loses power" } else { "is killed" };
                write!(f, "n{} {how}, away for {down:?}", node + 1)
            }
            Self::AllKilled { down } => write!(f, "all nodes are killed, away for {down:?}"),
            Self::Restarted { node, down } => {
                write!(f, "n{} is stopped in order, away for {down:?}", node + 1)
            }
            Self::Paused { node, lasts } => write!(f, "n{} stands still for {lasts:?}", node + 1),
            Self::Joined { node, lasts } => write!(f, "n{} joins for {lasts:?}", node + 1),
            Self::Skewed { node, by_ms, lasts } => {
                write!(f, "n{}'s clock is {by_ms} ms off for {lasts:?}", node + 1)
            }
            Self::Store { node: Some(node), weather, lasts } => {
                write!(f, "the store is {weather:?} to n{} for {lasts:?}", node + 1)
            }
            Self::Store { node: None, weather, lasts } => {
                write!(f, "the store is {weather:?} to all for {lasts:?}")
            }
            Self::Cut { one, other, lasts } => {
                write!(f, "n{} and n{} are cut off for {lasts:?}", one + 1, other + 1)
            }
            Self::Swallowed { from, to, lasts } => {
                write!(f, "what n{} sends n{} goes nowhere for {lasts:?}", from + 1, to + 1)
            }
            Self::Slow { node, longest, lasts } => {
                write!(f, "n{}'s links take up to {longest:?} for {lasts:?}", node + 1)
            }
            Self::Broken { node } => write!(f, "n{}'s links break", node + 1),
            Self::Crashed { node, actor, user } => {
                write!(f, "{actor:?} of user {} panics on n{}", user + 1, node + 1)
            }
        }
    }
}
