//! Who is typing.

use std::time::Duration;

use rookery_protocol::{ConversationId, Doing, ErrorCode, GroupChange, ServerFrame, limits};

use rookery_store::ops::SetStanding;

use super::SOON;
use crate::client::{direct, user, who};
use crate::faults::Fault;
use crate::node::Node;

#[tokio::test(start_paused = true)]
async fn those_who_have_the_conversation_open_see_it_and_nobody_else() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let (mut tablet, mut carol) = (node.join(who(1, 2)).await, node.join(who(3, 1)).await);
    for client in [&mut alice, &mut tablet, &mut bob, &mut carol] {
        client.watch(&[], &[direct(1, 2)]).await;
    }
    alice.typing(direct(1, 2), Doing::Typing).await;
    assert_eq!(bob.typed(direct(1, 2)).await, (1, Doing::Typing));
    alice.typing(direct(1, 2), Doing::Nothing).await;
    assert_eq!(bob.typed(direct(1, 2)).await, (1, Doing::Nothing));
    bob.typing(direct(1, 2), Doing::Recording).await;
    for device in [&mut alice, &mut tablet] {
        assert_eq!(device.typed(direct(1, 2)).await, (2, Doing::Recording));
    }
    // A stranger neither hears nor is heard.
    carol.typing(direct(1, 2), Doing::Typing).await;
    for client in [&mut alice, &mut tablet, &mut bob, &mut carol] {
        client.quiet_for(SOON).await;
    }
    bob.watch(&[], &[]).await;
    alice.typing(direct(1, 2), Doing::Typing).await;
    bob.quiet_for(SOON).await;
}

#[tokio::test(start_paused = true)]
async fn members_of_a_group_see_it_while_they_are_members() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let mut carol = node.join(who(3, 1)).await;
    let group = alice.create([2]).await;
    let conversation = ConversationId::group(group);
    for client in [&mut alice, &mut bob, &mut carol] {
        client.watch(&[], &[conversation]).await;
    }
    alice.take_message().await;
    bob.take_message().await;
    alice.typing(conversation, Doing::Typing).await;
    assert_eq!(bob.typed(conversation).await, (1, Doing::Typing));
    carol.typing(conversation, Doing::Typing).await;
    alice.sees_nothing_for(SOON, is_of_receipts).await;
    carol.quiet_for(SOON).await;
    alice.change(group, GroupChange::Removed(vec![user(2)])).await.unwrap();
    alice.take_message().await;
    bob.take_message().await;
    tokio::time::sleep(SOON).await;
    bob.typing(conversation, Doing::Typing).await;
    alice.typing(conversation, Doing::Typing).await;
    bob.sees_nothing_for(SOON, is_of_receipts).await;
    bob.watch(&[], &[conversation]).await;
    alice.typing(conversation, Doing::Typing).await;
    alice.sees_nothing_for(SOON, is_of_receipts).await;
    bob.sees_nothing_for(SOON, is_of_receipts).await;
}

#[tokio::test(start_paused = true)]
async fn a_removed_member_sees_no_more_of_it_however_the_removal_turns_out() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    for is_retried in [false, true] {
        let group = alice.create([2]).await;
        let conversation = ConversationId::group(group);
        bob.watch(&[], &[conversation]).await;
        alice.take_message().await;
        bob.take_message().await;
        alice.typing(conversation, Doing::Typing).await;
        assert_eq!(bob.typed(conversation).await, (1, Doing::Typing));
        node.faults.fail_next_commits(1, Fault::AmbiguousApplied);
        if is_retried {
            // So that what is told at first has no effect.
            node.faults.fail_reads();
        }
        let (id, removed) = (alice.new_id(), GroupChange::Removed(vec![user(2)]));
        let unknown = alice.change_as(group, id, removed.clone()).await;
        assert_eq!(unknown, Err(ErrorCode::Unavailable));
        if is_retried {
            tokio::time::sleep(SOON).await;
            node.faults.heal();
            alice.change_as(group, id, removed).await.unwrap();
        }
        alice.take_message().await;
        bob.take_message().await;
        tokio::time::sleep(SOON).await;
        alice.typing(conversation, Doing::Typing).await;
        bob.sees_nothing_for(SOON, is_of_receipts).await;
    }
}

fn is_of_receipts(frame: &ServerFrame) -> bool {
    matches!(frame, ServerFrame::ReceiptsNotice(_))
}

#[tokio::test(start_paused = true)]
async fn it_is_passed_on_no_more_often_than_it_may_be() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    bob.watch(&[], &[direct(1, 2)]).await;
    let every = Duration::from_millis(limits::TYPING_EVERY_MS.into());
    let steps = 30;
    for _ in 0..steps {
        alice.typing(direct(1, 2), Doing::Typing).await;
        tokio::time::sleep(every / 10).await;
    }
    for _ in 0..steps / 10 {
        assert_eq!(bob.typed(direct(1, 2)).await, (1, Doing::Typing));
    }
    bob.quiet_for(SOON).await;
}

#[tokio::test(start_paused = true)]
async fn of_shadow_banned_accounts_nobody_hears_anything() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    bob.watch(&[], &[direct(1, 2)]).await;
    alice.watch(&[], &[direct(1, 2)]).await;
    let standing = SetStanding { user: user(1), is_unlimited: None, is_shadow_banned: Some(true) };
    node.store.submit(&1, standing).await.expect("the store takes it").answer.expect("it can be read");
    alice.typing(direct(1, 2), Doing::Typing).await;
    bob.quiet_for(SOON).await;
    bob.typing(direct(1, 2), Doing::Typing).await;
    assert_eq!(alice.typed(direct(1, 2)).await, (2, Doing::Typing));
}
