//! Whether clients should be sent here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rookery_actors::Actors;
use rookery_store::Store;

use crate::store::StoreHealth;

/// What must hold for a node to be ready.
#[derive(Debug)]
pub struct Readiness {
    store: Store,
    health: Arc<StoreHealth>,
    actors: Actors,
    draining: AtomicBool,
}

impl Readiness {
    /// Of a node whose listeners are up.
    pub fn new(store: Store, health: Arc<StoreHealth>, actors: Actors) -> Self {
        Self { store, health, actors, draining: AtomicBool::new(false) }
    }

    /// From now on the node is not ready: it is stopping.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether it is.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Whether the node is ready; if not, why.
    ///
    /// # Errors
    /// With a text for people.
    pub async fn check(&self) -> Result<(), String> {
        if self.draining.load(Ordering::Relaxed) {
            return Err("the node is stopping".into());
        }
        if self.actors.is_isolated() {
            return Err("the node has lost its cluster: it cannot renew its lease".into());
        }
        self.health.check(&self.store).await
    }
}
