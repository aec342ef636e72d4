//! What the routes are handed.

use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rookery_actors::{Actors, Clock};
use rookery_store::Store;
use rookery_store::keys::node::NodeName;
use rookery_store::keys::view::ClusterView;
use rookery_store::queries;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::authorize::Lock;
use super::drain::Draining;
use super::failure::ApiError;
use super::limits::REQUESTS_MAX;
use crate::data_dir::AdminToken;
use crate::http::{Readiness, Render};
use crate::listen::Bans;
use crate::logging::LogControl;
use crate::token::TokenIssuer;

/// What a node says of itself.
#[derive(Debug, Clone)]
pub(crate) struct About {
    /// The cluster's id.
    pub(crate) cluster: String,
    /// The node's name.
    pub(crate) node: NodeName,
    /// The engine's name.
    pub(crate) engine: &'static str,
    /// Where its clients reach it.
    pub(crate) clients: Vec<String>,
}

/// What the API is made of.
pub(crate) struct SharedParts {
    pub(crate) about: About,
    pub(crate) token: AdminToken,
    pub(crate) store: Store,
    pub(crate) actors: Actors,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) readiness: Arc<Readiness>,
    pub(crate) bans: Bans,
    pub(crate) issuer: TokenIssuer,
    pub(crate) log: Option<LogControl>,
    pub(crate) metrics: Option<Render>,
    pub(crate) rng_seed: u64,
    /// Becomes true when the node begins to stop.
    pub(crate) stopping: watch::Receiver<bool>,
}

/// See the module.
pub(crate) struct Shared {
    pub(super) about: About,
    pub(super) lock: Lock,
    pub(super) store: Store,
    pub(super) actors: Actors,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) readiness: Arc<Readiness>,
    pub(super) bans: Bans,
    pub(super) issuer: TokenIssuer,
    pub(super) log: Option<LogControl>,
    pub(super) metrics: Option<Render>,
    pub(super) stopping: watch::Receiver<bool>,
    pub(super) started: Instant,
    /// Requests at a time.
    pub(super) places: Semaphore,
    /// Backups at a time: one.
    pub(super) backups: Arc<Semaphore>,
    /// Checks at a time: one.
    pub(super) checks: Arc<Semaphore>,
    pub(super) draining: Draining,
    rng: Mutex<StdRng>,
}

impl Shared {
    pub(crate) fn new(parts: SharedParts) -> Arc<Self> {
        Arc::new(Self {
            lock: Lock::new(&parts.token),
            about: parts.about,
            store: parts.store,
            actors: parts.actors,
            clock: parts.clock,
            readiness: parts.readiness,
            bans: parts.bans,
            issuer: parts.issuer,
            log: parts.log,
            metrics: parts.metrics,
            stopping: parts.stopping,
            started: Instant::now(),
            places: Semaphore::new(REQUESTS_MAX),
            backups: Arc::new(Semaphore::new(1)),
            checks: Arc::new(Semaphore::new(1)),
            draining: Draining::default(),
            rng: Mutex::new(StdRng::seed_from_u64(parts.rng_seed)),
        })
    }

    /// A random number.
    pub(super) fn random(&self) -> u64 {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner).next_u64()
    }

    /// The cluster's view, from the store.
    pub(super) async fn view(&self) -> Result<ClusterView, ApiError> {
        Ok(queries::view(&*self.store.snapshot().await?).await?)
    }
}
