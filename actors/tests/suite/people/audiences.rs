//! Who sees what: each audience, each thing that one may be to the other, in both directions.

use rookery_protocol::{Audience, ErrorCode, UserId, UserProfile, limits};
use rookery_store::ops::NoteLastSeen;

use super::{BLOCKED, BLOCKED_CONTACT, CONTACT, EXCEPTED, Is, NOTHING, all, profile, why};
use crate::client::{Client, user, who};
use crate::node::Node;

/// A moment, and the minute that it is in.
const SEEN_MS: u64 = 1_700_000_012_345;
const SEEN_MINUTE_MS: u64 = 1_699_999_980_000;

/// What somebody sees of somebody: the profile, and when they were last there.
async fn sees(client: &mut Client, number: u64) -> (bool, bool) {
    let [seen] = &client.profiles(vec![user(number)]).await.unwrap()[..] else { panic!("one was asked for") };
    let UserProfile { user: of, handle, profile: shown, last_seen_ms } = seen;
    assert_eq!((*of, handle.as_str()), (user(number), &format!("user{number}")[..]));
    assert!(shown.is_none() || *shown == Some(profile(&format!("number {number}"))));
    assert!([0, SEEN_MINUTE_MS].contains(last_seen_ms), "{last_seen_ms}");
    (shown.is_some(), *last_seen_ms != 0)
}

#[tokio::test(start_paused = true)]
async fn each_audience_sees_what_it_may_and_hiding_is_mutual_where_it_is() {
    let node = Node::start().await;
    let seen = NoteLastSeen { seen: vec![(user(1), SEEN_MS), (user(2), SEEN_MS)] };
    node.store.submit(&0, seen).await.unwrap().answer.unwrap();
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    alice.set_profile(profile("number 1")).await.unwrap();
    bob.set_profile(profile("number 2")).await.unwrap();

    // What one is to the other, by audience: who is in it.
    let relations: [(Is, [bool; 4]); 5] = [
        (NOTHING, [true, false, false, false]),
        (CONTACT, [true, true, true, false]),
        (EXCEPTED, [true, true, false, false]),
        (BLOCKED, [false; 4]),
        (BLOCKED_CONTACT, [false; 4]),
    ];
    let audiences = [Audience::Everyone, Audience::Contacts, Audience::ContactsExcept, Audience::Nobody];
    let mut shown = 0;
    for (to_alice, alice_admits) in relations {
        alice.set_person(2, to_alice).await;
        for (to_bob, bob_admits) in relations {
            bob.set_person(1, to_bob).await;
            let is_blocked = to_alice.blocked || to_bob.blocked;
            for (alices, alice_admits) in audiences.into_iter().zip(alice_admits) {
                alice.set_privacy(all(alices)).await;
                for (bobs, bob_admits) in audiences.into_iter().zip(bob_admits) {
                    bob.set_privacy(all(bobs)).await;
                    let why = format!("alice {alices:?} {to_alice:?}, bob {bobs:?} {to_bob:?}");
                    let both = alice_admits && bob_admits;
                    assert_eq!(sees(&mut alice, 2).await, (bob_admits && !is_blocked, both), "{why}");
                    assert_eq!(sees(&mut bob, 1).await, (alice_admits && !is_blocked, both), "{why}");
                    assert_eq!(sees(&mut alice, 1).await, (true, true), "oneself: {why}");
                    shown += u32::from(both);
                }
            }
            alice.events_until_quiet(std::time::Duration::ZERO).await;
            bob.events_until_quiet(std::time::Duration::ZERO).await;
        }
    }
    // 1 + 3 + 2 audiences admit, of the three who are not blocked.
    assert_eq!(shown, 6 * 6);
}

#[tokio::test(start_paused = true)]
async fn profiles_come_in_the_order_asked_for_without_those_who_do_not_exist() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    let users = |numbers: &[u64]| numbers.iter().map(|number| user(*number)).collect::<Vec<UserId>>();
    let profiles = alice.profiles(users(&[3, 99, 1, 2, 3])).await.unwrap();
    let who: Vec<u64> = profiles.iter().map(|profile| profile.user.get()).collect();
    assert_eq!(who, [3, 1, 2, 3]);
    assert!(profiles.iter().all(|profile| profile.profile.is_none() && profile.last_seen_ms == 0));
    assert_eq!(alice.profiles(vec![]).await.unwrap(), []);
    let most: Vec<u64> = (1..=limits::PROFILES_MAX as u64 + 1).collect();
    assert_eq!(alice.profiles(users(&most[1..])).await.unwrap().len(), 2);
    let error = alice.profiles(users(&most)).await.unwrap_err();
    assert_eq!(why(&error), (ErrorCode::BadRequest, "ask for at most 64 profiles"));
}
