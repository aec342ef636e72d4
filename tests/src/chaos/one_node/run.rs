//! Carries out a plan, heals everything, waits for rest, and judges.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rookery_client::ConversationId;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Action, Down, Plan, Report};
use crate::chaos::Watch;
use crate::chaos::saying::words;
use crate::fleet::{Fleet, FleetClient};
use crate::{Account, Node, NodeConfig, Verdict, accounts};

/// Between heartbeats: three missed are soon noticed, and a machine that is busy with tests still keeps them.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// How long a healed fleet may take to rest: the longest wait before a reconnect, and some for what is left to do.
const REST: Duration = Duration::from_secs(120);

/// Carries out a plan on a node of its own.
///
/// # Errors
/// When something fails that is not under test. What is under test is in the report.
///
/// # Panics
/// When the node does not start again.
pub async fn run(plan: &Plan, watch: &impl Watch) -> Result<Report> {
    watch.phase("starting the node");
    let config = NodeConfig {
        heartbeat: HEARTBEAT,
        connection_idle: Duration::from_millis(700),
        session_idle: Duration::from_millis(500),
        ..NodeConfig::default()
    };
    let node = Node::start(config).await;
    watch.phase("adding users");
    let names: Vec<String> = (0..plan.devices.len()).map(|index| format!("user-{index}")).collect();
    let wanted: Vec<_> = names.iter().map(String::as_str).zip(plan.devices.iter().copied()).collect();
    let accounts = accounts(&node, &wanted).await.context("users and tokens")?;
    let accounts: Arc<[Account]> = accounts.into();
    let fleet = Arc::new(Fleet::start(&node, &accounts, plan.seed).await?);

    watch.phase("the storm");
    let began = Instant::now();
    let mut storm = Storm { fleet, node: Arc::new(Mutex::new(node)), accounts, faults: JoinSet::new() };
    for (done, step) in plan.steps.iter().enumerate() {
        sleep_until(began + step.at).await;
        storm.begin(&step.action, done).await;
        watch.steps(done + 1, plan.steps.len());
    }
    watch.phase("healing");
    storm.heal().await?;
    let healed = Instant::now();
    watch.phase("coming to rest");
    let Storm { fleet, node, .. } = storm;
    let unsettled = fleet.settle(REST).await.err();
    let rested = healed.elapsed();
    let mut surprises = Vec::new();
    if unsettled.is_none() {
        watch.phase("asking what was said");
        surprises = fleet.recall_everything().await;
    }
    watch.phase("judging");
    fleet.close().await;
    let history = fleet.recorder().history();
    if !node.lock().await.terminate().await.is_ok_and(|status| status.success()) {
        surprises.push("the node did not stop in order at the end".to_owned());
    }
    let verdict = Verdict::of(&history, unsettled, surprises);
    Ok(Report::new(plan, &history, verdict, rested))
}

struct Storm {
    fleet: Arc<Fleet>,
    node: Arc<Mutex<Node>>,
    accounts: Arc<[Account]>,
    /// Under way.
    faults: JoinSet<()>,
}

impl Storm {
    async fn begin(&mut self, action: &Action, number: usize) {
        while self.faults.try_join_next().is_some_and(|fault| fault.is_ok()) {}
        match action.clone() {
            Action::Send { client, to, saying, bytes } => {
                let place = ConversationId::direct(self.fleet.user(client), self.accounts[to].user);
                let (fleet, words) = (self.fleet.clone(), words(format!("{number}/{client}/"), bytes));
                self.faults.spawn(async move { saying.say(&fleet, client, place, words).await });
            }
            Action::Aside { client, act } => {
                let (fleet, people) = (self.fleet.clone(), self.accounts.clone());
                self.faults.spawn(async move {
                    act.perform(&fleet, client, |user| people[user].user).await;
                });
            }
            Action::Client { client, fault } => {
                self.with(client, async move |client| fault.befall(&client).await);
            }
            Action::Node(down) => {
                let node = self.node.clone();
                self.faults.spawn(async move { take_down(&mut *node.lock().await, down).await });
            }
        }
    }

    fn with<F>(&mut self, client: usize, fault: impl FnOnce(Borrowed) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let client = Borrowed { fleet: self.fleet.clone(), client };
        self.faults.spawn(async move { fault(client).await });
    }

    /// Lets every fault end, then makes sure that nothing stands in anybody's way.
    async fn heal(&mut self) -> Result<()> {
        while let Some(fault) = self.faults.join_next().await {
            fault.context("a fault panicked")?;
        }
        for client in self.fleet.clients() {
            client.network().heal();
            client.start().await?;
        }
        Ok(())
    }
}

/// A client that a fault holds on to.
struct Borrowed {
    fleet: Arc<Fleet>,
    client: usize,
}

impl std::ops::Deref for Borrowed {
    type Target = FleetClient;

    fn deref(&self) -> &FleetClient {
        &self.fleet.clients()[self.client]
    }
}

async fn take_down(node: &mut Node, down: Down) {
    match down {
        Down::Killed(time) => {
            node.kill();
            sleep(time).await;
            node.restart().await;
        }
        Down::Paused(time) => {
            node.pause();
            sleep(time).await;
            node.resume();
        }
    }
}
