//! Carries out a plan, makes everything well, waits for rest, and judges.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use rookery_client::UserId;
use rookery_tests::chaos::ClientFault;
use rookery_tests::fleet::Fleet;
use rookery_tests::{HowCut, Verdict};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::plan::{Plan, Timed};
use crate::trace::{Line, Trace};
use crate::world::World;
use crate::{judge, load, prompt};

/// How long a healed world may take to rest: the longest wait before a reconnect, and some for what is left to do.
const REST: Duration = Duration::from_secs(240);

/// How long what is under way when a storm ends may take to end.
const AFTERWARDS: Duration = Duration::from_secs(120);

/// Between two looks at which nodes are members.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Between two looks at which views nodes go by: less than it takes one that is behind to hear of it.
const LOOK_AT_VIEWS_EVERY: Duration = Duration::from_millis(20);

/// From when to when there was a trouble.
type Spans = Arc<Mutex<Vec<(Duration, Duration)>>>;

/// Surprises of one kind that are named.
const EXAMPLES: usize = 5;

/// How a run went.
#[derive(Debug)]
pub struct Report {
    /// A number that differs where runs differ.
    pub digest: u64,
    /// How many steps the world took.
    pub steps: u64,
    /// How long it lasted, in its own time.
    pub lasted: Duration,
    /// Messages that were accepted, and hand-ups.
    pub messages: (usize, usize),
    /// What there is to say against it.
    pub verdict: Verdict,
    /// What happened, for people.
    pub lines: Vec<Line>,
}

/// Lets a plan happen.
///
/// # Errors
/// When something fails that is not under test.
pub async fn run(plan: Plan, trace: Trace, panics: &dyn Fn() -> Vec<String>) -> Result<Report> {
    let world = Arc::new(World::new(plan.seed, &plan.nature, trace.clone()));
    let (users, fleet) = world.people(&plan.devices, plan.seed).await?;
    let (users, fleet): (Arc<[UserId]>, _) = (users.into(), Arc::new(fleet));
    for node in plan.regular() {
        world.start(node).await;
    }
    fleet.start_all().await?;
    let groups = load::make_groups(&fleet, &users, &plan.groups).await?;
    trace.say(format!(
        "the storm begins: {} nodes, {} of them spare, {} users with {} devices, {} groups",
        plan.nature.nodes,
        plan.spares,
        users.len(),
        fleet.clients().len(),
        groups.len()
    ));

    let began = Instant::now();
    let regular = plan.regular();
    let storm = plan.storm;
    let mut beside = JoinSet::new();
    beside.spawn(load::carry_out(fleet.clone(), users.clone(), groups, plan.doings, began));
    let troubled = Spans::default();
    beside.spawn(trouble_nodes(
        world.clone(),
        users.clone(),
        plan.troubles,
        trace.clone(),
        troubled.clone(),
        began,
    ));
    let silent = gone_silent(&plan.faults, trace.now());
    beside.spawn(trouble_clients(fleet.clone(), plan.faults, trace.clone(), began));
    let noticed = Noticed { trace: trace.clone(), all: Arc::default() };
    let mut watching = JoinSet::new();
    watching.spawn(watch_the_healthy(world.clone(), noticed.clone()));
    watching.spawn(watch_the_views(world.clone(), noticed.clone()));
    sleep_until(began + storm).await;
    let mut surprises = Vec::new();
    trace.say("the storm is over");
    world.heal(&regular).await;
    fleet.clients().iter().for_each(|client| client.network().heal());
    let ended = timeout(AFTERWARDS, async {
        while let Some(ended) = beside.join_next().await {
            if let Err(error) = ended {
                surprises.push(format!("what goes on beside panicked: {error}"));
            }
        }
    });
    if ended.await.is_err() {
        surprises
            .push(format!("what was under way at the end of the storm was not over {AFTERWARDS:?} later"));
    }
    world.heal(&regular).await;
    for client in fleet.clients() {
        client.network().heal();
        client.start().await?;
    }
    trace.say("healed");
    let unsettled = fleet.settle(REST).await.err();
    trace.say("clients have come to rest");
    // What retention has removed nobody can be told any more.
    if unsettled.is_none() && plan.nature.age_max.is_none() {
        surprises.extend(fleet.recall_everything().await);
    }
    surprises.extend(judge::at_rest(&world, &fleet, &users, &trace).await?);
    trace.say("judged");
    watching.shutdown().await;
    surprises.extend(noticed.take());
    fleet.close().await;
    let history = fleet.recorder().history();
    for entry in &history.entries {
        trace.step("client", "", format!("{:?} {} {:?}", entry.at, entry.client, entry.what).as_bytes());
    }
    let spans = std::mem::take(&mut *troubled.lock().expect("nothing panics while it holds this lock"));
    surprises
        .extend(prompt::late(&history, &spans, &silent, plan.nature.patience()).into_iter().take(EXAMPLES));
    surprises.extend(panics());
    let accepted = history.count(|what| matches!(what, rookery_tests::history::What::Accepted { .. }));
    let handed = history.handed().count();
    Ok(Report {
        digest: trace.digest(),
        steps: trace.steps(),
        lasted: trace.now(),
        messages: (accepted, handed),
        verdict: Verdict::of(&history, unsettled, surprises),
        lines: trace.lines(),
    })
}

/// What was seen to be wrong while a world went on.
#[derive(Clone)]
struct Noticed {
    trace: Trace,
    all: Arc<Mutex<Vec<String>>>,
}

impl Noticed {
    fn say(&self, said: String) {
        self.trace.say(said.clone());
        self.all.lock().expect("nothing panics while it holds this lock").push(said);
    }

    /// The first ones.
    fn take(&self) -> Vec<String> {
        let mut all = std::mem::take(&mut *self.all.lock().expect("nothing panics while it holds this lock"));
        all.truncate(EXAMPLES);
        all
    }
}

/// Looks whether nodes stay members to which nothing has happened.
async fn watch_the_healthy(world: Arc<World>, noticed: Noticed) {
    let mut before = BTreeMap::new();
    loop {
        sleep(LOOK_EVERY).await;
        let now = world.healthy().await;
        for (node, was) in &before {
            if let Some(is) = now.get(node).filter(|is| *is != was) {
                noticed.say(format!("{was} was removed though nothing had happened to it, and is {is}"));
            }
        }
        before = now;
    }
}

/// Looks whether nodes go back to a view that they had left behind.
async fn watch_the_views(world: Arc<World>, noticed: Noticed) {
    let mut latest: BTreeMap<usize, u64> = BTreeMap::new();
    loop {
        sleep(LOOK_AT_VIEWS_EVERY).await;
        for (node, epoch) in world.epochs() {
            let latest = latest.entry(node).or_default();
            if epoch < *latest {
                let node = world.name(node);
                noticed.say(format!("{node} went back from the view of epoch {latest} to that of {epoch}"));
            }
            *latest = epoch;
        }
    }
}

/// Which clients' connections go silent, and when: such a client believes for a while that it has one.
fn gone_silent(faults: &[Timed<(usize, ClientFault)>], began: Duration) -> Vec<(Duration, usize)> {
    let is_silent =
        |fault: &ClientFault| matches!(fault, ClientFault::Cut(cut) if cut.how == HowCut::HalfOpen);
    faults.iter().filter(|it| is_silent(&it.what.1)).map(|it| (began + it.at, it.what.0)).collect()
}

/// Lets nodes have their troubles, several at once if it comes to that.
async fn trouble_nodes(
    world: Arc<World>,
    users: Arc<[UserId]>,
    troubles: Vec<Timed<crate::trouble::Trouble>>,
    trace: Trace,
    troubled: Spans,
    began: Instant,
) {
    let mut befalling = JoinSet::new();
    for Timed { at, what } in troubles {
        sleep_until(began + at).await;
        while befalling.try_join_next().is_some() {}
        trace.say(format!("> {what}"));
        let (world, users) = (world.clone(), users.clone());
        let (troubled, trace) = (troubled.clone(), trace.clone());
        befalling.spawn(async move {
            let from = trace.now();
            what.befall(&world, &users).await;
            troubled.lock().expect("nothing panics while it holds this lock").push((from, trace.now()));
        });
    }
    while befalling.join_next().await.is_some() {}
}

/// Lets clients have troubles of their own.
async fn trouble_clients(
    fleet: Arc<Fleet>,
    faults: Vec<Timed<(usize, ClientFault)>>,
    trace: Trace,
    began: Instant,
) {
    let mut befalling = JoinSet::new();
    for Timed { at, what: (client, fault) } in faults {
        sleep_until(began + at).await;
        while befalling.try_join_next().is_some() {}
        trace.say(format!("  client {client}: {fault:?}"));
        let fleet = fleet.clone();
        befalling.spawn(async move { fault.befall(&fleet.clients()[client]).await });
    }
    while befalling.join_next().await.is_some() {}
}
