//! Read marks.

use rookery_protocol::{ConversationId, Receipt, Seq};
use rookery_store::keys::conversation::Mark;
use rookery_store::keys::inbox::InboxEntry;
use rookery_store::ops::{MarkRead, MarkedRead};
use rookery_store::{Store, queries};

use crate::engines::UnderTest;
use crate::people::{ACKED_MS, At, ack, acked, add, inbox, send};

async fn read(store: &Store, by: At, conversation: ConversationId, seq: u64) -> usize {
    let op = MarkRead { conversation, user: by.user, seq: Seq::new(seq), time_ms: seq };
    match store.submit(&conversation, op).await.expect("it commits").answer {
        MarkedRead::Done { told, .. } => told.len(),
        other => panic!("{other:?}"),
    }
}

async fn mark(store: &Store, of: At, conversation: ConversationId) -> (u64, u64) {
    let snapshot = store.snapshot().await.expect("the store can be read");
    let Mark { delivered, read, .. } = queries::mark(&*snapshot, conversation, of.user).await.expect("read");
    (delivered.get(), read.get())
}

pub(crate) async fn a_read_mark_is_clamped_to_the_head_and_both_sides_are_told(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, bert) = (add(&store, 1).await, add(&store, 2).await);
    let conversation = ConversationId::direct(anna.user, bert.user);
    assert_eq!(read(&store, bert, conversation, 5).await, 0, "there is nothing to read");
    for number in 1..=2 {
        send(&store, anna, bert.user, number).await;
    }
    assert_eq!(read(&store, bert, conversation, u64::MAX).await, 2);
    assert_eq!(mark(&store, bert, conversation).await, (2, 2));
    let seq = Seq::new(2);
    let receipt = InboxEntry::Receipt(Receipt { conversation, user: bert.user, delivered: seq, read: seq });
    for user in [anna.user, bert.user] {
        assert_eq!(inbox(&store, user).await.last().expect("it was told").1, receipt);
    }
}

pub(crate) async fn marks_never_go_back(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, bert) = (add(&store, 1).await, add(&store, 2).await);
    let conversation = ConversationId::direct(anna.user, bert.user);
    for number in 1..=5 {
        send(&store, anna, bert.user, number).await;
    }
    assert_eq!(read(&store, bert, conversation, 3).await, 2);
    assert_eq!(read(&store, bert, conversation, 2).await, 0);
    assert_eq!(mark(&store, bert, conversation).await, (3, 3));
    let stamp = inbox(&store, bert.user).await[3].0;
    assert_eq!(acked(&store, ack(bert, stamp, &[(conversation, Seq::new(2))])).await, []);
    assert_eq!(acked(&store, ack(bert, stamp, &[(conversation, Seq::new(4))])).await, [anna.user]);
    assert_eq!(mark(&store, bert, conversation).await, (4, 3));
    let snapshot = store.snapshot().await.expect("the store can be read");
    let times = queries::mark(&*snapshot, conversation, bert.user).await.expect("read");
    assert_eq!((times.delivered_ms, times.read_ms), (ACKED_MS, 3), "of what moved them");
    let receipts: Vec<_> = inbox(&store, anna.user)
        .await
        .into_iter()
        .filter_map(|(_, entry)| match entry {
            InboxEntry::Receipt(receipt) => Some((receipt.delivered.get(), receipt.read.get())),
            _ => None,
        })
        .collect();
    assert_eq!(receipts, [(3, 3), (4, 3)]);
}
