//! What a client has to send until it is confirmed: the protocol's rules for trying again, without a socket or a clock.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use rookery_protocol::{Body, ConversationId, MessageId, RequestId, Send, limits};
use tokio::time::Instant;

/// Messages under way at once: a few fewer than a connection may have requests, so that others are read, too.
const UNDER_WAY_MAX: usize = limits::REQUESTS_IN_FLIGHT_MAX as usize - 8;

/// A message that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) conversation: ConversationId,
    /// The same on every try.
    pub(super) id: MessageId,
    pub(super) body: Body,
    /// When it was to be sent.
    pub(super) due: Instant,
}

/// Messages in the order in which they were due, until each is confirmed.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    unconfirmed: VecDeque<Entry>,
    under_way: usize,
    /// The next entry's number, and the next request's.
    next: u64,
    next_request: u32,
    /// Which entry a request is about.
    requests: HashMap<u32, u64>,
    /// One has failed: nothing is sent until all under way are answered, and not before then.
    held_until: Option<Instant>,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    message: Message,
    is_under_way: bool,
}

impl Outbox {
    /// Adds a message behind the others.
    pub(super) fn push(&mut self, message: Message) {
        self.unconfirmed.push_back(Entry { number: self.next, message, is_under_way: false });
        self.next += 1;
    }

    /// Whether all have been confirmed.
    pub(super) fn is_empty(&self) -> bool {
        self.unconfirmed.is_empty()
    }

    /// The messages that may be sent now, each naming the one before it in its conversation while that is not confirmed.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Send> {
        if let Some(until) = self.held_until {
            if self.under_way > 0 || now < until {
                return Vec::new();
            }
            self.held_until = None;
        }
        let mut sends = Vec::new();
        if self.under_way == self.unconfirmed.len() {
            return sends;
        }
        let mut before: HashMap<ConversationId, MessageId> = HashMap::new();
        for entry in &mut self.unconfirmed {
            let Message { conversation, id, body, .. } = &entry.message;
            let after = before.insert(*conversation, *id);
            if entry.is_under_way {
                continue;
            }
            if self.under_way == UNDER_WAY_MAX {
                break;
            }
            self.next_request += 1;
            self.requests.insert(self.next_request, entry.number);
            entry.is_under_way = true;
            self.under_way += 1;
            sends.push(Send {
                request: RequestId::new(self.next_request),
                conversation: *conversation,
                id: *id,
                after,
                body: body.clone(),
                reference: None,
                expires_s: 0,
            });
        }
        sends
    }

    /// A request has been answered by SENT. Its message, unless it was confirmed before.
    pub(super) fn confirmed(&mut self, request: RequestId) -> Option<Message> {
        let at = self.answered(request)?;
        self.unconfirmed.remove(at).map(|entry| entry.message)
    }

    /// A request has been refused for now. Whether it was one of this outbox.
    pub(super) fn failed(&mut self, request: RequestId, retry_after: Duration, now: Instant) -> bool {
        let is_ours = self.answered(request).is_some();
        if is_ours {
            let until = now + retry_after;
            self.held_until = Some(self.held_until.map_or(until, |held| held.max(until)));
        }
        is_ours
    }

    /// When it may go on, if it waits for a time.
    pub(super) fn held_until(&self) -> Option<Instant> {
        self.held_until.filter(|_| self.under_way == 0)
    }

    /// The connection has ended: what was under way will be sent again.
    pub(super) fn disconnected(&mut self) {
        self.requests.clear();
        self.under_way = 0;
        self.held_until = None;
        self.unconfirmed.iter_mut().for_each(|entry| entry.is_under_way = false);
    }

    /// Where the entry is that a request was about; it is not under way any more.
    fn answered(&mut self, request: RequestId) -> Option<usize> {
        let number = self.requests.remove(&request.get())?;
        let at = self.unconfirmed.binary_search_by_key(&number, |entry| entry.number).ok()?;
        self.unconfirmed[at].is_under_way = false;
        self.under_way -= 1;
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use rookery_protocol::UserId;

    use super::*;
    use crate::users::message_id;

    fn user(number: u64) -> UserId {
        UserId::new(number).unwrap()
    }

    fn message(to: u64, number: u64, now: Instant) -> Message {
        Message {
            conversation: ConversationId::direct(user(1), user(to)),
            id: message_id(user(to), number),
            body: Body::new(vec![0; 8]),
            due: now,
        }
    }

    #[test]
    fn a_message_names_the_unconfirmed_one_before_it_in_its_conversation() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        for (to, number) in [(2, 0), (3, 0), (2, 1)] {
            outbox.push(message(to, number, now));
        }
        let sends = outbox.due(now);
        let after: Vec<_> = sends.iter().map(|send| send.after).collect();
        assert_eq!(after, [None, None, Some(message_id(user(2), 0))]);
        assert_eq!(outbox.due(now), []);

        assert_eq!(outbox.confirmed(sends[0].request), Some(message(2, 0, now)));
        assert_eq!(outbox.confirmed(sends[2].request), Some(message(2, 1, now)));
        outbox.push(message(2, 2, now));
        assert_eq!(outbox.due(now)[0].after, None);
    }

    #[test]
    fn after_a_lost_connection_all_unconfirmed_ones_go_again_in_order_with_their_ids() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        for number in 0..3 {
            outbox.push(message(2, number, now));
        }
        let sends = outbox.due(now);
        outbox.confirmed(sends[0].request).unwrap();
        outbox.disconnected();
        let again = outbox.due(now);
        let ids: Vec<_> = again.iter().map(|send| (send.id, send.after)).collect();
        assert_eq!(ids, [(sends[1].id, None), (sends[2].id, Some(sends[1].id))]);
        // What was asked on the old connection is answered by nobody any more.
        assert_eq!(outbox.confirmed(sends[1].request), None);
    }

    #[test]
    fn a_refused_one_holds_all_back_until_the_rest_is_answered_and_its_time_has_come() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        outbox.push(message(2, 0, now));
        outbox.push(message(2, 1, now));
        let sends = outbox.due(now);
        let later = now + Duration::from_millis(500);
        assert!(outbox.failed(sends[0].request, later - now, now));
        assert_eq!((outbox.due(later), outbox.held_until()), (vec![], None));
        assert!(outbox.failed(sends[1].request, Duration::ZERO, now));
        assert_eq!((outbox.due(now), outbox.held_until()), (vec![], Some(later)));
        let again: Vec<_> = outbox.due(later).iter().map(|send| send.id).collect();
        assert_eq!(again, [sends[0].id, sends[1].id]);
    }

    #[test]
    fn no_more_are_under_way_than_a_connection_takes() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        for number in 0..2 * UNDER_WAY_MAX as u64 {
            outbox.push(message(2, number, now));
        }
        let sends = outbox.due(now);
        assert_eq!(sends.len(), UNDER_WAY_MAX);
        outbox.confirmed(sends[5].request).unwrap();
        assert_eq!(outbox.due(now).len(), 1);
    }

    #[test]
    fn an_answer_to_another_request_is_none_of_its_own() {
        let mut outbox = Outbox::default();
        assert!(!outbox.failed(RequestId::new(7), Duration::ZERO, Instant::now()));
        assert_eq!(outbox.confirmed(RequestId::new(7)), None);
    }
}
