//! How far members of a group have come.

use rookery_protocol::{ConversationId, GroupChange, Seq, UserId};
use rookery_store::keys::conversation::Mark;
use rookery_store::ops::{MarkRead, MarkedRead};
use rookery_store::{Store, queries};

use crate::engines::UnderTest;
use crate::groups::{accepted, change, made, people, say, sound};
use crate::people::{At, ack, acked, counts, inbox, user};

async fn read(store: &Store, by: At, conversation: ConversationId, seq: u64) -> MarkedRead {
    let op = MarkRead { conversation, user: by.user, seq: Seq::new(seq), time_ms: seq };
    store.submit(&conversation, op).await.expect("it commits").answer
}

async fn marks(store: &Store, conversation: ConversationId) -> Vec<(u64, u64, u64)> {
    let snapshot = store.snapshot().await.expect("the store can be read");
    let users: Vec<UserId> = (1..10).map(user).collect();
    let marks = queries::marks_of(&*snapshot, conversation, users.clone()).await.expect("read");
    let known = users.into_iter().zip(marks).filter(|(_, mark)| *mark != Mark::NONE);
    known.map(|(user, mark)| (user.get(), mark.delivered.get(), mark.read.get())).collect()
}

pub(crate) async fn reading_tells_nobody_but_the_reader(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert, carl] = people::<3>(&store).await;
    let group = made(&store, anna, 1, &[bert, carl]).await;
    let conversation = ConversationId::group(group);
    accepted(&store, say(anna, group, 2)).await;
    let told = read(&store, bert, conversation, u64::MAX).await;
    assert!(matches!(&told, MarkedRead::Done { told, .. } if *told == [bert.user]), "{told:?}");
    let again = read(&store, bert, conversation, 1).await;
    assert!(matches!(&again, MarkedRead::Done { told, .. } if told.is_empty()), "{again:?}");
    assert_eq!(marks(&store, conversation).await, [(2, 2, 2)]);
    assert_eq!(counts(&store, bert.user).await, (2, 1));
    assert_eq!(counts(&store, anna.user).await, (2, 0));
    sound(&store, group, &people).await;
}

pub(crate) async fn acknowledging_moves_the_mark_and_tells_nobody(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert, carl] = people::<3>(&store).await;
    let group = made(&store, anna, 1, &[bert, carl]).await;
    let conversation = ConversationId::group(group);
    let last = accepted(&store, say(anna, group, 2)).await.seq;
    for at in [carl, bert] {
        let stamp = inbox(&store, at.user).await[0].0;
        assert_eq!(acked(&store, ack(at, stamp, &[(conversation, last)])).await, []);
    }
    assert_eq!(marks(&store, conversation).await, [(2, 2, 0), (3, 2, 0)]);
    assert_eq!(counts(&store, anna.user).await, (2, 0));
    assert_eq!(rookery_store::check::Check::new(9).finish(&store, 9).await.expect("read"), []);
    assert_eq!(people.len(), 3);
}

pub(crate) async fn who_is_no_member_reads_nothing(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert, carl] = people::<3>(&store).await;
    let group = made(&store, anna, 1, &[bert]).await;
    let conversation = ConversationId::group(group);
    accepted(&store, change(bert, group, 2, GroupChange::Left { successor: None })).await;
    for at in [bert, carl] {
        assert!(matches!(read(&store, at, conversation, 1).await, MarkedRead::NotMember));
    }
    let nothing = ConversationId::group(rookery_protocol::GroupId::new(12_345).expect("it is an id"));
    assert!(matches!(read(&store, anna, nothing, 1).await, MarkedRead::NotMember));
    assert_eq!(marks(&store, conversation).await, []);
    sound(&store, group, &people).await;
}
