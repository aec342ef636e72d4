//! What is refused about channels, with which code and in which words.

use rookery_protocol::ConversationSettings;
use rookery_protocol::{
    ErrorCode, GroupChange, GroupId, GroupSettings, Hide, Read, Seq, SetConversation, limits,
};

use super::{as_channel, of, refusal, refused};
use crate::client::{id, who};
use crate::node::Node;

const NO_CHANNEL: &str = "there is no such channel";
const NOT_A_CHANNEL: &str = "this group is no channel";
const NO_MEMBER: &str = "not a member of this group, or there is none";

#[tokio::test(start_paused = true)]
async fn what_is_no_channel_is_not_followed() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let group = alice.create([2]).await;
    assert_eq!(bob.follow(group, true).await, refusal(ErrorCode::NotAllowed, NOT_A_CHANNEL));
    let nothing = GroupId::new(12_345).unwrap();
    assert_eq!(bob.follow(nothing, true).await, refusal(ErrorCode::NotFound, NO_CHANNEL));
    bob.follow(nothing, false).await.unwrap();

    let news = alice.create_channel().await;
    alice.change(news, GroupChange::Deleted).await.unwrap();
    assert_eq!(bob.follow(news, true).await, refusal(ErrorCode::NotFound, NO_CHANNEL));
}

#[tokio::test(start_paused = true)]
async fn nobody_follows_more_than_so_many() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let mut channels = Vec::new();
    for _ in 0..=limits::FOLLOWED_MAX {
        channels.push(alice.create_channel().await);
    }
    let last = channels.pop().unwrap();
    for channel in &channels {
        bob.follow(*channel, true).await.unwrap();
    }
    let full = refusal(ErrorCode::Full, "a user follows at most 256 channels");
    assert_eq!(bob.follow(last, true).await, full);
    bob.follow(channels[7], false).await.unwrap();
    bob.follow(last, true).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_does_not_follow_sees_what_a_channel_is_and_nothing_else() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let news = alice.create_channel().await;
    bob.channel(news).await.unwrap();
    let no_member = || refusal::<()>(ErrorCode::NotMember, NO_MEMBER);
    assert_eq!(bob.log_of(news).await.map(drop), no_member());
    let conversation = of(news);
    let request = bob.new_request();
    bob.tell(&Read { request, conversation, seq: Seq::new(1) }).await;
    assert_eq!(Err(refused(&bob.error().await)), no_member());
    let (request, settings) = (bob.new_request(), ConversationSettings::default());
    bob.tell(&SetConversation { request, conversation, settings }).await;
    assert_eq!(Err(refused(&bob.error().await)), no_member());
    let request = bob.new_request();
    bob.tell(&Hide { request, conversation, up_to: Seq::new(1), seqs: Vec::new() }).await;
    assert_eq!(Err(refused(&bob.error().await)), no_member());

    let private = GroupSettings { is_channel: false, ..as_channel() };
    alice.change(news, GroupChange::Set(private)).await.unwrap();
    assert_eq!(bob.channel(news).await.map(drop), no_member());
}

#[tokio::test(start_paused = true)]
async fn followers_neither_send_nor_change_anything() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let news = alice.create_channel().await;
    bob.follow(news, true).await.unwrap();
    let no_member = (ErrorCode::NotMember, NO_MEMBER.to_owned());
    bob.send(of(news), id(1), "me too").await;
    assert_eq!(refused(&bob.error().await), no_member);
    for change in [GroupChange::Named("mine".into()), GroupChange::Left { successor: None }] {
        assert_eq!(bob.change(news, change).await, Err(ErrorCode::NotMember));
    }
    assert_eq!(alice.channel(news).await.unwrap().head.get(), 1);
}
