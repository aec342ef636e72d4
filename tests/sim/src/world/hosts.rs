//! Which node answers at which host, if any does.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rookery_actors::{Actors, ConnectionInfo, StreamTransport};
use tokio::time::Instant;

use super::power::{Life, Power};
use super::stream::{Connection, End};

/// The host table. Clones are the same table.
#[derive(Clone, Default)]
pub(super) struct Hosts(Arc<Mutex<BTreeMap<String, Host>>>);

struct Host {
    power: Power,
    /// Gone if nobody listens there.
    actors: Option<Actors>,
    /// Whether it is gone without a word.
    is_silent: bool,
    open: Vec<Connection>,
}

/// What comes of knocking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Knock {
    /// The node serves the connection.
    Taken,
    /// Nobody listens there.
    Refused,
    /// Nobody says anything.
    Unanswered,
}

impl Hosts {
    fn table(&self) -> MutexGuard<'_, BTreeMap<String, Host>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on this node answers there.
    pub(super) fn listen(&self, host: &str, power: Power, actors: Actors) {
        let (actors, open) = (Some(actors), Vec::new());
        self.table().insert(host.to_owned(), Host { power, actors, is_silent: false, open });
    }

    /// Nobody listens there any more; the connections that there are go on.
    pub(super) fn stop_listening(&self, host: &str) {
        if let Some(host) = self.table().get_mut(host) {
            host.actors = None;
        }
    }

    /// The process is over, and its connections with it; with `silently` the host says nothing of that.
    pub(super) fn end(&self, host: &str, silently: bool) {
        if let Some(host) = self.table().get_mut(host) {
            (host.actors, host.is_silent) = (None, silently);
            for connection in host.open.drain(..) {
                if silently { connection.hold(true) } else { connection.reset() }
            }
        }
    }

    /// The process stands still, or goes on.
    pub(super) fn hold(&self, host: &str, is_held: bool) {
        if let Some(host) = self.table().get_mut(host) {
            host.open.retain(|connection| !connection.is_over());
            host.open.iter().for_each(|connection| connection.hold(is_held));
        }
    }

    /// Somebody comes.
    pub(super) fn knock(&self, host: &str, connection: Connection, end: End) -> Knock {
        let mut table = self.table();
        let Some(host) = table.get_mut(host) else { return Knock::Refused };
        let Some(actors) = &host.actors else {
            return if host.is_silent { Knock::Unanswered } else { Knock::Refused };
        };
        let info = ConnectionInfo {
            peer: SocketAddr::from((Ipv4Addr::LOCALHOST, 1)),
            accepted: Instant::now(),
            admission: None,
        };
        // The kernel takes connections of a process that stands still.
        connection.hold(host.power.life() == Life::Paused);
        tokio::spawn(actors.serve(StreamTransport::new(end), info));
        host.open.retain(|connection| !connection.is_over());
        host.open.push(connection);
        Knock::Taken
    }
}
