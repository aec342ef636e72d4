//! Forgetting what is too old. A message's time is its number.

use rookery_protocol::{AccountPart, ConversationId, ConversationSettings, GroupChange, Profile, Seq};
use rookery_store::check::Check;
use rookery_store::keys::inbox::{AccountChange, InboxEntry};
use rookery_store::ops::{
    ForgetMembership, Hide, MarkRead, Outcome, Refusal, SetConversation, SetProfile,
};
use rookery_store::queries::{self, StepLimits};
use rookery_store::{KeyRange, Store, keys};

use crate::engines::UnderTest;
use crate::groups::{accepted, change, got, made, members, outcome, people, refused, say, sees, users};
use crate::people::{At, add, counts, inbox, message, send, submit, user};
use crate::settings::set;

/// Crawls the whole store once, and answers how many steps that took over conversations and over inboxes.
async fn crawl(store: &Store, before_ms: u64, limits: StepLimits) -> (usize, usize) {
    let (mut steps, mut from) = ((0, 0), None);
    loop {
        let snapshot = store.snapshot().await.expect("the store can be read");
        let step = queries::expired_messages(&*snapshot, from, before_ms, limits).await.expect("read");
        drop(snapshot);
        steps.0 += 1;
        assert!(step.trims.iter().map(|trim| trim.sent.len()).sum::<usize>() <= limits.entries_max);
        for trim in step.trims {
            store.submit(&trim.conversation.clone(), trim).await.expect("it commits");
        }
        from = step.next;
        if from.is_none() {
            break;
        }
    }
    let mut after = None;
    loop {
        let snapshot = store.snapshot().await.expect("the store can be read");
        let step = queries::expired_memberships(&*snapshot, after, limits).await.expect("read");
        drop(snapshot);
        for trim in step.trims {
            store.submit(&0, trim).await.expect("it commits").answer.expect("it can be read");
        }
        after = step.next;
        if after.is_none() {
            break;
        }
    }
    let mut from = None;
    loop {
        let snapshot = store.snapshot().await.expect("the store can be read");
        let step = queries::expired_events(&*snapshot, from, before_ms, limits).await.expect("read");
        drop(snapshot);
        steps.1 += 1;
        for trim in step.trims {
            store.submit(&trim.user.clone(), trim).await.expect("it commits");
        }
        from = step.next;
        if from.is_none() {
            return steps;
        }
    }
}

const WIDE: StepLimits = StepLimits { places_max: 100, entries_max: 1_000 };

pub(crate) async fn old_messages_go_with_their_ids_and_events_and_fresh_ones_stay(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, bert) = (add(&store, 1).await, add(&store, 2).await);
    let conversation = ConversationId::direct(anna.user, bert.user);
    for number in 1..=10 {
        send(&store, anna, bert.user, number).await;
    }
    crawl(&store, 1, WIDE).await;
    assert_eq!(inbox(&store, bert.user).await.len(), 10, "nothing is that old");

    crawl(&store, 7, WIDE).await;
    let snapshot = store.snapshot().await.expect("the store can be read");
    let seqs = (1..=10).map(|seq| (conversation, Seq::new(seq)));
    let left = queries::messages(&*snapshot, seqs).await.expect("read");
    assert_eq!(left.iter().map(Option::is_some).collect::<Vec<_>>(), [[false; 6].as_slice(), &[true; 4]].concat());
    let whole = (Seq::new(1), Seq::new(10));
    assert_eq!(queries::log(&*snapshot, conversation, whole, 100).await.expect("read").len(), 4);
    assert_eq!(queries::head(&*snapshot, conversation).await.expect("read"), Seq::new(10));
    assert_eq!(counts(&store, anna.user).await, (4, 0));
    assert_eq!(counts(&store, bert.user).await, (4, 0));

    assert!(matches!(submit(&store, message(anna, bert.user, 7)).await, Outcome::Duplicate(_)));
    assert_eq!(send(&store, anna, bert.user, 6).await, Seq::new(11), "its id is forgotten, its seq is not given again");
    crawl(&store, u64::MAX, WIDE).await;
    assert_eq!(inbox(&store, bert.user).await, []);
    let everything = KeyRange::prefix(&keys::conversation::prefix(conversation), 100);
    let left = crate::probe::range(&store, &everything).await;
    assert_eq!(left.len(), 1, "the head stays: {left:?}");
    assert_eq!(send(&store, bert, anna.user, 1).await, Seq::new(12));
}

pub(crate) async fn steps_are_bounded_and_reach_the_end(mut test: UnderTest) {
    let store = test.store().await;
    let mut people = Vec::new();
    for number in 1..=6 {
        people.push(add(&store, number).await);
    }
    for number in 0..30_u128 {
        let (from, to) = (people[number as usize % 6], people[(number as usize + 1) % 6]);
        send(&store, from, to.user, number + 1).await;
    }
    let one_place = StepLimits { places_max: 1, entries_max: 1_000 };
    assert_eq!(crawl(&store, 0, one_place).await, (6, 6), "a step for each conversation and each inbox");
    let (messages, events) = crawl(&store, 100, StepLimits { places_max: 100, entries_max: 4 }).await;
    assert!(messages >= 30 / 4 && events >= 60 / 4, "{messages} steps, {events} steps");
    for at in people {
        assert_eq!(inbox(&store, at.user).await, []);
    }
    let snapshot = store.snapshot().await.expect("the store can be read");
    let step = queries::expired_messages(&*snapshot, None, u64::MAX, WIDE).await.expect("read");
    assert_eq!((step.trims, step.next), (vec![], None));
}

pub(crate) async fn a_removed_users_inbox_is_found(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, bert) = (add(&store, 1).await, add(&store, 2).await);
    send(&store, anna, bert.user, 1).await;
    let conversation = ConversationId::direct(anna.user, bert.user);
    store.submit(&0, rookery_store::ops::RemoveUser { user: anna.user }).await.expect("it commits").answer.expect("read");
    // A receipt that was on its way arrives in an inbox nobody has.
    let read = MarkRead { conversation, user: bert.user, seq: Seq::new(1), time_ms: 1 };
    store.submit(&0, read).await.expect("it commits");
    assert_eq!(inbox(&store, user(1)).await.len(), 1);
    crawl(&store, 0, WIDE).await;
    assert_eq!(inbox(&store, user(1)).await, []);
    assert_eq!(inbox(&store, bert.user).await.len(), 2);
}

pub(crate) async fn receipts_go_with_the_messages_they_are_about(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, bert) = (add(&store, 1).await, add(&store, 2).await);
    let conversation = ConversationId::direct(anna.user, bert.user);
    for number in [1, 2] {
        send(&store, anna, bert.user, number).await;
        let read = MarkRead { conversation, user: bert.user, seq: Seq::new(number as u64), time_ms: 1 };
        store.submit(&0, read).await.expect("it commits");
    }
    assert_eq!(counts(&store, anna.user).await, (2, 2));
    crawl(&store, 2, WIDE).await;
    assert_eq!(counts(&store, anna.user).await, (1, 1));
    crawl(&store, 3, WIDE).await;
    assert_eq!(counts(&store, anna.user).await, (0, 0));
}

pub(crate) async fn changes_of_what_is_a_users_own_go_at_their_age(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert] = people::<2>(&store).await;
    let conversation = ConversationId::direct(anna.user, bert.user);
    send(&store, anna, bert.user, 1).await;
    let settings = ConversationSettings { pinned: true, ..ConversationSettings::default() };
    set(&store, SetConversation { asker: bert.asker(2), conversation, settings }).await.expect("it is set");
    let profile = Profile { name: "Bert".into(), about: String::new(), picture: String::new() };
    set(&store, SetProfile { asker: bert.asker(3), profile }).await.expect("it is set");
    let hide = Hide { asker: bert.asker(4), conversation, up_to: Seq::new(1), seqs: vec![] };
    set(&store, hide).await.expect("it is hidden");
    for (before_ms, left) in [(1, 4), (2, 3), (3, 2), (4, 1), (5, 0)] {
        crawl(&store, before_ms, WIDE).await;
        assert_eq!(inbox(&store, bert.user).await.len(), left, "before {before_ms}");
    }
}

pub(crate) async fn what_has_no_time_goes_with_what_is_behind_it_however_much_it_is(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert] = people::<2>(&store).await;
    let change = InboxEntry::Account(AccountChange { part: AccountPart::Privacy, person: None, time_ms: 0 });
    let as_before = crate::probe::probe(&[], move |_, writes| {
        for _ in 0..11 {
            let slot = writes.new_stamp();
            writes.put_stamped(keys::inbox::prefix(bert.user), slot, change.encode());
        }
    });
    store.submit(&0, as_before).await.expect("it commits");
    let narrow = StepLimits { places_max: 100, entries_max: 4 };
    crawl(&store, 100, narrow).await;
    assert_eq!(inbox(&store, bert.user).await.len(), 11, "nobody knows how old they are");
    for number in 1..=3 {
        send(&store, anna, bert.user, number).await;
    }
    crawl(&store, 1, narrow).await;
    assert_eq!(inbox(&store, bert.user).await.len(), 14);
    crawl(&store, 3, narrow).await;
    assert_eq!(inbox(&store, bert.user).await.len(), 1, "the third message is fresh");
    assert_eq!(inbox(&store, anna.user).await.len(), 1);
}

pub(crate) async fn a_groups_log_is_trimmed_and_memberships_that_ended_before_what_is_left_are_forgotten(
    mut test: UnderTest,
) {
    let store = test.store().await;
    let [anna, bert, carl] = people::<3>(&store).await;
    let group = made(&store, anna, 1, &[bert, carl]).await;
    accepted(&store, change(bert, group, 2, GroupChange::Left { successor: None })).await;
    accepted(&store, change(anna, group, 3, GroupChange::Removed(users(&[carl])))).await;
    let over = made(&store, anna, 4, &[bert]).await;
    accepted(&store, change(anna, over, 5, GroupChange::Deleted)).await;
    for number in 6..=8 {
        accepted(&store, say(anna, group, number)).await;
    }
    let sees_of = async |at: At| (sees(&store, at.user, group).await, sees(&store, at.user, over).await);

    crawl(&store, 3, WIDE).await;
    assert_eq!(sees_of(anna).await, (Some((1, None)), Some((1, Some(2)))));
    assert_eq!(sees_of(bert).await, (None, Some((1, Some(2)))), "what bert saw of the first is gone");
    assert_eq!(sees_of(carl).await, (Some((1, Some(3))), None));
    assert_eq!(got(&store, carl.user, group).await, [3]);
    crawl(&store, 100, StepLimits { places_max: 1, entries_max: 2 }).await;
    assert_eq!(sees_of(anna).await, (Some((1, None)), None));
    assert_eq!((sees_of(bert).await, sees_of(carl).await), ((None, None), (None, None)));

    // The group goes on where it was, and nothing is known of the ids.
    assert_eq!(members(&store, group).await.len(), 1);
    assert_eq!(accepted(&store, say(anna, group, 6)).await.seq, Seq::new(7));
    assert_eq!(refused(&store, say(anna, over, 6)).await, Refusal::NotMember);
    assert!(matches!(outcome(&store, crate::groups::create(anna, 4, &[])).await, Outcome::Duplicate(_)));
    assert_eq!(Check::new(9).finish(&store, 9).await.expect("read"), []);
}

pub(crate) async fn a_membership_that_began_anew_is_not_forgotten(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert] = people::<2>(&store).await;
    let group = made(&store, anna, 1, &[bert]).await;
    accepted(&store, change(bert, group, 2, GroupChange::Left { successor: None })).await;
    let forget = ForgetMembership { user: bert.user, group, until: Seq::new(2) };
    accepted(&store, change(anna, group, 3, GroupChange::Added(users(&[bert])))).await;
    store.submit(&0, forget.clone()).await.expect("it commits").answer.expect("it can be read");
    assert_eq!(sees(&store, bert.user, group).await, Some((3, None)));
    accepted(&store, change(bert, group, 4, GroupChange::Left { successor: None })).await;
    store.submit(&0, forget).await.expect("it commits").answer.expect("it can be read");
    assert_eq!(sees(&store, bert.user, group).await, Some((3, Some(4))));
}
