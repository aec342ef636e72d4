//! Addresses that may not connect, as this node knows them: all bans of the store, read again when one changes.
//!
//! Looking an address up costs a hash for each length of network that is banned, and nothing while there are no bans.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rookery_actors::{Actors, Clock};
use rookery_protocol::ErrorCode;
use rookery_store::keys::ban::{self, Network};
use rookery_store::ops::RemoveBan;
use rookery_store::{Store, StoreError, queries};
use tokio::sync::watch;

/// What a banned connection is told.
pub(crate) const BANNED: &str = "nobody may connect from this address";

/// Bans read at a time.
const PAGE: usize = 1_000;

/// How often connections are looked over while there are bans: one that was on its way in when its ban came is found.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// When the store is asked again after it could not be.
const RETRY: Duration = Duration::from_secs(1);

/// The bans a node knows. Cheap to clone.
#[derive(Clone)]
pub struct Bans {
    clock: Arc<dyn Clock>,
    known: Arc<RwLock<Known>>,
}

impl std::fmt::Debug for Bans {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bans")
    }
}

#[derive(Default)]
struct Known {
    /// With the time it ends.
    until_ms: HashMap<Network, Option<u64>>,
    lengths: BTreeSet<u8>,
}

impl Bans {
    /// None yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, known: Arc::default() }
    }

    /// Whether nobody may connect from this address now.
    pub fn is_banned(&self, address: IpAddr) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if known.until_ms.is_empty() {
            return false;
        }
        let now_ms = self.clock.now_ms();
        let networks = known.lengths.iter().filter_map(|bits| Network::around(address, *bits));
        let mut bans = networks.filter_map(|network| known.until_ms.get(&network));
        bans.any(|until_ms| until_ms.is_none_or(|until_ms| until_ms > now_ms))
    }

    fn set(&self, bans: impl IntoIterator<Item = (Network, Option<u64>)>) {
        let until_ms: HashMap<_, _> = bans.into_iter().collect();
        let lengths = until_ms.keys().map(Network::bits).collect();
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Known { until_ms, lengths };
    }

    fn is_empty(&self) -> bool {
        self.known.read().unwrap_or_else(PoisonError::into_inner).until_ms.is_empty()
    }

    /// Reads all bans from the store, and closes the connections they are about: how many.
    ///
    /// # Errors
    /// When the store cannot be read; what was known stays.
    pub async fn refresh(&self, store: &Store, actors: &Actors) -> Result<usize, StoreError> {
        let snapshot = store.snapshot().await?;
        let mut all = Vec::new();
        loop {
            let after = all.last().map(|(network, _)| *network);
            let page = queries::bans(&*snapshot, after, PAGE).await?;
            if page.is_empty() {
                break;
            }
            all.extend(page.into_iter().map(|(network, ban)| (network, ban.until_ms)));
        }
        drop(snapshot);
        let now_ms = self.clock.now_ms();
        let ended = |until_ms: Option<u64>| until_ms.is_some_and(|until_ms| until_ms <= now_ms);
        for network in all.iter().filter(|(_, until_ms)| ended(*until_ms)).map(|(network, _)| *network) {
            let remove = RemoveBan { network, ended_by_ms: Some(now_ms) };
            if let Err(error) = store.submit_then(&network, remove, |_| ()) {
                tracing::debug!(%network, %error, "a ban that has ended stays in the store for now");
            }
        }
        self.set(all);
        Ok(self.close_banned(actors))
    }

    fn close_banned(&self, actors: &Actors) -> usize {
        if self.is_empty() {
            return 0;
        }
        actors.close(ErrorCode::Banned, BANNED, |connection| self.is_banned(connection.peer.ip())).len()
    }

    /// Keeps up with the store until `stop` becomes true.
    pub(crate) async fn keep(self, store: Store, actors: Actors, mut stop: watch::Receiver<bool>) {
        let keeping = async {
            loop {
                // First the watch, then the reading: a change between them is not missed.
                let changed = store.watch(ban::list_key());
                match self.refresh(&store, &actors).await {
                    Ok(0) => {}
                    Ok(closed) => {
                        tracing::info!(connections = closed, "connections of banned addresses are closed");
                    }
                    Err(error) => {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "bans could not be read: those known stay"
                        );
                        tokio::time::sleep(RETRY).await;
                        continue;
                    }
                }
                self.until(changed, &actors).await;
            }
        };
        tokio::select! {
            () = keeping => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn until(&self, changed: impl Future<Output = Result<(), StoreError>>, actors: &Actors) {
        let mut changed = std::pin::pin!(changed);
        loop {
            tokio::select! {
                outcome = &mut changed => {
                    if outcome.is_err() {
                        tokio::time::sleep(RETRY).await;
                    }
                    return;
                }
                () = tokio::time::sleep(LOOK_EVERY) => {
                    self.close_banned(actors);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    struct At(AtomicU64);

    impl Clock for At {
        fn now_ms(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn an_address_is_banned_by_itself_or_with_its_network_until_the_time_is_up() {
        let clock = Arc::new(At(AtomicU64::new(10)));
        let bans = Bans::new(clock.clone());
        let banned = |text: &str| bans.is_banned(text.parse().unwrap());
        assert!(!banned("192.0.2.1"));
        let network = |text: &str| text.parse().unwrap();
        bans.set([
            (network("192.0.2.1"), None),
            (network("198.51.100.0/24"), Some(20)),
            (network("2001:db8::/32"), None),
        ]);
        assert!(banned("192.0.2.1") && banned("::ffff:192.0.2.1") && !banned("192.0.2.2"));
        assert!(banned("198.51.100.200") && banned("2001:db8:9::1") && !banned("2001:db9::1"));
        clock.0.store(20, Ordering::Relaxed);
        assert!(banned("192.0.2.1") && !banned("198.51.100.200"));
    }
}
