//! References, people and what is watched: what a request may ask for, and what numbers of the future are taken for.

use rookery_protocol::*;

use crate::examples::{bob, chat, user};

fn read<T: for<'de> serde::Deserialize<'de>>(number: u8) -> T {
    let mut bytes = Vec::new();
    encode_value(&mut bytes, &number);
    decode_value(&bytes).unwrap()
}

fn seqs(count: usize) -> Vec<Seq> {
    (1..=count as u64).map(Seq::new).collect()
}

fn users(count: usize) -> Vec<UserId> {
    (1..=count as u64).map(user).collect()
}

const REQUEST: RequestId = RequestId::new(1);

#[test]
fn numbers_that_are_not_known_show_the_least() {
    for number in 0..=u8::MAX {
        let audience = [Audience::Everyone, Audience::Contacts, Audience::ContactsExcept];
        let audience = audience.get(usize::from(number)).copied().unwrap_or(Audience::Nobody);
        assert_eq!(read::<Audience>(number), audience, "{number}");
        let availability = [Availability::Offline, Availability::Idle, Availability::Online];
        let availability = availability.get(usize::from(number)).copied().unwrap_or(Availability::Offline);
        assert_eq!(read::<Availability>(number), availability, "{number}");
        let doing = [Doing::Nothing, Doing::Typing, Doing::Recording];
        let doing = doing.get(usize::from(number)).copied().unwrap_or(Doing::Nothing);
        assert_eq!(read::<Doing>(number), doing, "{number}");
    }
}

#[test]
fn kinds_and_parts_keep_their_numbers_known_or_not() {
    for number in 0..=u8::MAX {
        assert_eq!(u8::from(read::<ReferenceKind>(number)), number);
        assert_eq!(u8::from(read::<AccountPart>(number)), number);
    }
    let kinds = [
        ReferenceKind::Reply,
        ReferenceKind::Reaction,
        ReferenceKind::Edit,
        ReferenceKind::Delete,
        ReferenceKind::Timer,
    ];
    assert_eq!(kinds.map(u8::from), [1, 2, 3, 4, 5]);
    assert_eq!([AccountPart::Privacy, AccountPart::Profile, AccountPart::People].map(u8::from), [1, 2, 3]);
}

#[test]
fn a_reference_fits_the_body_it_comes_with() {
    let check = |kind, length| {
        let body = Body::new(vec![0; length]);
        Reference { kind, seq: Seq::new(1) }.check(&body)
    };
    let most = limits::REACTION_BYTES_MAX;
    assert_eq!(check(ReferenceKind::Reply, limits::BODY_BYTES_MAX), Ok(()));
    assert_eq!(check(ReferenceKind::Edit, limits::BODY_BYTES_MAX), Ok(()));
    assert_eq!(check(ReferenceKind::Edit, 0), Ok(()));
    assert_eq!(check(ReferenceKind::Reaction, 0), Ok(()));
    assert_eq!(check(ReferenceKind::Reaction, most), Ok(()));
    assert_eq!(check(ReferenceKind::Reaction, most + 1), Err(ReferenceError::Reaction));
    assert_eq!(check(ReferenceKind::Delete, 0), Ok(()));
    assert_eq!(check(ReferenceKind::Delete, 1), Err(ReferenceError::Deletion));
    assert_eq!(check(ReferenceKind::Timer, 0), Err(ReferenceError::Timer), "it names no message");
    let timer = Reference { kind: ReferenceKind::Timer, seq: Seq::ZERO };
    assert_eq!(timer.check(&Body::default()), Ok(()));
    assert_eq!(timer.check(&Body::new("x")), Err(ReferenceError::Timer));
    for unknown in [0, 6, u8::MAX] {
        assert_eq!(check(unknown.into(), 0), Err(ReferenceError::Kind));
    }
}

#[test]
fn a_message_disappears_within_limits_or_never() {
    let (least, most) = (limits::EXPIRES_S_MIN, limits::EXPIRES_S_MAX);
    assert!([0, least, most].map(check_expires_s).iter().all(Result::is_ok));
    assert!([1, least - 1, most + 1, u32::MAX].map(check_expires_s).iter().all(Result::is_err));
}

#[test]
fn who_hides_names_something_and_not_too_much() {
    let check = |up_to, count| {
        Hide { request: REQUEST, conversation: chat(), up_to: Seq::new(up_to), seqs: seqs(count) }.check()
    };
    assert_eq!(check(1, 0), Ok(()));
    assert_eq!(check(0, 1), Ok(()));
    assert_eq!(check(u64::MAX, limits::HIDE_MAX), Ok(()));
    assert_eq!(check(0, 0), Err(HideError));
    assert_eq!(check(1, limits::HIDE_MAX + 1), Err(HideError));
}

#[test]
fn a_profile_is_within_its_limits() {
    let check = |name: &str, about: usize, picture: usize| {
        let (about, picture) = ("a".repeat(about), "p".repeat(picture));
        Profile { name: name.into(), about, picture }.check()
    };
    let [name, about, picture] =
        [limits::PROFILE_NAME_BYTES_MAX, limits::PROFILE_ABOUT_BYTES_MAX, limits::PROFILE_PICTURE_BYTES_MAX];
    assert_eq!(check("", 0, 0), Ok(()));
    assert_eq!(check(&"n".repeat(name), about, picture), Ok(()));
    assert_eq!(check(&"n".repeat(name + 1), 0, 0), Err(ProfileError::Name));
    assert_eq!(check("a\u{7}b", 0, 0), Err(ProfileError::Name));
    assert_eq!(check("n", about + 1, 0), Err(ProfileError::About));
    assert_eq!(check("n", 0, picture + 1), Err(ProfileError::Picture));
}

#[test]
fn questions_about_people_and_what_is_watched_have_an_end() {
    let get = |count| GetProfiles { request: REQUEST, users: users(count) }.check();
    assert_eq!(get(limits::PROFILES_MAX), Ok(()));
    assert_eq!(get(limits::PROFILES_MAX + 1), Err(GetProfilesError));
    let handle: Handle = "bob".parse().unwrap();
    let find = |count| FindPeople { request: REQUEST, handles: vec![handle.clone(); count] }.check();
    assert_eq!(find(limits::FIND_PEOPLE_MAX), Ok(()));
    assert_eq!(find(limits::FIND_PEOPLE_MAX + 1), Err(FindPeopleError));
    let watch = |count, open| {
        Watch { request: REQUEST, users: users(count), conversations: vec![chat(); open] }.check()
    };
    assert_eq!(watch(0, 0), Ok(()));
    assert_eq!(watch(limits::WATCH_USERS_MAX, limits::WATCH_CONVERSATIONS_MAX), Ok(()));
    assert_eq!(watch(limits::WATCH_USERS_MAX + 1, 0), Err(WatchError));
    assert_eq!(watch(0, limits::WATCH_CONVERSATIONS_MAX + 1), Err(WatchError));
}

#[test]
fn a_report_says_where_its_messages_are_and_not_too_much() {
    let check = |conversation, count, text: usize| {
        let text = "t".repeat(text);
        Report { request: REQUEST, user: bob(), conversation, seqs: seqs(count), text }.check()
    };
    let (messages, text) = (limits::REPORT_MESSAGES_MAX, limits::REPORT_TEXT_BYTES_MAX);
    assert_eq!(check(None, 0, 0), Ok(()));
    assert_eq!(check(Some(chat()), 0, 0), Ok(()));
    assert_eq!(check(Some(chat()), messages, text), Ok(()));
    assert_eq!(check(Some(chat()), messages + 1, 0), Err(ReportError::Messages));
    assert_eq!(check(None, 1, 0), Err(ReportError::Conversation));
    assert_eq!(check(None, 0, text + 1), Err(ReportError::Text));
}
