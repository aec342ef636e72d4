//! Where connections come in: sockets that listen.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// Connections that may wait to be accepted: what a node that restarts finds at its door. The system may allow fewer.
const BACKLOG: i32 = 4096;

/// Why the node does not listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else does, or another of the node's own listeners.
    #[error(
        "{address} is in use already: stop what listens there, or change `{setting}` under [{section}] in the configuration"
    )]
    Occupied {
        /// Where.
        address: SocketAddr,
        /// The section of the configuration ...
        section: &'static str,
        /// ... and the setting that say so.
        setting: &'static str,
    },
    /// The system refuses.
    #[error("cannot listen on {address} (`{setting}` under [{section}])")]
    Refused {
        /// Where.
        address: SocketAddr,
        /// The section of the configuration ...
        section: &'static str,
        /// ... and the setting that say so.
        setting: &'static str,
        /// Why not.
        source: io::Error,
    },
}

/// Listens on `address`, which `setting` under `section` of the configuration asked for.
///
/// # Errors
/// When another program has it or the system refuses.
pub fn bind(
    section: &'static str,
    setting: &'static str,
    address: SocketAddr,
) -> Result<TcpListener, ListenError> {
    let listen = || -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // So that a restart does not wait for the last run's connections to be forgotten.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    };
    listen().map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::Occupied { address, section, setting },
        _ => ListenError::Refused { address, section, setting, source },
    })
}
