//! What may not be said about a message: each refusal with its code and its words.

use rookery_protocol::{ConversationId, ErrorCode, GroupChange, ReferenceKind, limits};

use super::refusal;
use crate::client::{Client, direct, who};
use crate::node::Node;

const NO_SUCH_MESSAGE: &str =
    "there is no such message, or it has been deleted, or is itself a change of something";
const NOT_YOURS: &str = "only its sender may edit a message; an admin of its group may delete it, too";
const TOO_OLD: &str = "the message is too old for that";

const KINDS: [ReferenceKind; 4] =
    [ReferenceKind::Reply, ReferenceKind::Reaction, ReferenceKind::Edit, ReferenceKind::Delete];

fn body(kind: ReferenceKind) -> &'static [u8] {
    if kind == ReferenceKind::Delete { b"" } else { b"x" }
}

/// Alice has said something to Bob.
async fn said() -> (Node, Client, Client, ConversationId) {
    let node = Node::start().await;
    let (mut alice, bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    alice.say(direct(1, 2), "caw").await;
    (node, alice, bob, direct(1, 2))
}

/// So many messages are in the conversation.
async fn has(client: &mut Client, conversation: ConversationId, messages: u64) {
    assert_eq!(client.history(conversation, 1, 1).await.unwrap().head.get(), messages);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_about_a_message_that_is_not_there_or_is_about_another() {
    let (_node, mut alice, _bob, ours) = said().await;
    alice.about(ours, (ReferenceKind::Reaction, 1), b"!").await.unwrap();
    alice.about(ours, (ReferenceKind::Edit, 1), b"caw!").await.unwrap();
    alice.say(ours, "oops").await;
    alice.about(ours, (ReferenceKind::Delete, 4), b"").await.unwrap();
    for kind in KINDS {
        for seq in [0, 2, 3, 4, 5, 6, u64::MAX] {
            let answer = alice.about(ours, (kind, seq), body(kind)).await;
            assert_eq!(answer, refusal(ErrorCode::NotFound, NO_SUCH_MESSAGE), "{kind:?} of {seq}");
        }
    }
    let group = ConversationId::group(alice.create([2]).await);
    let answer = alice.about(group, (ReferenceKind::Reply, 1), b"x").await;
    assert_eq!(answer, refusal(ErrorCode::NotFound, NO_SUCH_MESSAGE), "a change of a group");
    has(&mut alice, ours, 5).await;
}

#[tokio::test(start_paused = true)]
async fn who_may_not_see_a_message_says_nothing_about_it() {
    let (_node, mut alice, mut bob, ours) = said().await;
    let group = alice.create([3]).await;
    let all = ConversationId::group(group);
    alice.say(all, "before bob").await;
    alice.change(group, GroupChange::Added(vec![crate::client::user(2)])).await.unwrap();
    for kind in KINDS {
        let answer = bob.about(all, (kind, 2), body(kind)).await;
        assert_eq!(answer, refusal(ErrorCode::NotFound, NO_SUCH_MESSAGE), "{kind:?}");
    }
    let text = "not a member of this group, or there is none";
    let answer = bob.about(direct(1, 3), (ReferenceKind::Reply, 1), b"x").await;
    assert_eq!(answer, refusal(ErrorCode::NotMember, text));
    has(&mut bob, ours, 1).await;
}

#[tokio::test(start_paused = true)]
async fn nobody_edits_or_deletes_what_another_has_said() {
    let (_node, mut alice, mut bob, ours) = said().await;
    for kind in [ReferenceKind::Edit, ReferenceKind::Delete] {
        let answer = bob.about(ours, (kind, 1), body(kind)).await;
        assert_eq!(answer, refusal(ErrorCode::NotAllowed, NOT_YOURS), "{kind:?}");
    }
    let group = ConversationId::group(alice.create([2]).await);
    bob.say(group, "bob's").await;
    alice.say(group, "alice's").await;
    let answer = alice.about(group, (ReferenceKind::Edit, 2), b"x").await;
    assert_eq!(answer, refusal(ErrorCode::NotAllowed, NOT_YOURS), "an admin");
    let answer = bob.about(group, (ReferenceKind::Delete, 3), b"").await;
    assert_eq!(answer, refusal(ErrorCode::NotAllowed, NOT_YOURS), "a member");
    has(&mut bob, ours, 1).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_old_is_neither_edited_nor_deleted_and_still_answered() {
    let (node, mut alice, mut bob, ours) = said().await;
    let too_late = || refusal(ErrorCode::TooLate, TOO_OLD);
    alice.about(ours, (ReferenceKind::Edit, 1), b"in time").await.unwrap();
    node.clock.pass(limits::EDIT_MS);
    assert_eq!(alice.about(ours, (ReferenceKind::Edit, 1), b"late").await, too_late());
    node.clock.pass(limits::DELETE_MS - limits::EDIT_MS);
    assert_eq!(alice.about(ours, (ReferenceKind::Delete, 1), b"").await, too_late());
    assert_eq!(bob.about(ours, (ReferenceKind::Reply, 1), b"so what").await, Ok(3));
    assert_eq!(bob.about(ours, (ReferenceKind::Reaction, 1), b"!").await, Ok(4));
}

#[tokio::test(start_paused = true)]
async fn a_message_is_edited_so_often_and_no_more() {
    let (_node, mut alice, _bob, ours) = said().await;
    for _ in 0..limits::EDITS_MAX {
        alice.about(ours, (ReferenceKind::Edit, 1), b"x").await.unwrap();
        alice.take_message().await;
    }
    let answer = alice.about(ours, (ReferenceKind::Edit, 1), b"x").await;
    assert_eq!(answer, refusal(ErrorCode::Full, "a message is edited at most 32 times"));
    alice.about(ours, (ReferenceKind::Delete, 1), b"").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_is_refused_before_it_reaches_the_store() {
    let (_node, mut alice, _bob, ours) = said().await;
    let long = vec![b'x'; limits::REACTION_BYTES_MAX + 1];
    for (kind, body, text) in [
        (
            ReferenceKind::Unknown(9),
            &b"x"[..],
            "a reference is a reply, a reaction, an edit, a deletion or a timer",
        ),
        (ReferenceKind::Reaction, &long, "a reaction has at most 512 bytes"),
        (ReferenceKind::Delete, b"x", "a deletion has no body"),
    ] {
        let answer = alice.about(ours, (kind, 1), body).await;
        assert_eq!(answer, refusal(ErrorCode::BadRequest, text), "{kind:?}");
    }
    let body = vec![b'x'; limits::BODY_BYTES_MAX + 1];
    let answer = alice.about(ours, (ReferenceKind::Edit, 1), &body).await;
    assert_eq!(answer, refusal(ErrorCode::BodyTooLarge, "a body has at most 65536 bytes"));
    assert_eq!(alice.about(ours, (ReferenceKind::Reaction, 1), &long[1..]).await, Ok(2));
}
