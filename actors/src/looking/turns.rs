//! Whose turn it is to have something read from the store: so many at once, the others wait in order. No IO.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;

/// At once, at most. A change of who may see somebody whom thousands watch is as many looks.
const AT_ONCE_MAX: usize = 64;

/// See the module. Each waits once.
#[derive(Debug)]
pub(super) struct Turns<T> {
    order: VecDeque<T>,
    waiting: HashSet<T>,
    under_way: usize,
}

impl<T: Copy + Eq + Hash> Turns<T> {
    pub(super) fn new() -> Self {
        Self { order: VecDeque::new(), waiting: HashSet::new(), under_way: 0 }
    }

    /// This waits, if it did not already.
    pub(super) fn wait(&mut self, who: T) {
        if self.waiting.insert(who) {
            self.order.push_back(who);
        }
    }

    /// Whose turn it is, if it is somebody's. It is to be said when it is [`over`](Self::over).
    pub(super) fn next(&mut self) -> Option<T> {
        if self.under_way >= AT_ONCE_MAX {
            return None;
        }
        let who = self.order.pop_front()?;
        self.waiting.remove(&who);
        self.under_way += 1;
        Some(who)
    }

    /// A turn is over.
    pub(super) fn over(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_waits_once_and_no_more_have_their_turn_at_once_than_may() {
        let mut turns = Turns::new();
        for number in (0..=AT_ONCE_MAX).chain(0..=AT_ONCE_MAX) {
            turns.wait(number);
        }
        for number in 0..AT_ONCE_MAX {
            assert_eq!(turns.next(), Some(number));
        }
        assert_eq!(turns.next(), None);
        turns.wait(3);
        turns.over();
        assert_eq!((turns.next(), turns.next()), (Some(AT_ONCE_MAX), None));
        turns.over();
        turns.over();
        assert_eq!(
            (turns.next(), turns.next()),
            (Some(3), None),
            "what comes while it is read is read again"
        );
    }
}
