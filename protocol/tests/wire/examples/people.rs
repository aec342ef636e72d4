//! What users are to one another, what they show, and to whom.

use rookery_protocol::*;

use super::{
    Example, alice, bob, carol, chat, dave, edge_users, example, handle, request, stamp, team, user,
};

fn profile(name: &str, about: &str, picture: &str) -> Profile {
    Profile { name: name.into(), about: about.into(), picture: picture.into() }
}

fn alices_profile() -> Profile {
    profile("Alice", "At the nest", "https://media.example/alice.webp")
}

fn largest_profile() -> Profile {
    profile(
        &"n".repeat(limits::PROFILE_NAME_BYTES_MAX),
        &"a".repeat(limits::PROFILE_ABOUT_BYTES_MAX),
        &"p".repeat(limits::PROFILE_PICTURE_BYTES_MAX),
    )
}

fn careful() -> PrivacySettings {
    PrivacySettings {
        last_seen: Audience::Nobody,
        online: Audience::ContactsExcept,
        profile: Audience::Everyone,
        groups: Audience::Contacts,
        read_receipts: false,
    }
}

fn closed() -> PrivacySettings {
    let nobody = Audience::Nobody;
    PrivacySettings {
        last_seen: nobody,
        online: nobody,
        profile: nobody,
        groups: nobody,
        read_receipts: false,
    }
}

fn person(user: UserId) -> Person {
    Person { user, is_contact: false, is_excepted: false, is_blocked: false }
}

fn edge_person(user: UserId) -> Person {
    Person { user, is_contact: true, is_excepted: true, is_blocked: true }
}

/// Opcodes `0x25..=0x30` and `0x43`.
pub(crate) fn people() -> Vec<Example> {
    [privacy(), profiles(), persons(), finding(), reports(), events()].concat()
}

fn privacy() -> Vec<Example> {
    vec![
        example(
            "set_privacy_typical",
            "one audience of each kind, and nothing about what the user has read",
            SetPrivacy { request: request(40), privacy: careful() },
        ),
        example(
            "set_privacy_back",
            "as every account begins",
            SetPrivacy { request: request(41), privacy: PrivacySettings::default() },
        ),
        example(
            "set_privacy_edge",
            "nothing for anybody",
            SetPrivacy { request: request(u32::MAX), privacy: closed() },
        ),
        example("get_privacy_typical", "", GetPrivacy { request: request(42) }),
        example("get_privacy_edge", "the largest request id", GetPrivacy { request: request(u32::MAX) }),
        example(
            "privacy_typical",
            "answers get_privacy_typical, after set_privacy_typical",
            Privacy { request: request(42), privacy: careful() },
        ),
        example(
            "privacy_edge",
            "answers get_privacy_edge, after set_privacy_edge",
            Privacy { request: request(u32::MAX), privacy: closed() },
        ),
    ]
}

fn profiles() -> Vec<Example> {
    vec![
        example(
            "set_profile_typical",
            "what alice shows of herself",
            SetProfile { request: request(43), profile: alices_profile() },
        ),
        example(
            "set_profile_empty",
            "nothing any more",
            SetProfile { request: request(44), profile: profile("", "", "") },
        ),
        example(
            "set_profile_edge",
            "the longest texts",
            SetProfile { request: request(u32::MAX), profile: largest_profile() },
        ),
        example(
            "get_profiles_typical",
            "",
            GetProfiles { request: request(45), users: vec![carol(), alice(), dave()] },
        ),
        example(
            "get_profiles_edge",
            "16 users take array 16",
            GetProfiles { request: request(u32::MAX), users: edge_users() },
        ),
        example(
            "profiles_typical",
            "answers get_profiles_typical: carol shows bob nothing, and dave is no more",
            Profiles {
                request: request(45),
                profiles: vec![
                    UserProfile { user: carol(), handle: handle("carol"), profile: None, last_seen_ms: 0 },
                    UserProfile {
                        user: alice(),
                        handle: handle("alice"),
                        profile: Some(alices_profile()),
                        last_seen_ms: 1_746_788_940_000,
                    },
                ],
            },
        ),
        example(
            "profiles_empty",
            "none of them exists",
            Profiles { request: request(46), profiles: Vec::new() },
        ),
        example(
            "profiles_edge",
            "the largest numbers and the longest texts",
            Profiles {
                request: request(u32::MAX),
                profiles: vec![UserProfile {
                    user: user(UserId::MAX),
                    handle: handle("0abcdefghijklm.nopqrstuvwxyz_-19"),
                    profile: Some(largest_profile()),
                    last_seen_ms: u64::MAX,
                }],
            },
        ),
    ]
}

fn persons() -> Vec<Example> {
    vec![
        example(
            "set_person_contact",
            "alice has bob among her contacts",
            SetPerson { request: request(47), person: Person { is_contact: true, ..person(bob()) } },
        ),
        example(
            "set_person_excepted",
            "and shows him nothing where she says: contacts, but for some",
            SetPerson {
                request: request(48),
                person: Person { is_contact: true, is_excepted: true, ..person(bob()) },
            },
        ),
        example(
            "set_person_blocked",
            "alice blocks dave",
            SetPerson { request: request(49), person: Person { is_blocked: true, ..person(dave()) } },
        ),
        example(
            "set_person_nothing",
            "how everybody begins",
            SetPerson { request: request(50), person: person(dave()) },
        ),
        example(
            "set_person_edge",
            "the largest numbers",
            SetPerson { request: request(u32::MAX), person: edge_person(user(UserId::MAX)) },
        ),
        example("list_people_typical", "from the first on", ListPeople { request: request(51), after: None }),
        example(
            "list_people_edge",
            "after the largest: none",
            ListPeople { request: request(u32::MAX), after: Some(user(UserId::MAX)) },
        ),
        example(
            "people_typical",
            "answers list_people_typical",
            People {
                request: request(51),
                people: vec![
                    Person { is_contact: true, ..person(bob()) },
                    Person { is_blocked: true, ..person(dave()) },
                ],
                more: false,
            },
        ),
        example(
            "people_empty",
            "answers list_people_edge",
            People { request: request(u32::MAX), people: Vec::new(), more: false },
        ),
        example(
            "people_edge",
            "16 people take array 16; there are more: ask for those after the last",
            People {
                request: request(52),
                people: edge_users().into_iter().map(edge_person).collect(),
                more: true,
            },
        ),
    ]
}

fn finding() -> Vec<Example> {
    let many = (0..15).map(|number| handle(&format!("friend-{number}")));
    let longest = handle("0abcdefghijklm.nopqrstuvwxyz_-19");
    vec![
        example(
            "find_people_typical",
            "two of an address book",
            FindPeople { request: request(53), handles: vec![handle("bob"), handle("nobody")] },
        ),
        example(
            "find_people_edge",
            "16 handles take array 16",
            FindPeople { request: request(u32::MAX), handles: many.chain([longest]).collect() },
        ),
        example(
            "found_people_typical",
            "answers find_people_typical: bob is user 1002, and there is nobody called nobody",
            FoundPeople { request: request(53), users: vec![Some(bob()), None] },
        ),
        example(
            "found_people_edge",
            "answers find_people_edge",
            FoundPeople { request: request(u32::MAX), users: edge_users().into_iter().map(Some).collect() },
        ),
    ]
}

fn reports() -> Vec<Example> {
    let seqs = |numbers: std::ops::RangeInclusive<u64>| numbers.map(Seq::new).collect();
    vec![
        example(
            "report_typical",
            "two messages of dave's",
            Report {
                request: request(54),
                user: dave(),
                conversation: Some(team()),
                seqs: seqs(7..=8),
                text: "He shouts".into(),
            },
        ),
        example(
            "report_of_a_user",
            "no messages, and nothing to say",
            Report {
                request: request(55),
                user: dave(),
                conversation: None,
                seqs: Vec::new(),
                text: String::new(),
            },
        ),
        example(
            "report_edge",
            "as many messages as a report may name, the longest text, the largest numbers",
            Report {
                request: request(u32::MAX),
                user: user(UserId::MAX),
                conversation: Some(chat()),
                seqs: seqs(u64::MAX - 15..=u64::MAX),
                text: "t".repeat(limits::REPORT_TEXT_BYTES_MAX),
            },
        ),
    ]
}

fn events() -> Vec<Example> {
    vec![
        example(
            "account_event_privacy",
            "follows set_privacy_typical, on all of the user's devices: ask GET_PRIVACY",
            AccountEvent { stamp: stamp(0x83), part: AccountPart::Privacy, person: None },
        ),
        example(
            "account_event_profile",
            "follows set_profile_typical: ask GET_PROFILES about oneself",
            AccountEvent { stamp: stamp(0x84), part: AccountPart::Profile, person: None },
        ),
        example(
            "account_event_person",
            "follows set_person_blocked",
            AccountEvent {
                stamp: stamp(0x85),
                part: AccountPart::People,
                person: Some(Person { is_blocked: true, ..person(dave()) }),
            },
        ),
        example(
            "account_event_edge",
            "a part from the future, and the largest numbers",
            AccountEvent {
                stamp: Stamp::MAX,
                part: AccountPart::Unknown(u8::MAX),
                person: Some(edge_person(user(UserId::MAX))),
            },
        ),
    ]
}
