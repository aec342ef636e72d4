//! Carries out a plan on a cluster, heals everything, waits for rest, and judges.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rookery_client::{ConversationId, GroupChange, GroupId, UserId};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::faults::{Outcome, Scene};
use super::groups::AT_ONCE_MAX;
use super::{
    ClientStrike, ClusterPlan, ClusterReport, Deliveries, Gathering, GroupAct, GroupLoad, Kind, Load,
    Sending, Span, Strike, Timeline,
};
use crate::chaos::saying::words;
use crate::chaos::{Aside, ClientFault, Watch};
use crate::cluster::{Cluster, ClusterConfig, View};
use crate::fleet::{Fleet, HowStopped, Networks};
use crate::{Account, HowCut, NodeConfig, accounts};

/// Between heartbeats: three missed are soon noticed, and a machine that is busy with tests still keeps them.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// How long a healed fleet may take to rest: the longest wait before a reconnect, and some for what is left to do.
const REST: Duration = Duration::from_secs(180);

/// How long nodes may take to see each other again once nothing stands in their way.
const HEALED: Duration = Duration::from_secs(30);

/// Between two looks at the nodes' views.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Room for the data of the largest run on a disk of its own.
const DISK_BYTES: u64 = 6 << 30;

/// How long a client is away that has crashed when it changed a group.
const CRASHED: Duration = Duration::from_millis(500);

/// Carries out a plan on a cluster of its own.
///
/// # Errors
/// When something fails that is not under test. What is under test is in the report.
pub async fn run(plan: &ClusterPlan, watch: &impl Watch) -> Result<ClusterReport> {
    watch.phase("starting the nodes");
    let needs = |kind| plan.strikes.iter().any(|strike| strike.fault.kind() == kind);
    let config = ClusterConfig {
        nodes: plan.shape.nodes,
        spares: usize::from(needs(Kind::JoinedMeanwhile)),
        links_can_fail: true,
        disk_bytes: needs(Kind::DiskFull).then_some(DISK_BYTES),
        clocks_can_shift: needs(Kind::ClockJumped),
        node: NodeConfig {
            heartbeat: HEARTBEAT,
            connection_idle: Duration::from_millis(700),
            session_idle: Duration::from_millis(500),
            ..NodeConfig::default()
        },
    };
    let cluster = Arc::new(Cluster::start(config).await?);
    let report = storm(plan, &cluster, watch).await;
    if !report.as_ref().is_ok_and(|report| report.verdict.is_good()) {
        cluster.keep();
    }
    report
}

async fn storm(plan: &ClusterPlan, cluster: &Arc<Cluster>, watch: &impl Watch) -> Result<ClusterReport> {
    watch.phase("adding users");
    let names: Vec<String> = (0..plan.devices.len()).map(|index| format!("user-{index}")).collect();
    let wanted: Vec<_> = names.iter().map(String::as_str).zip(plan.devices.iter().copied()).collect();
    let people: Arc<[Account]> = accounts(&**cluster, &wanted).await.context("users and tokens")?.into();
    watch.phase("starting the clients");
    let fleet = Arc::new(Fleet::new(&**cluster, &people, plan.seed, Networks::Bad).await?);
    fleet.start_all().await?;
    let timeline = Timeline::new(fleet.recorder().clone(), fleet.clients().len());
    let mut gatherings = plan.group_load();
    let groups = if plan.shape.groups > 0 {
        watch.phase("making groups");
        make_groups(&fleet, &people, &gatherings.first()).await?
    } else {
        Vec::new()
    };

    watch.phase("the storm");
    let begin = Beginning { at: Instant::now(), storm: plan.shape.storm };
    let scene = Scene { cluster: cluster.clone(), timeline: timeline.clone() };
    let mut beside = JoinSet::new();
    beside.spawn(write(fleet.clone(), people.clone(), plan.load(), begin));
    beside.spawn(stand_aside(fleet.clone(), people.clone(), plan.asides(), begin));
    if plan.shape.groups > 0 {
        let suffering = plan.shape.clients_suffer.then(|| timeline.clone());
        beside.spawn(gather(fleet.clone(), people, groups, gatherings, suffering, begin));
    }
    beside.spawn(trouble_clients(fleet.clone(), timeline.clone(), plan.client_strikes.clone(), begin));
    let views = tokio::spawn(watch_views(cluster.clone(), timeline.clone()));
    let stormed = strike(plan, &scene, begin, watch).await;
    while let Some(ended) = beside.join_next().await {
        ended.context("what goes on beside faults panicked")?;
    }
    stormed?;
    let over = timeline.now();

    watch.phase("healing");
    scene.restore().await?;
    for client in fleet.clients() {
        client.network().heal();
        client.start().await?;
    }
    if let Err(error) = cluster.whole(HEALED).await {
        timeline.surprise(format!("after healing: {error:#}"));
    }
    timeline.note("healed");
    let healed = Instant::now();
    watch.phase("coming to rest");
    let unsettled = fleet.settle(REST).await.err();
    let rested = healed.elapsed();
    timeline.note("at rest");
    if unsettled.is_none() {
        watch.phase("asking what was said");
        fleet.recall_everything().await.into_iter().for_each(|problem| timeline.surprise(problem));
        timeline.note("all clients have asked what was said");
    }

    watch.phase("judging");
    fleet.close().await;
    views.abort();
    let history = fleet.recorder().history();
    if let Err(error) = cluster.stop().await {
        timeline.surprise(format!("at the end: {error:#}"));
    }
    for member in cluster.members() {
        let log = member.log();
        for line in log.lines().filter(|line| line.contains("panicked at")).take(3) {
            timeline.surprise(format!("{}: {line}", member.name()));
        }
    }
    let deliveries = Deliveries::of(&history, &timeline.troubles());
    Ok(ClusterReport::new(plan, &history, deliveries, &timeline, over, rested, unsettled))
}

/// When a storm began, and for how long it is to go on.
#[derive(Debug, Clone, Copy)]
struct Beginning {
    at: Instant,
    storm: Duration,
}

/// Lets nodes' faults happen, one after the other.
async fn strike(plan: &ClusterPlan, scene: &Scene, begin: Beginning, watch: &impl Watch) -> Result<()> {
    for (done, Strike { at, fault }) in plan.strikes.iter().enumerate() {
        watch.steps(done, plan.strikes.len());
        scene.guard(begin.at + *at).await?;
        if begin.at.elapsed() >= begin.storm {
            scene.timeline.note(format!("no time left for {} faults", plan.strikes.len() - done));
            break;
        }
        watch.phase(&fault.to_string());
        let began = scene.timeline.now();
        scene.timeline.note(format!("> {fault}"));
        match scene.inflict(fault).await {
            Ok(Outcome::Skipped(why)) => {
                scene.timeline.note(format!("skipped: {fault}: {why}"));
                continue;
            }
            Ok(Outcome::Done) => {}
            Err(error) => scene.timeline.surprise(format!("{fault}: {error:#}")),
        }
        scene.restore().await?;
        let healed = scene.timeline.now();
        let whole = match scene.cluster.whole(HEALED).await {
            Ok(view) => {
                scene.timeline.note(format!("< {}: {view}", fault.kind().name()));
                Some(scene.timeline.now())
            }
            Err(error) => {
                scene.timeline.surprise(format!("after {fault}: {error:#}"));
                None
            }
        };
        scene.timeline.span(Span { fault: fault.clone(), began, healed, whole });
    }
    watch.phase("the last of the storm");
    scene.guard(begin.at + begin.storm).await?;
    watch.steps(plan.strikes.len(), plan.strikes.len());
    Ok(())
}

/// Lets clients write until the storm is over.
async fn write(fleet: Arc<Fleet>, people: Arc<[Account]>, load: Load, begin: Beginning) {
    let mut sending = JoinSet::new();
    let load = load.take_while(|it| it.at < begin.storm);
    for (number, Sending { at, client, to, saying, bytes }) in load.enumerate() {
        sleep_until(begin.at + at).await;
        while sending.try_join_next().is_some() {}
        let conversation = ConversationId::direct(fleet.user(client), people[to].user);
        let words = words(format!("{number}/{client}/"), bytes);
        let fleet = fleet.clone();
        sending.spawn(async move { saying.say(&fleet, client, conversation, words).await });
    }
    while sending.join_next().await.is_some() {}
}

/// Makes the groups that there are at first; as many requests for each as it takes.
async fn make_groups(
    fleet: &Fleet,
    people: &[Account],
    wanted: &[(usize, Vec<usize>)],
) -> Result<Vec<GroupId>> {
    let mut groups = Vec::new();
    for (number, (client, members)) in wanted.iter().enumerate() {
        let client = &fleet.clients()[*client];
        let members: Vec<UserId> = members.iter().map(|user| people[*user].user).collect();
        let mut some = members.chunks(AT_ONCE_MAX);
        let first = some.next().unwrap_or_default().to_vec();
        let made = client.create_group(&format!("group {number}"), first).await;
        let group = made.group().with_context(|| format!("group {number} was not made: {made:?}"))?;
        for more in some {
            let added = client.change_group(group, GroupChange::Added(more.to_vec())).await;
            added.group().with_context(|| format!("group {number} did not grow: {added:?}"))?;
        }
        groups.push(group);
    }
    Ok(groups)
}

/// Lets clients say and change things in groups until the storm is over; with somewhere to note it, some crash at it.
async fn gather(
    fleet: Arc<Fleet>,
    people: Arc<[Account]>,
    groups: Vec<GroupId>,
    load: GroupLoad,
    suffering: Option<Timeline>,
    begin: Beginning,
) {
    // Groups made in the storm have their numbers when the answer comes; nothing is said in them before.
    let made: Arc<Mutex<BTreeMap<usize, GroupId>>> =
        Arc::new(Mutex::new(groups.into_iter().enumerate().collect()));
    let mut under_way = JoinSet::new();
    let doings = load.take_while(|it| it.at < begin.storm);
    for (number, Gathering { at, group, client, act, crashes }) in doings.enumerate() {
        sleep_until(begin.at + at).await;
        while under_way.try_join_next().is_some() {}
        let known = made.lock().await.get(&group).copied();
        let users = |places: &[usize]| places.iter().map(|user| people[*user].user).collect::<Vec<_>>();
        let (fleet, made) = (fleet.clone(), made.clone());
        match (act, known) {
            (GroupAct::Make(members), _) => {
                let members = users(&members);
                under_way.spawn({
                    let fleet = fleet.clone();
                    async move {
                        let name = format!("group {group}");
                        let answer = fleet.clients()[client].create_group(&name, members).await;
                        if let Some(id) = answer.group() {
                            made.lock().await.insert(group, id);
                        }
                    }
                });
            }
            (_, None) => continue,
            (GroupAct::Say { saying, bytes }, Some(id)) => {
                let words = words(format!("{number}/{client}/{group}/"), bytes);
                let place = ConversationId::group(id);
                under_way.spawn(async move { saying.say(&fleet, client, place, words).await });
                continue;
            }
            (GroupAct::Change(change), Some(id)) => {
                let change = change.of(users);
                let fleet = fleet.clone();
                under_way.spawn(async move { _ = fleet.clients()[client].change_group(id, change).await });
            }
        }
        if let Some((after, timeline)) = crashes.zip(suffering.clone()) {
            under_way.spawn(async move {
                sleep(after).await;
                let since = timeline.now();
                let crash = ClientFault::Restart { how: HowStopped::Crashed, down: CRASHED };
                crash.befall(&fleet.clients()[client]).await;
                timeline.trouble(client, since, timeline.now() + felt(crash));
            });
        }
    }
    while under_way.join_next().await.is_some() {}
}

/// Lets clients do what else they do.
async fn stand_aside(fleet: Arc<Fleet>, people: Arc<[Account]>, asides: Vec<Aside>, begin: Beginning) {
    let mut under_way = JoinSet::new();
    for Aside { at, client, act } in asides {
        sleep_until(begin.at + at).await;
        while under_way.try_join_next().is_some() {}
        let (fleet, people) = (fleet.clone(), people.clone());
        under_way.spawn(async move { act.perform(&fleet, client, |user| people[user].user).await });
    }
    while under_way.join_next().await.is_some() {}
}

/// Lets clients have troubles of their own.
async fn trouble_clients(
    fleet: Arc<Fleet>,
    timeline: Timeline,
    strikes: Vec<ClientStrike>,
    begin: Beginning,
) {
    let mut befalling = JoinSet::new();
    for ClientStrike { at, client, fault } in strikes {
        sleep_until(begin.at + at).await;
        while befalling.try_join_next().is_some() {}
        let (fleet, timeline) = (fleet.clone(), timeline.clone());
        befalling.spawn(async move {
            let since = timeline.now();
            fault.befall(&fleet.clients()[client]).await;
            timeline.trouble(client, since, timeline.now() + felt(fault));
        });
    }
    while let Some(ended) = befalling.join_next().await {
        ended.expect("a client's fault does not panic");
    }
}

/// How long a client may feel its fault after its end: until it has noticed and is back.
fn felt(fault: ClientFault) -> Duration {
    match fault {
        ClientFault::Cut(cut) if cut.how == HowCut::HalfOpen || cut.after_bytes > 0 => 5 * HEARTBEAT,
        _ => Duration::from_secs(5),
    }
}

/// Notes what the nodes believe, whenever it changes.
async fn watch_views(cluster: Arc<Cluster>, timeline: Timeline) {
    let mut before: Vec<Option<View>> = vec![None; cluster.members().len()];
    loop {
        for (member, before) in cluster.members().iter().zip(&mut before) {
            let seen = if member.is_running() { timeout(LOOK_EVERY, member.view()).await } else { Ok(None) };
            if let Ok(Some(view)) = seen
                && before.replace(view) != Some(view)
            {
                timeline.note(format!("{} sees {view}", member.name()));
            }
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Writes everything about a run into a directory.
///
/// # Errors
/// When a file cannot be written.
pub(super) fn write_files(directory: &Path, files: &[(&str, String)]) -> Result<()> {
    std::fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    for (name, text) in files {
        let file = directory.join(name);
        std::fs::write(&file, text).with_context(|| file.display().to_string())?;
    }
    Ok(())
}
