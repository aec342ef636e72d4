//! What may not be said about how long messages stay: each refusal with its code and its words.

use rookery_protocol::{ConversationId, ErrorCode, GroupChange, GroupSettings, ReferenceKind, Seq, limits};

use super::{reference, refusal};
use crate::client::{Client, direct, who};
use crate::node::Node;

const NO_SUCH_MESSAGE: &str =
    "there is no such message, or it has been deleted, or is itself a change of something";
const TIMES: &str = "messages disappear after 5 to 7776000 seconds, or never";
const TIMER: &str = "a timer has no body and names no message";

async fn alice() -> (Node, Client) {
    let node = Node::start().await;
    let alice = node.join(who(1, 1)).await;
    (node, alice)
}

/// Nothing has been accepted there.
async fn is_empty(client: &mut Client, conversation: ConversationId) {
    assert_eq!(client.history(conversation, 1, 1).await.unwrap().head, Seq::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_message_does_not_disappear_sooner_or_later_than_messages_may() {
    let (_node, mut alice) = alice().await;
    let ours = direct(1, 2);
    for reference in [None, Some(reference(ReferenceKind::Timer, 0))] {
        for expires_s in [1, limits::EXPIRES_S_MIN - 1, limits::EXPIRES_S_MAX + 1, u32::MAX] {
            let answer = alice.say_for(ours, (reference, expires_s), b"").await;
            assert_eq!(answer, refusal(ErrorCode::BadRequest, TIMES), "{expires_s}");
        }
    }
    is_empty(&mut alice, ours).await;
    for (seq, expires_s) in [(1, limits::EXPIRES_S_MIN), (2, limits::EXPIRES_S_MAX)] {
        assert_eq!(alice.say_for(ours, (None, expires_s), b"x").await, Ok(seq));
    }
}

#[tokio::test(start_paused = true)]
async fn a_timer_says_nothing_and_is_about_no_message() {
    let (_node, mut alice) = alice().await;
    let ours = direct(1, 2);
    for (seq, body) in [(0, &b"x"[..]), (1, b""), (u64::MAX, b"")] {
        let timer = Some(reference(ReferenceKind::Timer, seq));
        let answer = alice.say_for(ours, (timer, 60), body).await;
        assert_eq!(answer, refusal(ErrorCode::BadRequest, TIMER), "about {seq}");
    }
    is_empty(&mut alice, ours).await;
}

#[tokio::test(start_paused = true)]
async fn who_may_not_edit_a_group_does_not_set_its_timer() {
    let (node, mut alice) = alice().await;
    let mut bob = node.join(who(2, 1)).await;
    let group = alice.create([2]).await;
    let all = ConversationId::group(group);
    let timer = Some(reference(ReferenceKind::Timer, 0));
    assert_eq!(bob.say_for(all, (timer, 60), b"").await, Ok(2));
    let settings = GroupSettings { only_admins_edit: true, ..GroupSettings::default() };
    alice.change(group, GroupChange::Set(settings)).await.unwrap();
    let answer = bob.say_for(all, (timer, 0), b"").await;
    assert_eq!(answer, refusal(ErrorCode::NotAllowed, "only admins of the group may do that"));
    assert_eq!(bob.say_for(all, (None, 60), b"x").await, Ok(4), "messages are each sender's own");
    assert_eq!(alice.say_for(all, (timer, 0), b"").await, Ok(5));
    let text = "not a member of this group, or there is none";
    let mut carol = node.join(who(3, 1)).await;
    let answer = carol.say_for(all, (timer, 0), b"").await;
    assert_eq!(answer, refusal(ErrorCode::NotMember, text));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_about_what_has_disappeared_or_about_a_timer() {
    let (node, mut alice) = alice().await;
    let ours = direct(1, 2);
    let timer = Some(reference(ReferenceKind::Timer, 0));
    assert_eq!(alice.say_for(ours, (timer, 60), b"").await, Ok(1));
    assert_eq!(alice.say_for(ours, (None, 60), b"x").await, Ok(2));
    assert_eq!(alice.about(ours, (ReferenceKind::Reply, 2), b"x").await, Ok(3));
    node.clock.pass(60_000);
    for kind in [ReferenceKind::Reply, ReferenceKind::Reaction, ReferenceKind::Edit, ReferenceKind::Delete] {
        let body: &[u8] = if kind == ReferenceKind::Delete { b"" } else { b"x" };
        for (seq, what) in [(1, "a timer"), (2, "what has disappeared")] {
            let answer = alice.about(ours, (kind, seq), body).await;
            assert_eq!(answer, refusal(ErrorCode::NotFound, NO_SUCH_MESSAGE), "{kind:?} of {what}");
        }
    }
}
