//! A large group: every member has everything, in the same order.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rookery_client::{GroupChange, UserId};
use rookery_tests::fleet::{Fleet, Networks};
use rookery_tests::history::What;
use rookery_tests::seed::seed;

use super::{all_right, done, people, say, three_nodes};
use crate::cluster::turn;

const MEMBERS: usize = 300;

/// As many as one request may name.
const AT_ONCE: usize = 256;

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_members_at_three_nodes_all_have_what_any_of_them_says() {
    let _turn = turn().await;
    let mut rng = StdRng::seed_from_u64(seed(1));
    let cluster = three_nodes().await;
    let people = people(&cluster, &[1; MEMBERS]).await;
    let fleet = Fleet::new(&cluster, &people, 1, Networks::Good).await.unwrap();
    fleet.start_all().await.unwrap();
    let users: Vec<UserId> = people.iter().map(|account| account.user).collect();
    let founder = &fleet.clients()[0];
    let group = done(&founder.create_group("everybody", users[1..AT_ONCE].to_vec()).await);
    done(&founder.change_group(group, GroupChange::Added(users[AT_ONCE..].to_vec())).await);
    for round in 0..10 {
        let speakers: Vec<usize> = (0..5).map(|_| rng.random_range(0..MEMBERS / 2)).collect();
        say(&fleet, &speakers, group, &format!("round {round}")).await;
        // Some go and come back, none of those who speak.
        let some = || users[MEMBERS / 2 + 10 * round..][..10].to_vec();
        done(&founder.change_group(group, GroupChange::Removed(some())).await);
        done(&founder.change_group(group, GroupChange::Added(some())).await);
    }
    all_right(&fleet).await;
    let history = fleet.recorder().history();
    assert_eq!(history.count(|what| matches!(what, What::Refused { .. })), 0);
    assert!(history.count(|what| matches!(what, What::Handed(_))) > 70 * (MEMBERS - 10));
    cluster.stop().await.unwrap();
}
