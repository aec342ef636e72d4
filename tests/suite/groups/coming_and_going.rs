//! Members come and go while a node dies and comes back.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rookery_client::{GroupChange, UserId};
use rookery_tests::deadline::wait_until;
use rookery_tests::fleet::Fleet;
use rookery_tests::seed::seed;
use tokio::time::sleep;

use super::{REST, all_right, done, people, say, three_nodes};
use crate::cluster::turn;

/// Who stay; the others come and go.
const STAY: usize = 3;

/// Changes before each thing that happens to a node, and after the last: on a slow machine as many as on a quick one.
const CHANGES: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn while_a_node_is_killed_members_come_and_go_and_everybody_has_what_is_theirs() {
    let _turn = turn().await;
    let seed = seed(1);
    let cluster = three_nodes().await;
    let people = people(&cluster, &[1, 1, 2, 1, 2, 1, 1, 1]).await;
    let fleet = Fleet::start(&cluster, &people, seed).await.unwrap();
    let users: Vec<UserId> = people.iter().map(|account| account.user).collect();
    // The first client of each user.
    let clients: Vec<usize> =
        (0..fleet.clients().len()).filter(|at| *at == 0 || fleet.user(*at) != fleet.user(*at - 1)).collect();
    let group = done(&fleet.clients()[0].create_group("birds", users[1..5].to_vec()).await);
    // Without other admins whoever founded it could not be spared.
    let promoted =
        fleet.clients()[0].change_group(group, GroupChange::Promoted(users[1..STAY].to_vec())).await;
    done(&promoted);

    let (is_over, changes) = (AtomicBool::new(false), AtomicUsize::new(0));
    let comings = async {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut number = 0;
        while !is_over.load(Ordering::Relaxed) {
            let (admin, user) = (rng.random_range(0..STAY), rng.random_range(STAY..users.len()));
            let (by, change) = match rng.random_range(0..5) {
                0 | 1 => (admin, GroupChange::Added(vec![users[user]])),
                2 => (admin, GroupChange::Removed(vec![users[user]])),
                3 => (user, GroupChange::Left { successor: None }),
                _ => (admin, GroupChange::Named(format!("birds {number}"))),
            };
            // Some find nothing to do, and some are on their way when the node dies.
            let answer = fleet.clients()[clients[by]].change_group(group, change).await;
            changes.fetch_add(usize::from(answer.group().is_some()), Ordering::Relaxed);
            number += 1;
            sleep(Duration::from_millis(5)).await;
        }
    };
    let talk = async {
        let mut number = 0;
        while !is_over.load(Ordering::Relaxed) {
            say(&fleet, &clients, group, &format!("message {number}")).await;
            number += 1;
            sleep(Duration::from_millis(50)).await;
        }
    };
    let more_changes = async || {
        let enough = changes.load(Ordering::Relaxed) + CHANGES;
        let look = async || (changes.load(Ordering::Relaxed) >= enough).then_some(());
        wait_until("members have come and gone", REST, look).await.unwrap();
    };
    let mishap = async {
        for node in [1, 0] {
            more_changes().await;
            cluster.member(node).kill();
            more_changes().await;
            cluster.member(node).start().await.unwrap();
        }
        more_changes().await;
        is_over.store(true, Ordering::Relaxed);
    };
    tokio::join!(comings, talk, mishap);
    all_right(&fleet).await;
    cluster.stop().await.unwrap();
}
