//! A member who is away while the group goes on, without them too.

use rookery_client::{ConversationId, GroupChange};
use rookery_tests::fleet::{Fleet, HowStopped};
use rookery_tests::history::{Client, What};

use super::{all_right, done, people, say, three_nodes};

/// Clients, one for each user.
const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;
const DAVE: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn who_was_away_gets_on_return_all_that_is_theirs_and_nothing_that_was_said_without_them() {
    let cluster = three_nodes().await;
    let people = people(&cluster, &[1; 4]).await;
    let user = |client: usize| people[client].user;
    let fleet = Fleet::start(&cluster, &people, 5).await.unwrap();
    let alice = &fleet.clients()[ALICE];
    let group = done(&alice.create_group("birds", vec![user(BOB), user(CAROL)]).await);
    say(&fleet, &[ALICE, BOB, CAROL], group, "all there").await;
    fleet.settle(super::REST).await.unwrap();

    // Carol is removed and comes back while she is away, dave joins while he is.
    fleet.clients()[CAROL].stop(HowStopped::Crashed).await;
    fleet.clients()[DAVE].stop(HowStopped::Closed).await;
    let change = async |change| done(&alice.change_group(group, change).await);
    say(&fleet, &[ALICE, BOB], group, "carol is away").await;
    wait_for(&fleet, 6).await;
    change(GroupChange::Removed(vec![user(CAROL)])).await;
    say(&fleet, &[ALICE, BOB], group, "carol is out").await;
    wait_for(&fleet, 9).await;
    change(GroupChange::Added(vec![user(DAVE), user(CAROL)])).await;
    change(GroupChange::Named("birds again".to_owned())).await;
    say(&fleet, &[BOB], group, "both are in").await;
    wait_for(&fleet, 12).await;

    fleet.clients()[CAROL].start().await.unwrap();
    fleet.clients()[DAVE].start().await.unwrap();
    say(&fleet, &[CAROL, DAVE], group, "back").await;
    all_right(&fleet).await;
    let history = fleet.recorder().history();
    let places = |client: usize| -> Vec<u64> {
        let of = history.handed().filter(|(whose, _)| *whose == Client(client));
        of.map(|(_, entry)| entry.seq.get()).collect()
    };
    assert_eq!(places(ALICE), (1..=14).collect::<Vec<_>>());
    assert_eq!(places(CAROL), [1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14]);
    assert_eq!(places(DAVE), [10, 11, 12, 13, 14]);
    assert_eq!(history.count(|what| matches!(what, What::Refused { .. } | What::Denied { .. })), 0);
    cluster.stop().await.unwrap();

    async fn wait_for(fleet: &Fleet, seq: u64) {
        rookery_tests::deadline::eventually("alice has it", async || {
            let has = |progress: &rookery_tests::history::Progress| {
                progress.positions.iter().any(|((client, at), has)| {
                    *client == Client(ALICE) && ConversationId::group_id(*at).is_some() && has.get() >= seq
                })
            };
            fleet.recorder().progress(|_, progress| has(progress)).then_some(())
        })
        .await;
    }
}
