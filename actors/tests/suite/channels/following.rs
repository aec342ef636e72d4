//! Who follows a channel reads its log, and has it in the list; nothing comes to the inbox.

use std::time::Duration;

use rookery_protocol::{ConversationSettings, GroupChange, SetConversation};

use super::{as_channel, of};
use crate::client::{user, who};
use crate::node::Node;

#[tokio::test(start_paused = true)]
async fn a_follower_learns_what_a_channel_is_and_reads_all_of_it() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let news = alice.create_channel().await;
    alice.say(of(news), "early").await;
    let before = bob.channel(news).await.unwrap();
    assert_eq!((&*before.name, before.head.get(), before.followers), ("news", 2, 0));
    assert_eq!((before.settings, before.members), (as_channel(), vec![]));

    bob.follow(news, true).await.unwrap();
    bob.follow(news, true).await.unwrap();
    assert_eq!(bob.channel(news).await.unwrap().followers, 1);
    let hers = alice.channel(news).await.unwrap();
    assert_eq!((hers.followers, hers.members.len()), (1, 1), "members see who the members are");
    alice.say(of(news), "late").await;
    assert_eq!(bob.log_of(news).await.unwrap(), [1, 2, 3]);

    bob.follow(news, false).await.unwrap();
    assert_eq!(bob.channel(news).await.unwrap().followers, 0);
    assert_eq!(alice.channel(news).await.unwrap().members.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn followed_channels_are_listed_among_the_groups_with_what_came_since() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let mut laptop = node.join(who(2, 2)).await;
    let news = alice.create_channel().await;
    alice.say(of(news), "early").await;
    let other = alice.create([2]).await;
    for client in [&mut bob, &mut laptop] {
        client.take_message().await;
    }
    bob.follow(news, true).await.unwrap();
    bob.take_followed().await;
    laptop.take_followed().await;
    alice.say(of(news), "late").await;

    let mut expected =
        vec![(of(news), [1, 3, 2, 1], [false, true]), (of(other), [1, 1, 0, 1], [true, false])];
    expected.sort_by_key(|(conversation, ..)| conversation.to_bytes().to_vec());
    let numbers = |list: Vec<rookery_protocol::Conversation>| -> Vec<_> {
        let numbers = |it: &rookery_protocol::Conversation| {
            let numbers = [it.first.get(), it.head.get(), it.read.get(), it.unread];
            (it.conversation, numbers, [it.is_member, it.is_followed])
        };
        list.iter().map(numbers).collect()
    };
    assert_eq!(numbers(bob.listed().await), expected);

    bob.read(of(news), 3).await;
    assert_eq!(laptop.take_receipt().await.receipt.read.get(), 3);
    let settings = ConversationSettings { pinned: true, ..ConversationSettings::default() };
    let request = bob.new_request();
    bob.tell(&SetConversation { request, conversation: of(news), settings: settings.clone() }).await;
    bob.answer().await;
    let list = laptop.listed().await;
    let listed = list.iter().find(|it| it.conversation == of(news)).unwrap();
    assert_eq!((&listed.settings, listed.read.get(), listed.unread), (&settings, 3, 0));

    bob.follow(news, false).await.unwrap();
    assert_eq!(numbers(bob.listed().await), [(of(other), [1, 1, 0, 1], [true, false])]);
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_is_none_any_more_is_not_to_be_seen_and_comes_back_with_it() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let news = alice.create_channel().await;
    bob.follow(news, true).await.unwrap();
    let private = rookery_protocol::GroupSettings { is_channel: false, ..as_channel() };
    alice.change(news, GroupChange::Set(private)).await.unwrap();
    assert_eq!(bob.listed().await, []);
    bob.log_of(news).await.unwrap_err();
    bob.channel(news).await.unwrap_err();
    alice.change(news, GroupChange::Set(as_channel())).await.unwrap();
    assert_eq!(bob.listed().await.len(), 1);
    assert_eq!(bob.log_of(news).await.unwrap(), [1, 2, 3]);
    alice.change(news, GroupChange::Deleted).await.unwrap();
    assert_eq!(bob.listed().await, []);
    bob.log_of(news).await.unwrap_err();
    bob.follow(news, false).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_follower_who_becomes_a_member_gets_what_is_said_once_and_sees_the_whole_log() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let news = alice.create_channel().await;
    alice.say(of(news), "early").await;
    bob.follow(news, true).await.unwrap();
    bob.take_followed().await;
    alice.change(news, GroupChange::Added(vec![user(2)])).await.unwrap();
    assert_eq!(bob.take_message().await.message.seq.get(), 3);
    assert_eq!(bob.log_of(news).await.unwrap(), [1, 2, 3]);
    let list = bob.listed().await;
    assert_eq!((list.len(), list[0].first.get()), (1, 1));
    assert!(list[0].is_member && list[0].is_followed);
    bob.follow(news, false).await.unwrap();
    bob.take_followed().await;
    assert_eq!(bob.log_of(news).await.unwrap(), [3], "as a member who was added with no backlog");
    alice.say(of(news), "late").await;
    assert_eq!(bob.take_message().await.message.seq.get(), 4);
    alice.change(news, GroupChange::Removed(vec![user(2)])).await.unwrap();
    assert_eq!(bob.take_message().await.message.seq.get(), 5);
    let list = bob.listed().await;
    assert!(!list[0].is_member && !list[0].is_followed, "a former member");
    bob.events_until_quiet(Duration::from_secs(5)).await;
}
