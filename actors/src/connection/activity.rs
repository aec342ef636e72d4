//! Whether a user is there at a device: what the client says, and when it last did something that takes a user. No IO.

use std::time::Duration;

use rookery_protocol::limits;
use tokio::time::Instant;

/// After which a user who does nothing is idle.
const IDLE: Duration = Duration::from_millis(limits::IDLE_MS as u64);

/// See the module.
#[derive(Debug)]
pub(super) struct Activity {
    last_used: Instant,
    /// The client has said that nobody is there.
    is_away: bool,
}

impl Activity {
    /// A connection begins as in use.
    pub(super) fn new(now: Instant) -> Self {
        Self { last_used: now, is_away: false }
    }

    /// The client has done something that takes a user.
    pub(super) fn used(&mut self, now: Instant) {
        self.last_used = now;
    }

    /// The client has said whether somebody is there. That holds until it says otherwise; that somebody is there, no longer
    /// than they do something.
    pub(super) fn said(&mut self, active: bool) {
        self.is_away = !active;
    }

    /// Whether somebody is there.
    pub(super) fn is_active(&self, now: Instant) -> bool {
        !self.is_away && now.duration_since(self.last_used) < IDLE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_nothing_for_long_is_idle_and_so_is_whose_client_says_so() {
        let now = Instant::now();
        let mut activity = Activity::new(now);
        assert!(activity.is_active(now + IDLE / 2));
        assert!(!activity.is_active(now + IDLE));
        activity.used(now + IDLE);
        assert!(activity.is_active(now + IDLE));
        activity.said(false);
        activity.used(now + IDLE);
        assert!(!activity.is_active(now + IDLE), "until it says otherwise");
        activity.said(true);
        assert!(activity.is_active(now + IDLE) && !activity.is_active(now + 2 * IDLE));
    }
}
