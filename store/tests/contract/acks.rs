//! Acknowledging events.

use rookery_protocol::{ConversationId, DeviceId, Seq};
use rookery_store::ops::Acked;
use rookery_store::queries;

use crate::engines::UnderTest;
use crate::people::{ACKED_MS, At, ack, acked, add, add_device, counts, inbox, send};

pub(crate) async fn a_cursor_never_goes_back(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, bert) = (add(&store, 1).await, add(&store, 2).await);
    send(&store, anna, bert.user, 1).await;
    send(&store, anna, bert.user, 2).await;
    let stamps: Vec<_> = inbox(&store, bert.user).await.iter().map(|(stamp, _)| *stamp).collect();
    for stamp in [stamps[1], stamps[0], stamps[1]] {
        acked(&store, ack(bert, stamp, &[])).await;
        let snapshot = store.snapshot().await.expect("the store can be read");
        let cursor = queries::cursor(&*snapshot, bert.user, bert.device).await.expect("read");
        assert_eq!(cursor, stamps[1]);
    }
}

pub(crate) async fn only_what_every_device_has_is_trimmed(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, phone) = (add(&store, 1).await, add(&store, 2).await);
    let laptop = add_device(&store, phone.user, "laptop").await;
    for number in 1..=3 {
        send(&store, anna, phone.user, number).await;
    }
    let stamps: Vec<_> = inbox(&store, phone.user).await.iter().map(|(stamp, _)| *stamp).collect();
    acked(&store, ack(phone, stamps[2], &[])).await;
    assert_eq!(inbox(&store, phone.user).await.len(), 3, "the laptop has nothing yet");
    acked(&store, ack(laptop, stamps[0], &[])).await;
    let left: Vec<_> = inbox(&store, phone.user).await.iter().map(|(stamp, _)| *stamp).collect();
    assert_eq!(left, stamps[1..]);
    acked(&store, ack(laptop, stamps[2], &[])).await;
    assert_eq!(inbox(&store, phone.user).await, []);
    assert_eq!(inbox(&store, anna.user).await.len(), 3, "another's inbox is not touched");
}

pub(crate) async fn an_acknowledgement_moves_the_mark_and_tells_the_sender_once(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, bert) = (add(&store, 1).await, add(&store, 2).await);
    let conversation = ConversationId::direct(anna.user, bert.user);
    for number in 1..=2 {
        send(&store, anna, bert.user, number).await;
    }
    let stamp = inbox(&store, bert.user).await[1].0;
    let two = ack(bert, stamp, &[(conversation, Seq::new(2))]);
    let one = ack(bert, stamp, &[(conversation, Seq::new(1))]);
    assert_eq!(acked(&store, two.clone()).await, [anna.user]);
    assert_eq!(acked(&store, two).await, []);
    assert_eq!(acked(&store, one).await, []);
    assert_eq!(counts(&store, anna.user).await, (2, 1));
    let snapshot = store.snapshot().await.expect("the store can be read");
    let mark = queries::mark(&*snapshot, conversation, bert.user).await.expect("read");
    assert_eq!((mark.delivered, mark.read, mark.delivered_ms, mark.read_ms), (Seq::new(2), Seq::ZERO, ACKED_MS, 0));
}

pub(crate) async fn a_removed_device_acknowledges_nothing(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, bert) = (add(&store, 1).await, add(&store, 2).await);
    send(&store, anna, bert.user, 1).await;
    let stamp = inbox(&store, bert.user).await[0].0;
    let op = ack(At { device: DeviceId::new(7), ..bert }, stamp, &[]);
    let answer = store.submit(&0, op).await.expect("it commits").answer;
    assert!(matches!(answer, Acked::NoSuchDevice), "{answer:?}");
    assert_eq!(inbox(&store, bert.user).await.len(), 1);
}
