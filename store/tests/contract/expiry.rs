//! Messages that disappear. A message's time is its number, and it is there for five seconds.

use bytes::Bytes;
use rookery_protocol::{Body, ConversationId, GroupChange, GroupSettings, Message, Reference, ReferenceKind, Seq};
use rookery_store::check::Finding;
use rookery_store::keys::conversation::log_key;
use rookery_store::keys::expiry::{self, Expiry};
use rookery_store::keys::inbox::InboxEntry;
use rookery_store::ops::{ExpireMessages, Refusal, SendMessage, TrimLog};
use rookery_store::{KeyRange, Store, queries};

use crate::checks::{bytes, check};
use crate::checks_of_chats::found;
use crate::engines::UnderTest;
use crate::groups::{accepted, change, made, people, refused, say};
use crate::people::{counts, inbox, message, send};
use crate::references::{about, at, logged, sound};

const SECONDS: u32 = 5;

fn passing(message: SendMessage) -> SendMessage {
    SendMessage { expires_s: SECONDS, ..message }
}

/// When a message of this number disappears.
fn end_ms(number: u64) -> u64 {
    number + 1000 * u64::from(SECONDS)
}

fn timer(message: SendMessage, expires_s: u32) -> SendMessage {
    let reference = Some(Reference { kind: ReferenceKind::Timer, seq: Seq::ZERO });
    SendMessage { reference, expires_s, body: Body::default(), ..message }
}

async fn due(store: &Store, now_ms: u64) -> Vec<Expiry> {
    let snapshot = store.snapshot().await.expect("the store can be read");
    let due = queries::due_messages(&*snapshot, None, now_ms, 1_000).await.expect("read");
    let mut one_by_one = Vec::new();
    while let [next] = queries::due_messages(&*snapshot, one_by_one.last().copied(), now_ms, 1)
        .await
        .expect("read")[..]
    {
        one_by_one.push(next);
    }
    assert_eq!(one_by_one, due);
    due
}

/// Empties what is due by then, and answers how many messages that were.
async fn crawl(store: &Store, now_ms: u64) -> usize {
    let due = due(store, now_ms).await;
    store.submit(&0, ExpireMessages { due }).await.expect("it commits").answer
}

/// How many keys have a value that holds these bytes, or hold them themselves.
async fn holding(store: &Store, needle: &[u8]) -> usize {
    let all = KeyRange { begin: vec![1], end: vec![0xff], limit: 100_000, reverse: false };
    let snapshot = store.snapshot().await.expect("the store can be read");
    let has = |bytes: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    let entries = snapshot.range(&all).await.expect("read");
    entries.iter().filter(|(key, value)| has(key) || has(value)).count()
}

pub(crate) async fn a_message_is_emptied_at_its_time_and_keeps_its_place(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert] = people(&store).await;
    let conversation = ConversationId::direct(anna.user, bert.user);
    send(&store, anna, bert.user, 1).await;
    assert_eq!(accepted(&store, passing(message(anna, bert.user, 2))).await.expires_ms, end_ms(2));
    assert_eq!(accepted(&store, message(bert, anna.user, 3)).await.expires_ms, 0);
    let before = logged(&store, conversation).await;
    assert_eq!(before.iter().map(|message| message.expires_ms).collect::<Vec<_>>(), [0, end_ms(2), 0]);
    let pointers = |inbox: Vec<(_, InboxEntry)>| -> Vec<u64> {
        let expires_ms = |(_, entry)| match entry {
            InboxEntry::Message(pointer) => pointer.expires_ms,
            other => panic!("{other:?}"),
        };
        inbox.into_iter().map(expires_ms).collect()
    };
    assert_eq!(pointers(inbox(&store, bert.user).await), [0, end_ms(2), 0]);
    assert_eq!(holding(&store, b"message 2").await, 1);
    assert_eq!(check(&store, 3).await.1.expiries, 1);

    assert_eq!(crawl(&store, end_ms(2) - 1).await, 0);
    assert_eq!(logged(&store, conversation).await, before);
    assert_eq!(crawl(&store, end_ms(2)).await, 1);
    let after = logged(&store, conversation).await;
    assert_eq!((&after[0], &after[2]), (&before[0], &before[2]));
    assert_eq!(after[1], Message { body: None, deleted: true, ..before[1].clone() });
    assert_eq!(holding(&store, b"message 2").await, 0, "it is nowhere");
    assert_eq!((counts(&store, anna.user).await, counts(&store, bert.user).await), ((3, 0), (3, 0)));
    assert_eq!((crawl(&store, u64::MAX).await, check(&store, 3).await.1.expiries), (0, 0));
    sound(&store).await;
}

pub(crate) async fn what_adds_to_a_message_disappears_with_it_and_nothing_else(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert] = people(&store).await;
    let conversation = ConversationId::direct(anna.user, bert.user);
    accepted(&store, passing(message(anna, bert.user, 1))).await;
    send(&store, anna, bert.user, 2).await;
    let to = |kind, seq, number| about(message(anna, bert.user, number), kind, seq);
    use ReferenceKind::{Delete, Edit, Reaction, Reply};
    for (op, expires_ms) in [
        (to(Edit, 1, 3), end_ms(1)),
        (to(Reaction, 1, 4), end_ms(1)),
        (to(Reply, 1, 5), 0),
        // Of these, what is asked for is not looked at, except of an answer.
        (passing(to(Edit, 1, 6)), end_ms(1)),
        (passing(to(Edit, 2, 7)), 0),
        (passing(to(Reaction, 2, 8)), 0),
        (passing(to(Reply, 2, 9)), end_ms(9)),
        (timer(message(anna, bert.user, 10), SECONDS), 0),
        (passing(to(Delete, 2, 11)), 0),
    ] {
        let what = format!("{:?}", op.reference);
        assert_eq!(accepted(&store, op).await.expires_ms, expires_ms, "{what}");
    }
    sound(&store).await;
    assert_eq!(crawl(&store, end_ms(1)).await, 4);
    let log = logged(&store, conversation).await;
    let deleted: Vec<u64> = log.iter().filter(|it| it.deleted).map(|it| it.seq.get()).collect();
    assert_eq!(deleted, [1, 2, 3, 4, 6, 7], "2 and its edit 7 have been deleted");
    assert_eq!(log.iter().map(|it| it.timer_s).collect::<Vec<_>>(), [0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0]);
    sound(&store).await;
}

pub(crate) async fn nothing_refers_to_what_has_disappeared_or_to_a_timer(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert] = people(&store).await;
    let conversation = ConversationId::direct(anna.user, bert.user);
    accepted(&store, passing(message(anna, bert.user, 1))).await;
    accepted(&store, timer(message(anna, bert.user, 2), 0)).await;
    let before = logged(&store, conversation).await;
    for kind in [ReferenceKind::Reply, ReferenceKind::Reaction, ReferenceKind::Edit, ReferenceKind::Delete] {
        // The crawler has not come.
        let late = at(end_ms(1), about(message(anna, bert.user, 3), kind, 1));
        assert_eq!(refused(&store, late).await, Refusal::NoSuchMessage, "{kind:?}");
        let of_timer = about(message(anna, bert.user, 4), kind, 2);
        assert_eq!(refused(&store, of_timer).await, Refusal::NoSuchMessage, "{kind:?} of a timer");
    }
    assert_eq!(logged(&store, conversation).await, before);
    accepted(&store, at(end_ms(1) - 1, about(message(anna, bert.user, 5), ReferenceKind::Reply, 1))).await;
    sound(&store).await;
}

pub(crate) async fn a_groups_timer_is_left_to_its_admins_where_editing_is(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert] = people(&store).await;
    let group = made(&store, anna, 1, &[bert]).await;
    assert_eq!(accepted(&store, timer(say(bert, group, 2), 60)).await.seq, Seq::new(2));
    let settings = GroupSettings { only_admins_edit: true, ..GroupSettings::default() };
    accepted(&store, change(anna, group, 3, GroupChange::Set(settings))).await;
    assert_eq!(refused(&store, timer(say(bert, group, 4), 0)).await, Refusal::OnlyAdmins);
    accepted(&store, timer(say(anna, group, 5), 0)).await;
    accepted(&store, passing(say(bert, group, 6))).await;
    let timers: Vec<u32> = crate::groups::log(&store, group).await.iter().map(|it| it.timer_s).collect();
    assert_eq!(timers, [0, 60, 0, 0, 0]);
}

pub(crate) async fn what_was_deleted_or_trimmed_before_its_time_is_left_so(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert] = people::<2>(&store).await;
    let conversation = ConversationId::direct(anna.user, bert.user);
    for number in 1..=3 {
        accepted(&store, passing(message(anna, bert.user, number))).await;
    }
    accepted(&store, about(message(anna, bert.user, 4), ReferenceKind::Delete, 2)).await;
    let sent = vec![(anna.user, anna.device, anna.author(1).id)];
    let trim = TrimLog { conversation, upto: Seq::new(1), sent };
    store.submit(&0, trim).await.expect("it commits");
    let before = logged(&store, conversation).await;
    assert_eq!((before.len(), before[0].deleted, before[0].expires_ms), (3, true, end_ms(2)));
    sound(&store).await;
    assert_eq!(crawl(&store, end_ms(2)).await, 0);
    assert_eq!(logged(&store, conversation).await, before);
    assert_eq!(due(&store, u64::MAX).await.len(), 1);
    sound(&store).await;
}

pub(crate) async fn emptying_and_what_else_happens_in_one_batch_agree(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert] = people::<2>(&store).await;
    let conversation = ConversationId::direct(anna.user, bert.user);
    accepted(&store, passing(message(anna, bert.user, 1))).await;
    let due = due(&store, end_ms(1)).await;
    // Other nodes look for them as well.
    let expire = || store.submit(&0, ExpireMessages { due: due.clone() });
    let late = at(end_ms(1) - 1, about(message(anna, bert.user, 2), ReferenceKind::Delete, 1));
    let (one, deletion, other) = tokio::join!(expire(), store.submit(&0, late), expire());
    let emptied = one.expect("it commits").answer + other.expect("it commits").answer;
    deletion.expect("it commits");
    assert!(emptied <= 1, "{emptied}");
    assert!(logged(&store, conversation).await[0].deleted);
    assert_eq!(holding(&store, b"message 1").await, 0);
    sound(&store).await;
}

pub(crate) async fn what_is_wrong_with_messages_that_disappear_is_found(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert] = people::<2>(&store).await;
    let conversation = ConversationId::direct(anna.user, bert.user);
    accepted(&store, passing(message(anna, bert.user, 1))).await;
    send(&store, anna, bert.user, 2).await;
    let [one, two, three] = [1, 2, 3].map(Seq::new);
    let expires_ms = end_ms(1);
    let key = |expires_ms, seq| Expiry { expires_ms, conversation, seq }.key();
    let value = || Some(Bytes::from_static(expiry::VALUE));
    let was = logged(&store, conversation).await[0].clone();
    let otherwise = Message { expires_ms: 9_999, ..was };
    found(&store, vec![
        ("it is not noted", key(expires_ms, one), None, vec![
            Finding::ExpiryNotNoted { conversation, seq: one, expires_ms },
        ]),
        ("at another time", key(7, one), value(), vec![
            Finding::ExpiryOfAnother { conversation, seq: one, expires_ms: 7 },
        ]),
        ("one that stays", key(7, two), value(), vec![
            Finding::ExpiryOfAnother { conversation, seq: two, expires_ms: 7 },
        ]),
        ("one to come", key(7, three), value(), vec![
            Finding::ExpiryOfNothing { conversation, seq: three, expires_ms: 7 },
        ]),
        ("the message says another", log_key(conversation, one), Some(bytes(&otherwise)), vec![
            Finding::ExpiryNotNoted { conversation, seq: one, expires_ms: 9_999 },
            Finding::ExpiryOfAnother { conversation, seq: one, expires_ms },
        ]),
        ("unreadable", key(expires_ms, one), Some(Bytes::from_static(&[2])), vec![]),
        ("unreadable", [key(expires_ms, one), vec![1]].concat(), value(), vec![]),
    ])
    .await;
}
