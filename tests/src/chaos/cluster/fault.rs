//! What may befall a cluster.

use std::fmt;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;

use crate::chaos::random::millis;

/// A misfortune. Each ends by itself. Nodes are named by their places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9`, and started again.
    Killed {
        /// Who.
        node: usize,
        /// For so long.
        down: Duration,
    },
    /// SIGSTOP, then SIGCONT.
    Stopped {
        /// Who.
        node: usize,
        /// For so long.
        lasts: Duration,
    },
    /// SIGSTOP, then SIGCONT as soon as the others have removed it. Only where it is asked for.
    StoppedUntilMissed {
        /// Who.
        node: usize,
    },
    /// SIGTERM, and started again at once.
    Restarted {
        /// Who.
        node: usize,
    },
    /// Every node drained and started again, one after the other.
    Rolling,
    /// All killed at once.
    AllKilled {
        /// For so long.
        down: Duration,
    },
    /// A link brings nothing, in both directions.
    LinkSilent {
        /// Between.
        nodes: (usize, usize),
        /// For so long.
        lasts: Duration,
    },
    /// A link brings nothing in one direction.
    LinkOneWay {
        /// From one to the other.
        nodes: (usize, usize),
        /// For so long.
        lasts: Duration,
    },
    /// A link is reset, again and again.
    LinkTorn {
        /// Between.
        nodes: (usize, usize),
        /// For so long.
        lasts: Duration,
    },
    /// A link is late and narrow.
    LinkSlow {
        /// Between.
        nodes: (usize, usize),
        /// Each way.
        delay: Duration,
        /// Each way.
        bytes_per_second: u32,
        /// For so long.
        lasts: Duration,
    },
    /// All links of a node bring nothing.
    Isolated {
        /// Who.
        node: usize,
        /// For so long.
        lasts: Duration,
    },
    /// The store commits nothing.
    StoreStalled {
        /// For so long.
        lasts: Duration,
    },
    /// The store's disk has no room.
    DiskFull {
        /// For so long.
        lasts: Duration,
    },
    /// A node's time of day is wrong.
    ClockJumped {
        /// Who.
        node: usize,
        /// By so many seconds.
        seconds: i64,
        /// For so long.
        lasts: Duration,
    },
    /// Two at once.
    Two(Box<Fault>, Box<Fault>),
    /// A new node joins while another is down, and leaves again later.
    JoinedMeanwhile {
        /// Who is killed.
        node: usize,
        /// For so long.
        down: Duration,
    },
}

/// What kind of misfortune.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "as the faults' own")]
pub enum Kind {
    Killed,
    Stopped,
    Restarted,
    Rolling,
    AllKilled,
    LinkSilent,
    LinkOneWay,
    LinkTorn,
    LinkSlow,
    Isolated,
    StoreStalled,
    DiskFull,
    ClockJumped,
    Two,
    JoinedMeanwhile,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 15] = [
        Self::Killed,
        Self::Stopped,
        Self::Restarted,
        Self::Rolling,
        Self::AllKilled,
        Self::LinkSilent,
        Self::LinkOneWay,
        Self::LinkTorn,
        Self::LinkSlow,
        Self::Isolated,
        Self::StoreStalled,
        Self::DiskFull,
        Self::ClockJumped,
        Self::Two,
        Self::JoinedMeanwhile,
    ];

    /// In a few words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::Stopped => "stopped",
            Self::Restarted => "restarted",
            Self::Rolling => "rolling restart",
            Self::AllKilled => "all killed",
            Self::LinkSilent => "link silent",
            Self::LinkOneWay => "link one way",
            Self::LinkTorn => "link torn",
            Self::LinkSlow => "link slow",
            Self::Isolated => "isolated",
            Self::StoreStalled => "store stalled",
            Self::DiskFull => "disk full",
            Self::ClockJumped => "clock jumped",
            Self::Two => "two at once",
            Self::JoinedMeanwhile => "join while down",
        }
    }
}

/// Two different nodes.
fn pair(rng: &mut StdRng, nodes: usize) -> (usize, usize) {
    let a = rng.random_range(0..nodes);
    (a, (a + rng.random_range(1..nodes)) % nodes)
}

impl Fault {
    /// One of a kind, among so many nodes, of which there are two at least.
    pub(super) fn random(rng: &mut StdRng, kind: Kind, nodes: usize) -> Self {
        let node = rng.random_range(0..nodes);
        match kind {
            Kind::Killed => Self::Killed { node, down: millis(rng, 0..6_000) },
            // Some are back before anybody has missed them, some find themselves removed.
            Kind::Stopped => Self::Stopped { node, lasts: millis(rng, 300..9_000) },
            Kind::Restarted => Self::Restarted { node },
            Kind::Rolling => Self::Rolling,
            Kind::AllKilled => Self::AllKilled { down: millis(rng, 0..3_000) },
            Kind::LinkSilent => {
                Self::LinkSilent { nodes: pair(rng, nodes), lasts: millis(rng, 1_000..12_000) }
            }
            Kind::LinkOneWay => {
                Self::LinkOneWay { nodes: pair(rng, nodes), lasts: millis(rng, 1_000..12_000) }
            }
            Kind::LinkTorn => Self::LinkTorn { nodes: pair(rng, nodes), lasts: millis(rng, 500..8_000) },
            Kind::LinkSlow => Self::LinkSlow {
                nodes: pair(rng, nodes),
                delay: millis(rng, 10..400),
                bytes_per_second: rng.random_range(20_000..500_000),
                lasts: millis(rng, 3_000..15_000),
            },
            Kind::Isolated => Self::Isolated { node, lasts: millis(rng, 1_000..10_000) },
            Kind::StoreStalled => Self::StoreStalled { lasts: millis(rng, 300..8_000) },
            Kind::DiskFull => Self::DiskFull { lasts: millis(rng, 1_000..6_000) },
            Kind::ClockJumped => {
                let seconds = [-3_600, -90, -5, 5, 90, 3_600][rng.random_range(0..6)];
                Self::ClockJumped { node, seconds, lasts: millis(rng, 3_000..10_000) }
            }
            Kind::Two => {
                let (a, b) = pair(rng, nodes);
                let first = Self::of_node(rng, a);
                let second = match rng.random_range(0..4) {
                    0 => Self::StoreStalled { lasts: millis(rng, 300..5_000) },
                    1 => Self::Isolated { node: b, lasts: millis(rng, 1_000..6_000) },
                    _ => Self::of_node(rng, b),
                };
                Self::Two(Box::new(first), Box::new(second))
            }
            Kind::JoinedMeanwhile => Self::JoinedMeanwhile { node, down: millis(rng, 500..4_000) },
        }
    }

    fn of_node(rng: &mut StdRng, node: usize) -> Self {
        match rng.random_range(0..3) {
            0 => Self::Killed { node, down: millis(rng, 0..4_000) },
            1 => Self::Stopped { node, lasts: millis(rng, 300..6_000) },
            _ => Self::Restarted { node },
        }
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Killed { .. } => Kind::Killed,
            Self::Stopped { .. } | Self::StoppedUntilMissed { .. } => Kind::Stopped,
            Self::Restarted { .. } => Kind::Restarted,
            Self::Rolling => Kind::Rolling,
            Self::AllKilled { .. } => Kind::AllKilled,
            Self::LinkSilent { .. } => Kind::LinkSilent,
            Self::LinkOneWay { .. } => Kind::LinkOneWay,
            Self::LinkTorn { .. } => Kind::LinkTorn,
            Self::LinkSlow { .. } => Kind::LinkSlow,
            Self::Isolated { .. } => Kind::Isolated,
            Self::StoreStalled { .. } => Kind::StoreStalled,
            Self::DiskFull { .. } => Kind::DiskFull,
            Self::ClockJumped { .. } => Kind::ClockJumped,
            Self::Two(..) => Kind::Two,
            Self::JoinedMeanwhile { .. } => Kind::JoinedMeanwhile,
        }
    }

    /// About how long it takes until all is well again.
    pub(super) fn about(&self, nodes: usize) -> Duration {
        let recovery = Duration::from_secs(4);
        match self {
            Self::Killed { down: lasts, .. }
            | Self::AllKilled { down: lasts }
            | Self::Stopped { lasts, .. }
            | Self::LinkSilent { lasts, .. }
            | Self::LinkOneWay { lasts, .. }
            | Self::LinkTorn { lasts, .. }
            | Self::LinkSlow { lasts, .. }
            | Self::Isolated { lasts, .. }
            | Self::StoreStalled { lasts }
            | Self::DiskFull { lasts }
            | Self::ClockJumped { lasts, .. } => *lasts + recovery,
            Self::Restarted { .. } => recovery,
            Self::StoppedUntilMissed { .. } => 2 * recovery,
            Self::Rolling => recovery * 2 * nodes as u32,
            Self::Two(first, second) => first.about(nodes).max(second.about(nodes)),
            Self::JoinedMeanwhile { down, .. } => *down + 3 * recovery,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = |node: usize| format!("n{}", node + 1);
        let link = |(a, b): (usize, usize)| format!("{} - {}", n(a), n(b));
        let s = |time: &Duration| format!("{:.1} s", time.as_secs_f64());
        let kind = self.kind().name();
        match self {
            Self::Killed { node, down } => write!(f, "{kind}: {} for {}", n(*node), s(down)),
            Self::Stopped { node, lasts } | Self::Isolated { node, lasts } => {
                write!(f, "{kind}: {} for {}", n(*node), s(lasts))
            }
            Self::StoppedUntilMissed { node } => write!(f, "{kind}: {} until it is missed", n(*node)),
            Self::Restarted { node } => write!(f, "{kind}: {}", n(*node)),
            Self::Rolling => f.write_str(kind),
            Self::AllKilled { down: lasts } | Self::StoreStalled { lasts } | Self::DiskFull { lasts } => {
                write!(f, "{kind} for {}", s(lasts))
            }
            Self::LinkSilent { nodes, lasts } | Self::LinkTorn { nodes, lasts } => {
                write!(f, "{kind}: {} for {}", link(*nodes), s(lasts))
            }
            Self::LinkOneWay { nodes: (from, to), lasts } => {
                write!(f, "{kind}: nothing from {} to {} for {}", n(*from), n(*to), s(lasts))
            }
            Self::LinkSlow { nodes, delay, bytes_per_second, lasts } => {
                let kilobytes = bytes_per_second / 1000;
                write!(f, "{kind}: {}, {delay:?} late, {kilobytes} kB/s, for {}", link(*nodes), s(lasts))
            }
            Self::ClockJumped { node, seconds, lasts } => {
                write!(f, "{kind}: {} by {seconds:+} s for {}", n(*node), s(lasts))
            }
            Self::Two(first, second) => write!(f, "{kind}: {first}; {second}"),
            Self::JoinedMeanwhile { node, down } => write!(f, "{kind}: {} for {}", n(*node), s(down)),
        }
    }
}
