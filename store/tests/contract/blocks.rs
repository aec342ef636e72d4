//! Blocks, and who may be added to groups and told what was read: decided where it is written.

use rookery_protocol::{Audience, ConversationId, GroupChange, PrivacySettings, Receipt, Seq, UserId};
use rookery_store::keys::conversation::Mark;
use rookery_store::keys::inbox::InboxEntry;
use rookery_store::keys::person::Person;
use rookery_store::ops::{
    Author, ChangeGroup, MarkRead, MarkedRead, Outcome, Refusal, SendMessage, SetPrivacy,
};
use rookery_store::{Store, queries};

use crate::engines::UnderTest;
use crate::groups::{accepted, change, create, made, members, outcome, refused, say};
use crate::people::{At, ack, acked, add, first, inbox, message, send, submit, user};
use crate::settings::{BLOCKED, CONTACT, NOTHING, block, person, set};

async fn read(store: &Store, by: At, conversation: ConversationId, seq: u64) -> Vec<UserId> {
    let op = MarkRead { conversation, user: by.user, seq: Seq::new(seq), time_ms: 1 };
    match store.submit(&conversation, op).await.expect("it commits").answer {
        MarkedRead::Done { told, .. } => told,
        other => panic!("{other:?}"),
    }
}

/// What receipts of a user's are in an inbox: delivered and read.
async fn receipts(store: &Store, of: UserId, at: UserId) -> Vec<(u64, u64)> {
    let inbox = inbox(store, at).await.into_iter();
    let receipts = inbox.filter_map(|(_, entry)| match entry {
        InboxEntry::Receipt(Receipt { user, delivered, read, .. }) if user == of => {
            Some((delivered.get(), read.get()))
        }
        _ => None,
    });
    receipts.collect()
}

async fn mark(store: &Store, of: At, conversation: ConversationId) -> (u64, u64, u64) {
    let snapshot = store.snapshot().await.expect("the store can be read");
    let mark: Mark = queries::mark(&*snapshot, conversation, of.user).await.expect("read");
    (mark.delivered.get(), mark.read.get(), mark.shown().get())
}

async fn read_receipts(store: &Store, user: UserId, read_receipts: bool) {
    let privacy = PrivacySettings { read_receipts, ..PrivacySettings::default() };
    set(store, SetPrivacy { asker: first(user).asker(1), privacy }).await.expect("the user is there");
}

pub(crate) async fn who_is_blocked_or_has_blocked_sends_nothing_until_that_ends(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, bert, carl) = (add(&store, 1).await, add(&store, 2).await, add(&store, 3).await);
    send(&store, bert, anna.user, 1).await;
    block(&store, anna.user, bert.user, true).await;
    for number in 2..4 {
        let refusal = refused(&store, message(bert, anna.user, number)).await;
        assert_eq!(
            (refusal, refusal.to_string().as_str()),
            (Refusal::NotTaken, "this user takes no messages from you")
        );
        let refusal = refused(&store, message(anna, bert.user, number)).await;
        assert_eq!(
            (refusal, refusal.to_string().as_str()),
            (Refusal::Blocked, "you have blocked this user: unblock them first")
        );
    }
    assert!(
        matches!(submit(&store, message(bert, anna.user, 1)).await, Outcome::Duplicate(_)),
        "sent before"
    );
    send(&store, carl, anna.user, 4).await;
    send(&store, anna, anna.user, 5).await;
    assert_eq!(inbox(&store, bert.user).await.len(), 1, "his own message, from before");

    block(&store, bert.user, anna.user, true).await;
    assert_eq!(refused(&store, message(bert, anna.user, 6)).await, Refusal::Blocked);
    block(&store, anna.user, bert.user, false).await;
    assert_eq!(refused(&store, message(anna, bert.user, 6)).await, Refusal::NotTaken);
    block(&store, bert.user, anna.user, false).await;
    assert_eq!(send(&store, bert, anna.user, 6).await.get(), 2, "a refused message takes no place");
}

/// Whatever comes at the same moment: nothing is sequenced after the block.
pub(crate) async fn a_block_ends_a_conversation_at_one_place(mut test: UnderTest) {
    let (store, other) = (test.store().await, test.second_store().await);
    let (anna, bert) = (add(&store, 1).await, add(&store, 2).await);
    let conversation = ConversationId::direct(anna.user, bert.user);
    let head = async || {
        let snapshot = store.snapshot().await.expect("the store can be read");
        queries::head(&*snapshot, conversation).await.expect("read")
    };
    for round in 0..5 {
        let (sender, before) = (other.clone(), head().await.get());
        let sending = tokio::spawn(async move {
            let mut accepted = 0;
            for number in round * 1_000.. {
                match submit(&sender, message(bert, anna.user, number)).await {
                    Outcome::Accepted(_) => accepted += 1,
                    Outcome::Refused(Refusal::NotTaken) => return accepted,
                    other => panic!("{other:?}"),
                }
            }
            unreachable!("it ends with the block")
        });
        while head().await.get() < before + 3 && !sending.is_finished() {
            tokio::task::yield_now().await;
        }
        block(&store, anna.user, bert.user, true).await;
        let head_then = head().await;
        assert!(sending.await.expect("it was refused in the end") > 0);
        assert_eq!(head().await, head_then, "something was sequenced after the block");
        block(&store, anna.user, bert.user, false).await;
    }
}

pub(crate) async fn a_block_and_a_message_of_one_batch_keep_their_order(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, bert) = (add(&store, 1).await, add(&store, 2).await);
    let lane = 0;
    let (told, mut outcomes) = tokio::sync::mpsc::unbounded_channel();
    let tell = |number| {
        let told = told.clone();
        let op = message(bert, anna.user, number);
        store.submit_then(&lane, op, move |outcome| {
            let outcome = outcome.expect("it commits").answer;
            told.send(matches!(outcome, Outcome::Accepted(_))).expect("somebody listens");
        })
    };
    tell(1).expect("there is room");
    store.submit_then(&lane, person(anna.user, bert.user, BLOCKED), |_| ()).expect("there is room");
    tell(2).expect("there is room");
    store.submit_then(&lane, person(anna.user, bert.user, NOTHING), |_| ()).expect("there is room");
    tell(3).expect("there is room");
    for expected in [true, false, true] {
        assert_eq!(outcomes.recv().await, Some(expected));
    }
}

pub(crate) async fn who_is_blocked_gets_no_receipts(mut test: UnderTest) {
    let store = test.store().await;
    for (at, bert_blocks) in [(0, false), (10, true)] {
        let (anna, bert) = (add(&store, at + 1).await, add(&store, at + 2).await);
        let conversation = ConversationId::direct(anna.user, bert.user);
        for number in 1..=3 {
            send(&store, bert, anna.user, number).await;
        }
        let (by, whom) = if bert_blocks { (bert.user, anna.user) } else { (anna.user, bert.user) };
        block(&store, by, whom, true).await;
        let stamp = inbox(&store, anna.user).await[1].0;
        assert_eq!(acked(&store, ack(anna, stamp, &[(conversation, Seq::new(2))])).await, []);
        assert_eq!(read(&store, anna, conversation, 1).await, [anna.user], "her own devices learn it");
        assert_eq!(mark(&store, anna, conversation).await, (2, 1, 0));
        assert_eq!(receipts(&store, anna.user, bert.user).await, []);

        block(&store, by, whom, false).await;
        assert_eq!(read(&store, anna, conversation, 3).await, [anna.user, bert.user]);
        assert_eq!(receipts(&store, anna.user, bert.user).await, [(3, 3)]);
    }
}

pub(crate) async fn what_is_read_is_shown_when_both_want_that(mut test: UnderTest) {
    let store = test.store().await;
    let wishes = [(true, true), (true, false), (false, true), (false, false)];
    for (at, (reader_shows, sender_shows)) in (0..).step_by(10).zip(wishes) {
        let (anna, bert) = (add(&store, at + 1).await, add(&store, at + 2).await);
        let conversation = ConversationId::direct(anna.user, bert.user);
        for number in 1..=4 {
            send(&store, bert, anna.user, number).await;
        }
        read(&store, anna, conversation, 1).await;
        read_receipts(&store, anna.user, reader_shows).await;
        read_receipts(&store, bert.user, sender_shows).await;
        let is_shown = reader_shows && sender_shows;

        let stamp = inbox(&store, anna.user).await[1].0;
        assert_eq!(acked(&store, ack(anna, stamp, &[(conversation, Seq::new(2))])).await, [bert.user]);
        let told = read(&store, anna, conversation, 2).await;
        assert_eq!(told.contains(&bert.user), is_shown, "{reader_shows} {sender_shows}");
        assert!(told.contains(&anna.user));
        assert_eq!(mark(&store, anna, conversation).await, (2, 2, if is_shown { 2 } else { 1 }));
        // What reading delivers is told all the same.
        assert_eq!(read(&store, anna, conversation, 3).await, [anna.user, bert.user]);

        read_receipts(&store, anna.user, true).await;
        read_receipts(&store, bert.user, true).await;
        assert_eq!(read(&store, anna, conversation, 3).await, [], "nothing is read anew");
        assert_eq!(read(&store, anna, conversation, 4).await, [anna.user, bert.user]);
        let [shown, hidden] =
            [vec![(1, 1), (2, 1), (2, 2), (3, 3), (4, 4)], vec![(1, 1), (2, 1), (3, 1), (4, 4)]];
        assert_eq!(receipts(&store, anna.user, bert.user).await, if is_shown { shown } else { hidden });
        let own: Vec<_> =
            receipts(&store, anna.user, anna.user).await.iter().map(|(_, read)| *read).collect();
        assert_eq!(own, [1, 2, 3, 4], "her own devices know what she has read");
    }
}

pub(crate) async fn notes_to_oneself_are_read_whatever_one_shows(mut test: UnderTest) {
    let store = test.store().await;
    let anna = add(&store, 1).await;
    let conversation = ConversationId::direct(anna.user, anna.user);
    read_receipts(&store, anna.user, false).await;
    send(&store, anna, anna.user, 1).await;
    assert_eq!(read(&store, anna, conversation, 1).await, [anna.user]);
    assert_eq!(receipts(&store, anna.user, anna.user).await, [(1, 1)]);
}

/// Each audience of groups, and each thing that the author may be to the one who is added.
pub(crate) async fn who_may_be_added_to_groups_says_who_is_added(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, bert, carl) = (add(&store, 1).await, add(&store, 2).await, add(&store, 3).await);
    let excepted = Person { is_contact: true, is_excepted: true, is_blocked: false };
    let blocked_contact = Person { is_contact: true, is_excepted: false, is_blocked: true };
    let relations = [NOTHING, CONTACT, excepted, BLOCKED, blocked_contact];
    let mut number = 100;
    for (groups, admitted) in [
        (Audience::Everyone, [true, true, true, false, false]),
        (Audience::Contacts, [false, true, true, false, false]),
        (Audience::ContactsExcept, [false, true, false, false, false]),
        (Audience::Nobody, [false; 5]),
    ] {
        // What else bert shows has nothing to do with it.
        let nobody = Audience::Nobody;
        let privacy = PrivacySettings {
            last_seen: nobody,
            online: nobody,
            profile: nobody,
            groups,
            read_receipts: false,
        };
        set(&store, SetPrivacy { asker: bert.asker(1), privacy }).await.expect("bert is there");
        for (relation, is_admitted) in relations.into_iter().zip(admitted) {
            set(&store, person(bert.user, anna.user, relation)).await.expect("both are there");
            number += 10;
            let op = create(anna, number, &[anna, carl, bert]);
            let group = op.group();
            let why = format!("{groups:?} {relation:?}");
            if is_admitted {
                accepted(&store, op).await;
                assert_eq!(members(&store, group).await.len(), 3, "{why}");
            } else {
                let refusal = refused(&store, op).await;
                assert_eq!(refusal, Refusal::NotToBeAdded(bert.user), "{why}");
                assert_eq!(refusal.to_string(), "you may not add user 2 to groups");
                assert_eq!(members(&store, group).await, [], "{why}");
            }
            let group = made(&store, anna, number + 1, &[]).await;
            let op = change(anna, group, number + 2, GroupChange::Added(vec![carl.user, bert.user]));
            if is_admitted {
                accepted(&store, op).await;
                assert_eq!(members(&store, group).await.len(), 3, "{why}");
            } else {
                assert_eq!(refused(&store, op).await, Refusal::NotToBeAdded(bert.user), "{why}");
                assert_eq!(members(&store, group).await.len(), 1, "{why}");
            }
        }
    }
}

pub(crate) async fn nobody_adds_whom_they_have_blocked_and_members_stay(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, bert) = (add(&store, 1).await, add(&store, 2).await);
    let group = made(&store, anna, 1, &[bert]).await;
    block(&store, anna.user, bert.user, true).await;
    assert_eq!(refused(&store, create(anna, 2, &[bert])).await, Refusal::NotToBeAdded(bert.user));
    let again = change(anna, group, 3, GroupChange::Added(vec![bert.user]));
    assert_eq!(refused(&store, again).await, Refusal::Nothing, "he is there");
    accepted(&store, say(anna, group, 4)).await;
    accepted(&store, say(bert, group, 5)).await;
    assert!(matches!(outcome(&store, create(anna, 1, &[bert])).await, Outcome::Duplicate(_)), "made before");
    let missing = change(anna, group, 6, GroupChange::Added(vec![user(9)]));
    assert_eq!(refused(&store, missing).await, Refusal::NoSuchUser(user(9)));
}

pub(crate) async fn what_was_refused_does_not_come_true_from_an_older_connection(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, bert) = (add(&store, 1).await, add(&store, 2).await);
    let from = |admitted, number| {
        let message = message(anna, bert.user, number);
        SendMessage { author: Author { admitted, ..message.author }, ..message }
    };
    block(&store, bert.user, anna.user, true).await;
    assert_eq!(refused(&store, from(7, 1)).await, Refusal::NotTaken);
    block(&store, bert.user, anna.user, false).await;
    // It lay at a node that hung, from before the device had connected again.
    assert!(matches!(submit(&store, from(3, 1)).await, Outcome::Superseded));
    assert!(matches!(submit(&store, from(7, 2)).await, Outcome::Accepted(_)));
    assert!(matches!(submit(&store, from(3, 2)).await, Outcome::Duplicate(_)), "it is told what it was told before");
    assert!(matches!(submit(&store, from(9, 3)).await, Outcome::Accepted(_)));
    let group = made(&store, bert, 100, &[anna]).await;
    let end = |admitted| {
        let end = change(anna, group, 4, GroupChange::Deleted);
        ChangeGroup { author: Author { admitted, ..end.author }, ..end }
    };
    assert_eq!(refused(&store, end(11)).await, Refusal::OnlyAdmins);
    assert!(matches!(outcome(&store, end(9)).await, Outcome::Superseded));
}
