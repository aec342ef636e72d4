//! Messages about messages.

use rookery_protocol::{
    Body, ConversationId, GroupChange, GroupSettings, Message, Reference, ReferenceKind, Seq, decode_value, limits,
};
use rookery_store::check::Check;
use rookery_store::ops::{Author, Outcome, Refusal, SendMessage, SetStanding};
use rookery_store::{Store, queries};

use crate::engines::UnderTest;
use crate::groups::{accepted, change, create, made, outcome, people, refused, say};
use crate::one_batch::OneBatch;
use crate::people::{At, counts, inbox, message, send};

const KINDS: [ReferenceKind; 4] =
    [ReferenceKind::Reply, ReferenceKind::Reaction, ReferenceKind::Edit, ReferenceKind::Delete];

/// A message that is about another.
pub(crate) fn about(message: SendMessage, kind: ReferenceKind, seq: u64) -> SendMessage {
    let body = if kind == ReferenceKind::Delete { Body::default() } else { message.body };
    SendMessage { reference: Some(Reference { kind, seq: Seq::new(seq) }), body, ..message }
}

/// The same at another time.
pub(crate) fn at(time_ms: u64, message: SendMessage) -> SendMessage {
    SendMessage { author: Author { time_ms, ..message.author }, ..message }
}

pub(crate) async fn logged(store: &Store, conversation: ConversationId) -> Vec<Message> {
    let snapshot = store.snapshot().await.expect("the store can be read");
    let all = (Seq::new(1), Seq::new(u64::MAX));
    let logged = queries::log(&*snapshot, conversation, all, 1_000).await.expect("read");
    logged.iter().map(|logged| decode_value(logged).expect("it is a message")).collect()
}

/// Nothing is wrong with the store.
pub(crate) async fn sound(store: &Store) {
    assert_eq!(Check::new(16).finish(store, 100).await.expect("the store can be read"), []);
}

async fn anna_and_bert(test: &mut UnderTest) -> (Store, At, At, ConversationId) {
    let store = test.store().await;
    let [anna, bert] = people(&store).await;
    (store, anna, bert, ConversationId::direct(anna.user, bert.user))
}

pub(crate) async fn what_is_about_a_message_is_an_entry_and_leaves_it_as_it_was(mut test: UnderTest) {
    let (store, anna, bert, conversation) = anna_and_bert(&mut test).await;
    send(&store, anna, bert.user, 1).await;
    let before = logged(&store, conversation).await;
    for (number, kind) in [ReferenceKind::Reply, ReferenceKind::Reaction].into_iter().enumerate() {
        let op = about(message(bert, anna.user, 10 + number as u128), kind, 1);
        assert_eq!(accepted(&store, op).await.told.len(), 2);
    }
    accepted(&store, about(message(anna, bert.user, 12), ReferenceKind::Edit, 1)).await;
    let log = logged(&store, conversation).await;
    assert_eq!(log[..1], before);
    let references: Vec<Option<Reference>> = log.iter().map(|message| message.reference).collect();
    let reference = |kind| Some(Reference { kind, seq: Seq::new(1) });
    let [reply, reaction, edit, _] = KINDS.map(reference);
    assert_eq!(references, [None, reply, reaction, edit]);
    assert!(log.iter().all(|message| message.body.is_some() && !message.deleted));
    assert_eq!((counts(&store, anna.user).await, counts(&store, bert.user).await), ((4, 0), (4, 0)));
    // An answer is a message like any: it is edited, and answered.
    accepted(&store, about(message(bert, anna.user, 13), ReferenceKind::Edit, 2)).await;
    accepted(&store, about(message(anna, bert.user, 14), ReferenceKind::Reply, 2)).await;
    sound(&store).await;
}

pub(crate) async fn nothing_refers_to_what_is_not_there_or_is_about_another(mut test: UnderTest) {
    let (store, anna, bert, conversation) = anna_and_bert(&mut test).await;
    send(&store, anna, bert.user, 1).await;
    send(&store, anna, bert.user, 2).await;
    accepted(&store, about(message(anna, bert.user, 3), ReferenceKind::Reaction, 1)).await;
    accepted(&store, about(message(anna, bert.user, 4), ReferenceKind::Edit, 1)).await;
    accepted(&store, about(message(anna, bert.user, 5), ReferenceKind::Delete, 2)).await;
    let before = logged(&store, conversation).await;
    for kind in KINDS {
        // None, a deleted one, a reaction, an edit, a deletion, none yet, one's own place.
        for seq in [0, 2, 3, 4, 5, 6, u64::MAX] {
            let op = about(message(anna, bert.user, 100 + u128::from(seq)), kind, seq);
            assert_eq!(refused(&store, op).await, Refusal::NoSuchMessage, "{kind:?} of {seq}");
        }
    }
    assert_eq!(logged(&store, conversation).await, before);
    sound(&store).await;
}

pub(crate) async fn a_change_of_a_group_is_nothing_to_refer_to(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert] = people(&store).await;
    let group = made(&store, anna, 1, &[bert]).await;
    for kind in KINDS {
        let refusal = refused(&store, about(say(anna, group, 2), kind, 1)).await;
        assert_eq!(refusal, Refusal::NoSuchMessage, "{kind:?}");
    }
}

pub(crate) async fn a_message_is_edited_by_its_sender_for_a_while_and_so_often(mut test: UnderTest) {
    let (store, anna, bert, conversation) = anna_and_bert(&mut test).await;
    send(&store, anna, bert.user, 1).await;
    let edit = |number| about(message(anna, bert.user, number), ReferenceKind::Edit, 1);
    let others = about(message(bert, anna.user, 2), ReferenceKind::Edit, 1);
    assert_eq!(refused(&store, others).await, Refusal::NotYours);
    let last_ms = 1 + limits::EDIT_MS;
    assert_eq!(refused(&store, at(last_ms + 1, edit(2))).await, Refusal::TooLate);
    accepted(&store, at(last_ms, edit(2))).await;
    // A clock that is behind: the message is as if just sent.
    accepted(&store, at(0, edit(3))).await;
    for number in 3..=limits::EDITS_MAX as u128 {
        accepted(&store, edit(number + 1)).await;
    }
    assert_eq!(refused(&store, edit(1_000)).await, Refusal::TooManyEdits);
    assert_eq!(logged(&store, conversation).await.len(), 1 + limits::EDITS_MAX);
    // Another message has room of its own.
    send(&store, anna, bert.user, 2_000).await;
    accepted(&store, about(message(anna, bert.user, 2_001), ReferenceKind::Edit, 34)).await;
    sound(&store).await;
}

pub(crate) async fn what_is_deleted_and_its_edits_say_nothing_any_more(mut test: UnderTest) {
    let (store, anna, bert, conversation) = anna_and_bert(&mut test).await;
    send(&store, anna, bert.user, 1).await;
    send(&store, anna, bert.user, 2).await;
    for number in 3..6 {
        accepted(&store, about(message(anna, bert.user, number), ReferenceKind::Edit, 1)).await;
    }
    accepted(&store, about(message(bert, anna.user, 6), ReferenceKind::Reply, 1)).await;
    accepted(&store, about(message(anna, bert.user, 7), ReferenceKind::Edit, 2)).await;
    let (before, inboxes) = (logged(&store, conversation).await, inbox(&store, bert.user).await);

    let others = about(message(bert, anna.user, 8), ReferenceKind::Delete, 1);
    assert_eq!(refused(&store, others).await, Refusal::NotYours);
    let last_ms = 1 + limits::DELETE_MS;
    let delete = |number| about(message(anna, bert.user, number), ReferenceKind::Delete, 1);
    assert_eq!(refused(&store, at(last_ms + 1, delete(8))).await, Refusal::TooLate);
    assert_eq!(logged(&store, conversation).await, before);
    accepted(&store, at(last_ms, delete(8))).await;

    let log = logged(&store, conversation).await;
    for (was, is) in before.iter().zip(&log) {
        let seq = was.seq.get();
        let expected = if [1, 3, 4, 5].contains(&seq) {
            Message { body: None, deleted: true, ..was.clone() }
        } else {
            was.clone()
        };
        assert_eq!(*is, expected, "{seq}");
    }
    let deletion = &log[before.len()];
    assert_eq!(deletion.body, Some(Body::default()));
    assert!(!deletion.deleted);
    assert_eq!(inbox(&store, bert.user).await[..inboxes.len()], inboxes);
    // Asked for again it is done, and under another id there is nothing to delete.
    assert!(matches!(outcome(&store, delete(8)).await, Outcome::Duplicate(record) if record.seq == Seq::new(8)));
    assert_eq!(refused(&store, delete(9)).await, Refusal::NoSuchMessage);
    sound(&store).await;
}

pub(crate) async fn an_edit_and_the_deletion_of_one_batch_leave_nothing_said(mut test: UnderTest) {
    let (store, anna, bert, conversation) = anna_and_bert(&mut test).await;
    let batch = OneBatch::gather(&mut test).await;
    let told = [
        message(anna, bert.user, 1),
        about(message(anna, bert.user, 2), ReferenceKind::Edit, 1),
        about(message(anna, bert.user, 3), ReferenceKind::Delete, 1),
        about(message(anna, bert.user, 4), ReferenceKind::Edit, 1),
    ];
    let told = told.map(|op| batch.submit(op));
    batch.commit();
    let mut outcomes = Vec::new();
    for outcome in told {
        outcomes.push(outcome.await.expect("told").expect("it commits").answer);
    }
    let [said, edited, deleted, too_late] = outcomes.try_into().expect("one for each");
    assert!([said, edited, deleted].iter().all(|outcome| matches!(outcome, Outcome::Accepted(_))));
    assert!(matches!(too_late, Outcome::Refused(Refusal::NoSuchMessage)));
    let log = logged(&store, conversation).await;
    let said: Vec<bool> = log.iter().map(|message| message.deleted && message.body.is_none()).collect();
    assert_eq!(said, [true, true, false]);
    sound(&store).await;
}

pub(crate) async fn admins_delete_what_others_have_said_and_edit_nothing(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert, cora] = people(&store).await;
    let group = made(&store, anna, 1, &[bert, cora]).await;
    accepted(&store, say(bert, group, 2)).await;
    let by = |who, kind, number| about(say(who, group, number), kind, 2);
    assert_eq!(refused(&store, by(cora, ReferenceKind::Delete, 3)).await, Refusal::NotYours);
    assert_eq!(refused(&store, by(anna, ReferenceKind::Edit, 3)).await, Refusal::NotYours);
    accepted(&store, by(bert, ReferenceKind::Edit, 3)).await;
    accepted(&store, by(anna, ReferenceKind::Delete, 4)).await;
    let log = logged(&store, ConversationId::group(group)).await;
    assert!(log[1].deleted && log[2].deleted && !log[3].deleted);
    sound(&store).await;
}

pub(crate) async fn who_joined_later_refers_to_nothing_from_before(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert, cora] = people(&store).await;
    let op = create(anna, 1, &[bert]);
    let group = op.group();
    let settings = GroupSettings { backlog: 1, ..GroupSettings::default() };
    accepted(&store, rookery_store::ops::CreateGroup { settings, ..op }).await;
    for number in 2..4 {
        accepted(&store, say(bert, group, number)).await;
    }
    accepted(&store, change(anna, group, 4, GroupChange::Added(vec![cora.user]))).await;
    let by_cora = |kind, seq| about(say(cora, group, 5), kind, seq);
    for kind in KINDS {
        assert_eq!(refused(&store, by_cora(kind, 2)).await, Refusal::NoSuchMessage, "{kind:?}");
    }
    accepted(&store, by_cora(ReferenceKind::Reply, 3)).await;
    // Who is in the group no more refers to nothing.
    accepted(&store, change(anna, group, 6, GroupChange::Removed(vec![bert.user]))).await;
    let refusal = refused(&store, about(say(bert, group, 7), ReferenceKind::Delete, 3)).await;
    assert_eq!(refusal, Refusal::NotMember);
    sound(&store).await;
}

pub(crate) async fn what_a_shadow_banned_user_says_about_messages_changes_nothing_for_others(mut test: UnderTest) {
    let (store, anna, bert, conversation) = anna_and_bert(&mut test).await;
    send(&store, anna, bert.user, 1).await;
    let ban = SetStanding { user: anna.user, is_unlimited: None, is_shadow_banned: Some(true) };
    store.submit(&0, ban).await.expect("it commits").answer.expect("it can be read");
    let before = logged(&store, conversation).await;
    let to_bert = |number| message(anna, bert.user, number);
    accepted(&store, about(to_bert(2), ReferenceKind::Edit, 1)).await;
    accepted(&store, about(to_bert(3), ReferenceKind::Delete, 1)).await;
    assert_eq!(logged(&store, conversation).await[..1], before);
    assert_eq!(counts(&store, bert.user).await, (1, 0));
    // What only its user sees nobody else refers to, and its user does.
    send(&store, anna, bert.user, 4).await;
    let answer = about(message(bert, anna.user, 5), ReferenceKind::Reply, 4);
    assert_eq!(refused(&store, answer).await, Refusal::NoSuchMessage);
    accepted(&store, about(to_bert(5), ReferenceKind::Delete, 4)).await;
    assert!(logged(&store, conversation).await[3].deleted);
    sound(&store).await;
}
