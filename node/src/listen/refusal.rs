//! What a connection is told that is not let in: one short answer, without reading and without waiting.
//!
//! A socket closed with unread bytes is reset, and a reset can overtake the answer. So a few refused connections at a
//! time are kept for a moment, until the peer has closed; under a flood the rest are reset.

use std::sync::Arc;
use std::time::Duration;

use rookery_protocol::{ErrorCode, RequestId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::{Refused, Wire};

/// How long a refused connection is kept.
const LINGER: Duration = Duration::from_secs(1);

/// When a client does well to come back.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// The same where it is banned: an address that a network gives to many may be another's soon.
const RETRY_AFTER_BAN: Duration = Duration::from_secs(60);

/// Answers refused connections.
#[derive(Debug, Clone)]
pub(super) struct Refusals {
    lingering: Arc<Semaphore>,
}

impl Refusals {
    /// Of which so many are kept at a time.
    pub(super) fn new(lingering_max: usize) -> Self {
        Self { lingering: Arc::new(Semaphore::new(lingering_max)) }
    }

    /// Tells the peer why, if it can be told in the clear.
    pub(super) fn answer(&self, mut stream: TcpStream, wire: &Wire, why: Refused) {
        let Some(answer) = answer(wire, why) else { return };
        // A fresh socket has room for so few bytes; one that has not is not worth waiting for.
        if stream.try_write(&answer).is_err() {
            return;
        }
        let Ok(place) = self.lingering.clone().try_acquire_owned() else { return };
        tokio::spawn(async move {
            let until_closed = async {
                stream.shutdown().await?;
                let mut ignored = [0; 512];
                while stream.read(&mut ignored).await? > 0 {}
                std::io::Result::Ok(())
            };
            // Either way it is dropped now.
            let _ = tokio::time::timeout(LINGER, until_closed).await;
            drop(place);
        });
    }
}

fn answer(wire: &Wire, why: Refused) -> Option<Vec<u8>> {
    let code = match why {
        Refused::NodeFull => ErrorCode::Busy,
        Refused::AddressFull => ErrorCode::TooManyConnections,
        Refused::Banned => ErrorCode::Banned,
    };
    let retry_after = if why == Refused::Banned { RETRY_AFTER_BAN } else { RETRY_AFTER };
    match wire {
        Wire::WebSocket => Some(
            format!(
                "HTTP/1.1 {}\r\nRetry-After: {}\r\nConnection: close\r\nContent-Type: text/plain\r\n\
                 Content-Length: {}\r\n\r\n{why}\n",
                match why {
                    Refused::NodeFull => "503 Service Unavailable",
                    Refused::AddressFull => "429 Too Many Requests",
                    Refused::Banned => "403 Forbidden",
                },
                retry_after.as_secs(),
                why.to_string().len() + 1,
            )
            .into_bytes(),
        ),
        Wire::Frames => {
            let mut error = rookery_protocol::Error::new(RequestId::default(), code, why.to_string());
            error.retry_after_ms = retry_after.as_millis() as u32;
            Some(rookery_protocol::encode(&error).to_vec())
        }
        // To say anything there a handshake would be needed first.
        Wire::WebSocketTls(_) | Wire::FramesTls(_) => None,
    }
}
