//! How conversations are listed to users, and what of them is hidden: where it is kept, and when it goes.

use rookery_protocol::{ConversationId, ConversationSettings, GroupChange, Reference, ReferenceKind, Seq, UserId};
use rookery_store::check::Check;
use rookery_store::keys::chat::Chat;
use rookery_store::keys::inbox::InboxEntry;
use rookery_store::ops::{
    ForgetHidden, ForgetMembership, Hide, Refusal, SendMessage, SetConversation, Settled, TrimLog,
};
use rookery_store::queries::{self, Listed, StepLimits};
use rookery_store::{Op, Store, remove_user};

use crate::engines::UnderTest;
use crate::groups::{accepted, change, made, people, say};
use crate::people::{At, first, id, inbox, message, send, user};
use crate::settings::is_revoked;

async fn settled(store: &Store, op: impl Op<Answer = Settled>) -> Result<(), Refusal> {
    match store.submit(&0, op).await.expect("it commits").answer {
        Settled::Done => Ok(()),
        Settled::Refused(refusal) => Err(refusal),
        other => panic!("{other:?}"),
    }
}

fn set(who: UserId, conversation: ConversationId, pinned: bool) -> SetConversation {
    let settings = ConversationSettings { pinned, ..ConversationSettings::default() };
    SetConversation { asker: first(who).asker(1), conversation, settings }
}

fn hide(who: UserId, conversation: ConversationId, up_to: u64, seqs: &[u64]) -> Hide {
    let seqs = seqs.iter().copied().map(Seq::new).collect();
    Hide { asker: first(who).asker(1), conversation, up_to: Seq::new(up_to), seqs }
}

async fn listed(store: &Store, who: UserId) -> Vec<Listed> {
    let snapshot = store.snapshot().await.expect("the store can be read");
    queries::conversations(&*snapshot, who, None, 100).await.expect("read")
}

async fn chat(store: &Store, who: UserId, conversation: ConversationId) -> Chat {
    let snapshot = store.snapshot().await.expect("the store can be read");
    queries::chat(&*snapshot, who, conversation).await.expect("read")
}

async fn hidden(store: &Store, who: UserId, conversation: ConversationId) -> Vec<u64> {
    let snapshot = store.snapshot().await.expect("the store can be read");
    let all = (Seq::ZERO, Seq::new(u64::MAX));
    let hidden = queries::hidden(&*snapshot, who, conversation, all, 1_000).await.expect("read");
    hidden.into_iter().map(Seq::get).collect()
}

async fn sound(store: &Store) {
    assert_eq!(Check::new(16).finish(store, 100).await.expect("the store can be read"), []);
}

/// Forgets the first messages of a conversation, which one has sent under the ids 1, 2, ....
async fn trim(store: &Store, from: At, conversation: ConversationId, upto: u64) {
    let sent = (1..=upto).map(|number| (from.user, from.device, id(number.into()))).collect();
    store.submit(&0, TrimLog { conversation, upto: Seq::new(upto), sent }).await.expect("it commits");
}

pub(crate) async fn the_first_message_lists_a_conversation_to_both_and_none_after_it_does(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert, cora] = people(&store).await;
    let conversation = ConversationId::direct(anna.user, bert.user);
    assert_eq!(settled(&store, set(bert.user, conversation, true)).await, Err(Refusal::NoSuchConversation));
    assert_eq!(settled(&store, hide(bert.user, conversation, 1, &[])).await, Err(Refusal::NoSuchConversation));
    send(&store, anna, bert.user, 1).await;
    for who in [anna, bert] {
        let (chat, from, behind) = (Chat::default(), Seq::new(1), Seq::ZERO);
        let whole =
            Listed { conversation, chat, from, until: None, behind, is_member: true, is_followed: false };
        assert_eq!(listed(&store, who.user).await, [whole]);
    }
    assert_eq!(listed(&store, cora.user).await, []);
    settled(&store, set(bert.user, conversation, true)).await.expect("there is something in it");
    settled(&store, hide(bert.user, conversation, 1, &[])).await.expect("and it is hidden");
    send(&store, anna, bert.user, 2).await;
    let berts = chat(&store, bert.user, conversation).await;
    assert!(berts.settings.pinned && berts.hidden_up_to == Seq::new(1), "{berts:?}");
    assert_eq!(chat(&store, anna.user, conversation).await, Chat::default());
    sound(&store).await;
}

pub(crate) async fn what_is_set_twice_is_told_once(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert] = people(&store).await;
    let conversation = ConversationId::direct(anna.user, bert.user);
    for number in 1..=5 {
        send(&store, anna, bert.user, number).await;
    }
    let before = (inbox(&store, anna.user).await.len(), inbox(&store, bert.user).await.len());
    for _ in 0..2 {
        settled(&store, set(bert.user, conversation, true)).await.expect("it is set");
        settled(&store, hide(bert.user, conversation, 2, &[4, 1, 4])).await.expect("they are hidden");
    }
    let events = inbox(&store, bert.user).await.split_off(before.1);
    assert!(
        matches!(events.as_slice(), [(_, InboxEntry::Shown(set)), (_, InboxEntry::Shown(hidden))]
            if set.settings.is_some() && hidden.up_to == Seq::new(2) && hidden.seqs == [Seq::new(4)]),
        "{events:?}"
    );
    assert_eq!(inbox(&store, anna.user).await.len(), before.0);
    assert_eq!(hidden(&store, bert.user, conversation).await, [4]);
    settled(&store, hide(bert.user, conversation, 4, &[])).await.expect("all up to there");
    assert_eq!(hidden(&store, bert.user, conversation).await, [] as [u64; 0]);
    sound(&store).await;
}

pub(crate) async fn a_removed_user_leaves_no_chat_and_nothing_hidden(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert] = people(&store).await;
    let conversation = ConversationId::direct(anna.user, bert.user);
    send(&store, anna, bert.user, 1).await;
    send(&store, anna, bert.user, 2).await;
    let group = ConversationId::group(made(&store, anna, 3, &[bert]).await);
    for (conversation, seq) in [(conversation, 2), (group, 1)] {
        settled(&store, hide(bert.user, conversation, 0, &[seq])).await.expect("it is hidden");
    }
    settled(&store, hide(anna.user, conversation, 0, &[1])).await.expect("it is hidden");
    assert!(remove_user(&store, bert.user, 9).await.expect("it commits"));
    for conversation in [conversation, group] {
        assert_eq!(hidden(&store, bert.user, conversation).await, [] as [u64; 0]);
    }
    assert_eq!(listed(&store, bert.user).await, []);
    assert_eq!(hidden(&store, anna.user, conversation).await, [1]);
    assert_eq!(listed(&store, anna.user).await.len(), 2);
    assert!(is_revoked(&store, set(bert.user, conversation, true)).await, "nothing comes back");
    assert!(is_revoked(&store, hide(user(77), conversation, 1, &[])).await);
    sound(&store).await;
}

pub(crate) async fn what_was_hidden_is_forgotten_with_its_message(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert, cora] = people(&store).await;
    let conversation = ConversationId::direct(anna.user, bert.user);
    let other = ConversationId::direct(anna.user, cora.user);
    for number in 1..=6 {
        send(&store, anna, bert.user, number).await;
    }
    send(&store, anna, cora.user, 1).await;
    settled(&store, hide(anna.user, conversation, 0, &[2, 3, 5])).await.expect("they are hidden");
    settled(&store, hide(bert.user, conversation, 0, &[3])).await.expect("it is hidden");
    settled(&store, hide(cora.user, other, 0, &[1])).await.expect("it is hidden");
    trim(&store, anna, conversation, 3).await;
    trim(&store, anna, other, 1).await;
    sound(&store).await;
    for places_max in [1, 2, 100] {
        let (mut found, mut from) = (Vec::new(), None);
        loop {
            let snapshot = store.snapshot().await.expect("the store can be read");
            let limits = StepLimits { places_max, entries_max: 1 };
            let step = queries::expired_hidden(&*snapshot, from, limits).await.expect("read");
            assert!(step.trims.len() <= places_max);
            found.extend(step.trims);
            from = step.next;
            if from.is_none() {
                break;
            }
        }
        let forget = |at: At, conversation, before| ForgetHidden { user: at.user, conversation, before: Seq::new(before) };
        let expected = [forget(anna, conversation, 4), forget(bert, conversation, 4), forget(cora, other, 2)];
        assert_eq!(found, expected, "{places_max} a step");
        if places_max == 100 {
            for op in found {
                store.submit(&0, op).await.expect("it commits");
            }
        }
    }
    assert_eq!(hidden(&store, anna.user, conversation).await, [5]);
    assert_eq!(hidden(&store, bert.user, conversation).await, [] as [u64; 0]);
    assert_eq!(hidden(&store, cora.user, other).await, [] as [u64; 0]);
    sound(&store).await;
}

pub(crate) async fn a_membership_is_forgotten_with_how_its_group_was_shown(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert] = people(&store).await;
    let group = made(&store, anna, 1, &[bert]).await;
    let all = ConversationId::group(group);
    settled(&store, set(bert.user, all, true)).await.expect("it is set");
    settled(&store, hide(bert.user, all, 0, &[1])).await.expect("it is hidden");
    accepted(&store, change(anna, group, 2, GroupChange::Removed(vec![bert.user]))).await;
    accepted(&store, say(anna, group, 3)).await;
    assert!(listed(&store, bert.user).await[0].chat.settings.pinned, "a former member has it in the list");
    trim(&store, anna, all, 2).await;
    let forget = ForgetMembership { user: bert.user, group, until: Seq::new(2) };
    store.submit(&0, forget).await.expect("it commits").answer.expect("it can be read");
    assert_eq!(listed(&store, bert.user).await, []);
    assert_eq!(chat(&store, bert.user, all).await, Chat::default());
    assert_eq!(hidden(&store, bert.user, all).await, [] as [u64; 0]);
    assert_eq!(settled(&store, set(bert.user, all, true)).await, Err(Refusal::NotMember));
    sound(&store).await;
}

pub(crate) async fn what_is_noted_of_edits_goes_with_the_messages(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert] = people(&store).await;
    let conversation = ConversationId::direct(anna.user, bert.user);
    let edit = |number, seq| SendMessage {
        reference: Some(Reference { kind: ReferenceKind::Edit, seq: Seq::new(seq) }),
        ..message(anna, bert.user, number)
    };
    send(&store, anna, bert.user, 1).await;
    send(&store, anna, bert.user, 2).await;
    for (number, seq) in [(3, 1), (4, 2), (5, 1), (6, 2)] {
        accepted(&store, edit(number, seq)).await;
    }
    for (upto, left) in [(1, 2), (3, 0), (6, 0)] {
        trim(&store, anna, conversation, upto).await;
        sound(&store).await;
        let mut check = Check::new(100);
        check.finish(&store, 1).await.expect("the store can be read");
        assert_eq!(check.counts().edits, left, "up to {upto}");
    }
}

pub(crate) async fn a_log_is_searched_by_time_as_if_clocks_never_went_back(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert] = people(&store).await;
    let conversation = ConversationId::direct(anna.user, bert.user);
    // A message's number is its time.
    for number in [10, 20, 30, 29, 50, 60] {
        send(&store, anna, bert.user, number).await;
    }
    let snapshot = store.snapshot().await.expect("the store can be read");
    let since = async |from, time_ms| {
        let range = (Seq::new(from), Seq::new(6));
        queries::first_since(&*snapshot, conversation, range, time_ms).await.expect("read").get()
    };
    for (time_ms, first) in [(0, 1), (10, 1), (11, 2), (20, 2), (40, 5), (60, 6), (61, 7), (u64::MAX, 7)] {
        assert_eq!(since(1, time_ms).await, first, "{time_ms}");
        assert_eq!(since(4, time_ms).await, first.max(4), "{time_ms}");
    }
    assert!([3, 5].contains(&since(1, 30).await), "near to it");
    drop(snapshot);
    let sent = [10, 20].map(|number| (anna.user, anna.device, id(number))).to_vec();
    store.submit(&0, TrimLog { conversation, upto: Seq::new(2), sent }).await.expect("it commits");
    let snapshot = store.snapshot().await.expect("the store can be read");
    let range = (Seq::new(1), Seq::new(6));
    let first = queries::first_since(&*snapshot, conversation, range, 5).await.expect("read");
    assert_eq!(first, Seq::new(3), "what is left begins there");
}
