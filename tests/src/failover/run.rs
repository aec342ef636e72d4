//! Does it, again and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::future::join_all;
use rookery_client::ConversationId;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{FailoverReport, Mark};
use crate::chaos::{Load, Watch};
use crate::cluster::{Cluster, ClusterConfig, Member, View, WHOLE, Way};
use crate::fleet::{Fleet, Networks};
use crate::history::Recorder;
use crate::{Account, NodeConfig, Verdict, accounts};

/// Before the first fault, and after everything has come right again.
const CALM: Duration = Duration::from_secs(4);

/// How often the survivors are asked for their view.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How long a fleet may take to rest at the end.
const REST: Duration = Duration::from_secs(180);

/// What is done to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailoverFault {
    /// `kill -9`.
    Kill,
    /// SIGSTOP.
    Stop,
    /// The link between two nodes falls silent.
    Cut,
    /// All nodes are drained and started again, one after the other.
    Rolling,
}

impl FailoverFault {
    /// How long it lasts: long enough to see what comes of it.
    fn lasts(self) -> Duration {
        match self {
            Self::Kill => Duration::from_secs(8),
            Self::Stop | Self::Cut => Duration::from_secs(10),
            Self::Rolling => Duration::ZERO,
        }
    }

    /// Whether the others should take the node for dead.
    fn removes(self) -> bool {
        matches!(self, Self::Kill | Self::Stop)
    }

    /// In a few words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill -9",
            Self::Stop => "SIGSTOP",
            Self::Cut => "link cut",
            Self::Rolling => "rolling restart with drain",
        }
    }
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failover {
    /// What happens.
    pub fault: FailoverFault,
    /// How often.
    pub runs: usize,
    /// Nodes.
    pub nodes: usize,
    /// Clients, each a user's only device.
    pub clients: usize,
    /// Messages a second, all clients together.
    pub messages_per_second: u32,
    /// What the load grows from.
    pub seed: u64,
}

/// Does it, and measures.
///
/// # Errors
/// When something fails that is not under test. What is under test is in the report.
pub async fn measure(what: Failover, watch: &impl Watch) -> Result<FailoverReport> {
    watch.phase("starting the nodes");
    let mut config = ClusterConfig::new(what.nodes);
    config.links_can_fail = what.fault == FailoverFault::Cut;
    config.node = NodeConfig::default();
    let cluster = Arc::new(Cluster::start(config).await?);
    watch.phase("adding users");
    let names: Vec<String> = (0..what.clients).map(|index| format!("user-{index}")).collect();
    let wanted: Vec<_> = names.iter().map(|name| (name.as_str(), 1)).collect();
    let people: Arc<[Account]> = accounts(&*cluster, &wanted).await.context("users and tokens")?.into();
    watch.phase("starting the clients");
    let fleet = Arc::new(Fleet::new(&*cluster, &people, what.seed, Networks::Good).await?);
    fleet.start_all().await?;

    let over = Arc::new(AtomicBool::new(false));
    let load = Load::new(what.seed, what.clients, what.clients, what.messages_per_second);
    let mut writing = JoinSet::new();
    writing.spawn(write(fleet.clone(), people, load, over.clone()));
    let mut surprises = Vec::new();
    let mut marks = Vec::new();
    sleep(CALM).await;
    for run in 0..what.runs {
        watch.steps(run, what.runs);
        watch.phase(&format!("{} {} of {}", what.fault.name(), run + 1, what.runs));
        match once(what.fault, run % what.nodes, &cluster, fleet.recorder()).await {
            Ok(mark) => marks.push(mark),
            Err(error) => {
                surprises.push(format!("run {}: {error:#}", run + 1));
                break;
            }
        }
        sleep(CALM).await;
    }
    watch.steps(what.runs, what.runs);
    over.store(true, Ordering::Relaxed);
    while writing.join_next().await.is_some() {}

    watch.phase("coming to rest");
    let unsettled = fleet.settle(REST).await.err();
    watch.phase("judging");
    fleet.close().await;
    let history = fleet.recorder().history();
    if let Err(error) = cluster.stop().await {
        surprises.push(format!("at the end: {error:#}"));
    }
    let verdict = Verdict::of(&history, unsettled, surprises);
    let report = FailoverReport::new(what, &history, &marks, verdict);
    if !report.is_right() {
        cluster.keep();
    }
    Ok(report)
}

/// One fault, from its beginning until all is well again.
async fn once(fault: FailoverFault, victim: usize, cluster: &Arc<Cluster>, clock: &Recorder) -> Result<Mark> {
    let before = cluster.whole(WHOLE).await?;
    let (member, next) = (cluster.member(victim), (victim + 1) % cluster.nodes().len());
    let began = clock.now();
    let began_at = Instant::now();
    match fault {
        FailoverFault::Kill => member.kill(),
        FailoverFault::Stop => member.pause(),
        FailoverFault::Cut => cluster.links().set_both(victim, next, Way::Silent),
        FailoverFault::Rolling => {}
    }
    let watched = watch_survivors(fault, victim, before, began_at, cluster);
    if fault == FailoverFault::Rolling {
        for member in cluster.nodes() {
            member.drain().await?;
            member.start().await?;
            cluster.whole(WHOLE).await?;
        }
    }
    let moved = watched.await.context("who watched the survivors")?;
    sleep_until(began_at + fault.lasts()).await;
    let healed = clock.now();
    match fault {
        FailoverFault::Kill => member.start().await?,
        FailoverFault::Stop => {
            // Perhaps it was stopped in its turn to write, and killed for that.
            if !member.resume() {
                member.start().await?;
            }
        }
        FailoverFault::Cut => cluster.links().set_all_of(victim, Way::Clear),
        FailoverFault::Rolling => {}
    }
    let whole = cluster.whole(WHOLE).await?;
    if fault == FailoverFault::Cut && whole.epoch != before.epoch {
        bail!("a cut link changed the view from {before} to {whole}");
    }
    Ok(Mark { victim, began, moved, healed, whole: clock.now() })
}

/// When each survivor has had a view without the victim, since the fault began: the last of them.
fn watch_survivors(
    fault: FailoverFault,
    victim: usize,
    before: View,
    began: Instant,
    cluster: &Arc<Cluster>,
) -> JoinHandle<Option<Duration>> {
    let cluster = cluster.clone();
    tokio::spawn(async move {
        if !fault.removes() {
            return None;
        }
        let survivors = cluster.nodes().iter().enumerate().filter(|(place, _)| *place != victim);
        let moved = survivors.map(|(_, member)| moved(member, before, began, fault.lasts()));
        join_all(moved).await.into_iter().collect::<Option<Vec<_>>>()?.into_iter().max()
    })
}

async fn moved(member: &Member, before: View, began: Instant, within: Duration) -> Option<Duration> {
    let look = async {
        loop {
            if let Some(view) = member.view().await
                && view.epoch > before.epoch
                && view.members < before.members
            {
                return began.elapsed();
            }
            sleep(LOOK_EVERY).await;
        }
    };
    timeout(within, look).await.ok()
}

/// Lets clients write until it is over.
async fn write(fleet: Arc<Fleet>, people: Arc<[Account]>, load: Load, over: Arc<AtomicBool>) {
    let begin = Instant::now();
    for (number, sending) in load.enumerate() {
        sleep_until(begin + sending.at).await;
        if over.load(Ordering::Relaxed) {
            return;
        }
        let to = people[sending.to].user;
        let conversation = ConversationId::direct(fleet.user(sending.client), to);
        let mut body = format!("{number}/").into_bytes();
        body.resize(BODY_BYTES, b'.');
        // A full outbox is an answer like any other; nothing was taken then. Clients are never stopped here, so this
        // does not wait.
        let _ = fleet.clients()[sending.client].send(conversation, body).await;
    }
}

/// Of each message.
const BODY_BYTES: usize = 64;
