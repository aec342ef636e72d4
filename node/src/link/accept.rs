//! Takes connections from other nodes and hands those that prove who they are to the link they are for.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use super::connect::{ConnectError, receive};
use super::hello::{Answer, Verdict, write_answer};
use super::links::Shared;
use crate::metrics;

/// From TCP to the end of the first words.
const HANDSHAKE_MAX: Duration = Duration::from_secs(5);

/// Handshakes at a time. One more ends the oldest: nodes are done in milliseconds, so that whoever dawdles goes first.
const HANDSHAKES_MAX: usize = 64;

/// How long the loop rests when the system has no room for another connection.
const BACKOFF: Duration = Duration::from_millis(100);

/// Accepts until `stop` becomes true.
pub(super) async fn accept(shared: Arc<Shared>, listener: TcpListener, mut stop: watch::Receiver<bool>) {
    let complaints = Arc::new(Complaints::default());
    let mut handshakes: VecDeque<(IpAddr, AbortHandle)> = VecDeque::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                complaints.complain(None, "accept", &error);
                tokio::time::sleep(BACKOFF).await;
                continue;
            }
        };
        handshakes.retain(|(_, handshake)| !handshake.is_finished());
        if handshakes.len() == HANDSHAKES_MAX
            && let Some((ip, oldest)) = handshakes.pop_front()
        {
            oldest.abort();
            complaints.failed(ip, &ConnectError::Crowded);
        }
        let (shared, complaints) = (shared.clone(), complaints.clone());
        let handshake = tokio::spawn(async move {
            let taken = timeout(HANDSHAKE_MAX, Box::pin(take(&shared, stream))).await;
            if let Err(error) = taken.unwrap_or(Err(ConnectError::Late)) {
                complaints.failed(peer.ip(), &error);
            }
        });
        handshakes.push_back((peer.ip(), handshake.abort_handle()));
    }
    for (_, handshake) in handshakes {
        handshake.abort();
    }
}

async fn take(shared: &Shared, stream: TcpStream) -> Result<(), ConnectError> {
    let Some(mut offer) = receive(&shared.tls, stream).await? else { return Ok(()) };
    let verdict = match offer.objection(&shared.own()) {
        Some(verdict) => verdict,
        None => match shared.link(&offer.hello.from) {
            None => Verdict::Unknown,
            // A link looks at one at a time; the others may come again.
            Some(link) => match link.offer(offer) {
                Ok(()) => return Ok(()),
                Err(back) => {
                    offer = back;
                    Verdict::Busy
                }
            },
        },
    };
    refuse(&mut offer.stream, verdict).await;
    Err(ConnectError::Verdict(verdict))
}

/// Says no, as far as the other side listens.
pub(super) async fn refuse(stream: &mut (impl tokio::io::AsyncWrite + Unpin), verdict: Verdict) {
    if write_answer(stream, Answer::Refused(verdict)).await.is_ok() {
        let _ = stream.shutdown().await;
    }
}

/// Logs each reason once a minute for each address, however often somebody knocks.
#[derive(Default)]
struct Complaints(Mutex<HashMap<(Option<IpAddr>, &'static str), Instant>>);

impl Complaints {
    const EVERY: Duration = Duration::from_secs(60);
    const REMEMBERED_MAX: usize = 1024;

    fn failed(&self, ip: IpAddr, error: &ConnectError) {
        metrics::link_handshake_failed(error.label());
        if error.is_ordinary() {
            tracing::debug!(%ip, reason = %error, "a connection from a node became no link");
        } else {
            self.complain(Some(ip), error.label(), error);
        }
    }

    fn complain(&self, ip: Option<IpAddr>, label: &'static str, error: &dyn std::error::Error) {
        let now = Instant::now();
        let mut said = self.0.lock().expect("nothing panics while it holds this lock");
        if said.len() >= Self::REMEMBERED_MAX {
            said.retain(|_, at| now - *at < Self::EVERY);
        }
        let first = said.get(&(ip, label)).is_none_or(|at| now - *at >= Self::EVERY);
        if first && said.len() < Self::REMEMBERED_MAX {
            said.insert((ip, label), now);
            let ip = ip.map(tracing::field::display);
            tracing::warn!(ip, reason = %error, "a connection to the port for links was refused");
        }
    }
}
