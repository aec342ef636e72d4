//! A bad network between one client and its nodes: a TCP proxy that stalls, delays, cuts and dribbles.
//!
//! What a client has sent on a connection that it has given up goes nowhere any more, as when a reset overtakes it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

/// Bytes that are under way in one direction at a time.
const CHUNK_BYTES: usize = 4096;

/// Bytes written at once when the network dribbles.
const DRIBBLE_BYTES: usize = 3;

/// How the network is, for all connections through a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// As it should be.
    Clear,
    /// Nothing passes, in either direction. Connections stay; new ones are taken and lead nowhere yet.
    Stalled,
    /// Each chunk takes this long.
    Slow(Duration),
    /// A few bytes at a time: no frame arrives whole.
    Dribbling,
    /// New connections are closed at once.
    Refusing,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HowCut {
    /// Reset on both sides.
    Reset,
    /// Closed on both sides.
    Closed,
    /// Closed towards the node; the client is not told and talks to nobody.
    HalfOpen,
}

/// An order to end the connections there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// How.
    pub how: HowCut,
    /// Once so many more bytes have passed, both directions together: in the middle of a frame, perhaps.
    pub after_bytes: u64,
}

/// What lies between one client and its nodes, and can be made worse.
pub trait Network: Send + Sync + std::fmt::Debug {
    /// Changes the weather, for connections there are and connections to come.
    fn set(&self, weather: Weather);

    /// Ends the connections there are. Later ones are not concerned.
    fn cut(&self, cut: Cut);

    /// Clear weather, and no cut that is still to come.
    fn heal(&self);
}

/// A listener on loopback that leads to a node.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    upstream: watch::Sender<SocketAddr>,
    weather: watch::Sender<Weather>,
    cut: watch::Sender<Option<Cut>>,
    accepting: AbortHandle,
}

impl Proxy {
    /// A proxy that leads to `upstream`, in clear weather.
    ///
    /// # Errors
    /// When there is no port left.
    pub async fn start(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (weather, watched) = watch::channel(Weather::Clear);
        let (cut, cuts) = watch::channel(None);
        let (upstream, aim) = watch::channel(upstream);
        let accepting = tokio::spawn(accept(listener, aim, watched, cuts)).abort_handle();
        Ok(Self { address, upstream, weather, cut, accepting })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections from now on lead to another node. Those there are stay where they are.
    pub fn aim(&self, upstream: SocketAddr) {
        self.upstream.send_replace(upstream);
    }
}

impl Network for Proxy {
    fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    fn cut(&self, cut: Cut) {
        self.cut.send_replace(Some(cut));
    }

    fn heal(&self) {
        self.set(Weather::Clear);
        self.cut.send_replace(None);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(
    listener: TcpListener,
    upstream: watch::Receiver<SocketAddr>,
    weather: watch::Receiver<Weather>,
    cuts: watch::Receiver<Option<Cut>>,
) {
    // Dropped with this task, and the connections with it.
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        if *weather.borrow() == Weather::Refusing {
            continue;
        }
        let mut cuts = cuts.clone();
        cuts.mark_unchanged();
        connections.spawn(carry(client, *upstream.borrow(), weather.clone(), cuts));
    }
}

/// Carries one connection to its end.
async fn carry(
    mut client: TcpStream,
    upstream: SocketAddr,
    weather: watch::Receiver<Weather>,
    mut cuts: watch::Receiver<Option<Cut>>,
) {
    let Ok(mut node) = TcpStream::connect(upstream).await else { return };
    if client.set_nodelay(true).is_err() || node.set_nodelay(true).is_err() {
        return;
    }
    let budget = Arc::new(Budget::default());
    let ended = {
        let (from_client, to_client) = client.split();
        let (from_node, to_node) = node.split();
        let there = pump(from_client, to_node, weather.clone(), budget.clone());
        let back = pump(from_node, to_client, weather, budget.clone());
        let ordered = obey(&mut cuts, &budget);
        tokio::select! {
            ended = there => ended,
            ended = back => ended,
            how = ordered => Ended::Cut(how),
        }
    };
    let how = match ended {
        Ended::ByItself => return,
        Ended::Cut(Some(how)) => how,
        Ended::Cut(None) => cuts.borrow().map_or(HowCut::Closed, |cut| cut.how),
    };
    match how {
        HowCut::Closed => {}
        HowCut::Reset => {
            for stream in [&client, &node] {
                // A socket that is gone already is as good as reset.
                let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
            }
        }
        HowCut::HalfOpen => {
            drop(node);
            let mut swallowed = [0; CHUNK_BYTES];
            while client.read(&mut swallowed).await.is_ok_and(|read| read > 0) {}
        }
    }
}

/// Why a connection has ended.
enum Ended {
    /// One of its sides closed.
    ByItself,
    /// The proxy ended it; how, if it is not the last order that says so.
    Cut(Option<HowCut>),
}

/// Bytes that may still pass.
#[derive(Debug)]
struct Budget(AtomicU64);

/// A budget that is never used up.
const UNLIMITED: u64 = u64::MAX;

impl Default for Budget {
    fn default() -> Self {
        Self(AtomicU64::new(UNLIMITED))
    }
}

impl Budget {
    /// How many of `wanted` bytes may pass.
    fn take(&self, wanted: usize) -> usize {
        let take = |left: u64| (left < UNLIMITED).then(|| left.saturating_sub(wanted as u64));
        match self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, take) {
            Ok(before) => wanted.min(usize::try_from(before).unwrap_or(usize::MAX)),
            Err(_) => wanted,
        }
    }
}

/// Waits for an order, and returns when it is due at once.
async fn obey(cuts: &mut watch::Receiver<Option<Cut>>, budget: &Budget) -> Option<HowCut> {
    loop {
        if cuts.changed().await.is_err() {
            return Some(HowCut::Closed);
        }
        let bytes = match *cuts.borrow_and_update() {
            Some(Cut { how, after_bytes: 0 }) => return Some(how),
            Some(Cut { after_bytes, .. }) => after_bytes,
            None => UNLIMITED,
        };
        budget.0.store(bytes, Ordering::Release);
    }
}

async fn pump(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut weather: watch::Receiver<Weather>,
    budget: Arc<Budget>,
) -> Ended {
    let mut chunk = [0; CHUNK_BYTES];
    loop {
        let Ok(read @ 1..) = from.read(&mut chunk).await else { return Ended::ByItself };
        if weather.wait_for(|weather| *weather != Weather::Stalled).await.is_err() {
            return Ended::ByItself;
        }
        let allowed = budget.take(read);
        let now = *weather.borrow();
        if let Weather::Slow(delay) = now {
            tokio::time::sleep(delay).await;
        }
        let pieces = if now == Weather::Dribbling { DRIBBLE_BYTES } else { CHUNK_BYTES };
        for piece in chunk[..allowed].chunks(pieces) {
            if to.write_all(piece).await.is_err() {
                return Ended::ByItself;
            }
            if now == Weather::Dribbling {
                tokio::task::yield_now().await;
            }
        }
        if allowed < read {
            return Ended::Cut(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deadline::soon;

    /// A connection through a proxy: the client's end, the node's end.
    async fn through() -> (Proxy, TcpStream, TcpStream) {
        let node = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let proxy = Proxy::start(node.local_addr().unwrap()).await.unwrap();
        let client = TcpStream::connect(proxy.address()).await.unwrap();
        let (node, _) = node.accept().await.unwrap();
        (proxy, client, node)
    }

    /// One of which the proxy has heard, for a byte went through it: what it is ordered comes before later bytes.
    async fn in_use() -> (Proxy, TcpStream, TcpStream) {
        let (proxy, mut client, mut node) = through().await;
        client.write_all(b"x").await.unwrap();
        node.read_exact(&mut [0]).await.unwrap();
        (proxy, client, node)
    }

    #[tokio::test]
    async fn what_is_sent_arrives_whole_however_it_dribbles() {
        let (proxy, mut client, mut node) = through().await;
        proxy.set(Weather::Dribbling);
        client.write_all(b"hello, is there anybody").await.unwrap();
        let mut arrived = [0; 23];
        soon("all arrives", node.read_exact(&mut arrived)).await.unwrap();
        assert_eq!(&arrived, b"hello, is there anybody");
    }

    #[tokio::test]
    async fn a_stall_holds_everything_back_and_loses_nothing() {
        let (proxy, mut client, mut node) = through().await;
        proxy.set(Weather::Stalled);
        client.write_all(b"late").await.unwrap();
        let mut arrived = [0; 4];
        let held = tokio::time::timeout(Duration::from_millis(50), node.read_exact(&mut arrived)).await;
        assert!(held.is_err(), "{held:?}");
        proxy.set(Weather::Clear);
        soon("it arrives after all", node.read_exact(&mut arrived)).await.unwrap();
    }

    #[tokio::test]
    async fn a_cut_after_some_bytes_lets_exactly_these_through() {
        let (proxy, mut client, mut node) = in_use().await;
        proxy.cut(Cut { how: HowCut::Closed, after_bytes: 5 });
        tokio::task::yield_now().await;
        let mut arrived = Vec::new();
        let writing = async {
            // The other end may be gone before all is written.
            let _ = client.write_all(b"0123456789").await;
        };
        let (read, ()) = tokio::join!(soon("the cut comes", node.read_to_end(&mut arrived)), writing);
        read.unwrap();
        assert_eq!(arrived, b"01234");
    }

    #[tokio::test]
    async fn what_is_healed_before_a_cut_is_never_cut() {
        let (proxy, mut client, mut node) = in_use().await;
        proxy.cut(Cut { how: HowCut::Closed, after_bytes: 5 });
        tokio::task::yield_now().await;
        proxy.heal();
        tokio::task::yield_now().await;
        let mut arrived = [0; 10];
        client.write_all(b"0123456789").await.unwrap();
        soon("all of it arrives", node.read_exact(&mut arrived)).await.unwrap();
    }

    #[tokio::test]
    async fn a_reset_is_felt_on_both_sides() {
        let (proxy, mut client, mut node) = in_use().await;
        proxy.cut(Cut { how: HowCut::Reset, after_bytes: 0 });
        for stream in [&mut client, &mut node] {
            let error = soon("the reset comes", stream.read(&mut [0])).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        }
    }

    #[tokio::test]
    async fn a_half_open_connection_is_closed_for_the_node_alone() {
        let (proxy, mut client, mut node) = in_use().await;
        proxy.cut(Cut { how: HowCut::HalfOpen, after_bytes: 0 });
        assert_eq!(soon("the node sees the end", node.read(&mut [0])).await.unwrap(), 0);
        client.write_all(b"anybody?").await.unwrap();
        let silence = tokio::time::timeout(Duration::from_millis(50), client.read(&mut [0])).await;
        assert!(silence.is_err(), "{silence:?}");
    }
}
