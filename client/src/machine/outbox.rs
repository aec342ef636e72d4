//! Messages that the server has not confirmed, in order within each conversation.
//!
//! A message names the unconfirmed one before it, so the server takes them in this order whatever is lost or repeated.
//! After a failure transmission goes back to the failed message and repeats what follows with the same ids.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use rookery_protocol::{Body, ConversationId, MessageId, Reference, ReferenceKind};

use crate::local_store::OutboxEntry;

/// Bodies kept for the events of confirmed messages; beyond that HISTORY has them.
const CONFIRMED_BODIES_MAX: usize = 256;
const CONFIRMED_BYTES_MAX: usize = 1024 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not in the local store yet.
    Unsaved,
    /// May be transmitted.
    Saved,
    /// Transmitted on this connection, not answered.
    InFlight,
}

#[derive(Debug)]
struct Entry {
    order: u64,
    id: MessageId,
    body: Body,
    reference: Option<Reference>,
    expires_s: u32,
    state: State,
    /// Its event has come, so the body need not outlive the confirmation.
    event_seen: bool,
    /// How often it was the first to be refused as out of order.
    strikes: u32,
}

/// A conversation's unconfirmed messages.
#[derive(Debug, Default)]
struct Lane {
    entries: VecDeque<Entry>,
    /// Those before are in flight.
    next: usize,
    blocked_until: Option<Duration>,
    runnable: bool,
    /// The last timer among the entries, by its order, and what it sets.
    timer: Option<(u64, u32)>,
}

/// A message to transmit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Transmission {
    pub(crate) order: u64,
    pub(crate) conversation: ConversationId,
    pub(crate) id: MessageId,
    pub(crate) after: Option<MessageId>,
    pub(crate) body: Body,
    pub(crate) reference: Option<Reference>,
    pub(crate) expires_s: u32,
}

/// A message that has left the outbox.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Removed {
    pub(crate) id: MessageId,
    pub(crate) bytes: usize,
    /// What it sets, if it is a timer.
    pub(crate) timer_s: Option<u32>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    lanes: BTreeMap<ConversationId, Lane>,
    runnable: VecDeque<ConversationId>,
    next_order: u64,
    confirmed: HashMap<MessageId, Body>,
    confirmed_bytes: usize,
}

impl Outbox {
    /// The outbox as the local store has it.
    pub(crate) fn new(saved: Vec<OutboxEntry>) -> Self {
        let mut outbox = Self::default();
        for entry in saved {
            outbox.next_order = outbox.next_order.max(entry.order + 1);
            let lane = outbox.lanes.entry(entry.conversation).or_default();
            lane.push(Entry::new(entry, State::Saved));
        }
        outbox
    }

    /// Adds a message, which must be saved before it is transmitted.
    pub(crate) fn add(
        &mut self,
        conversation: ConversationId,
        id: MessageId,
        body: Body,
        reference: Option<Reference>,
        expires_s: u32,
    ) -> OutboxEntry {
        let entry = OutboxEntry { order: self.next_order, conversation, id, body, reference, expires_s };
        self.next_order += 1;
        let lane = self.lanes.entry(conversation).or_default();
        lane.push(Entry::new(entry.clone(), State::Unsaved));
        entry
    }

    /// What the last unconfirmed timer of a conversation sets, if there is one.
    pub(crate) fn timer(&self, conversation: ConversationId) -> Option<u32> {
        self.lanes.get(&conversation)?.timer.map(|(_, expires_s)| expires_s)
    }

    /// The local store has it. Says which it is.
    pub(crate) fn saved(&mut self, conversation: ConversationId, order: u64) -> Option<MessageId> {
        let entry = self.lanes.get_mut(&conversation).and_then(|lane| lane.find(order))?;
        entry.state = State::Saved;
        let id = entry.id;
        self.wake(conversation);
        Some(id)
    }

    /// A connection began: everything is transmitted again.
    pub(crate) fn restart(&mut self) {
        self.runnable.clear();
        self.confirmed = HashMap::new();
        self.confirmed_bytes = 0;
        for (conversation, lane) in &mut self.lanes {
            (lane.next, lane.blocked_until, lane.runnable) = (0, None, true);
            for entry in lane.entries.iter_mut().filter(|entry| entry.state == State::InFlight) {
                entry.state = State::Saved;
            }
            self.runnable.push_back(*conversation);
        }
    }

    /// Lets a conversation transmit again, unless it is blocked.
    pub(crate) fn wake(&mut self, conversation: ConversationId) {
        if let Some(lane) = self.lanes.get_mut(&conversation)
            && !lane.runnable
            && lane.blocked_until.is_none()
        {
            lane.runnable = true;
            self.runnable.push_back(conversation);
        }
    }

    /// The wait of a conversation is over.
    pub(crate) fn unblock(&mut self, conversation: ConversationId, now: Duration) {
        if let Some(lane) = self.lanes.get_mut(&conversation) {
            lane.blocked_until = lane.blocked_until.filter(|until| *until > now);
        }
        self.wake(conversation);
    }

    /// The next message to transmit, conversations taking turns.
    pub(crate) fn next_transmission(&mut self) -> Option<Transmission> {
        while let Some(conversation) = self.runnable.pop_front() {
            let Some(lane) = self.lanes.get_mut(&conversation) else { continue };
            if let Some(transmission) = lane.transmit(conversation) {
                self.runnable.push_back(conversation);
                return Some(transmission);
            }
            lane.runnable = false;
        }
        None
    }

    /// The server has confirmed a message.
    pub(crate) fn confirmed(&mut self, conversation: ConversationId, order: u64) -> Option<Removed> {
        let entry = self.remove(conversation, order)?;
        let removed = entry.removed();
        let fits = self.confirmed.len() < CONFIRMED_BODIES_MAX
            && self.confirmed_bytes + removed.bytes <= CONFIRMED_BYTES_MAX;
        if !entry.event_seen && fits {
            self.confirmed_bytes += removed.bytes;
            self.confirmed.insert(entry.id, entry.body);
        }
        Some(removed)
    }

    /// The server will never take a message; those behind it name another predecessor when they are repeated.
    pub(crate) fn failed(&mut self, conversation: ConversationId, order: u64) -> Option<Removed> {
        let entry = self.remove(conversation, order)?;
        self.wake(conversation);
        Some(entry.removed())
    }

    /// A message may succeed later: it and those behind it go again, not before the time returned, if any.
    pub(crate) fn retry(
        &mut self,
        conversation: ConversationId,
        order: u64,
        now: Duration,
        wait: Duration,
    ) -> Option<Duration> {
        let lane = self.lanes.get_mut(&conversation)?;
        lane.rewind(order)?;
        let until = now + wait;
        if !wait.is_zero() && lane.blocked_until.is_none_or(|blocked| blocked < until) {
            lane.blocked_until = Some(until);
            return Some(until);
        }
        self.wake(conversation);
        None
    }

    /// A message was refused because the one before it was not accepted. As [`retry`](Self::retry), at once unless this
    /// repeats itself: then something else is wrong and the wait doubles from 100 ms to 6.4 s.
    pub(crate) fn retry_in_order(
        &mut self,
        conversation: ConversationId,
        order: u64,
        now: Duration,
    ) -> Option<Duration> {
        let lane = self.lanes.get_mut(&conversation)?;
        let place = lane.place(order)?;
        // Those behind the first one refused are refused with it, which says nothing about them.
        let is_first = lane.entries.iter().take(place).all(|entry| entry.state == State::InFlight);
        let entry = &mut lane.entries[place];
        entry.strikes += u32::from(is_first);
        let wait = match entry.strikes {
            0..=2 => Duration::ZERO,
            strikes => Duration::from_millis(50 << (strikes - 2).min(7)),
        };
        self.retry(conversation, order, now, wait)
    }

    /// The body of an own message whose event came without it.
    pub(crate) fn body_for_event(&mut self, conversation: ConversationId, id: MessageId) -> Option<Body> {
        if let Some(body) = self.take_confirmed(id) {
            return Some(body);
        }
        // Events come in the order of the sends, so the search ends at the front.
        let entries = self.lanes.get_mut(&conversation)?.entries.iter_mut();
        let entry = entries.take(CONFIRMED_BODIES_MAX).find(|entry| entry.id == id)?;
        entry.event_seen = true;
        Some(entry.body.clone())
    }

    /// An event with a body came: nothing needs to be kept for it.
    pub(crate) fn take_confirmed(&mut self, id: MessageId) -> Option<Body> {
        let body = self.confirmed.remove(&id)?;
        self.confirmed_bytes -= body.len();
        Some(body)
    }

    fn remove(&mut self, conversation: ConversationId, order: u64) -> Option<Entry> {
        let lane = self.lanes.get_mut(&conversation)?;
        let place = lane.place(order)?;
        let entry = lane.entries.remove(place)?;
        if place < lane.next {
            lane.next -= 1;
        }
        lane.timer = lane.timer.filter(|(timer, _)| *timer != order);
        if lane.entries.is_empty() {
            self.lanes.remove(&conversation);
        }
        Some(entry)
    }
}

impl Entry {
    fn new(entry: OutboxEntry, state: State) -> Self {
        let OutboxEntry { order, id, body, reference, expires_s, .. } = entry;
        Self { order, id, body, reference, expires_s, state, event_seen: false, strikes: 0 }
    }

    /// What it sets, if it is a timer.
    fn timer_s(&self) -> Option<u32> {
        self.reference.filter(|it| it.kind == ReferenceKind::Timer).map(|_| self.expires_s)
    }

    fn removed(&self) -> Removed {
        Removed { id: self.id, bytes: self.body.len(), timer_s: self.timer_s() }
    }
}

impl Lane {
    fn push(&mut self, entry: Entry) {
        self.timer = entry.timer_s().map(|expires_s| (entry.order, expires_s)).or(self.timer);
        self.entries.push_back(entry);
    }

    fn place(&self, order: u64) -> Option<usize> {
        if self.entries.front()?.order == order {
            return Some(0);
        }
        self.entries.binary_search_by_key(&order, |entry| entry.order).ok()
    }

    fn find(&mut self, order: u64) -> Option<&mut Entry> {
        let place = self.place(order)?;
        self.entries.get_mut(place)
    }

    fn rewind(&mut self, order: u64) -> Option<()> {
        let place = self.place(order)?;
        self.entries[place].state = State::Saved;
        self.next = self.next.min(place);
        Some(())
    }

    fn transmit(&mut self, conversation: ConversationId) -> Option<Transmission> {
        if self.blocked_until.is_some() {
            return None;
        }
        while self.entries.get(self.next)?.state == State::InFlight {
            self.next += 1;
        }
        let after = self.next.checked_sub(1).map(|before| self.entries[before].id);
        let entry = self.entries.get_mut(self.next).filter(|entry| entry.state == State::Saved)?;
        entry.state = State::InFlight;
        self.next += 1;
        let Entry { order, id, ref body, reference, expires_s, .. } = *entry;
        let body = body.clone();
        Some(Transmission { order, conversation, id, after, body, reference, expires_s })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rookery_protocol::UserId;

    fn conversation() -> ConversationId {
        ConversationId::direct(UserId::new(1).unwrap(), UserId::new(2).unwrap())
    }

    fn id(number: u8) -> MessageId {
        MessageId::from_bytes([number; 16])
    }

    fn outbox_of(messages: u8) -> Outbox {
        let mut outbox = Outbox::default();
        for number in 1..=messages {
            let entry = outbox.add(conversation(), id(number), Body::new(vec![number]), None, 0);
            outbox.saved(conversation(), entry.order);
        }
        outbox
    }

    fn sent(outbox: &mut Outbox) -> Vec<(u64, Option<MessageId>)> {
        std::iter::from_fn(|| outbox.next_transmission()).map(|sent| (sent.order, sent.after)).collect()
    }

    #[test]
    fn each_message_names_the_unconfirmed_one_before_it() {
        let mut outbox = outbox_of(3);
        assert_eq!(sent(&mut outbox), [(0, None), (1, Some(id(1))), (2, Some(id(2)))]);
        outbox.confirmed(conversation(), 0);
        outbox.restart();
        assert_eq!(sent(&mut outbox), [(1, None), (2, Some(id(2)))]);
    }

    #[test]
    fn a_message_that_fails_for_good_is_skipped_by_those_behind_it() {
        let mut outbox = outbox_of(3);
        sent(&mut outbox);
        outbox.failed(conversation(), 1);
        assert_eq!(outbox.retry_in_order(conversation(), 2, Duration::ZERO), None);
        assert_eq!(sent(&mut outbox), [(2, Some(id(1)))]);
    }

    #[test]
    fn a_retryable_failure_repeats_the_failed_message_and_those_refused_behind_it_after_the_wait() {
        let mut outbox = outbox_of(3);
        sent(&mut outbox);
        let until = Duration::from_millis(500);
        assert_eq!(outbox.retry(conversation(), 0, Duration::ZERO, until), Some(until));
        outbox.retry_in_order(conversation(), 1, Duration::ZERO);
        outbox.retry_in_order(conversation(), 2, Duration::ZERO);
        assert_eq!(sent(&mut outbox), []);
        outbox.unblock(conversation(), until);
        assert_eq!(sent(&mut outbox), [(0, None), (1, Some(id(1))), (2, Some(id(2)))]);
    }

    #[test]
    fn a_refusal_as_out_of_order_that_repeats_itself_is_retried_ever_slower() {
        let mut outbox = outbox_of(1);
        let mut now = Duration::ZERO;
        let mut waits = Vec::new();
        for _ in 0..5 {
            assert_eq!(sent(&mut outbox).len(), 1);
            if let Some(until) = outbox.retry_in_order(conversation(), 0, now) {
                waits.push((until - now).as_millis());
                now = until;
                outbox.unblock(conversation(), now);
            }
        }
        assert_eq!(waits, [100, 200, 400]);
    }

    #[test]
    fn the_body_of_an_own_message_is_found_before_and_after_its_confirmation() {
        let mut outbox = outbox_of(2);
        sent(&mut outbox);
        assert_eq!(outbox.body_for_event(conversation(), id(1)), Some(Body::new(vec![1])));
        outbox.confirmed(conversation(), 0);
        assert_eq!(outbox.body_for_event(conversation(), id(1)), None);
        outbox.confirmed(conversation(), 1);
        assert_eq!(outbox.body_for_event(conversation(), id(2)), Some(Body::new(vec![2])));
        assert_eq!(outbox.confirmed_bytes, 0);
    }
}
