//! What a doorbell may carry: the event itself, so that the session need not read it.
//!
//! A hint never decides what is pushed: the inbox does. It only spares fetching what the inbox points to. So a message that
//! has been deleted since may still be pushed as it was, to a device that is a little behind: as it would have been a
//! moment earlier, and the deletion follows it.

use std::collections::VecDeque;

use bytes::Bytes;
use rookery_protocol::Stamp;

use crate::connection::ConnectionId;

/// Hints kept for a session, at most. A session that is behind reads the log instead.
const HINTS_MAX: usize = 64;
/// Bytes of hints kept for a session, at most.
const HINT_BYTES_MAX: usize = 128 * 1024;

/// A committed event as a frame, shared by all who are to get it.
#[derive(Debug, Clone)]
pub(crate) struct Hint {
    pub(crate) stamp: Stamp,
    pub(crate) frame: Bytes,
    /// The connection that sent the message, and the frame without the body, which it has.
    pub(crate) sender: Option<(ConnectionId, Bytes)>,
}

/// The latest hints, oldest first.
#[derive(Debug, Default)]
pub(super) struct Hints {
    hints: VecDeque<Hint>,
    bytes: usize,
}

impl Hints {
    pub(super) fn add(&mut self, hint: Hint) {
        self.bytes += hint.frame.len();
        self.hints.push_back(hint);
        while self.hints.len() > HINTS_MAX || self.bytes > HINT_BYTES_MAX {
            self.drop_oldest();
        }
    }

    /// Those of events after `stamp`.
    pub(super) fn after(&self, stamp: Stamp) -> Vec<Hint> {
        self.hints.iter().filter(|hint| hint.stamp > stamp).cloned().collect()
    }

    /// Forgets what all devices have been pushed.
    pub(super) fn pushed(&mut self, stamp: Stamp) {
        while self.hints.front().is_some_and(|hint| hint.stamp <= stamp) {
            self.drop_oldest();
        }
        if self.hints.is_empty() {
            self.hints = VecDeque::new();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(hint) = self.hints.pop_front() {
            self.bytes -= hint.frame.len();
        }
    }
}
