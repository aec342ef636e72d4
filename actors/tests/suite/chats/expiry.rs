//! Messages that disappear: how they come, and that nobody gets them after their time, whether the store has emptied them
//! or not.

use rookery_protocol::{Body, ConversationId, Hello, Message, ReferenceKind, Seq};
use rookery_store::keys::expiry::Expiry;
use rookery_store::ops::ExpireMessages;
use rookery_store::{KeyRange, queries};

use super::reference;
use crate::client::{Client, direct, who};
use crate::node::Node;

const SECONDS: u32 = 60;
const SECRET: &[u8] = b"the code is 1234";

async fn two() -> (Node, Client, Client) {
    let node = Node::start().await;
    let (alice, bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    (node, alice, bob)
}

/// Its time passes.
fn pass(node: &Node) {
    node.clock.pass(1000 * u64::from(SECONDS));
}

impl Client {
    /// Says something that disappears after a minute.
    async fn whisper(&mut self, conversation: ConversationId) -> u64 {
        self.say_for(conversation, (None, SECONDS), SECRET).await.expect("it is accepted")
    }
}

/// What is left of it.
fn left(message: &Message) -> bool {
    message.deleted && message.body.is_none() && message.expires_ms != 0
}

#[tokio::test(start_paused = true)]
async fn everybody_gets_a_message_with_its_time() {
    let (_node, mut alice, mut bob) = two().await;
    let ours = direct(1, 2);
    alice.whisper(ours).await;
    let his = bob.take_message().await.message;
    assert_eq!(his.body, Some(Body::new(SECRET)));
    assert_eq!(his.expires_ms, his.time_ms + 1000 * u64::from(SECONDS));
    let own = alice.take_message().await.message;
    assert_eq!(own, Message { body: None, ..his.clone() });
    assert_eq!(bob.history(ours, 1, 9).await.unwrap().messages, [his]);
}

#[tokio::test(start_paused = true)]
async fn a_timer_comes_with_what_it_sets_and_changes_no_message_of_itself() {
    let (_node, mut alice, mut bob) = two().await;
    let ours = direct(1, 2);
    let timer = reference(ReferenceKind::Timer, 0);
    assert_eq!(bob.say_for(ours, (Some(timer), SECONDS), b"").await, Ok(1));
    let hers = alice.take_message().await.message;
    assert_eq!((hers.reference, hers.timer_s, hers.expires_ms), (Some(timer), SECONDS, 0));
    let own = bob.take_message().await.message;
    assert_eq!(own, Message { body: None, ..hers });
    bob.take_receipt().await;
    alice.say(ours, "and stay").await;
    assert_eq!(bob.take_message().await.message.expires_ms, 0, "who sends says for how long");
    assert_eq!(bob.say_for(ours, (Some(timer), 0), b"").await, Ok(3));
    let off = bob.take_message().await.message;
    assert_eq!((off.reference, off.timer_s, off.expires_ms), (Some(timer), 0, 0));
}

#[tokio::test(start_paused = true)]
async fn nobody_gets_a_message_after_its_time_though_the_store_still_has_it() {
    let (node, mut alice, mut bob) = two().await;
    let ours = direct(1, 2);
    alice.say(ours, "before").await;
    alice.whisper(ours).await;
    for _ in 0..2 {
        bob.take_message().await;
    }
    assert_eq!(bob.list().await[0].last.as_ref().unwrap().body, Some(Body::new(SECRET)));
    pass(&node);

    let page = bob.history(ours, 1, 9).await.unwrap();
    assert_eq!(page.messages.iter().map(|it| it.seq.get()).collect::<Vec<_>>(), [1, 2]);
    assert!(!left(&page.messages[0]) && left(&page.messages[1]));
    assert_eq!(bob.backwards(ours, 1, 9).await.messages, page.messages);
    assert_eq!(bob.list().await[0].last, Some(page.messages[1].clone()));
    let mut late = node.join(who(2, 2)).await;
    assert_eq!(late.take_message().await.message, page.messages[0]);
    assert_eq!(late.take_message().await.message, page.messages[1]);
    assert_eq!(node.holding(SECRET).await, 1, "the crawler has not come");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_waits_for_room_beyond_its_time_comes_empty() {
    let (node, mut alice, _bob) = two().await;
    let mut slow = node.join_with(Hello { window_events: 1, ..who(2, 2).hello() }).await;
    let ours = direct(1, 2);
    alice.say(ours, "before").await;
    alice.whisper(ours).await;
    alice.say(ours, "after").await;
    // The session has the message itself at hand, of which it was told when it was accepted.
    let first = slow.message().await;
    pass(&node);
    slow.ack(first.stamp).await;
    let second = slow.take_message().await.message;
    assert_eq!(second.seq, Seq::new(2));
    assert!(left(&second), "{second:?}");
    let third = slow.take_message().await.message;
    assert_eq!((third.seq, third.body), (Seq::new(3), Some(Body::new("after"))));
}

#[tokio::test(start_paused = true)]
async fn once_the_crawler_has_come_a_message_is_nowhere_in_the_store() {
    let (node, mut alice, mut bob) = two().await;
    let ours = direct(1, 2);
    alice.whisper(ours).await;
    let reaction = alice.about(ours, (ReferenceKind::Edit, 1), b"no, 5678 is the code").await;
    assert_eq!(reaction, Ok(2));
    alice.say(ours, "after").await;
    for _ in 0..3 {
        bob.take_message().await;
    }
    let before = bob.history(ours, 1, 9).await.unwrap().messages;
    assert_eq!(node.holding(SECRET).await + node.holding(b"5678").await, 2);
    assert_eq!(node.crawl(0).await, 0, "it is not yet time");
    assert_eq!(node.crawl(1000 * u64::from(SECONDS)).await, 2);
    assert_eq!(node.holding(SECRET).await + node.holding(b"5678").await, 0);
    pass(&node);
    let after = bob.history(ours, 1, 9).await.unwrap().messages;
    let emptied = before[..2].iter().cloned().map(Message::emptied).chain(before[2..].iter().cloned());
    assert_eq!(after, emptied.collect::<Vec<_>>());
    let mut late = node.join(who(2, 2)).await;
    for message in after {
        assert_eq!(late.take_message().await.message, message);
    }
}

impl Node {
    /// Under how many keys of the store these bytes are.
    async fn holding(&self, needle: &[u8]) -> usize {
        let all = KeyRange { begin: vec![1], end: vec![0xff], limit: 100_000, reverse: false };
        let snapshot = self.store.snapshot().await.expect("the store can be read");
        let entries = snapshot.range(&all).await.expect("the store can be read");
        let has = |bytes: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        entries.iter().filter(|(key, value)| has(key) || has(value)).count()
    }

    /// Empties what is due so long from now, and answers how many messages that were.
    async fn crawl(&self, later_ms: u64) -> usize {
        use rookery_actors::Clock;
        let snapshot = self.store.snapshot().await.expect("the store can be read");
        let due = queries::due_messages(&*snapshot, None, self.clock.now_ms() + later_ms, 1_000).await;
        let due: Vec<Expiry> = due.expect("the store can be read");
        self.store.submit(&0, ExpireMessages { due }).await.expect("it commits").answer
    }
}
