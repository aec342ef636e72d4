//! Replies, reactions, edits and deletions as the two sides, and members of groups, get them.

use rookery_protocol::{Body, ReferenceKind, Seq};

use super::reference;
use crate::client::{Client, direct, user, who};
use crate::node::Node;

async fn two() -> (Node, Client, Client) {
    let node = Node::start().await;
    let (alice, bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    (node, alice, bob)
}

#[tokio::test(start_paused = true)]
async fn a_message_about_another_comes_with_what_it_is_about() {
    let (_node, mut alice, mut bob) = two().await;
    let ours = direct(1, 2);
    alice.say(ours, "caw").await;
    bob.take_message().await;
    alice.take_message().await;
    alice.take_receipt().await;
    for (seq, kind, body) in [
        (2, ReferenceKind::Reply, "caw yourself"),
        (3, ReferenceKind::Reaction, "!"),
        (4, ReferenceKind::Reaction, ""),
    ] {
        assert_eq!(bob.about(ours, (kind, 1), body.as_bytes()).await, Ok(seq));
        let got = alice.take_message().await.message;
        assert_eq!((got.seq.get(), got.reference), (seq, Some(reference(kind, 1))));
        assert_eq!(got.body, Some(Body::new(body.as_bytes().to_vec())));
        let own = bob.take_message().await.message;
        assert_eq!((own.seq.get(), own.reference), (seq, Some(reference(kind, 1))));
        assert_eq!(own.body, None, "the sender has it");
        bob.take_receipt().await;
    }
    let page = bob.history(ours, 1, 9).await.unwrap();
    let about: Vec<Option<Seq>> =
        page.messages.iter().map(|message| message.reference.map(|reference| reference.seq)).collect();
    assert_eq!(about, [None, Some(Seq::new(1)), Some(Seq::new(1)), Some(Seq::new(1))]);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_message_and_its_edits_are_empty_for_everybody_from_then_on() {
    let (node, mut alice, mut bob) = two().await;
    let ours = direct(1, 2);
    alice.say(ours, "my secret").await;
    assert_eq!(alice.about(ours, (ReferenceKind::Edit, 1), b"my better secret").await, Ok(2));
    bob.take_message().await;
    let edit = bob.take_message().await.message;
    assert_eq!((edit.body, edit.sender), (Some(Body::new("my better secret")), user(1)));
    assert_eq!(edit.reference, Some(reference(ReferenceKind::Edit, 1)));

    assert_eq!(alice.about(ours, (ReferenceKind::Delete, 1), b"").await, Ok(3));
    let deletion = bob.take_message().await.message;
    assert_eq!(deletion.reference, Some(reference(ReferenceKind::Delete, 1)));
    assert_eq!((deletion.body, deletion.deleted), (Some(Body::default()), false));

    // In the history, and for a device that comes for its events only now.
    let mut late = node.join(who(2, 2)).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(late.take_message().await.message);
    }
    let page = bob.history(ours, 1, 9).await.unwrap();
    assert_eq!(page.messages, seen);
    for gone in &seen[..2] {
        assert_eq!((gone.body.as_ref(), gone.deleted, gone.sender), (None, true, user(1)));
    }
    assert!(!seen[2].deleted);
}

#[tokio::test(start_paused = true)]
async fn an_admin_deletes_what_a_member_has_said_for_all_of_them() {
    let (node, mut alice, mut bob) = two().await;
    let mut carol = node.join(who(3, 1)).await;
    let group = rookery_protocol::ConversationId::group(alice.create([2, 3]).await);
    bob.say(group, "spam").await;
    assert_eq!(alice.about(group, (ReferenceKind::Delete, 2), b"").await, Ok(3));
    let got = [carol.take_message().await, carol.take_message().await, carol.take_message().await];
    assert_eq!(got[2].message.reference, Some(reference(ReferenceKind::Delete, 2)));
    for client in [&mut alice, &mut bob, &mut carol] {
        let page = client.history(group, 2, 2).await.unwrap();
        assert_eq!((page.messages[0].body.as_ref(), page.messages[0].deleted), (None, true));
        assert_eq!(page.messages[0].sender, user(2), "whose it was is still known");
    }
}

#[tokio::test(start_paused = true)]
async fn a_retried_deletion_is_answered_as_before() {
    let (_node, mut alice, _bob) = two().await;
    let ours = direct(1, 2);
    alice.say(ours, "x").await;
    let id = alice.new_id();
    let mut answers = Vec::new();
    for _ in 0..2 {
        let request = alice.new_request();
        let reference = Some(reference(ReferenceKind::Delete, 1));
        let body = Body::default();
        let send = rookery_protocol::Send {
            request,
            conversation: ours,
            id,
            after: None,
            body,
            reference,
            expires_s: 0,
        };
        alice.tell(&send).await;
        let sent = alice.sent(request).await;
        answers.push((sent.seq, sent.time_ms));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].0, Seq::new(2));
}
