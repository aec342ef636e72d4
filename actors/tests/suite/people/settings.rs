//! Settings, profiles and people: set, read, and told to the user's own devices.

use std::time::Duration;

use rookery_protocol::{
    AccountPart, Audience, ConversationSettings, ErrorCode, Follow, GroupId, Hide, PrivacySettings, Profile,
    Report, RequestId, Seq, SetConversation, SetPerson, SetPrivacy, SetProfile, encode, limits,
};
use rookery_store::keys::chat::Chat;
use rookery_store::queries;

use super::{BLOCKED, CONTACT, EXCEPTED, NOTHING, all, person, profile, why};
use crate::client::{Who, direct, user, who};
use crate::node::{Node, add_user};

#[tokio::test(start_paused = true)]
async fn what_is_set_is_told_to_all_devices_of_the_user_and_to_nobody_else() {
    let node = Node::start().await;
    let (mut phone, mut laptop) = (node.join(who(1, 1)).await, node.join(who(1, 2)).await);
    let mut bob = node.join(who(2, 1)).await;
    let privacy = PrivacySettings { online: Audience::Nobody, ..PrivacySettings::default() };
    phone.set_privacy(privacy.clone()).await;
    phone.set_profile(profile("Alice")).await.unwrap();
    phone.set_person(2, CONTACT).await;
    phone.set_person(2, BLOCKED).await;
    for device in [&mut phone, &mut laptop] {
        assert_eq!(device.take_account().await, (AccountPart::Privacy, None));
        assert_eq!(device.take_account().await, (AccountPart::Profile, None));
        assert_eq!(device.take_account().await, (AccountPart::People, Some(person(2, CONTACT))));
        assert_eq!(device.take_account().await, (AccountPart::People, Some(person(2, BLOCKED))));
    }
    assert_eq!(laptop.privacy().await, privacy);
    assert_eq!(laptop.profiles(vec![user(1)]).await.unwrap()[0].profile, Some(profile("Alice")));
    assert_eq!(laptop.people(None).await.people, [person(2, BLOCKED)]);
    assert_eq!(bob.privacy().await, PrivacySettings::default());
    assert_eq!(bob.people(None).await.people, []);
    bob.quiet_for(Duration::from_secs(5)).await;
    // What is so already is done, and nobody hears of it.
    laptop.set_privacy(privacy).await;
    laptop.set_person(2, BLOCKED).await;
    phone.quiet_for(Duration::from_secs(5)).await;
}

#[tokio::test(start_paused = true)]
async fn a_device_that_was_away_learns_what_was_set() {
    let node = Node::start().await;
    let mut phone = node.join(who(1, 1)).await;
    phone.set_person(3, CONTACT).await;
    let mut laptop = node.join(who(1, 2)).await;
    assert_eq!(laptop.take_account().await, (AccountPart::People, Some(person(3, CONTACT))));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_is_refused_and_leaves_nothing() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    let error = alice.try_set_person(1, CONTACT).await.unwrap_err();
    assert_eq!(why(&error), (ErrorCode::BadRequest, "that is yourself: name another user"));
    let error = alice.try_set_person(99, CONTACT).await.unwrap_err();
    assert_eq!(why(&error), (ErrorCode::NotFound, "there is no user 99"));
    alice.try_set_person(99, NOTHING).await.expect("nobody is nothing");

    let long = |bytes: usize| "x".repeat(bytes + 1);
    let with = |name: &str, about: &str, picture: &str| Profile {
        name: name.into(),
        about: about.into(),
        picture: picture.into(),
    };
    for (profile, text) in [
        (
            with(&long(limits::PROFILE_NAME_BYTES_MAX), "", ""),
            "a name has at most 128 bytes and no control characters",
        ),
        (with("a\nb", "", ""), "a name has at most 128 bytes and no control characters"),
        (with("", &long(limits::PROFILE_ABOUT_BYTES_MAX), ""), "a description has at most 512 bytes"),
        (
            with("", "", &long(limits::PROFILE_PICTURE_BYTES_MAX)),
            "the reference of a picture has at most 512 bytes",
        ),
    ] {
        let error = alice.set_profile(profile).await.unwrap_err();
        assert_eq!(why(&error), (ErrorCode::BadRequest, text));
    }
    assert_eq!(alice.people(None).await.people, []);
    assert_eq!(alice.profiles(vec![user(1)]).await.unwrap()[0].profile, None);
    alice.quiet_for(Duration::from_secs(5)).await;
}

#[tokio::test(start_paused = true)]
async fn people_are_listed_in_pages() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    let last = 4 + limits::PEOPLE_MAX as u64;
    for number in 4..=last {
        add_user(&node.store, number, 0).await;
        alice.set_person(number, EXCEPTED).await;
    }
    let first = alice.people(None).await;
    assert_eq!((first.people.len(), first.more), (limits::PEOPLE_MAX, true));
    assert!(first.people.is_sorted_by_key(|person| person.user));
    let second = alice.people(first.people.last().map(|person| person.user)).await;
    assert_eq!((second.people, second.more), (vec![person(last, EXCEPTED)], false));
    assert_eq!(alice.people(Some(user(last))).await.people, []);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_revoked_or_suspended_while_connected_changes_and_reports_nothing() {
    let node = Node::start().await;
    node.join(who(2, 1)).await.say(direct(1, 2), "x").await;
    let (request, conversation) = (RequestId::new(1), direct(1, 2));
    let settings = ConversationSettings { pinned: true, ..ConversationSettings::default() };
    let report = Report { request, user: user(2), conversation: None, seqs: vec![], text: "spam".into() };
    let frames = [
        encode(&SetConversation { request, conversation, settings }),
        encode(&Hide { request, conversation, up_to: Seq::new(1), seqs: vec![] }),
        encode(&SetPrivacy { request, privacy: all(Audience::Nobody) }),
        encode(&SetProfile { request, profile: profile("Alice") }),
        encode(&SetPerson { request, person: person(2, BLOCKED) }),
        encode(&report),
        encode(&Follow { request, group: GroupId::new(7).unwrap(), follow: true }),
    ];
    for frame in &frames {
        let mut alice = node.join(who(1, 1)).await;
        node.suspend(1, Some("spam")).await;
        alice.tell_bytes(frame).await;
        alice.closed_for(ErrorCode::Suspended).await;
        node.suspend(1, None).await;
    }
    for (frame, generation) in frames.iter().zip(1..) {
        let alices = Who { generation, ..who(1, 1) };
        let mut alice = node.join(alices).await;
        node.revoke(alices).await;
        alice.tell_bytes(frame).await;
        alice.closed_for(ErrorCode::TokenRevoked).await;
    }
    let snapshot = node.store.snapshot().await.unwrap();
    assert_eq!(queries::chat(&*snapshot, user(1), conversation).await.unwrap(), Chat::default());
    assert_eq!(queries::privacy(&*snapshot, user(1)).await.unwrap(), PrivacySettings::default());
    assert_eq!(queries::profiles(&*snapshot, &[user(1)]).await.unwrap(), [None]);
    assert_eq!(queries::people(&*snapshot, user(1), None, 9).await.unwrap(), []);
    assert_eq!(queries::reports_waiting(&*snapshot).await.unwrap(), 0);
}
