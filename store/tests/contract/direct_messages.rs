//! Sending a message of a direct conversation.

use rookery_protocol::{ConversationId, Seq};
use rookery_store::keys::inbox::InboxEntry;
use rookery_store::ops::{Accepted, Outcome, Refusal, RevokeDevice, SendMessage};
use rookery_store::queries;

use crate::engines::UnderTest;
use crate::people::{add, id, inbox, message, send, submit, user};

pub(crate) async fn seqs_are_dense_under_concurrent_senders(mut test: UnderTest) {
    let stores = [test.store().await, test.second_store().await];
    let (anna, bert) = (add(&stores[0], 1).await, add(&stores[0], 2).await);
    let tasks = (0..100_u128).map(|number| {
        let store = stores[number as usize % 2].clone();
        let (from, to) = if number % 3 == 0 { (anna, bert.user) } else { (bert, anna.user) };
        tokio::spawn(async move { send(&store, from, to, number).await.get() })
    });
    let mut seqs = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        seqs.push(task.await.expect("nothing panics"));
    }
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=100).collect::<Vec<_>>());

    let conversation = ConversationId::direct(anna.user, bert.user);
    let snapshot = stores[1].snapshot().await.expect("the store can be read");
    assert_eq!(queries::head(&*snapshot, conversation).await.expect("read"), Seq::new(100));
    let whole = (Seq::new(1), Seq::new(100));
    assert_eq!(queries::log(&*snapshot, conversation, whole, 1_000).await.expect("read").len(), 100);
    // In each inbox the messages are in the order of their seqs.
    for user in [anna.user, bert.user] {
        let seqs = inbox(&stores[0], user).await.into_iter().map(|(_, entry)| match entry {
            InboxEntry::Message(pointer) => pointer.seq.get(),
            other => panic!("only messages were sent: {other:?}"),
        });
        assert_eq!(seqs.collect::<Vec<_>>(), (1..=100).collect::<Vec<_>>());
    }
}

pub(crate) async fn a_message_sent_again_answers_the_first_seq(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, bert) = (add(&store, 1).await, add(&store, 2).await);
    let first = send(&store, anna, bert.user, 5).await;
    send(&store, anna, bert.user, 6).await;
    let mut later = message(anna, bert.user, 5);
    later.author.time_ms = 99;
    match submit(&store, later).await {
        Outcome::Duplicate(record) => assert_eq!((record.seq, record.time_ms), (first, 5)),
        other => panic!("{other:?}"),
    }
    assert_eq!(inbox(&store, bert.user).await.len(), 2);
    // An id is a device's own: another's is another message.
    assert_eq!(send(&store, bert, anna.user, 5).await, Seq::new(3));
}

pub(crate) async fn a_chain_is_refused_where_a_link_is_missing(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, bert) = (add(&store, 1).await, add(&store, 2).await);
    let chained = |number| SendMessage { after: Some(id(number - 1)), ..message(anna, bert.user, number) };
    send(&store, anna, bert.user, 1).await;
    assert!(matches!(submit(&store, chained(3)).await, Outcome::OutOfOrder));
    assert!(matches!(submit(&store, chained(2)).await, Outcome::Accepted(_)));
    assert!(matches!(submit(&store, chained(3)).await, Outcome::Accepted(Accepted { seq, .. }) if seq == Seq::new(3)));
    assert!(matches!(submit(&store, chained(2)).await, Outcome::Duplicate(_)));
}

pub(crate) async fn a_message_to_nobody_is_refused(mut test: UnderTest) {
    let store = test.store().await;
    let anna = add(&store, 1).await;
    assert!(matches!(submit(&store, message(anna, user(9), 1)).await, Outcome::Refused(Refusal::NoSuchUser(_))));
    assert_eq!(inbox(&store, user(9)).await, []);
    assert_eq!(inbox(&store, anna.user).await, []);
}

pub(crate) async fn a_revoked_device_sends_nothing(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, bert) = (add(&store, 1).await, add(&store, 2).await);
    send(&store, anna, bert.user, 1).await;
    let revoke = RevokeDevice { user: anna.user, device: anna.device, generation: anna.generation };
    store.submit(&0, revoke).await.expect("it commits").answer.expect("it can be read");
    assert!(matches!(submit(&store, message(anna, bert.user, 2)).await, Outcome::Revoked));
    let mut renewed = message(anna, bert.user, 2);
    renewed.author.generation += 1;
    assert!(matches!(submit(&store, renewed).await, Outcome::Accepted(_)));
}

pub(crate) async fn both_inboxes_point_at_the_message(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, bert) = (add(&store, 1).await, add(&store, 2).await);
    let op = message(anna, bert.user, 1);
    let conversation = op.conversation;
    let committed = store.submit(&conversation, op).await.expect("it commits");
    let Outcome::Accepted(Accepted { seq, slot, ref logged, ref told, .. }) = committed.answer else {
        panic!("{:?}", committed.answer)
    };
    assert_eq!(*told, [anna.user, bert.user]);
    for user in [anna.user, bert.user] {
        let inbox = inbox(&store, user).await;
        let [(stamp, InboxEntry::Message(pointer))] = &inbox[..] else { panic!("{inbox:?}") };
        assert_eq!(*stamp, committed.stamp(slot));
        assert_eq!((pointer.conversation, pointer.seq, pointer.sender), (conversation, seq, anna.user));
    }
    let snapshot = store.snapshot().await.expect("the store can be read");
    let places = [(conversation, seq), (conversation, seq.next())];
    let messages = queries::messages(&*snapshot, places).await.expect("read");
    assert_eq!(messages, [Some(logged.clone()), None]);
}

pub(crate) async fn notes_to_oneself_arrive_once(mut test: UnderTest) {
    let store = test.store().await;
    let anna = add(&store, 1).await;
    send(&store, anna, anna.user, 1).await;
    assert_eq!(inbox(&store, anna.user).await.len(), 1);
}
