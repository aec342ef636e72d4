//! The list of a user's conversations.

use rookery_protocol::{
    Body, Conversation, ConversationId, ConversationList, ConversationSettings, GroupChange,
    ListConversations, ReferenceKind, ServerFrame, limits,
};

use crate::client::{Client, direct, user, who};
use crate::node::{Node, add_user};

impl Client {
    async fn conversations(&mut self, after: Option<ConversationId>) -> ConversationList {
        let request = self.new_request();
        self.tell(&ListConversations { request, after }).await;
        match self.answer().await {
            ServerFrame::ConversationList(list) if list.request == request => list,
            other => panic!("{other:?}"),
        }
    }

    /// All of them, when they fit a page.
    pub(super) async fn list(&mut self) -> Vec<Conversation> {
        let list = self.conversations(None).await;
        assert!(!list.more);
        list.conversations
    }
}

fn which(conversations: &[Conversation]) -> Vec<ConversationId> {
    conversations.iter().map(|it| it.conversation).collect()
}

/// First, head, read, unread.
fn numbers(it: &Conversation) -> [u64; 4] {
    [it.first.get(), it.head.get(), it.read.get(), it.unread]
}

fn last(it: &Conversation) -> Option<&str> {
    let body = it.last.as_ref()?.body.as_ref()?;
    Some(std::str::from_utf8(body.as_bytes()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn both_sides_find_a_conversation_from_its_first_message_on() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    assert_eq!((alice.list().await, bob.list().await), (vec![], vec![]));
    alice.say(direct(1, 2), "caw").await;
    let hers = &alice.list().await[0];
    assert_eq!((hers.conversation, numbers(hers), last(hers)), (direct(1, 2), [1, 1, 0, 0], Some("caw")));
    assert_eq!(hers.settings, ConversationSettings::default());
    let his = &bob.list().await[0];
    assert_eq!((his.conversation, numbers(his), last(his)), (direct(1, 2), [1, 1, 0, 1], Some("caw")));

    alice.say(direct(1, 2), "caw?").await;
    bob.read(direct(1, 2), 1).await;
    assert_eq!(numbers(&bob.list().await[0]), [1, 2, 1, 1]);
    bob.say(direct(1, 2), "what").await;
    assert_eq!(numbers(&bob.list().await[0]), [1, 3, 1, 0], "who has answered has read it");
    assert_eq!(numbers(&alice.list().await[0]), [1, 3, 0, 3], "her own count too");
}

#[tokio::test(start_paused = true)]
async fn conversations_of_two_come_before_groups_with_what_was_set() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let group = bob.create([1]).await;
    let all = ConversationId::group(group);
    bob.say(direct(1, 2), "x").await;
    alice.say(direct(1, 3), "x").await;
    alice.say(direct(1, 1), "milk").await;
    let expected = [direct(1, 1), direct(1, 2), direct(1, 3), all];
    assert_eq!(which(&alice.list().await), expected);

    let settings = ConversationSettings { pinned: true, unread: true, ..Default::default() };
    for conversation in [direct(1, 2), all] {
        alice.set_conversation(conversation, settings.clone()).await.unwrap();
    }
    let listed = alice.list().await;
    assert_eq!(which(&listed), expected);
    let is_set = listed.iter().map(|it| it.settings == settings);
    assert_eq!(is_set.collect::<Vec<_>>(), [false, true, false, true]);
    for (at, after) in expected.into_iter().enumerate() {
        let rest = alice.conversations(Some(after)).await;
        assert_eq!((which(&rest.conversations), rest.more), (expected[at + 1..].to_vec(), false));
    }
    assert_eq!(bob.list().await[0].settings, ConversationSettings::default(), "hers are hers");
}

#[tokio::test(start_paused = true)]
async fn a_group_is_listed_as_far_as_it_may_be_seen() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let group = alice.create([3]).await;
    let all = ConversationId::group(group);
    alice.say(all, "before").await;
    alice.change(group, GroupChange::Added(vec![user(2)])).await.unwrap();
    alice.say(all, "hello bob").await;
    let his = &bob.list().await[0];
    assert_eq!((numbers(his), last(his)), ([3, 4, 0, 2], Some("hello bob")));
    alice.change(group, GroupChange::Removed(vec![user(2)])).await.unwrap();
    alice.say(all, "bob is gone").await;
    let his = &bob.list().await[0];
    assert_eq!(numbers(his), [3, 5, 0, 3]);
    assert!(his.last.as_ref().unwrap().change.is_some(), "the entry by which he went");
}

#[tokio::test(start_paused = true)]
async fn what_is_hidden_or_deleted_is_not_shown_in_the_list() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let ours = direct(1, 2);
    for text in ["one", "two", "three"] {
        alice.say(ours, text).await;
    }
    bob.hide(ours, 0, &[3]).await.unwrap();
    let his = &bob.list().await[0];
    assert_eq!((numbers(his), last(his)), ([1, 3, 0, 3], None));
    assert_eq!(last(&alice.list().await[0]), Some("three"), "she has hidden nothing");
    bob.hide(ours, 2, &[]).await.unwrap();
    assert_eq!(numbers(&bob.list().await[0]), [3, 3, 0, 1]);
    bob.hide(ours, 3, &[]).await.unwrap();
    let his = &bob.list().await[0];
    assert_eq!((numbers(his), his.last.as_ref()), ([4, 3, 0, 0], None));

    alice.say(ours, "oops").await;
    alice.about(ours, (ReferenceKind::Delete, 4), b"").await.unwrap();
    let his = &bob.list().await[0];
    assert_eq!(
        (numbers(his), his.last.as_ref().unwrap().body.clone()),
        ([4, 5, 0, 2], Some(Body::default()))
    );
    bob.hide(ours, 0, &[5]).await.unwrap();
    assert_eq!(bob.list().await[0].last, None);
}

#[tokio::test(start_paused = true)]
async fn a_long_list_comes_in_pages_bounded_in_number_and_bytes() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    let others = limits::CONVERSATIONS_MAX as u64 + 6;
    for number in 4..4 + others {
        add_user(&node.store, number, 1).await;
        alice.say(direct(1, number), "x").await;
        alice.take_message().await;
    }
    let first = alice.conversations(None).await;
    assert_eq!((first.conversations.len(), first.more), (limits::CONVERSATIONS_MAX, true));
    let end = first.conversations.last().unwrap().conversation;
    let second = alice.conversations(Some(end)).await;
    assert_eq!((second.conversations.len(), second.more), (6, false));
    let listed = [which(&first.conversations), which(&second.conversations)].concat();
    assert_eq!(listed, (4..4 + others).map(|number| direct(1, number)).collect::<Vec<_>>());

    // Two of the largest do not fit with a third.
    let large = vec![b'x'; limits::BODY_BYTES_MAX];
    for number in 4..7 {
        let id = alice.new_id();
        let request = alice.send_after(direct(1, number), id, None, &large).await;
        alice.sent(request).await;
        alice.take_message().await;
    }
    let (mut after, mut pages) = (None, Vec::new());
    loop {
        let page = alice.conversations(after).await;
        pages.push(page.conversations.len());
        after = page.conversations.last().map(|it| it.conversation);
        if !page.more {
            break;
        }
    }
    assert_eq!(pages.iter().sum::<usize>() as u64, others);
    assert_eq!(pages[..2], [1, 1]);
}
