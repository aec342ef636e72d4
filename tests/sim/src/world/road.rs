//! A client's way to whatever node it wants, and the weather on it.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rookery_client::{DialFuture, Dialer, Link, NodeAddress};
use rookery_tests::{Cut, Network, Weather};
use tokio::time::sleep;

use super::hosts::{Hosts, Knock};
use super::stream::Connection;

/// Between two looks at a road that is blocked.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// One client's.
#[derive(Clone)]
pub(super) struct Road(Arc<Inner>);

struct Inner {
    hosts: Hosts,
    state: Mutex<State>,
}

struct State {
    rng: StdRng,
    /// How long something takes on it at most, in milliseconds.
    far_ms: u64,
    weather: Weather,
    open: Vec<Connection>,
}

impl std::fmt::Debug for Road {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Road").finish_non_exhaustive()
    }
}

impl Road {
    /// In clear weather.
    pub(super) fn new(hosts: Hosts, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let far_ms = if rng.random_ratio(1, 3) { rng.random_range(20..400) } else { 4 };
        let state = State { rng, far_ms, weather: Weather::Clear, open: Vec::new() };
        Self(Arc::new(Inner { hosts, state: Mutex::new(state) }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(self, host: String) -> io::Result<Link> {
        let millis = self.state().rng.random_range(0..10);
        sleep(Duration::from_millis(millis)).await;
        while self.state().weather == Weather::Stalled {
            sleep(LOOK_EVERY).await;
        }
        if self.state().weather == Weather::Refusing {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (connection, ours, theirs) = {
            let mut state = self.state();
            let seed = state.rng.random();
            Connection::new(seed, state.far_ms, state.weather)
        };
        match self.0.hosts.knock(&host, connection.clone(), theirs) {
            Knock::Taken => {}
            Knock::Refused => return Err(io::ErrorKind::ConnectionRefused.into()),
            Knock::Unanswered => std::future::pending().await,
        }
        let mut state = self.state();
        state.open.retain(|connection| !connection.is_over());
        state.open.push(connection);
        Ok(Link::from_stream(ours))
    }
}

impl Dialer for Road {
    fn dial(&self, node: &NodeAddress) -> DialFuture {
        Box::pin(self.clone().connect(node.host().to_owned()))
    }
}

impl Network for Road {
    fn set(&self, weather: Weather) {
        let mut state = self.state();
        state.weather = weather;
        state.open.iter().for_each(|connection| connection.set(weather));
    }

    fn cut(&self, cut: Cut) {
        self.state().open.iter().for_each(|connection| connection.cut(cut));
    }

    fn heal(&self) {
        self.set(Weather::Clear);
        self.state().open.iter().for_each(Connection::spare);
    }
}
