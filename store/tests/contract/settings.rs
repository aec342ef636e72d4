//! What users say of themselves and of others.

use rookery_protocol::{AccountPart, Audience, Person as Told, PrivacySettings, Profile, UserId, limits};
use rookery_store::keys::inbox::{AccountChange, InboxEntry};
use rookery_store::keys::person::Person;
use rookery_store::ops::{AddDevice, Asker, Refusal, RemoveUser, Removed, SetPerson, SetPrivacy, SetProfile, Settled};
use rookery_store::{Op, Store, StoreConfig, StoreError, queries};

use crate::engines::UnderTest;
use crate::faulty::{Fault, FaultyEngine};
use crate::people::{add, add_user, first, inbox, user};

/// Does it, and answers whether it may be.
pub(crate) async fn set(store: &Store, op: impl Op<Answer = Settled>) -> Result<(), Refusal> {
    match store.submit(&0, op).await.expect("it commits").answer {
        Settled::Done => Ok(()),
        Settled::Refused(refusal) => Err(refusal),
        other => panic!("{other:?}"),
    }
}

/// Whether the asker's device may not do it, as it may do nothing.
pub(crate) async fn is_revoked(store: &Store, op: impl Op<Answer = Settled>) -> bool {
    matches!(store.submit(&0, op).await.expect("it commits").answer, Settled::Revoked)
}

/// Nothing to anybody.
pub(crate) const NOTHING: Person = Person { is_contact: false, is_excepted: false, is_blocked: false };
/// A contact.
pub(crate) const CONTACT: Person = Person { is_contact: true, ..NOTHING };
/// Blocked.
pub(crate) const BLOCKED: Person = Person { is_blocked: true, ..NOTHING };

/// Makes `other` be something to `user`.
pub(crate) fn person(user: UserId, other: UserId, person: Person) -> SetPerson {
    SetPerson { asker: first(user).asker(1), person: person.of(other) }
}

/// Blocks, or unblocks.
pub(crate) async fn block(store: &Store, user: UserId, other: UserId, is_blocked: bool) {
    set(store, person(user, other, if is_blocked { BLOCKED } else { NOTHING }))
        .await
        .expect("both are there");
}

/// What there is of changes in an inbox.
async fn changes(store: &Store, user: UserId) -> Vec<(AccountPart, Option<Told>)> {
    let inbox = inbox(store, user).await.into_iter();
    let changes = inbox.map(|(_, entry)| match entry {
        InboxEntry::Account(AccountChange { part, person, .. }) => (part, person),
        other => panic!("{other:?}"),
    });
    changes.collect()
}

async fn people(store: &Store, of: UserId) -> Vec<(UserId, Person)> {
    let snapshot = store.snapshot().await.expect("the store can be read");
    let all = queries::people(&*snapshot, of, None, 100_000).await.expect("read");
    for (at, (other, person)) in all.iter().enumerate() {
        assert_eq!(queries::person(&*snapshot, of, *other).await.expect("read"), *person);
        let page = queries::people(&*snapshot, of, Some(*other), 2).await.expect("read");
        assert_eq!(page, all[at + 1..].iter().take(2).copied().collect::<Vec<_>>());
    }
    all
}

fn hidden() -> PrivacySettings {
    PrivacySettings { last_seen: Audience::Nobody, read_receipts: false, ..PrivacySettings::default() }
}

fn profile(name: &str) -> Profile {
    Profile { name: name.into(), about: "about".into(), picture: String::new() }
}

pub(crate) async fn what_is_set_is_read_and_the_users_devices_learn_it_once(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, bert) = (add(&store, 1).await.user, add(&store, 2).await.user);
    let privacy = |privacy: PrivacySettings| SetPrivacy { asker: first(anna).asker(1), privacy };
    let nothing = || Profile { name: String::new(), about: String::new(), picture: String::new() };
    let read = async || {
        let snapshot = store.snapshot().await.expect("the store can be read");
        let privacy = queries::privacy(&*snapshot, anna).await.expect("read");
        (privacy, queries::profiles(&*snapshot, &[bert, anna]).await.expect("read"))
    };
    assert_eq!(read().await, (PrivacySettings::default(), vec![None, None]));
    set(&store, privacy(PrivacySettings::default())).await.expect("anna is there");
    set(&store, SetProfile { asker: first(anna).asker(1), profile: nothing() }).await.expect("anna is there");
    assert_eq!(changes(&store, anna).await, [], "it was so before");

    for _ in 0..2 {
        set(&store, privacy(hidden())).await.expect("anna is there");
        set(&store, SetProfile { asker: first(anna).asker(1), profile: profile("Anna") }).await.expect("anna is there");
    }
    assert_eq!(read().await, (hidden(), vec![None, Some(profile("Anna"))]));
    set(&store, privacy(PrivacySettings::default())).await.expect("anna is there");
    set(&store, SetProfile { asker: first(anna).asker(1), profile: nothing() }).await.expect("anna is there");
    assert_eq!(read().await, (PrivacySettings::default(), vec![None, None]));
    let (privacy, profile) = ((AccountPart::Privacy, None), (AccountPart::Profile, None));
    assert_eq!(changes(&store, anna).await, [privacy.clone(), profile.clone(), privacy, profile]);
    assert_eq!(changes(&store, bert).await, [], "it concerns nobody else");
}

pub(crate) async fn what_an_older_connection_asked_is_not_done_after_what_a_newer_one_did(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, bert) = (add(&store, 1).await.user, add(&store, 2).await.user);
    let other_device = AddDevice { user: anna, name: "other".into(), time_ms: 1 };
    let added = store.submit(&0, other_device).await.expect("it commits").answer.expect("there is room");
    let at = |device, admitted, what: Person| SetPerson {
        asker: Asker { device, admitted, ..first(anna).asker(1) },
        person: what.of(bert),
    };
    let phone = first(anna).device;
    set(&store, at(phone, 7, BLOCKED)).await.expect("both are there");
    set(&store, at(phone, 9, NOTHING)).await.expect("both are there");
    for late in [at(phone, 7, BLOCKED), at(phone, 8, BLOCKED)] {
        let answer = store.submit(&0, late).await.expect("it commits").answer;
        assert!(matches!(answer, Settled::Superseded), "{answer:?}");
    }
    assert_eq!(people(&store, anna).await, []);
    set(&store, at(phone, 9, CONTACT)).await.expect("the newest may go on");
    set(&store, at(added.device, 3, BLOCKED)).await.expect("other devices are others");
    assert_eq!(people(&store, anna).await, [(bert, BLOCKED)]);
    // What is refused was asked for all the same.
    let myself = SetPerson { asker: Asker { admitted: 12, ..first(anna).asker(1) }, person: CONTACT.of(anna) };
    set(&store, myself).await.expect_err("nobody is a contact of their own");
    let answer = store.submit(&0, at(phone, 9, NOTHING)).await.expect("it commits").answer;
    assert!(matches!(answer, Settled::Superseded), "{answer:?}");
}

pub(crate) async fn people_are_what_was_last_said_of_them(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert, carl] =
        [add(&store, 1).await.user, add_user(&store, 2).await, add_user(&store, 3).await];
    let both = Person { is_contact: true, is_excepted: true, is_blocked: true };
    let said =
        [(carl, CONTACT), (bert, BLOCKED), (bert, BLOCKED), (carl, NOTHING), (bert, both), (carl, NOTHING)];
    for (other, what) in said {
        set(&store, person(anna, other, what)).await.expect("they are there");
    }
    assert_eq!(people(&store, anna).await, [(bert, both)]);
    assert_eq!(people(&store, bert).await, [], "nobody learns it");
    assert_eq!(changes(&store, bert).await, []);
    let told: Vec<_> = changes(&store, anna).await;
    let expected = [(carl, CONTACT), (bert, BLOCKED), (carl, NOTHING), (bert, both)];
    assert_eq!(told, expected.map(|(other, what)| (AccountPart::People, Some(what.of(other)))));
}

pub(crate) async fn nothing_is_kept_for_nobody_or_of_nobody(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, bert, nobody) = (add(&store, 1).await.user, add(&store, 2).await.user, user(9));
    let missing = Err(Refusal::NoSuchUser(nobody));
    let asker = first(nobody).asker(1);
    assert!(is_revoked(&store, SetPrivacy { asker, privacy: hidden() }).await);
    assert!(is_revoked(&store, SetProfile { asker, profile: profile("n") }).await);
    assert!(is_revoked(&store, person(nobody, anna, CONTACT)).await);
    assert_eq!(set(&store, person(anna, nobody, CONTACT)).await, missing);
    assert_eq!(set(&store, person(anna, nobody, NOTHING)).await, Ok(()), "that they are not");
    assert_eq!(set(&store, person(anna, anna, BLOCKED)).await, Err(Refusal::Yourself));

    set(&store, person(anna, bert, CONTACT)).await.expect("both are there");
    let removed = store.submit(&0, RemoveUser { user: bert }).await.expect("it commits").answer;
    assert_eq!(removed.expect("read"), Removed::Done);
    assert_eq!(people(&store, anna).await, [(bert, CONTACT)], "to anna he is what he was");
    assert_eq!(set(&store, person(anna, bert, BLOCKED)).await, Err(Refusal::NoSuchUser(bert)));
    assert_eq!(set(&store, person(anna, bert, NOTHING)).await, Ok(()));
    assert_eq!(people(&store, anna).await, []);
}

pub(crate) async fn a_removed_user_leaves_no_settings_profile_or_people(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, bert) = (add(&store, 1).await.user, add(&store, 2).await.user);
    for user in [anna, bert] {
        set(&store, SetPrivacy { asker: first(user).asker(1), privacy: hidden() }).await.expect("they are there");
        set(&store, SetProfile { asker: first(user).asker(1), profile: profile("n") }).await.expect("they are there");
    }
    set(&store, person(anna, bert, CONTACT)).await.expect("both are there");
    set(&store, person(bert, anna, CONTACT)).await.expect("both are there");
    let removed = store.submit(&0, RemoveUser { user: anna }).await.expect("it commits").answer;
    assert_eq!(removed.expect("read"), Removed::Done);
    let snapshot = store.snapshot().await.expect("the store can be read");
    assert_eq!(queries::privacy(&*snapshot, anna).await.expect("read"), PrivacySettings::default());
    let profiles = queries::profiles(&*snapshot, &[anna, bert]).await.expect("read");
    assert_eq!(profiles, [None, Some(profile("n"))]);
    assert_eq!((people(&store, anna).await, people(&store, bert).await), (vec![], vec![(anna, CONTACT)]));
    let mut check = rookery_store::check::Check::new(100);
    assert_eq!(check.finish(&store, 10).await.expect("read"), []);
    assert_eq!(check.counts().people, 1);
}

pub(crate) async fn so_many_people_are_anything_to_a_user(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, last, late) = (add(&store, 1).await.user, user(2), user(3));
    let most = limits::PEOPLE_PER_USER_MAX as u64;
    // Written directly: ten thousand accounts would take long, and are not looked at.
    let count = crate::probe::probe(&[], move |_, writes| {
        let key = rookery_store::keys::person::count_key(anna);
        writes.put(key, rookery_store::keys::person::encode_count(most - 1));
    });
    store.submit(&0, count).await.expect("it commits");
    for number in [2, 3] {
        add_user(&store, number).await;
    }
    assert_eq!(set(&store, person(anna, last, CONTACT)).await, Ok(()));
    assert_eq!(set(&store, person(anna, late, CONTACT)).await, Err(Refusal::TooManyPeople));
    assert_eq!(set(&store, person(anna, last, BLOCKED)).await, Ok(()), "who is there may be something else");
    assert_eq!(set(&store, person(anna, last, NOTHING)).await, Ok(()));
    assert_eq!(set(&store, person(anna, late, CONTACT)).await, Ok(()));
}

pub(crate) async fn what_is_set_again_after_an_unknown_outcome_is_told_once(mut test: UnderTest) {
    let engine = FaultyEngine::new(test.engine().await);
    let store = Store::start(engine.clone(), StoreConfig::default());
    let (anna, bert) = (add(&store, 1).await.user, add(&store, 2).await.user);
    for fault in [Fault::CommittedButUnknown, Fault::NotCommittedAndUnknown] {
        for what in [CONTACT, NOTHING] {
            engine.inject(fault);
            let unknown = store.submit(&0, person(anna, bert, what)).await;
            assert!(matches!(unknown, Err(StoreError::Ambiguous(_))));
            set(&store, person(anna, bert, what)).await.expect("both are there");
        }
    }
    assert_eq!(changes(&store, anna).await.len(), 4);
    assert_eq!(people(&store, anna).await, []);
}
