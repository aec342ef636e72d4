//! How a conversation is listed, and what of it is hidden: the user's devices learn it, and nobody else.

use std::time::Duration;

use rookery_protocol::{ConversationId, ConversationSettings, ErrorCode, GroupChange, Seq, Shown, limits};

use super::{refusal, seqs};
use crate::client::{Client, direct, user, who};
use crate::node::Node;

fn muted() -> ConversationSettings {
    ConversationSettings { muted_until_ms: u64::MAX, archived: true, ..ConversationSettings::default() }
}

/// Alice, on two devices, has said so many things to Bob, and all have taken them.
async fn scene(messages: u64) -> (Node, Client, Client, Client, ConversationId) {
    let node = Node::start().await;
    let (mut alice, mut laptop) = (node.join(who(1, 1)).await, node.join(who(1, 2)).await);
    let mut bob = node.join(who(2, 1)).await;
    for _ in 0..messages {
        alice.say(direct(1, 2), "x").await;
        for client in [&mut alice, &mut laptop, &mut bob] {
            client.take_message().await;
        }
        alice.take_receipt().await;
        laptop.take_receipt().await;
    }
    (node, alice, laptop, bob, direct(1, 2))
}

#[tokio::test(start_paused = true)]
async fn all_devices_of_the_user_learn_how_a_conversation_is_listed() {
    let (node, mut alice, mut laptop, mut bob, ours) = scene(1).await;
    alice.set_conversation(ours, muted()).await.unwrap();
    let shown = Shown { conversation: ours, settings: Some(muted()), up_to: Seq::ZERO, seqs: vec![] };
    assert_eq!(alice.take_shown().await, shown);
    assert_eq!(laptop.take_shown().await, shown);
    // Once more, and nothing has changed.
    alice.set_conversation(ours, muted()).await.unwrap();
    let quiet = Duration::from_secs(5);
    for client in [&mut alice, &mut laptop, &mut bob] {
        client.quiet_for(quiet).await;
    }
    drop(node);
}

#[tokio::test(start_paused = true)]
async fn all_devices_of_the_user_learn_what_is_hidden() {
    let (_node, mut alice, mut laptop, mut bob, ours) = scene(6).await;
    let shown = |up_to, hidden: &[u64]| Shown {
        conversation: ours,
        settings: None,
        up_to: Seq::new(up_to),
        seqs: seqs(hidden),
    };
    alice.hide(ours, 2, &[5, 4, 5, 1]).await.unwrap();
    assert_eq!(laptop.take_shown().await, shown(2, &[4, 5]));
    // Only what is new is told.
    alice.hide(ours, 1, &[4, 6]).await.unwrap();
    assert_eq!(laptop.take_shown().await, shown(0, &[6]));
    alice.hide(ours, 1_000, &[]).await.unwrap();
    assert_eq!(laptop.take_shown().await, shown(6, &[]), "beyond the head is up to it");
    alice.hide(ours, 6, &[3]).await.unwrap();
    laptop.quiet_for(Duration::from_secs(5)).await;
    bob.quiet_for(Duration::from_secs(5)).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_neither_listed_nor_hidden() {
    let (_node, mut alice, _laptop, mut bob, ours) = scene(2).await;
    let group = bob.create([3]).await;
    let nothing = "there is nothing in this conversation";
    let stranger = "not a member of this group, or there is none";
    let no_message = "there is no such message, or it has been deleted, or is itself a change of something";
    let amount = "name at most 256 messages to hide, and at least one";
    for (conversation, code, text) in [
        (direct(1, 3), ErrorCode::NotFound, nothing),
        (direct(1, 99), ErrorCode::NotFound, nothing),
        (direct(2, 3), ErrorCode::NotMember, stranger),
        (ConversationId::group(group), ErrorCode::NotMember, stranger),
    ] {
        assert_eq!(alice.set_conversation(conversation, muted()).await, refusal(code, text));
        assert_eq!(alice.hide(conversation, 1, &[]).await, refusal(code, text));
    }
    for hidden in [&[0][..], &[3], &[1, u64::MAX]] {
        assert_eq!(alice.hide(ours, 1, hidden).await, refusal(ErrorCode::NotFound, no_message), "{hidden:?}");
    }
    let many: Vec<u64> = (0..=limits::HIDE_MAX as u64).collect();
    for hidden in [&[][..], &many] {
        assert_eq!(alice.hide(ours, 0, hidden).await, refusal(ErrorCode::BadRequest, amount));
    }
    alice.quiet_for(Duration::from_secs(5)).await;
}

#[tokio::test(start_paused = true)]
async fn members_and_former_members_of_a_group_hide_what_they_may_see() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let group = alice.create([3]).await;
    let all = ConversationId::group(group);
    alice.say(all, "before").await;
    alice.change(group, GroupChange::Added(vec![user(2)])).await.unwrap();
    alice.change(group, GroupChange::Removed(vec![user(2)])).await.unwrap();
    alice.say(all, "after").await;
    let no_message = "there is no such message, or it has been deleted, or is itself a change of something";
    for seq in [2, 5] {
        assert_eq!(bob.hide(all, 0, &[seq]).await, refusal(ErrorCode::NotFound, no_message), "{seq}");
    }
    bob.hide(all, 0, &[3]).await.unwrap();
    bob.hide(all, 5, &[]).await.unwrap();
    bob.set_conversation(all, muted()).await.unwrap();
    for _ in 0..2 {
        bob.take_message().await;
    }
    let shown = [bob.take_shown().await, bob.take_shown().await, bob.take_shown().await];
    assert_eq!(shown.map(|shown| (shown.up_to.get(), shown.seqs.len())), [(0, 1), (4, 0), (0, 0)]);
}
