//! The network between nodes: a proxy in front of each node's link listener, which knows who dials, so that the link
//! of one pair can be cut, or one direction of it, and all others stay as they are.
//!
//! A node that is not there refuses connections, as without a proxy: its door is shut with it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

use super::who_dialled::who_dialled;

/// Bytes read at once.
const CHUNK_BYTES: usize = 16 * 1024;

/// Chunks under way in one direction: with the sockets' buffers, what a network holds that delivers nothing.
const CHUNKS: usize = 16;

/// Connections that wait to be taken.
const BACKLOG: u32 = 64;

/// How long a door takes to shut.
const SHUT: Duration = Duration::from_secs(5);

/// How bytes get from one node to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// At once.
    Clear,
    /// Not at all, and nobody is told: connections stay, or are taken and lead nowhere yet. What was sent meanwhile
    /// arrives when it ends, unless somebody gave up.
    Silent,
    /// Late, and so many in a second.
    Slow {
        /// How late.
        delay: Duration,
        /// Bytes a second.
        bytes_per_second: u32,
    },
    /// Connections are reset, and so are new ones.
    Torn,
}

/// All links of a cluster.
#[derive(Debug)]
pub struct Links {
    shared: Arc<Shared>,
    doors: Vec<Door>,
}

#[derive(Debug)]
struct Shared {
    nodes: usize,
    /// From one node to another, at `from * nodes + to`.
    ways: Vec<watch::Sender<Way>>,
    pids: Mutex<Vec<Option<u32>>>,
}

/// In front of one node.
#[derive(Debug)]
struct Door {
    /// Where others dial.
    outside: SocketAddr,
    /// Where the node listens.
    inside: SocketAddr,
    open: Mutex<Option<AbortHandle>>,
}

impl Links {
    /// The links of nodes that advertise and take links at these ports on loopback. All doors are shut.
    pub(super) fn new(ports: impl IntoIterator<Item = (u16, u16)>) -> Self {
        let at = |port| (Ipv4Addr::LOCALHOST, port).into();
        let door =
            |(outside, inside)| Door { outside: at(outside), inside: at(inside), open: Mutex::default() };
        let doors: Vec<_> = ports.into_iter().map(door).collect();
        let nodes = doors.len();
        let ways = (0..nodes * nodes).map(|_| watch::Sender::new(Way::Clear)).collect();
        let pids = Mutex::new(vec![None; nodes]);
        Self { shared: Arc::new(Shared { nodes, ways, pids }), doors }
    }

    /// Changes one direction of one link.
    pub fn set(&self, from: usize, to: usize, way: Way) {
        self.shared.way(from, to).send_replace(way);
    }

    /// Changes both directions of one link.
    pub fn set_both(&self, a: usize, b: usize, way: Way) {
        self.set(a, b, way);
        self.set(b, a, way);
    }

    /// Changes all links of a node.
    pub fn set_all_of(&self, node: usize, way: Way) {
        for other in (0..self.shared.nodes).filter(|other| *other != node) {
            self.set_both(node, other, way);
        }
    }

    /// Takes connections to a node.
    pub(super) async fn open(&self, node: usize) -> io::Result<()> {
        let door = &self.doors[node];
        let listen = || {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseaddr(true)?;
            socket.bind(door.outside)?;
            socket.listen(BACKLOG)
        };
        // The door may have been shut a moment ago, and the task that kept it open not have ended yet.
        let deadline = Instant::now() + SHUT;
        let listener = loop {
            match listen() {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < deadline => {
                    sleep(Duration::from_millis(1)).await;
                }
                listening => break listening?,
            }
        };
        let accepting = tokio::spawn(accept(listener, node, door.inside, self.shared.clone()));
        let before = lock(&door.open).replace(accepting.abort_handle());
        debug_assert!(before.is_none(), "a door is opened once");
        Ok(())
    }

    /// Says which process a node is.
    pub(super) fn is_process(&self, node: usize, pid: u32) {
        lock(&self.shared.pids)[node] = Some(pid);
    }

    /// Refuses connections to a node that is not there any more, and ends those there are.
    pub(super) fn shut(&self, node: usize) {
        lock(&self.shared.pids)[node] = None;
        if let Some(accepting) = lock(&self.doors[node].open).take() {
            accepting.abort();
        }
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        for node in 0..self.doors.len() {
            self.shut(node);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn way(&self, from: usize, to: usize) -> &watch::Sender<Way> {
        &self.ways[from * self.nodes + to]
    }
}

async fn accept(listener: TcpListener, node: usize, inside: SocketAddr, shared: Arc<Shared>) {
    // Dropped with this task, and the connections with it.
    let mut connections = JoinSet::new();
    while let Ok((stream, peer)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let Ok(here) = stream.local_addr() else { continue };
        let shared = shared.clone();
        connections.spawn(async move {
            let pids = lock(&shared.pids).clone();
            let who = tokio::task::spawn_blocking(move || who_dialled(peer, here, &pids)).await;
            // Nobody else has any business here; a node that is gone already has none any more.
            if let Ok(Some(who)) = who
                && who != node
            {
                carry(stream, inside, shared.way(who, node), shared.way(node, who)).await;
            }
        });
    }
}

/// Carries one connection to its end.
async fn carry(
    mut dialler: TcpStream,
    inside: SocketAddr,
    there: &watch::Sender<Way>,
    back: &watch::Sender<Way>,
) {
    let is_torn = |way: &watch::Sender<Way>| *way.borrow() == Way::Torn;
    let connected =
        if is_torn(there) || is_torn(back) { None } else { TcpStream::connect(inside).await.ok() };
    let Some(mut node) = connected else {
        reset(&dialler);
        return;
    };
    if dialler.set_nodelay(true).is_err() || node.set_nodelay(true).is_err() {
        return;
    }
    let torn = {
        let (from_dialler, to_dialler) = dialler.split();
        let (from_node, to_node) = node.split();
        let tear =
            async |way: &watch::Sender<Way>| drop(way.subscribe().wait_for(|way| *way == Way::Torn).await);
        tokio::select! {
            () = pump(from_dialler, to_node, there.subscribe()) => false,
            () = pump(from_node, to_dialler, back.subscribe()) => false,
            () = tear(there) => true,
            () = tear(back) => true,
        }
    };
    if torn {
        reset(&dialler);
        reset(&node);
    }
}

/// Lets a connection end with a reset instead of an orderly close.
fn reset(stream: &TcpStream) {
    // One that is gone already is as good as reset.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

async fn pump(from: impl AsyncReadExt + Unpin, to: impl AsyncWriteExt + Unpin, way: watch::Receiver<Way>) {
    let (underway, arriving) = mpsc::channel(CHUNKS);
    tokio::join!(take(from, underway, way.clone()), deliver(arriving, to, way));
}

/// Takes bytes and says when they are due.
async fn take(
    mut from: impl AsyncReadExt + Unpin,
    underway: mpsc::Sender<(Instant, Bytes)>,
    way: watch::Receiver<Way>,
) {
    let mut chunk = vec![0; CHUNK_BYTES];
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        let delay = match *way.borrow() {
            Way::Slow { delay, .. } => delay,
            Way::Clear | Way::Silent | Way::Torn => Duration::ZERO,
        };
        let bytes = Bytes::copy_from_slice(&chunk[..read]);
        if underway.send((Instant::now() + delay, bytes)).await.is_err() {
            return;
        }
    }
}

async fn deliver(
    mut arriving: mpsc::Receiver<(Instant, Bytes)>,
    mut to: impl AsyncWriteExt + Unpin,
    mut way: watch::Receiver<Way>,
) {
    while let Some((due, bytes)) = arriving.recv().await {
        sleep_until(due).await;
        let Ok(now) = way.wait_for(|way| *way != Way::Silent).await.map(|way| *way) else { return };
        if let Way::Slow { bytes_per_second, .. } = now {
            sleep(Duration::from_secs_f64(bytes.len() as f64 / f64::from(bytes_per_second.max(1)))).await;
        }
        if to.write_all(&bytes).await.is_err() {
            return;
        }
    }
    // The end travels as the bytes do: a silent way tells of no end either.
    let _ = way.wait_for(|way| *way != Way::Silent).await;
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;
    use crate::deadline::soon;
    use crate::free_port;

    const SHORT: Duration = Duration::from_millis(50);

    /// Two nodes, this process being the first, and a connection from it to the second: its two ends.
    async fn linked() -> (Links, TcpStream, TcpStream) {
        let ports = [(free_port(), free_port()), (free_port(), free_port())];
        let links = Links::new(ports);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, ports[1].1)).await.unwrap();
        links.is_process(0, std::process::id());
        links.open(1).await.unwrap();
        let here = TcpStream::connect((Ipv4Addr::LOCALHOST, ports[1].0)).await.unwrap();
        let (there, _) = soon("the link is there", listener.accept()).await.unwrap();
        (links, here, there)
    }

    async fn arrives(from: &mut TcpStream, to: &mut TcpStream) -> bool {
        from.write_all(b"x").await.unwrap();
        timeout(SHORT, to.read_exact(&mut [0])).await.is_ok()
    }

    #[tokio::test]
    async fn one_direction_falls_silent_and_what_was_sent_arrives_later() {
        let (links, mut here, mut there) = linked().await;
        assert!(arrives(&mut here, &mut there).await);
        links.set(0, 1, Way::Silent);
        assert!(!arrives(&mut here, &mut there).await);
        assert!(arrives(&mut there, &mut here).await);
        links.set(0, 1, Way::Clear);
        soon("it arrives after all", there.read_exact(&mut [0])).await.unwrap();
    }

    #[tokio::test]
    async fn a_torn_link_is_reset_on_both_sides_and_other_links_are_not() {
        let (links, mut here, mut there) = linked().await;
        links.set(1, 1, Way::Torn);
        assert!(arrives(&mut here, &mut there).await);
        links.set(1, 0, Way::Torn);
        for end in [&mut here, &mut there] {
            let error = soon("the reset comes", end.read(&mut [0])).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        }
    }

    #[tokio::test]
    async fn a_slow_link_is_late() {
        let (links, mut here, mut there) = linked().await;
        links.set_both(0, 1, Way::Slow { delay: 3 * SHORT, bytes_per_second: 1_000_000 });
        let sent = Instant::now();
        assert!(!arrives(&mut here, &mut there).await);
        soon("it arrives", there.read_exact(&mut [0])).await.unwrap();
        assert!(sent.elapsed() >= 3 * SHORT);
    }

    #[tokio::test]
    async fn a_node_that_is_not_there_refuses() {
        let (links, mut here, _there) = linked().await;
        let door = here.peer_addr().unwrap();
        links.shut(1);
        // In order or not.
        let end = soon("the connection ends", here.read(&mut [0])).await;
        assert!(!matches!(end, Ok(1..)), "{end:?}");
        let error = TcpStream::connect(door).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        links.open(1).await.unwrap();
        links.shut(1);
        links.open(1).await.unwrap();
        TcpStream::connect(door).await.unwrap();
    }
}
