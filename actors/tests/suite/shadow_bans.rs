//! What a shadow-banned user sends looks sent to that user, and is nowhere for others.

use std::time::Duration;

use rookery_store::ops::SetStanding;

use crate::client::{direct, user, who};
use crate::node::Node;

async fn ban(node: &Node, number: u64, is_shadow_banned: bool) {
    let op = SetStanding { user: user(number), is_unlimited: None, is_shadow_banned: Some(is_shadow_banned) };
    let changed = node.store.submit(&number, op).await.unwrap().answer.unwrap();
    assert_eq!(changed, Some(true));
}

#[tokio::test(start_paused = true)]
async fn only_the_sender_sees_what_a_shadow_banned_user_sends() {
    let node = Node::start().await;
    let (mut alice, mut tablet) = (node.join(who(1, 1)).await, node.join(who(1, 2)).await);
    let mut bob = node.join(who(2, 1)).await;
    let both = direct(1, 2);
    // At once, also on connections that are there.
    ban(&node, 1, true).await;
    assert_eq!(alice.say(both, "spam").await.get(), 1);
    assert_eq!(tablet.take_message().await.message.body.unwrap().as_bytes(), "spam");
    bob.quiet_for(Duration::from_secs(40)).await;
    assert_eq!(bob.say(both, "hello").await.get(), 2);
    assert_eq!(bob.take_message().await.message.seq.get(), 2);

    let bobs = bob.history(both, 1, 2).await.unwrap();
    let seqs = |page: &rookery_protocol::HistoryPage| -> Vec<u64> {
        page.messages.iter().map(|message| message.seq.get()).collect()
    };
    assert_eq!((seqs(&bobs), bobs.next.get()), (vec![2], 3), "whoever misses it learns that it is not there");
    assert_eq!(seqs(&alice.history(both, 1, 2).await.unwrap()), [1, 2]);

    ban(&node, 1, false).await;
    assert_eq!(alice.say(both, "sorry").await.get(), 3);
    assert_eq!(bob.take_message().await.message.seq.get(), 3);
    assert_eq!(seqs(&bob.history(both, 1, 3).await.unwrap()), [2, 3], "what was sent meanwhile stays unseen");
}
