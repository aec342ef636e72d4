//! What connections ask of TCP, whoever is at their other end.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// When TCP itself gives a peer up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Sent bytes may stay unacknowledged for so long. Only Linux knows how to do that.
    pub(crate) unacknowledged: Duration,
    /// A peer that has been silent for so long is asked whether it is there ...
    pub(crate) silent: Duration,
    /// ... and again after each such time, as often as the system does.
    pub(crate) again: Duration,
}

/// Small writes go out at once, and a peer that is gone is noticed.
pub(crate) fn prepare(stream: &TcpStream, patience: Patience) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket
        .set_tcp_keepalive(&TcpKeepalive::new().with_time(patience.silent).with_interval(patience.again))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(patience.unacknowledged))?;
    Ok(())
}
