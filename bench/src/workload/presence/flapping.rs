//! Users who come and go, each in its turn: who is away when the turn comes connects, who is there leaves.
//!
//! Every other one is there from the beginning, so that at any time as many come as go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use rookery_protocol::Heartbeat;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::node::Nodes;
use crate::users::BenchUser;
use crate::wire::Wire;

/// Tasks, each with users of its own: so many come at once, at most.
const PARTS: usize = 8;

/// For WELCOME.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);

/// All of them, while none comes or goes.
pub(super) struct Flapping {
    parts: Vec<Part>,
    /// Between two turns of a part.
    every: Duration,
}

/// All of them, while they come and go.
pub(super) struct Storm {
    over: Arc<AtomicBool>,
    begun: Instant,
    parts: JoinSet<anyhow::Result<(Part, u64)>>,
    every: Duration,
}

/// Some of them.
struct Part {
    nodes: Arc<Nodes>,
    users: Vec<Flapper>,
    /// Whose turn it is.
    next: usize,
}

struct Flapper {
    user: BenchUser,
    /// The node whose turn it is to have them.
    node: usize,
    connection: Option<Wire>,
}

impl Flapping {
    /// `flaps` comings and goings a second, over all `users`. Half of these connect now.
    pub(super) async fn begin(nodes: &Arc<Nodes>, users: &[BenchUser], flaps: f64) -> anyhow::Result<Self> {
        let count = PARTS.min(users.len());
        let mut connecting = JoinSet::new();
        for number in 0..count {
            let mine = users.iter().enumerate().skip(number).step_by(count);
            let flapper =
                |(node, user): (usize, &BenchUser)| Flapper { user: user.clone(), node, connection: None };
            let mut part = Part { nodes: nodes.clone(), users: mine.map(flapper).collect(), next: 0 };
            connecting.spawn(async move {
                for at in (0..part.users.len()).step_by(2) {
                    part.flap(at).await?;
                }
                anyhow::Ok(part)
            });
        }
        let mut parts = Vec::with_capacity(count);
        while let Some(connected) = connecting.join_next().await {
            parts.push(connected.context("connecting does not panic")??);
        }
        Ok(Self { parts, every: Duration::from_secs_f64(count as f64 / flaps) })
    }

    /// From now on they come and go.
    pub(super) fn start(self) -> Storm {
        let (over, begun) = (Arc::new(AtomicBool::new(false)), Instant::now());
        let (count, every) = (self.parts.len() as u32, self.every);
        let mut parts = JoinSet::new();
        for (part, number) in self.parts.into_iter().zip(0..) {
            // Each at times of its own.
            let first = begun + every * number / count.max(1);
            parts.spawn(part.come_and_go(first, every, over.clone()));
        }
        Storm { over, begun, parts, every }
    }
}

impl Storm {
    /// Ends the coming and going. How often there was one or the other, per second.
    pub(super) async fn end(mut self) -> anyhow::Result<(Flapping, f64)> {
        self.over.store(true, Ordering::Relaxed);
        let (mut parts, mut flaps) = (Vec::new(), 0);
        while let Some(ended) = self.parts.join_next().await {
            let (part, its) = ended.context("coming and going does not panic")??;
            parts.push(part);
            flaps += its;
        }
        let rate = flaps as f64 / self.begun.elapsed().as_secs_f64();
        Ok((Flapping { parts, every: self.every }, rate))
    }
}

impl Part {
    /// Comes and goes until it is over. Returns also how often.
    async fn come_and_go(
        mut self,
        first: Instant,
        every: Duration,
        over: Arc<AtomicBool>,
    ) -> anyhow::Result<(Self, u64)> {
        self.heartbeat().await?;
        let (mut flaps, mut due) = (0, first);
        loop {
            sleep_until(due).await;
            if over.load(Ordering::Relaxed) {
                break;
            }
            due += every;
            self.flap(self.next).await?;
            self.next = (self.next + 1) % self.users.len();
            flaps += 1;
        }
        self.heartbeat().await?;
        Ok((self, flaps))
    }

    async fn flap(&mut self, at: usize) -> anyhow::Result<()> {
        let Flapper { user, node, connection } = &mut self.users[at];
        if connection.take().is_none() {
            let connecting = Wire::connect(self.nodes.of(*node).clients(), user);
            *connection = Some(timeout(ANSWER_TIME_MAX, connecting).await.context("no WELCOME in time")??.0);
        }
        Ok(())
    }

    /// Those who are there say so, or the node would take them for dead when much time passes until their next turn.
    async fn heartbeat(&mut self) -> anyhow::Result<()> {
        for wire in self.users.iter_mut().filter_map(|flapper| flapper.connection.as_mut()) {
            wire.writer.push(&Heartbeat { nonce: 0 });
            wire.writer.flush().await?;
        }
        Ok(())
    }
}
