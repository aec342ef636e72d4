//! Which events of this connection may be acknowledged: a prefix, once everything in it is settled.

use std::collections::VecDeque;

use rookery_protocol::Stamp;

/// When an event needs no pushing again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    /// When the application has taken the delivery with this number; 0 for at once.
    WhenTaken(u64),
    /// Not before it is known what becomes of it: it waits for messages before it.
    NotYet,
}

/// An event's place among those of this connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AckIndex(u64);

/// The events of this connection that have not been acknowledged.
#[derive(Debug, Default)]
pub(crate) struct AckQueue {
    first: u64,
    waiting: VecDeque<(Stamp, Settled)>,
    last: Option<Stamp>,
}

impl AckQueue {
    /// A connection begins: the server pushes again what was not acknowledged.
    pub(crate) fn clear(&mut self) {
        self.first += self.waiting.len() as u64;
        self.waiting = VecDeque::new();
        self.last = None;
    }

    /// An event came. One pushed a second time counts at the place of the newest.
    pub(crate) fn push(&mut self, stamp: Stamp, settled: Settled) -> AckIndex {
        let stamp = self.last.map_or(stamp, |last| last.max(stamp));
        self.last = Some(stamp);
        self.waiting.push_back((stamp, settled));
        AckIndex(self.first + self.waiting.len() as u64 - 1)
    }

    /// It is known now when an event is settled.
    pub(crate) fn settle(&mut self, index: AckIndex, settled: Settled) {
        let place = index.0.checked_sub(self.first).and_then(|place| usize::try_from(place).ok());
        if let Some(waiting) = place.and_then(|place| self.waiting.get_mut(place)) {
            waiting.1 = settled;
        }
    }

    /// The newest stamp up to which all is settled, if it moved, given the last delivery taken.
    pub(crate) fn advance(&mut self, taken: u64) -> Option<Stamp> {
        let mut reached = None;
        while let Some((stamp, Settled::WhenTaken(delivery))) = self.waiting.front() {
            if *delivery > taken {
                break;
            }
            reached = Some(*stamp);
            self.waiting.pop_front();
            self.first += 1;
        }
        if self.waiting.is_empty() && self.waiting.capacity() > 32 {
            self.waiting = VecDeque::new();
        }
        reached
    }

    /// Events that wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(number: u8) -> Stamp {
        Stamp::from_bytes([number; 12])
    }

    #[test]
    fn an_unsettled_event_holds_back_the_acknowledgement_of_those_behind_it() {
        let mut acks = AckQueue::default();
        acks.push(stamp(1), Settled::WhenTaken(1));
        let held = acks.push(stamp(2), Settled::NotYet);
        acks.push(stamp(3), Settled::WhenTaken(2));
        assert_eq!(acks.advance(2), Some(stamp(1)));
        assert_eq!(acks.advance(2), None);
        acks.settle(held, Settled::WhenTaken(3));
        assert_eq!(acks.advance(2), None);
        assert_eq!(acks.advance(3), Some(stamp(3)));
        assert_eq!(acks.len(), 0);
    }

    #[test]
    fn an_index_of_an_earlier_connection_settles_nothing() {
        let mut acks = AckQueue::default();
        let old = acks.push(stamp(1), Settled::NotYet);
        acks.clear();
        acks.push(stamp(1), Settled::NotYet);
        acks.settle(old, Settled::WhenTaken(0));
        assert_eq!(acks.advance(9), None);
    }
}
