//! A conversation's messages backwards, by time, and without what is hidden.

use rookery_protocol::{
    ConversationId, ErrorCode, GroupChange, History, HistoryPage, Seq, ServerFrame, limits,
};
use rookery_store::ops::SetStanding;

use super::{Refused, refused};
use crate::client::{Client, direct, id, user, who};
use crate::node::Node;

impl Client {
    async fn part(
        &mut self,
        conversation: ConversationId,
        (from, to): (u64, u64),
        (backwards, time_ms): (bool, u64),
    ) -> Result<HistoryPage, Refused> {
        let request = self.new_request();
        let (from, to) = (Seq::new(from), Seq::new(to));
        self.tell(&History { request, conversation, from, to, backwards, time_ms }).await;
        match self.answer().await {
            ServerFrame::HistoryPage(page) => Ok(page),
            ServerFrame::Error(error) => Err(refused(&error)),
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn backwards(
        &mut self,
        conversation: ConversationId,
        from: u64,
        to: u64,
    ) -> HistoryPage {
        self.part(conversation, (from, to), (true, 0)).await.unwrap()
    }

    /// Sends so many messages to one who takes none.
    async fn say_many(&mut self, conversation: ConversationId, count: u64) {
        for number in 0..count {
            self.send(conversation, id(1_000 + u128::from(number)), "x").await;
            self.answer().await;
            self.take_message().await;
        }
    }
}

fn seqs(page: &HistoryPage) -> Vec<u64> {
    page.messages.iter().map(|message| message.seq.get()).collect()
}

/// What is in a page, and where the next begins.
fn read(page: &HistoryPage) -> (Vec<u64>, u64) {
    (seqs(page), page.next.get())
}

#[tokio::test(start_paused = true)]
async fn the_last_of_the_wanted_messages_come_first_when_asked_for_backwards() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    let ours = direct(1, 2);
    assert_eq!(read(&alice.backwards(ours, 1, u64::MAX).await), (vec![], 0), "there is nothing");
    alice.say_many(ours, 300).await;
    let page = alice.backwards(ours, 1, u64::MAX).await;
    assert_eq!(read(&page), ((45..=300).collect(), 44));
    assert_eq!(page.head.get(), 300);
    assert_eq!(read(&alice.backwards(ours, 1, 44).await), ((1..=44).collect(), 0));
    assert_eq!(read(&alice.backwards(ours, 10, 12).await), (vec![10, 11, 12], 9));
    assert_eq!(read(&alice.backwards(ours, 300, 900).await), (vec![300], 299));
    assert_eq!(read(&alice.backwards(ours, 301, 900).await), (vec![], 300));
    for (from, to) in [(0, 5), (5, 4)] {
        let (code, _) = alice.part(ours, (from, to), (true, 0)).await.unwrap_err();
        assert_eq!(code, ErrorCode::BadRequest);
    }

    let large = vec![b'x'; limits::BODY_BYTES_MAX];
    for number in 1..=3 {
        let request = alice.send_after(direct(1, 3), id(number), None, &large).await;
        alice.sent(request).await;
        alice.take_message().await;
    }
    assert_eq!(read(&alice.backwards(direct(1, 3), 1, 3).await), (vec![3], 2), "a page has its bytes");
    assert_eq!(read(&alice.backwards(direct(1, 3), 1, 2).await), (vec![2], 1));
}

#[tokio::test(start_paused = true)]
async fn messages_are_found_by_their_time_in_both_directions() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    let ours = direct(1, 2);
    for _ in 0..20 {
        alice.say(ours, "x").await;
        alice.take_message().await;
        node.clock.pass(1_000);
    }
    let all = alice.part(ours, (1, 99), (false, 0)).await.unwrap();
    let times: Vec<u64> = all.messages.iter().map(|message| message.time_ms).collect();
    for (at, time_ms) in times.iter().enumerate() {
        let seq = at as u64 + 1;
        for (since, first) in [(time_ms - 1, seq), (*time_ms, seq), (time_ms + 1, seq + 1)] {
            let page = alice.part(ours, (1, 99), (false, since)).await.unwrap();
            assert_eq!(read(&page), ((first..=20).collect(), 21), "from {since} on");
            let page = alice.part(ours, (1, u64::MAX), (true, since)).await.unwrap();
            assert_eq!(read(&page), ((1..first).collect(), 0), "before {since}");
        }
    }
    // The other bound stays.
    let page = alice.part(ours, (1, 7), (false, times[4])).await.unwrap();
    assert_eq!(read(&page), (vec![5, 6, 7], 8));
    let page = alice.part(ours, (3, u64::MAX), (true, times[4])).await.unwrap();
    assert_eq!(read(&page), (vec![3, 4], 2));
    let page = alice.part(ours, (1, 3), (false, times[4])).await.unwrap();
    assert_eq!(seqs(&page), []);
    assert!(page.next > Seq::new(3), "there is no more of it");
    let page = alice.part(ours, (9, u64::MAX), (true, times[4])).await.unwrap();
    assert_eq!(read(&page), (vec![], 8));
}

#[tokio::test(start_paused = true)]
async fn what_is_hidden_is_no_part_of_the_history_on_any_device_and_stays_for_others() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let ours = direct(1, 2);
    alice.say_many(ours, 10).await;
    bob.hide(ours, 2, &[5, 6, 10]).await.unwrap();
    let mut tablet = node.join(who(2, 2)).await;
    for client in [&mut bob, &mut tablet] {
        let page = client.part(ours, (1, 99), (false, 0)).await.unwrap();
        assert_eq!((read(&page), page.head.get()), ((vec![3, 4, 7, 8, 9], 11), 10));
        assert_eq!(read(&client.backwards(ours, 1, u64::MAX).await), (vec![3, 4, 7, 8, 9], 0));
        assert_eq!(read(&client.part(ours, (5, 6), (false, 0)).await.unwrap()), (vec![], 7));
        assert_eq!(read(&client.backwards(ours, 1, 2).await), (vec![], 0));
    }
    let all: Vec<u64> = (1..=10).collect();
    assert_eq!(seqs(&alice.part(ours, (1, 99), (false, 0)).await.unwrap()), all);
    bob.hide(ours, 10, &[]).await.unwrap();
    assert_eq!(read(&bob.part(ours, (1, 99), (false, 0)).await.unwrap()), (vec![], 11));
    alice.say(ours, "and another").await;
    assert_eq!(seqs(&bob.backwards(ours, 1, u64::MAX).await), [11]);
}

#[tokio::test(start_paused = true)]
async fn pages_of_a_log_with_hidden_messages_leave_nothing_else_out() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let ours = direct(1, 2);
    alice.say_many(ours, 600).await;
    let hidden: Vec<u64> = (100..=355).collect();
    bob.hide(ours, 0, &hidden).await.unwrap();
    let expected: Vec<u64> = (1..=600).filter(|seq| !hidden.contains(seq)).collect();
    let (mut from, mut seen) = (1, Vec::new());
    while from <= 600 {
        let page = bob.part(ours, (from, 600), (false, 0)).await.unwrap();
        seen.extend(seqs(&page));
        assert!(page.next.get() > from, "it goes on");
        from = page.next.get();
    }
    assert_eq!(seen, expected);
    let (mut to, mut seen) = (600, Vec::new());
    while to >= 1 {
        let page = bob.backwards(ours, 1, to).await;
        seen.extend(seqs(&page).into_iter().rev());
        assert!(page.next.get() < to, "it goes on");
        to = page.next.get();
    }
    seen.reverse();
    assert_eq!(seen, expected);
}

#[tokio::test(start_paused = true)]
async fn a_member_goes_back_to_where_they_joined_and_a_former_one_begins_where_they_went() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let group = alice.create([3]).await;
    let all = ConversationId::group(group);
    alice.say(all, "before").await;
    alice.change(group, GroupChange::Added(vec![user(2)])).await.unwrap();
    alice.say(all, "x").await;
    assert_eq!(read(&bob.backwards(all, 1, u64::MAX).await), (vec![3, 4], 0));
    alice.change(group, GroupChange::Removed(vec![user(2)])).await.unwrap();
    alice.say(all, "after").await;
    let page = bob.backwards(all, 1, u64::MAX).await;
    assert_eq!((read(&page), page.head.get()), ((vec![3, 4, 5], 0), 5));
    let page = bob.part(all, (1, u64::MAX), (false, 1)).await.unwrap();
    assert_eq!(read(&page), (vec![3, 4, 5], 6), "nothing from before he came, whatever the time");
    let page = bob.part(all, (1, u64::MAX), (true, u64::MAX)).await.unwrap();
    assert_eq!(read(&page), (vec![3, 4, 5], 0), "and nothing from after he went");
}

#[tokio::test(start_paused = true)]
async fn what_a_shadow_banned_user_says_is_in_nobody_elses_history_or_list() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let ours = direct(1, 2);
    alice.say(ours, "caw").await;
    let ban = SetStanding { user: user(2), is_unlimited: None, is_shadow_banned: Some(true) };
    node.store.submit(&0, ban).await.unwrap().answer.unwrap();
    bob.say(ours, "buy this").await;
    for (client, expected, last) in [(&mut alice, vec![1], 1), (&mut bob, vec![1, 2], 2)] {
        assert_eq!(read(&client.part(ours, (1, 9), (false, 0)).await.unwrap()), (expected.clone(), 3));
        assert_eq!(read(&client.backwards(ours, 1, 9).await), (expected, 0));
        assert_eq!(client.list().await[0].last.as_ref().unwrap().seq.get(), last);
    }
}
