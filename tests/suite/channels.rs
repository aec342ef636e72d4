//! Channels on nodes that act as one: followers hear what is said once and in order, at whichever node they are.

use std::ops::RangeInclusive;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rookery_client::{
    Body, Client, Config, ConversationId, Event, Events, GroupChange, GroupId, GroupSettings, LocalStore,
    MemoryStore, NetworkDialer, Seq, TlsOptions, TokenProvider,
};
use rookery_tests::cluster::{Cluster, ClusterConfig, Way};
use rookery_tests::deadline::{eventually, soon};
use rookery_tests::{Account, Port, accounts};
use tokio::time::timeout;

/// Long enough for a notice that is not lost.
const MOMENT: Duration = Duration::from_millis(500);

/// A device at a node.
struct Device {
    client: Client,
    events: Events,
}

impl Device {
    fn start(cluster: &Cluster, node: usize, account: &Account, store: impl LocalStore) -> Self {
        let nodes = vec![cluster.member(node).url(Port::Tcp)];
        let token = TokenProvider::fixed(account.devices[0].token.as_str());
        let (config, dialer) = (Config::new(nodes, token), NetworkDialer::new(TlsOptions::System));
        let rng = StdRng::seed_from_u64(node as u64);
        let (client, events) = Client::start(config, dialer, store, rng).unwrap();
        Self { client, events }
    }

    async fn say(&self, channel: GroupId, text: impl Into<String>) {
        let body = Body::new(text.into());
        let ticket = self.client.send(ConversationId::group(channel), body).unwrap();
        soon("it is said", ticket).await.unwrap();
    }

    /// Says the numbers, as many as are on the way at a time.
    async fn count(&self, channel: GroupId, numbers: RangeInclusive<u64>) {
        let say = |number: u64| {
            let body = Body::new(number.to_string());
            self.client.send(ConversationId::group(channel), body).unwrap()
        };
        let tickets: Vec<_> = numbers.map(say).collect();
        for ticket in tickets {
            soon("it is said", ticket).await.unwrap();
        }
    }

    /// The place of the next entry of a channel, and what it says.
    async fn heard(&mut self, channel: GroupId) -> (u64, String) {
        soon("something is heard", async {
            loop {
                match self.events.next().await.expect("the client runs") {
                    Event::Message(message) if message.conversation == ConversationId::group(channel) => {
                        let text = String::from_utf8(message.body.as_bytes().to_vec()).unwrap();
                        return (message.seq.get(), text);
                    }
                    Event::Change(change) if change.conversation == ConversationId::group(channel) => {
                        return (change.seq.get(), String::new());
                    }
                    _ => {}
                }
            }
        })
        .await
    }

    /// Says numbers until a follower, who has heard all up to `heard`, has heard the last one: a notice may be lost until the
    /// channel's owner knows where they are. Gives the last number.
    async fn is_heard_by(&self, follower: &mut Self, channel: GroupId, mut heard: u64, mut said: u64) -> u64 {
        eventually("all is heard", async || {
            said += 1;
            self.say(channel, said.to_string()).await;
            while heard < said {
                let Ok((seq, _)) = timeout(MOMENT, follower.heard(channel)).await else { break };
                assert_eq!(seq, heard + 1);
                heard = seq;
            }
            (heard == said).then_some(said)
        })
        .await
    }

    /// Waits until it is known that this is followed, and nothing else.
    async fn told(&mut self, channels: &[GroupId]) {
        soon("the list of channels comes", async {
            loop {
                match self.events.next().await.expect("the client runs") {
                    Event::Followed(followed) if followed == channels => return,
                    _ => {}
                }
            }
        })
        .await;
    }
}

fn said(seq: u64, text: impl Into<String>) -> (u64, String) {
    (seq, text.into())
}

async fn three_nodes(links_can_fail: bool) -> (Cluster, Vec<Account>) {
    let cluster = Cluster::start(ClusterConfig { links_can_fail, ..ClusterConfig::new(3) }).await.unwrap();
    let people = accounts(&cluster, &[("alice", 1), ("bob", 1), ("carol", 1)]).await.unwrap();
    (cluster, people)
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_at_other_nodes_hear_what_is_said_in_order_until_the_channel_ends() {
    let (cluster, people) = three_nodes(false).await;
    let devices = people.iter().enumerate();
    let mut devices =
        devices.map(|(node, account)| Device::start(&cluster, node, account, MemoryStore::new()));
    let (alice, mut bob, mut carol) =
        (devices.next().unwrap(), devices.next().unwrap(), devices.next().unwrap());
    let news = soon("a channel", alice.client.create_channel("news")).await.unwrap();
    alice.say(news, "before").await;
    for follower in [&mut bob, &mut carol] {
        soon("it is followed", follower.client.follow(news)).await.unwrap();
        follower.told(&[news]).await;
    }
    let group = soon("what it is", bob.client.group(news)).await.unwrap();
    assert_eq!((group.followers, group.members.len(), group.head), (2, 0, Seq::new(2)));
    let first = alice.is_heard_by(&mut bob, news, 2, 2).await;
    let second = alice.is_heard_by(&mut carol, news, 2, first).await;
    let last = second + 30;
    alice.count(news, second + 1..=last).await;
    for (follower, heard) in [(&mut bob, first), (&mut carol, second)] {
        for seq in heard + 1..=last {
            assert_eq!(follower.heard(news).await, said(seq, seq.to_string()));
        }
    }
    // Bob becomes a member while he follows: nothing is missing and nothing comes twice.
    let bobs = vec![people[1].user];
    soon("bob is added", alice.client.add_members(news, bobs)).await.unwrap();
    alice.say(news, "welcome").await;
    for follower in [&mut bob, &mut carol] {
        assert_eq!(follower.heard(news).await, said(last + 1, ""));
        assert_eq!(follower.heard(news).await, said(last + 2, "welcome"));
    }
    let private = GroupChange::Set(GroupSettings { only_admins_send: true, ..GroupSettings::default() });
    soon("it is made private", alice.client.change_group(news, private)).await.unwrap();
    assert_eq!(carol.heard(news).await, said(last + 3, ""));
    carol.told(&[]).await;
    let beyond = carol.client.history(ConversationId::group(news), Seq::new(1), Seq::new(2));
    soon("an answer", beyond).await.unwrap_err();
    cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_who_was_away_hears_all_that_was_said_meanwhile_once_at_whichever_node_they_return() {
    let (cluster, people) = three_nodes(false).await;
    let store = MemoryStore::new();
    let alice = Device::start(&cluster, 0, &people[0], MemoryStore::new());
    let mut bob = Device::start(&cluster, 1, &people[1], store.clone());
    let news = soon("a channel", alice.client.create_channel("news")).await.unwrap();
    soon("it is followed", bob.client.follow(news)).await.unwrap();
    bob.told(&[news]).await;
    let first = alice.is_heard_by(&mut bob, news, 1, 1).await;
    bob.client.close().await;
    // More than a page.
    alice.count(news, first + 1..=300).await;
    let mut bob = Device::start(&cluster, 2, &people[1], store.clone());
    for seq in first + 1..=150 {
        assert_eq!(bob.heard(news).await, said(seq, seq.to_string()));
    }
    // As if the process had died: what was handed up last may come again.
    drop(bob);
    let mut bob = Device::start(&cluster, 1, &people[1], store);
    let first = bob.heard(news).await;
    assert!((150..=151).contains(&first.0), "{first:?}");
    for seq in first.0 + 1..=300 {
        assert_eq!(bob.heard(news).await, said(seq, seq.to_string()));
    }
    alice.is_heard_by(&mut bob, news, 300, 300).await;
    cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn notices_that_are_lost_between_nodes_are_made_up_for_with_the_next_one() {
    let (cluster, people) = three_nodes(true).await;
    let alice = Device::start(&cluster, 0, &people[0], MemoryStore::new());
    let mut bob = Device::start(&cluster, 1, &people[1], MemoryStore::new());
    let news = soon("a channel", alice.client.create_channel("news")).await.unwrap();
    soon("it is followed", bob.client.follow(news)).await.unwrap();
    bob.told(&[news]).await;
    let heard = alice.is_heard_by(&mut bob, news, 1, 1).await;
    (0..3).for_each(|node| cluster.links().set_all_of(node, Way::Torn));
    let last = heard + 20;
    alice.count(news, heard + 1..=last).await;
    (0..3).for_each(|node| cluster.links().set_all_of(node, Way::Clear));
    alice.is_heard_by(&mut bob, news, heard, last).await;
    cluster.stop().await.unwrap();
}
