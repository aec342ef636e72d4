//! What the history says of one fault.

use std::time::Duration;

use serde_json::{Value, json};

use crate::chaos::{Deliveries, Delivery};
use crate::history::{History, What};

/// A message that takes no longer has arrived in time.
const IN_TIME: Duration = Duration::from_secs(1);

/// Messages of so long are looked at together.
const WINDOW: Duration = Duration::from_millis(200);

/// From one window to the next.
const STEP: Duration = Duration::from_millis(20);

/// When a fault happened, on the history's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The node, by its place.
    pub victim: usize,
    /// When it happened.
    pub began: Duration,
    /// How long until every survivor's view was without the victim, if that was to be and was.
    pub moved: Option<Duration>,
    /// When it was undone.
    pub healed: Duration,
    /// When all nodes were there again.
    pub whole: Duration,
}

/// What a fault did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// As marked.
    pub mark: Mark,
    /// How long after its beginning 99 % of the messages that were sent in any 200 ms arrived within 1 s, from then on
    /// for as long as it lasted. None when that was never so.
    pub recovered: Option<Duration>,
    /// Deliveries of messages that were under way at any time from the beginning until all was well.
    pub messages: usize,
    /// How long half of them took at most.
    pub p50: Option<Duration>,
    /// How long 99 % of them took at most.
    pub p99: Option<Duration>,
    /// The longest.
    pub worst: Option<Duration>,
    /// 99 % of those sent in three of the seconds before the fault.
    pub p99_before: Option<Duration>,
    /// Clients that lost their connection.
    pub disconnected: usize,
    /// Messages that were refused for good.
    pub refused: usize,
    /// Messages that were given to clients.
    pub given: usize,
}

impl Measured {
    pub(super) fn of(mark: Mark, history: &History, deliveries: &Deliveries) -> Self {
        let Mark { began, healed, whole, .. } = mark;
        let until = whole.max(healed);
        let during = |at: Duration| (began..until).contains(&at);
        let spread = deliveries.spread(|it| it.meets((began, until)));
        // What was on its way when it happened is no measure of what was before.
        let calm = began.saturating_sub(4 * IN_TIME)..began.saturating_sub(IN_TIME);
        let before = deliveries.spread(|it| calm.contains(&it.sent));
        let count = |like: fn(&What) -> bool| {
            history.entries.iter().filter(|entry| during(entry.at) && like(&entry.what)).count()
        };
        Self {
            mark,
            recovered: recovered(deliveries, began, if healed > began { healed } else { until }),
            messages: spread.count(),
            p50: spread.quantile(0.5),
            p99: spread.quantile(0.99),
            worst: spread.worst(),
            p99_before: before.quantile(0.99),
            disconnected: count(|what| matches!(what, What::Disconnected { .. })),
            refused: count(|what| matches!(what, What::Refused { .. })),
            given: count(|what| matches!(what, What::Enqueued { .. })),
        }
    }

    pub(super) fn json(&self) -> Value {
        let ms = |time: Option<Duration>| time.map(|time| (time.as_secs_f64() * 1e6).round() / 1e3);
        json!({
            "node": format!("n{}", self.mark.victim + 1),
            "view_moved_ms": ms(self.mark.moved),
            "recovered_ms": ms(self.recovered),
            "lasted_ms": ms(Some(self.mark.healed.saturating_sub(self.mark.began))),
            "whole_ms": ms(Some(self.mark.whole.saturating_sub(self.mark.healed))),
            "messages_given": self.given,
            "deliveries": self.messages,
            "p50_ms": ms(self.p50),
            "p99_ms": ms(self.p99),
            "worst_ms": ms(self.worst),
            "p99_before_ms": ms(self.p99_before),
            "disconnected": self.disconnected,
            "refused": self.refused,
        })
    }
}

/// How long after `began` every window of messages until `until` arrived in time.
fn recovered(deliveries: &Deliveries, began: Duration, until: Duration) -> Option<Duration> {
    let sent = &deliveries.0;
    let first = |at: Duration| sent.partition_point(|it| it.sent < at);
    let mut last_bad = None;
    let mut since = began;
    while since + WINDOW <= until {
        let window: &[Delivery] = &sent[first(since)..first(since + WINDOW)];
        let late = window.iter().filter(|it| it.took > IN_TIME).count();
        if late * 100 > window.len() {
            last_bad = Some(since);
        }
        since += STEP;
    }
    match last_bad {
        None => Some(Duration::ZERO),
        // What is sent at its end may be in time; at its beginning some was not.
        Some(bad) if bad + WINDOW + STEP <= until.saturating_sub(WINDOW) => Some(bad + WINDOW - began),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(time: u64) -> Duration {
        Duration::from_millis(time)
    }

    /// A message each millisecond for ten seconds; those sent in some time took two seconds, the others ten milliseconds.
    fn late_between(since: u64, until: u64) -> Deliveries {
        let took = |at: u64| if (since..until).contains(&at) { ms(2_000) } else { ms(10) };
        let delivery = |at: u64| Delivery { sent: ms(at), took: took(at), excused: false, in_group: false };
        Deliveries((0..10_000).map(delivery).collect())
    }

    #[test]
    fn what_never_was_late_has_recovered_at_once() {
        assert_eq!(recovered(&late_between(0, 0), ms(1_000), ms(9_000)), Some(Duration::ZERO));
    }

    #[test]
    fn recovery_is_counted_to_the_last_window_with_more_than_one_in_a_hundred_late() {
        let found = recovered(&late_between(1_000, 1_700), ms(1_000), ms(9_000)).unwrap();
        assert!((ms(700)..ms(700) + WINDOW + STEP).contains(&found), "{found:?}");
        // One late message alone is less than one in a hundred.
        assert_eq!(recovered(&late_between(3_000, 3_001), ms(1_000), ms(9_000)), Some(Duration::ZERO));
    }

    #[test]
    fn what_is_late_to_the_end_has_not_recovered() {
        assert_eq!(recovered(&late_between(1_000, 9_500), ms(1_000), ms(9_000)), None);
    }
}
