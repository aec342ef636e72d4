//! What members, later members and former members may see of a group's log.

use rookery_protocol::{ErrorCode, GroupChange, GroupSettings, HistoryPage};

use super::{of, users};
use crate::client::{Client, who};
use crate::node::Node;

fn seqs(page: &HistoryPage) -> Vec<u64> {
    page.messages.iter().map(|message| message.seq.get()).collect()
}

async fn say(client: &mut Client, group: rookery_protocol::GroupId, times: usize) {
    for _ in 0..times {
        client.say(of(group), "x").await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_joins_later_sees_nothing_from_before_unless_the_group_says_so() {
    for (backlog, first) in [(0, 7), (3, 4), (100, 1)] {
        let node = Node::start().await;
        let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
        let group = alice.create_with([3], GroupSettings { backlog, ..GroupSettings::default() }).await;
        say(&mut alice, group, 5).await;
        assert_eq!(alice.change(group, GroupChange::Added(users([2]))).await.unwrap().seq.get(), 7);
        assert_eq!(bob.take_message().await.message.seq.get(), 7, "nothing older is pushed");
        let page = bob.history(of(group), 1, 100).await.unwrap();
        assert_eq!(seqs(&page), (first..=7).collect::<Vec<_>>());
        assert_eq!((page.head.get(), page.next.get()), (7, 8));
        if first > 1 {
            let before = bob.history(of(group), 1, first - 1).await.unwrap();
            assert_eq!((seqs(&before).len(), before.head.get(), before.next.get()), (0, 7, first));
        }
        let all = alice.history(of(group), 1, 100).await.unwrap();
        assert_eq!(seqs(&all), (1..=7).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn a_former_member_sees_everything_up_to_the_removal_and_no_head_beyond() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let group = alice.create([2, 3]).await;
    say(&mut alice, group, 3).await;
    alice.change(group, GroupChange::Removed(users([2]))).await.unwrap();
    say(&mut alice, group, 4).await;
    let page = bob.history(of(group), 2, 100).await.unwrap();
    assert_eq!((seqs(&page), page.head.get(), page.next.get()), (vec![2, 3, 4, 5], 5, 6));
    let beyond = bob.history(of(group), 6, 9).await.unwrap();
    assert_eq!((seqs(&beyond).len(), beyond.head.get(), beyond.next.get()), (0, 5, 6));
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_sees_what_any_new_member_would() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let group = alice.create([2]).await;
    bob.change(group, GroupChange::Left { successor: None }).await.unwrap();
    say(&mut alice, group, 2).await;
    alice.change(group, GroupChange::Added(users([2]))).await.unwrap();
    let page = bob.history(of(group), 1, 100).await.unwrap();
    assert_eq!((seqs(&page), page.head.get()), (vec![5], 5));
}

#[tokio::test(start_paused = true)]
async fn the_log_of_a_group_is_its_members_alone() {
    let node = Node::start().await;
    let (mut alice, mut carol) = (node.join(who(1, 1)).await, node.join(who(3, 1)).await);
    let group = alice.create([2]).await;
    let refused = carol.history(of(group), 1, 100).await.unwrap_err();
    assert_eq!(refused.known_code(), Some(ErrorCode::NotMember));
    let refused = alice.history(of(group), 2, 1).await.unwrap_err();
    assert_eq!(refused.known_code(), Some(ErrorCode::BadRequest));
}
