//! What users hide is not told, from the moment on in which they hide it.

use rookery_protocol::{
    Audience, Availability, Doing, Done, Person, PrivacySettings, ServerFrame, SetPerson, SetPrivacy,
};

use super::{SOON, online};
use crate::client::{Client, direct, user, who};
use crate::network::World;
use crate::node::Node;

const GONE: super::Person = (2, Availability::Offline, 0);

impl Client {
    async fn shows(&mut self, online: Audience, last_seen: Audience) {
        let request = self.new_request();
        let privacy = PrivacySettings { online, last_seen, ..PrivacySettings::default() };
        self.tell(&SetPrivacy { request, privacy }).await;
        self.settled_with(ServerFrame::Done(Done { request })).await;
    }

    async fn makes(&mut self, number: u64, is_contact: bool, is_blocked: bool) {
        let request = self.new_request();
        let person = Person { user: user(number), is_contact, is_excepted: false, is_blocked };
        self.tell(&SetPerson { request, person }).await;
        self.settled_with(ServerFrame::Done(Done { request })).await;
    }

    async fn settled_with(&mut self, done: ServerFrame) {
        assert_eq!(self.answer().await, done);
        self.take().await;
    }
}

#[tokio::test(start_paused = true)]
async fn of_users_who_hide_nothing_at_all_is_told() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    bob.shows(Audience::Contacts, Audience::Everyone).await;
    alice.watch(&[2], &[]).await;
    alice.quiet_for(SOON).await;
    bob.active(false).await;
    alice.quiet_for(SOON).await;
    bob.active(true).await;
    tokio::time::sleep(SOON).await;
    bob.makes(1, true, false).await;
    assert_eq!(alice.presence().await, [online(2)]);
    // Who hides from others does not see them either.
    bob.watch(&[1], &[]).await;
    assert_eq!(bob.presence().await, [online(1)]);
    alice.shows(Audience::Nobody, Audience::Nobody).await;
    assert_eq!(bob.presence().await, [(1, Availability::Offline, 0)]);
    assert_eq!(alice.presence().await, [GONE]);
}

#[tokio::test(start_paused = true)]
async fn when_somebody_was_last_seen_is_hidden_by_itself() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    bob.shows(Audience::Everyone, Audience::Nobody).await;
    alice.watch(&[2], &[]).await;
    assert_eq!(alice.presence().await, [online(2)]);
    drop(bob);
    assert_eq!(alice.presence().await, [GONE]);
}

#[tokio::test(start_paused = true)]
async fn those_who_have_blocked_one_another_neither_see_nor_hear_the_other() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    alice.watch(&[2], &[direct(1, 2)]).await;
    bob.watch(&[1], &[direct(1, 2)]).await;
    assert_eq!(alice.presence().await, [online(2)]);
    assert_eq!(bob.presence().await, [online(1)]);
    bob.makes(1, false, true).await;
    assert_eq!(alice.presence().await, [GONE]);
    assert_eq!(bob.presence().await, [(1, Availability::Offline, 0)]);
    alice.typing(direct(1, 2), Doing::Typing).await;
    bob.typing(direct(1, 2), Doing::Typing).await;
    alice.quiet_for(SOON).await;
    bob.quiet_for(SOON).await;
    bob.makes(1, false, false).await;
    assert_eq!(alice.presence().await, [online(2)]);
    assert_eq!(bob.presence().await, [online(1)]);
}

#[tokio::test(start_paused = true)]
async fn who_hides_does_not_see_what_others_hide_from_those_on_any_device() {
    let world = World::start(3, 2).await;
    let mut phone = world.members[0].node.join(who(1, 1)).await;
    let mut laptop = world.members[1].node.join(who(1, 2)).await;
    let bob = world.members[2].node.join(who(2, 1)).await;
    world.settled().await;
    phone.watch(&[2], &[]).await;
    assert_eq!(phone.presence().await, [online(2)]);
    laptop.shows(Audience::Nobody, Audience::Nobody).await;
    assert_eq!(phone.presence().await, [GONE]);
    drop(bob);
    phone.take().await;
    phone.quiet_for(SOON).await;
}

#[tokio::test(start_paused = true)]
async fn who_hides_is_hidden_on_every_node() {
    let world = World::start(3, 2).await;
    for alice_at in 0..3 {
        for bob_at in 0..3 {
            let mut alice = world.members[alice_at].node.join(who(1, 1)).await;
            let mut bob = world.members[bob_at].node.join(who(2, 1)).await;
            world.settled().await;
            alice.watch(&[2], &[]).await;
            while alice.presence().await != [online(2)] {}
            bob.shows(Audience::Nobody, Audience::Nobody).await;
            assert_eq!(alice.presence().await, [GONE], "{alice_at}, {bob_at}");
            bob.active(false).await;
            alice.quiet_for(SOON).await;
            bob.active(true).await;
            tokio::time::sleep(SOON).await;
            bob.shows(Audience::Everyone, Audience::Everyone).await;
            assert_eq!(alice.presence().await, [online(2)], "{alice_at}, {bob_at}");
        }
    }
}
