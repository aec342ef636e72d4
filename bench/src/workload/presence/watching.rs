//! Users who watch whether others are there, and count what they are told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use rookery_protocol::{Heartbeat, RequestId, ServerFrame, UserId, Watch, limits};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::node::Nodes;
use crate::users::BenchUser;
use crate::wire::Wire;
use crate::workload::measure::CONNECTING_AT_ONCE;

/// Clients say anew what they watch before it ends.
const WATCH_EVERY: Duration = Duration::from_millis(limits::WATCH_MS as u64 * 2 / 3);

/// What watchers have been told.
#[derive(Default)]
pub(super) struct Seen {
    notices: AtomicU64,
    changes: AtomicU64,
    /// To one watcher within one second.
    most: AtomicU64,
    failed: AtomicBool,
}

impl Seen {
    /// Notices so far, and the changes in them.
    pub(super) fn read(&self) -> (u64, u64) {
        (self.notices.load(Ordering::Relaxed), self.changes.load(Ordering::Relaxed))
    }

    /// The most notices that one watcher has had within one second.
    pub(super) fn most(&self) -> u64 {
        self.most.load(Ordering::Relaxed)
    }

    /// Whether a watcher's connection has ended.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }
}

/// Connects those who watch, each for its share of the others. They watch until what is returned is dropped.
pub(super) async fn watch(
    nodes: &Nodes,
    watching: &[BenchUser],
    watched: &[BenchUser],
    seen: &Arc<Seen>,
) -> anyhow::Result<JoinSet<()>> {
    let mut all = JoinSet::new();
    let mut turns = spread(watched.len()).map(|at| watched[at].user);
    for (number, some) in watching.chunks(CONNECTING_AT_ONCE).enumerate() {
        let mut connecting = JoinSet::new();
        for user in some {
            let users: Vec<UserId> =
                turns.by_ref().take(limits::WATCH_USERS_MAX.min(watched.len())).collect();
            let (address, user) = (nodes.of(number).clients().clone(), user.clone());
            connecting.spawn(async move { anyhow::Ok((Wire::connect(&address, &user).await?.0, users)) });
        }
        while let Some(connected) = connecting.join_next().await {
            let (wire, users) = connected.context("connecting does not panic")??;
            let seen = seen.clone();
            let first_renewal = WATCH_EVERY.mul_f64(all.len() as f64 / watching.len() as f64);
            all.spawn(async move {
                if keep_watching(wire, users, first_renewal, &seen).await.is_err() {
                    seen.failed.store(true, Ordering::Relaxed);
                }
            });
        }
    }
    Ok(all)
}

/// All numbers below `count`, over and over, with neighbours far from one another: those whom one watches do not come and go
/// all at the same time.
fn spread(count: usize) -> impl Iterator<Item = usize> {
    let golden = (count as f64 * 0.618) as usize;
    let step = (golden..).find(|step| gcd(*step, count) == 1).unwrap_or(1);
    (0..count).cycle().map(move |turn| turn * step % count)
}

fn gcd(one: usize, other: usize) -> usize {
    if other == 0 { one } else { gcd(other, one % other) }
}

/// Watches until the connection ends, and counts what comes. Says so now, after `first_renewal`, and from then on in its time:
/// those who have come together do not renew together.
async fn keep_watching(
    wire: Wire,
    users: Vec<UserId>,
    first_renewal: Duration,
    seen: &Seen,
) -> anyhow::Result<()> {
    let Wire { mut reader, mut writer } = wire;
    let mut requests = 0;
    let (mut due, mut then) = (std::pin::pin!(sleep(Duration::ZERO)), first_renewal);
    let (mut second, mut in_second) = (0, 0);
    let begun = Instant::now();
    loop {
        let frame = tokio::select! {
            frame = reader.next() => frame?,
            () = &mut due => {
                due.as_mut().reset(Instant::now() + then);
                then = WATCH_EVERY;
                requests += 1;
                let request = RequestId::new(requests);
                writer.push(&Watch { request, users: users.clone(), conversations: Vec::new() });
                writer.push(&Heartbeat { nonce: 0 });
                writer.flush().await?;
                continue;
            }
        };
        if let ServerFrame::PresenceNotice(notice) = frame {
            seen.notices.fetch_add(1, Ordering::Relaxed);
            seen.changes.fetch_add(notice.people.len() as u64, Ordering::Relaxed);
            let now = begun.elapsed().as_secs();
            in_second = if now == second { in_second + 1 } else { 1 };
            second = now;
            seen.most.fetch_max(in_second, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_have_as_many_watchers_and_those_of_one_watcher_are_far_from_one_another() {
        for count in [64, 65, 10_000] {
            let turns: Vec<usize> = spread(count).take(2 * count).collect();
            for round in turns.chunks(count) {
                let mut sorted = round.to_vec();
                sorted.sort_unstable();
                assert_eq!(sorted, (0..count).collect::<Vec<_>>());
            }
        }
        for some in spread(10_000).take(6_400).collect::<Vec<_>>().chunks(64) {
            let mut sorted = some.to_vec();
            sorted.sort_unstable();
            assert!(sorted.windows(2).all(|two| two[1] - two[0] >= 40), "{sorted:?}");
        }
    }

    #[test]
    fn few_or_none_are_spread_as_well() {
        assert_eq!(spread(0).count(), 0);
        assert_eq!(spread(1).take(2).collect::<Vec<_>>(), [0, 0]);
    }
}
