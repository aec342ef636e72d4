//! Metrics that are looked up when somebody asks for them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use rookery_actors::{Actors, Depth, LinkState};
use rookery_store::Store;
use rookery_store::keys::node::NodeName;

use crate::listen::Admission;
use crate::metrics;

/// Where to look.
pub(crate) struct Sampled {
    actors: Actors,
    store: Store,
    admission: Admission,
    /// The embedded store's file, and the most bytes it may have.
    store_file: Option<(PathBuf, u64)>,
    /// Nodes that there are numbers about. A recorder forgets none, so those of nodes that are gone are set to zero.
    peers: Mutex<BTreeSet<NodeName>>,
}

impl Sampled {
    pub(crate) fn new(
        actors: Actors,
        store: Store,
        admission: Admission,
        store_file: Option<(PathBuf, u64)>,
    ) -> Self {
        Self { actors, store, admission, store_file, peers: Mutex::default() }
    }

    /// Sets them.
    pub(crate) fn sample(&self) {
        metrics::connections_open(self.admission.connections());
        metrics::isolated(self.actors.is_isolated());
        metrics::store_queue(self.store.queued());
        if let Some((path, bytes_max)) = &self.store_file
            && let Ok(file) = std::fs::metadata(path)
        {
            metrics::store_file(file.len(), *bytes_max);
        }
        if let Some(bytes) = resident_bytes() {
            metrics::resident(bytes);
        }
        self.sample_peers();
    }

    fn sample_peers(&self) {
        let status = self.actors.cluster();
        let mut known = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut now = BTreeSet::new();
        for peer in status.into_iter().flat_map(|status| status.peers) {
            let up = peer.link.is_some_and(|link| link.state == LinkState::Up);
            metrics::peer(&peer.id.name, up, peer.waiting);
            now.insert(peer.id.name);
        }
        known.difference(&now).for_each(|gone| metrics::peer(gone, false, Depth::default()));
        *known = now;
    }
}

/// What the process has in memory, where the system tells.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn memory_grows_with_what_is_written_to() {
        let before = resident_bytes().unwrap();
        let much = std::hint::black_box(vec![1_u8; 64 << 20]);
        assert!(resident_bytes().unwrap() >= before + (much.len() as u64) / 2);
    }
}
