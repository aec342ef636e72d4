//! Blocks: neither side sends the other anything.

use std::time::Duration;

use rookery_protocol::{ConversationId, ErrorCode, MessageId, Send};

use super::{BLOCKED, BLOCKED_CONTACT, CONTACT, NOTHING, why};
use crate::client::{Client, direct, id, who};
use crate::network::World;
use crate::node::Node;

const BLOCKED_WHY: (ErrorCode, &str) = (ErrorCode::Blocked, "you have blocked this user: unblock them first");
const NOT_TAKEN_WHY: (ErrorCode, &str) = (ErrorCode::NotAllowed, "this user takes no messages from you");

impl Client {
    /// Sends a message that is refused.
    async fn refused_send(&mut self, conversation: ConversationId, id: MessageId) -> (ErrorCode, String) {
        let request = self.send(conversation, id, "x").await;
        let error = self.error().await;
        assert_eq!(error.request, request);
        let (code, text) = why(&error);
        (code, text.to_owned())
    }
}

fn owned((code, text): (ErrorCode, &str)) -> (ErrorCode, String) {
    (code, text.into())
}

#[tokio::test(start_paused = true)]
async fn both_sides_are_refused_each_with_its_reason() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    // What alice has done, what bob has done, and what each is told.
    let cases = [
        (NOTHING, NOTHING, None, None),
        (BLOCKED, NOTHING, Some(BLOCKED_WHY), Some(NOT_TAKEN_WHY)),
        (BLOCKED_CONTACT, CONTACT, Some(BLOCKED_WHY), Some(NOT_TAKEN_WHY)),
        (CONTACT, BLOCKED, Some(NOT_TAKEN_WHY), Some(BLOCKED_WHY)),
        (BLOCKED, BLOCKED, Some(BLOCKED_WHY), Some(BLOCKED_WHY)),
        (CONTACT, NOTHING, None, None),
    ];
    for (alices, bobs, to_alice, to_bob) in cases {
        alice.set_person(2, alices).await;
        bob.set_person(1, bobs).await;
        for (client, told) in [(&mut alice, to_alice), (&mut bob, to_bob)] {
            match told {
                Some(told) => {
                    let id = client.new_id();
                    assert_eq!(client.refused_send(direct(1, 2), id).await, owned(told));
                }
                None => drop(client.say(direct(1, 2), "taken").await),
            }
        }
    }
    assert_eq!(node.log(1, 2).await.len(), 4);
    // Others, and notes to oneself, are not concerned.
    alice.set_person(2, BLOCKED).await;
    alice.say(direct(1, 3), "x").await;
    alice.say(direct(1, 1), "x").await;
}

#[tokio::test(start_paused = true)]
async fn nothing_that_was_sent_after_a_block_arrives_and_all_before_it_does() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    bob.say(direct(1, 2), "before").await;
    alice.set_person(2, BLOCKED).await;
    bob.refused_send(direct(1, 2), id(7)).await;
    alice.take_message().await;
    alice.take_account().await;
    alice.quiet_for(Duration::from_secs(5)).await;

    // What was refused may be sent again under its id when it may be.
    alice.set_person(2, NOTHING).await;
    alice.take_account().await;
    let request = bob.send(direct(1, 2), id(7), "after").await;
    assert_eq!(bob.sent(request).await.seq.get(), 2);
    alice.take_message().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_was_accepted_is_answered_again_after_a_block_and_what_follows_it_is_not_taken() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let request = bob.send(direct(1, 2), id(1), "x").await;
    let sent = bob.sent(request).await;
    alice.set_person(2, BLOCKED).await;
    let request = bob.send(direct(1, 2), id(1), "x").await;
    let again = bob.sent(request).await;
    assert_eq!((again.seq, again.time_ms), (sent.seq, sent.time_ms));
    let request = bob.send_after(direct(1, 2), id(2), Some(id(1)), b"x").await;
    bob.refused(request, ErrorCode::NotAllowed).await;
    let request = bob.send_after(direct(1, 2), id(3), Some(id(2)), b"x").await;
    bob.refused(request, ErrorCode::OutOfOrder).await;
}

/// Sends and a block under way at the same time, on two nodes: the answers say where the block is in the conversation.
#[tokio::test(start_paused = true)]
async fn a_block_that_comes_while_messages_are_under_way_ends_them_at_one_place() {
    let world = World::start(2, 2).await;
    let (mut alice, mut bob) =
        (world.members[0].node.join(who(1, 1)).await, world.members[1].node.join(who(2, 1)).await);
    world.settled().await;
    let (mut after, mut requests) = (None, Vec::new());
    let mut blocked = None;
    for number in 1..=40 {
        let (request, body) = (bob.new_request(), rookery_protocol::Body::new(b"x".to_vec()));
        let conversation = direct(1, 2);
        bob.tell(&Send { request, conversation, id: id(number), after, body, reference: None, expires_s: 0 })
            .await;
        after = Some(id(number));
        requests.push(request);
        if number == 20 {
            blocked = Some(alice.try_set_person(2, BLOCKED).await);
        }
    }
    blocked.expect("it was asked for").expect("it is done");
    let mut accepted = 0;
    let mut is_over = false;
    for request in requests {
        match bob.answer().await {
            rookery_protocol::ServerFrame::Sent(sent) => {
                assert!(!is_over && sent.request == request, "accepted after the block");
                accepted += 1;
            }
            rookery_protocol::ServerFrame::Error(error) => {
                let code = if is_over { ErrorCode::OutOfOrder } else { ErrorCode::NotAllowed };
                assert_eq!((error.request, error.known_code()), (request, Some(code)));
                is_over = true;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(is_over && accepted < 40, "{accepted}");
    for number in 1..=accepted {
        let event = loop {
            match alice.take().await {
                crate::client::Event::Message(event) => break event,
                crate::client::Event::Account(_) => {}
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(event.message.seq.get(), number);
    }
    assert_eq!(world.members[0].node.log(1, 2).await.len() as u64, accepted);
}
