//! When to complain of what fails again and again: when it begins, and once a minute while it lasts.

use std::time::Duration;

use tokio::time::Instant;

/// Between two complaints of the same.
const PERIOD: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Complaint {
    said: Option<Instant>,
}

impl Complaint {
    /// It has failed. Whether to say so.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.said.is_none_or(|said| now.duration_since(said) >= PERIOD);
        if is_due {
            self.said = Some(now);
        }
        is_due
    }

    /// It has gone well.
    pub(super) fn settle(&mut self) {
        self.said = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_that_lasts_is_said_once_a_minute_and_a_new_one_at_once() {
        let mut complaint = Complaint::default();
        let begun = Instant::now();
        let said = (0..150).filter(|second| complaint.is_due(begun + Duration::from_secs(*second)));
        assert_eq!(said.collect::<Vec<_>>(), [0, 60, 120]);
        complaint.settle();
        assert!(complaint.is_due(begun + Duration::from_secs(151)));
    }
}
