//! When to try again.

use std::time::Duration;

use tokio::time::Instant;

/// The first attempt comes at once; the second soon, since a process that is killed may still listen for a moment after its
/// connections are gone.
const FIRST: Duration = Duration::from_millis(25);

/// A link must come back within about this time after it can.
const LONGEST: Duration = Duration::from_secs(1);

/// Between attempts that fail for a reason which time alone does not mend.
const LONGEST_LASTING: Duration = Duration::from_secs(3);

/// A link that lived for less has not ended the trouble.
const HEALTHY: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Backoff {
    attempts: u32,
    lasting: bool,
}

impl Backoff {
    /// When the next attempt is due.
    pub(super) fn next(&mut self) -> Instant {
        let longest = if std::mem::take(&mut self.lasting) { LONGEST_LASTING } else { LONGEST };
        let pause = match self.attempts.checked_sub(1) {
            None => Duration::ZERO,
            Some(doublings) => (FIRST * (1 << doublings.min(7))).min(longest),
        };
        self.attempts = self.attempts.saturating_add(1);
        Instant::now() + pause.mul_f64(rand::random_range(0.5..=1.0))
    }

    /// The last attempt failed for such a reason.
    pub(super) fn lasting(&mut self) {
        self.lasting = true;
    }

    /// There was a link for so long. Says whether it begins anew, at once.
    pub(super) fn was_up_for(&mut self, time: Duration) -> bool {
        let healthy = time >= HEALTHY;
        if healthy {
            self.attempts = 0;
        }
        healthy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_attempt_is_at_once_and_the_pauses_grow_to_a_second() {
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..20).map(|_| backoff.next() - Instant::now()).collect();
        assert_eq!(pauses[0], Duration::ZERO);
        assert!(pauses[1] <= FIRST && pauses[1] >= FIRST / 2);
        assert!(pauses[10..].iter().all(|pause| (LONGEST / 2..=LONGEST).contains(pause)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_time_does_not_mend_is_tried_less_often() {
        let mut backoff = Backoff { attempts: 20, lasting: false };
        backoff.lasting();
        assert!(backoff.next() - Instant::now() > LONGEST);
        assert!(backoff.next() - Instant::now() <= LONGEST);
    }

    #[tokio::test(start_paused = true)]
    async fn a_link_that_lived_is_dialled_at_once_and_one_that_flaps_is_not() {
        let mut backoff = Backoff { attempts: 5, lasting: false };
        assert!(!backoff.was_up_for(Duration::from_millis(10)));
        assert!(backoff.next() > Instant::now());
        assert!(backoff.was_up_for(Duration::from_secs(5)));
        assert_eq!(backoff.next(), Instant::now());
    }
}
