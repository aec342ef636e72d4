//! How long messages took, from the sender's application to the recipient's, and when nothing came at all.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use rookery_client::MessageId;

use crate::history::{Client, History, What};

/// A message at one of its recipient's devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// When it was given to the sender's library.
    pub sent: Duration,
    /// Until it was handed up.
    pub took: Duration,
    /// Whether either side had troubles of its own meanwhile.
    pub excused: bool,
    /// Whether it was said in a group.
    pub in_group: bool,
}

impl Delivery {
    /// When it was handed up.
    pub fn arrived(&self) -> Duration {
        self.sent + self.took
    }

    /// Whether it was under way in this time.
    pub fn meets(&self, (since, until): (Duration, Duration)) -> bool {
        self.sent <= until && self.arrived() >= since
    }
}

/// All deliveries of a history, in the order in which they were sent.
#[derive(Debug, Clone, Default)]
pub struct Deliveries(pub Vec<Delivery>);

impl Deliveries {
    /// Those of a history, with what each client's own troubles were.
    pub fn of(history: &History, troubles: &[Vec<(Duration, Duration)>]) -> Self {
        let mut sent: HashMap<MessageId, (Duration, Client)> = HashMap::new();
        for entry in &history.entries {
            if let What::Enqueued { id, .. } = &entry.what {
                sent.insert(*id, (entry.at, entry.client));
            }
        }
        let mut seen: HashSet<(Client, MessageId)> = HashSet::new();
        let mut deliveries = Vec::new();
        for entry in &history.entries {
            let What::Handed(message) = &entry.what else { continue };
            let Some((at, sender)) = sent.get(&message.id).copied() else { continue };
            let (from, to) = (history.owner(sender), history.owner(entry.client));
            if from.user == to.user || !seen.insert((entry.client, message.id)) {
                continue;
            }
            let (took, in_group) = (entry.at.saturating_sub(at), message.conversation.group_id().is_some());
            let mut delivery = Delivery { sent: at, took, excused: false, in_group };
            let troubled = |client: Client| {
                let of_client = troubles.get(client.0).into_iter().flatten();
                of_client.copied().any(|trouble| delivery.meets(trouble))
            };
            delivery.excused = troubled(sender) || troubled(entry.client);
            deliveries.push(delivery);
        }
        deliveries.sort_by_key(|delivery| delivery.sent);
        Self(deliveries)
    }

    /// How long those took that are like this and had no troubles of their own.
    pub fn spread(&self, like: impl Fn(&Delivery) -> bool) -> Spread {
        Spread::of(self.0.iter().filter(|it| !it.excused && like(it)).map(|it| it.took).collect())
    }

    /// The longest times in which nothing was handed up anywhere.
    pub fn gaps(&self, within: (Duration, Duration), at_most: usize) -> Vec<(Duration, Duration)> {
        gaps(self.0.iter().map(Delivery::arrived), within, at_most)
    }
}

/// The longest times in which nothing happened: when each began, how long it was. At most so many, the longest first.
pub(super) fn gaps(
    happened: impl Iterator<Item = Duration>,
    (since, until): (Duration, Duration),
    at_most: usize,
) -> Vec<(Duration, Duration)> {
    let within = |at: &Duration| (since..=until).contains(at);
    let mut times: Vec<Duration> = happened.filter(within).chain([since, until]).collect();
    times.sort_unstable();
    let mut gaps: Vec<_> = times.windows(2).map(|pair| (pair[0], pair[1] - pair[0])).collect();
    gaps.sort_by_key(|(_, length)| std::cmp::Reverse(*length));
    gaps.truncate(at_most);
    gaps
}

/// How long things took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spread(Vec<Duration>);

impl Spread {
    /// Of these.
    pub fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The time within which so large a part of them was; of none, nothing.
    pub fn quantile(&self, part: f64) -> Option<Duration> {
        let rank = (part * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.saturating_sub(1)).copied()
    }

    /// The longest.
    pub fn worst(&self) -> Option<Duration> {
        self.0.last().copied()
    }

    /// How many took longer.
    pub fn above(&self, time: Duration) -> usize {
        self.0.len() - self.0.partition_point(|it| *it <= time)
    }
}

/// For tables, as wide as any.
pub(crate) fn shown(time: Option<Duration>) -> String {
    match time {
        None => "-".to_owned(),
        Some(time) if time < Duration::from_secs(1) => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        Some(time) => format!("{:.2} s", time.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn quantiles_are_by_nearest_rank() {
        let spread = Spread::of((1..=100).rev().map(s).collect());
        assert_eq!(spread.quantile(0.5), Some(s(50)));
        assert_eq!(spread.quantile(0.99), Some(s(99)));
        assert_eq!(spread.worst(), Some(s(100)));
        assert_eq!(spread.above(s(98)), 2);
        assert_eq!(Spread::default().quantile(0.5), None);
    }

    #[test]
    fn silence_is_found_at_the_edges_too() {
        let at = |sent| Delivery { sent: s(sent), took: s(1), excused: false, in_group: false };
        let deliveries = Deliveries(vec![at(4), at(5), at(19)]);
        let gaps = deliveries.gaps((s(0), s(30)), 3);
        assert_eq!(gaps, [(s(6), s(14)), (s(20), s(10)), (s(0), s(5))]);
    }
}
