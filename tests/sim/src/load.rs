//! What clients say and do, at its times.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use rookery_client::{ConversationId, GroupId, UserId};
use rookery_tests::chaos::{ClientFault, Gathering, GroupAct, Saying, Sending, words};
use rookery_tests::fleet::{Fleet, HowStopped};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::plan::{Doing, Timed};

/// How long a client is away that has crashed when it changed a group.
const CRASHED: Duration = Duration::from_millis(500);

/// Makes the groups that there are at first.
///
/// # Errors
/// When one is not made.
pub(crate) async fn make_groups(
    fleet: &Fleet,
    users: &[UserId],
    wanted: &[(usize, Vec<usize>)],
) -> Result<Vec<GroupId>> {
    let mut groups = Vec::new();
    for (number, (client, members)) in wanted.iter().enumerate() {
        let members = members.iter().map(|user| users[*user]).collect();
        let made = fleet.clients()[*client].create_group(&format!("group {number}"), members).await;
        groups.push(made.group().with_context(|| format!("group {number} was not made: {made:?}"))?);
    }
    Ok(groups)
}

/// Lets clients say and do what is planned. Ends when all of it has had its answer, or has been given up.
pub(crate) async fn carry_out(
    fleet: Arc<Fleet>,
    users: Arc<[UserId]>,
    groups: Vec<GroupId>,
    doings: Vec<Timed<Doing>>,
    began: Instant,
) {
    // Groups made in the storm have their numbers when the answer comes; nothing is said in them before.
    let made: Arc<Mutex<BTreeMap<usize, GroupId>>> =
        Arc::new(Mutex::new(groups.into_iter().enumerate().collect()));
    let mut under_way = JoinSet::new();
    for (number, Timed { at, what }) in doings.into_iter().enumerate() {
        sleep_until(began + at).await;
        while under_way.try_join_next().is_some() {}
        match what {
            Doing::Aside(client, act) => {
                let (fleet, users) = (fleet.clone(), users.clone());
                under_way.spawn(async move { act.perform(&fleet, client, |user| users[user]).await });
            }
            Doing::Sending(Sending { client, to, saying, bytes, .. }) => {
                let conversation = ConversationId::direct(fleet.user(client), users[to]);
                let words = words(format!("{number}/{client}/"), bytes);
                say(&mut under_way, &fleet, client, conversation, saying, words);
            }
            Doing::Gathering(Gathering { group, client, act, crashes, .. }) => {
                let known = made.lock().await.get(&group).copied();
                let of = |places: &[usize]| places.iter().map(|user| users[*user]).collect::<Vec<_>>();
                match (act, known) {
                    (GroupAct::Make(members), _) => {
                        let (fleet, made, members) = (fleet.clone(), made.clone(), of(&members));
                        under_way.spawn(async move {
                            let name = format!("group {group}");
                            let answer = fleet.clients()[client].create_group(&name, members).await;
                            if let Some(id) = answer.group() {
                                made.lock().await.insert(group, id);
                            }
                        });
                    }
                    (_, None) => continue,
                    (GroupAct::Say { saying, bytes }, Some(id)) => {
                        let words = words(format!("{number}/{client}/{group}/"), bytes);
                        say(&mut under_way, &fleet, client, ConversationId::group(id), saying, words);
                    }
                    (GroupAct::Change(change), Some(id)) => {
                        let (fleet, change) = (fleet.clone(), change.of(of));
                        under_way.spawn(async move {
                            fleet.clients()[client].change_group(id, change).await;
                        });
                    }
                }
                if let Some(after) = crashes {
                    let fleet = fleet.clone();
                    under_way.spawn(async move {
                        sleep(after).await;
                        let crash = ClientFault::Restart { how: HowStopped::Crashed, down: CRASHED };
                        crash.befall(&fleet.clients()[client]).await;
                    });
                }
            }
        }
    }
    while under_way.join_next().await.is_some() {}
}

fn say(
    under_way: &mut JoinSet<()>,
    fleet: &Arc<Fleet>,
    client: usize,
    conversation: ConversationId,
    saying: Saying,
    words: Vec<u8>,
) {
    let fleet = fleet.clone();
    under_way.spawn(async move { saying.say(&fleet, client, conversation, words).await });
}
