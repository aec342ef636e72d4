//! What is said in a channel comes at once to those who follow it and are there.

use std::time::Duration;

use rookery_actors::Victim;
use rookery_protocol::{ChannelNotice, GroupChange, GroupId};

use super::of;
use crate::client::{Client, who};
use crate::network::World;
use crate::node::Node;

impl Client {
    /// The next notice of a channel: its number, and whether it says something or is a change.
    async fn heard(&mut self, group: GroupId) -> (u64, Option<String>) {
        let ChannelNotice { message } = self.channel_notice().await;
        assert_eq!(message.conversation, of(group));
        let text = message.body.map(|body| String::from_utf8(body.as_bytes().to_vec()).unwrap());
        (message.seq.get(), text)
    }
}

fn said(seq: u64, text: &str) -> (u64, Option<String>) {
    (seq, Some(text.to_owned()))
}

#[tokio::test(start_paused = true)]
async fn what_is_said_comes_to_all_devices_of_a_follower_and_to_nobody_else() {
    let node = Node::start().await;
    let (mut alice, mut carol) = (node.join(who(1, 1)).await, node.join(who(3, 1)).await);
    let (mut bob, mut laptop) = (node.join(who(2, 1)).await, node.join(who(2, 2)).await);
    let news = alice.create_channel().await;
    bob.follow(news, true).await.unwrap();
    bob.take_followed().await;
    laptop.take_followed().await;
    // The laptop's connection follows once the event has passed.
    laptop.heartbeat().await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    alice.say(of(news), "caw").await;
    for client in [&mut bob, &mut laptop] {
        assert_eq!(client.heard(news).await, said(2, "caw"));
    }
    alice.change(news, GroupChange::Named("old news".into())).await.unwrap();
    assert_eq!(bob.heard(news).await, (3, None));
    assert_eq!(laptop.heard(news).await, (3, None));
    carol.quiet_for(Duration::from_secs(5)).await;

    laptop.follow(news, false).await.unwrap();
    bob.take_followed().await;
    laptop.take_followed().await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    alice.say(of(news), "gone").await;
    for client in [&mut bob, &mut laptop] {
        client.quiet_for(Duration::from_secs(5)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_follower_hears_again_after_connecting_again_and_after_those_who_tell_have_failed() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let news = alice.create_channel().await;
    bob.follow(news, true).await.unwrap();
    bob.take_followed().await;
    drop(bob);
    alice.say(of(news), "missed").await;
    let mut bob = node.join(who(2, 1)).await;
    alice.say(of(news), "heard").await;
    assert_eq!(bob.heard(news).await, said(3, "heard"));
    assert_eq!(bob.log_of(news).await.unwrap(), [1, 2, 3]);

    node.actors.crash(Victim::Looking);
    tokio::time::sleep(Duration::from_secs(1)).await;
    alice.say(of(news), "again").await;
    assert_eq!(bob.heard(news).await, said(4, "again"));
}

#[tokio::test(start_paused = true)]
async fn the_entry_that_ends_a_channel_is_its_last_notice() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let (one, other) = (alice.create_channel().await, alice.create_channel().await);
    bob.follow(one, true).await.unwrap();
    bob.take_followed().await;
    bob.follow(other, true).await.unwrap();
    bob.take_followed().await;
    let private = rookery_protocol::GroupSettings { is_channel: false, ..super::as_channel() };
    alice.change(one, GroupChange::Set(private)).await.unwrap();
    assert_eq!(bob.heard(one).await, (2, None));
    alice.say(of(one), "among ourselves").await;
    alice.change(other, GroupChange::Deleted).await.unwrap();
    assert_eq!(bob.heard(other).await, (2, None));
    bob.quiet_for(Duration::from_secs(5)).await;
}

#[tokio::test(start_paused = true)]
async fn followers_are_told_at_whichever_node_they_are_for_as_long_as_they_are_connected() {
    let world = World::start(3, 4).await;
    let mut alice = world.members[0].node.join(who(1, 1)).await;
    let mut followers = Vec::new();
    for number in 2..=4 {
        followers.push(world.members[number as usize - 2].node.join(who(number, 1)).await);
    }
    world.settled().await;
    let news = alice.create_channel().await;
    for follower in &mut followers {
        follower.follow(news, true).await.unwrap();
        follower.take_followed().await;
    }
    // The channel's owner may not have heard of all of them yet.
    tokio::time::sleep(Duration::from_millis(10)).await;
    alice.say(of(news), "caw").await;
    for follower in &mut followers {
        assert_eq!(follower.heard(news).await, said(2, "caw"));
    }
    // Longer than a watch lasts that nobody renews.
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_secs(20)).await;
        alice.heartbeat().await;
        for follower in &mut followers {
            follower.heartbeat().await;
        }
    }
    alice.say(of(news), "still here?").await;
    for follower in &mut followers {
        assert_eq!(follower.heard(news).await, said(3, "still here?"));
    }
}
