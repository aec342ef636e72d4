//! The client library's network: one thread that serves every database of the process.
//!
//! The client library can start it once in a process, and not again after it has stopped; and it must have stopped
//! before the process ends, or the thread runs on into the destruction of what it uses. So whether it runs is a fact
//! about the process, and the one static of the store is here. Nothing but opening a FoundationDB engine touches it: no
//! other engine, no simulation, no process that is not configured for FoundationDB.
//!
//! The thread is stopped by a handler that runs when the process ends by a return from `main` or by `exit`, rather than
//! with the last engine: so an engine can be opened again after another was dropped. A process that ends by a signal or
//! by `abort` needs no stop.

use std::ffi::c_int;
use std::panic::catch_unwind;
use std::sync::{Mutex, PoisonError};

use foundationdb::api::{FdbApiBuilder, NetworkAutoStop};

use super::fault::Fault;

static NETWORK: Mutex<Network> = Mutex::new(Network::Unused);

enum Network {
    Unused,
    Running { _stops_when_dropped: NetworkAutoStop },
    Failed(Fault),
    Stopped,
}

/// Why there is no network.
#[derive(Debug, Clone, Copy)]
pub(super) enum NetworkError {
    Failed(Fault),
    Stopped,
}

/// Starts the network, unless it runs. The client library must have been loaded.
pub(super) fn start() -> Result<(), NetworkError> {
    let mut network = NETWORK.lock().unwrap_or_else(PoisonError::into_inner);
    if let Network::Unused = *network {
        // Should the start panic, the network is not tried again: the client library forbids it.
        *network = Network::Stopped;
        *network =
            boot().map_or_else(Network::Failed, |guard| Network::Running { _stops_when_dropped: guard });
    }
    match *network {
        Network::Running { .. } => Ok(()),
        Network::Failed(fault) => Err(NetworkError::Failed(fault)),
        Network::Unused | Network::Stopped => Err(NetworkError::Stopped),
    }
}

#[allow(unsafe_code, reason = "the client library asks for a promise that the language cannot check")]
fn boot() -> Result<NetworkAutoStop, Fault> {
    unsafe extern "C" {
        safe fn atexit(handler: extern "C" fn()) -> c_int;
    }

    let builder = FdbApiBuilder::default().build()?;
    // Handlers run in the reverse order of their registration: this one before those of the library, loaded earlier.
    if atexit(stop) != 0 {
        return Err(Fault::OPERATION_FAILED);
    }
    // SAFETY: the guard must be dropped before the process ends. It is kept in the static from here on, and `stop`,
    // which has just been registered, drops it.
    Ok(unsafe { builder.boot() }?)
}

/// Stops the network and waits for its thread.
extern "C" fn stop() {
    // Unwinding must not leave a function that C calls. Whoever holds the lock now is in another thread and in the
    // middle of starting the network, while the process ends: waiting for it could be for ever.
    let _ = catch_unwind(|| {
        if let Ok(mut network) = NETWORK.try_lock() {
            drop(std::mem::replace(&mut *network, Network::Stopped));
        }
    });
}
