//! What is read in a direct conversation is shown when both want that.

use std::time::Duration;

use rookery_protocol::{GetReceipts, MemberMark, PrivacySettings, ServerFrame};

use super::{BLOCKED, NOTHING};
use crate::client::{Client, Event, direct, user, who};
use crate::node::Node;

impl Client {
    async fn marks(&mut self) -> Vec<MemberMark> {
        let request = self.new_request();
        match self.ask(&GetReceipts { request, conversation: direct(1, 2) }).await {
            ServerFrame::Receipts(receipts) => receipts.marks,
            other => panic!("{other:?}"),
        }
    }

    /// Delivered and read, of the receipts of a user's that come before it is quiet.
    async fn receipts_from(&mut self, number: u64) -> Vec<(u64, u64)> {
        let events = self.events_until_quiet(Duration::from_secs(5)).await;
        let receipts = events.into_iter().filter_map(|event| match event {
            Event::Receipt(event) if event.receipt.user == user(number) => Some(event.receipt),
            _ => None,
        });
        receipts.map(|receipt| (receipt.delivered.get(), receipt.read.get())).collect()
    }
}

fn read_receipts(read_receipts: bool) -> PrivacySettings {
    PrivacySettings { read_receipts, ..PrivacySettings::default() }
}

#[tokio::test(start_paused = true)]
async fn reading_is_shown_when_both_want_that_and_delivery_always() {
    for (alices, bobs) in [(true, true), (true, false), (false, true), (false, false)] {
        let node = Node::start().await;
        let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
        let mut laptop = node.join(who(1, 2)).await;
        alice.set_privacy(read_receipts(alices)).await;
        bob.set_privacy(read_receipts(bobs)).await;
        for _ in 0..3 {
            bob.say(direct(1, 2), "x").await;
        }
        alice.read(direct(1, 2), 2).await;
        let is_shown = alices && bobs;
        let read = if is_shown { 2 } else { 0 };
        assert_eq!(bob.receipts_from(1).await, [(2, read)], "{alices} {bobs}");
        assert_eq!(laptop.receipts_from(1).await, [(2, 2)], "her own devices know it");
        let [mark] = &bob.marks().await[..] else { panic!("alice's alone") };
        assert_eq!((mark.delivered.get(), mark.read.get(), mark.read_ms > 0), (2, read, is_shown));
        alice.read(direct(1, 2), 2).await;
        assert_eq!(bob.receipts_from(1).await, [], "nothing is new");

        alice.set_privacy(read_receipts(true)).await;
        bob.set_privacy(read_receipts(true)).await;
        let [mark] = &bob.marks().await[..] else { panic!("alice's alone") };
        assert_eq!(mark.read.get(), read, "what was read before stays what it was");
        alice.read(direct(1, 2), 3).await;
        assert_eq!(bob.receipts_from(1).await, [(3, 3)]);
    }
}

#[tokio::test(start_paused = true)]
async fn no_receipts_pass_where_one_has_blocked_the_other() {
    for alice_blocks in [true, false] {
        let node = Node::start().await;
        let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
        for _ in 0..3 {
            bob.say(direct(1, 2), "x").await;
        }
        alice.take_message().await;
        assert_eq!(bob.receipts_from(1).await, [(1, 0)]);
        if alice_blocks {
            alice.set_person(2, BLOCKED).await;
        } else {
            bob.set_person(1, BLOCKED).await;
        }
        alice.take_message().await;
        alice.read(direct(1, 2), 2).await;
        assert_eq!(bob.receipts_from(1).await, []);
        assert_eq!((bob.marks().await, alice.marks().await), (vec![], vec![]));
        if alice_blocks {
            alice.set_person(2, NOTHING).await;
        } else {
            bob.set_person(1, NOTHING).await;
        }
        let [mark] = &bob.marks().await[..] else { panic!("alice's alone") };
        assert_eq!((mark.delivered.get(), mark.read.get()), (2, 0));
        alice.read(direct(1, 2), 3).await;
        assert_eq!(bob.receipts_from(1).await, [(3, 3)]);
    }
}
