//! A connection between a client and a node: bytes that take their time, come in pieces, and may stop coming.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rookery_tests::{Cut, HowCut, Weather};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// Bytes that are on their way in one direction at most.
const UNDER_WAY_MAX: usize = 16 * 1024;

/// With less room than this a writer waits, as at a socket that is full: else what is read in small pieces would be written in
/// small pieces, too, however long each of them takes.
const ROOM_MIN: usize = UNDER_WAY_MAX / 3;

/// Both ends of it. Clones are the same connection.
#[derive(Clone)]
pub(super) struct Connection(Arc<Mutex<State>>);

struct State {
    rng: StdRng,
    far_ms: u64,
    /// To the node, to the client.
    ways: [Way; 2],
    weather: Weather,
    /// The node stands still, or its host is gone without a word.
    is_held: bool,
    /// Both ends are told that it broke.
    is_reset: bool,
    /// What the client sends goes nowhere, and nothing comes.
    is_half_open: bool,
    cut: Option<Cut>,
}

#[derive(Default)]
struct Way {
    chunks: VecDeque<Chunk>,
    bytes: usize,
    last: Option<Instant>,
    /// Nothing more is written.
    ended: bool,
    /// Nobody reads any more.
    abandoned: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Way {
    fn has_room(&self) -> bool {
        UNDER_WAY_MAX - self.bytes >= ROOM_MIN
    }
}

struct Chunk {
    due: Instant,
    bytes: Bytes,
}

/// Which end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Node,
}

/// One end.
pub(super) struct End {
    connection: Connection,
    side: Side,
    alarm: Pin<Box<Sleep>>,
}

impl Connection {
    /// A connection, and its ends: the client's and the node's. Each chunk takes up to `far_ms` milliseconds.
    pub(super) fn new(seed: u64, far_ms: u64, weather: Weather) -> (Self, End, End) {
        let state = State {
            rng: StdRng::seed_from_u64(seed),
            far_ms,
            ways: Default::default(),
            weather,
            is_held: false,
            is_reset: false,
            is_half_open: false,
            cut: None,
        };
        let connection = Self(Arc::new(Mutex::new(state)));
        let end =
            |side| End { connection: connection.clone(), side, alarm: Box::pin(sleep_until(Instant::now())) };
        let (client, node) = (end(Side::Client), end(Side::Node));
        (connection, client, node)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        state.wake();
    }

    /// Changes how it is.
    pub(super) fn set(&self, weather: Weather) {
        self.change(|state| state.weather = weather);
    }

    /// Stands still, or goes on.
    pub(super) fn hold(&self, is_held: bool) {
        self.change(|state| state.is_held = is_held);
    }

    /// Ends it.
    pub(super) fn cut(&self, cut: Cut) {
        self.change(|state| match cut.after_bytes {
            0 => state.end(cut.how),
            _ => state.cut = Some(cut),
        });
    }

    /// Takes back a cut that is still to come.
    pub(super) fn spare(&self) {
        self.change(|state| state.cut = None);
    }

    /// Breaks it: the node's process is over.
    pub(super) fn reset(&self) {
        self.change(|state| state.end(HowCut::Reset));
    }

    /// Whether both ends have let go of it, or it is broken.
    pub(super) fn is_over(&self) -> bool {
        let state = self.state();
        state.is_reset || state.ways.iter().all(|way| way.abandoned)
    }
}

impl State {
    fn end(&mut self, how: HowCut) {
        match how {
            HowCut::Reset => self.is_reset = true,
            HowCut::Closed => self.ways.iter_mut().for_each(|way| way.ended = true),
            HowCut::HalfOpen => {
                self.is_half_open = true;
                self.ways[0].ended = true;
            }
        }
        self.wake();
    }

    fn wake(&mut self) {
        for way in &mut self.ways {
            way.reader.take().into_iter().chain(way.writer.take()).for_each(Waker::wake);
        }
    }

    fn stands_still(&self) -> bool {
        self.is_held || self.weather == Weather::Stalled
    }

    /// Takes note of bytes that have passed.
    fn passed(&mut self, bytes: usize) {
        if let Some(cut) = &mut self.cut {
            cut.after_bytes = cut.after_bytes.saturating_sub(bytes as u64);
            if cut.after_bytes == 0 {
                let how = cut.how;
                self.cut = None;
                self.end(how);
            }
        }
    }

    /// When something written now arrives, and how much of it at once.
    fn takes(&mut self, length: usize) -> (Duration, usize) {
        let usual = Duration::from_millis(self.rng.random_range(0..self.far_ms));
        match self.weather {
            Weather::Slow(each) => (each, length),
            Weather::Dribbling => (Duration::from_millis(1), length.min(3)),
            // Short writes are as good as any.
            _ if self.rng.random_ratio(1, 8) => (usual, self.rng.random_range(1..=length)),
            _ => (usual, length),
        }
    }
}

impl End {
    /// Which way this end reads, and which it writes.
    fn ways(&self) -> (usize, usize) {
        match self.side {
            Side::Client => (1, 0),
            Side::Node => (0, 1),
        }
    }
}

fn broken() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

impl AsyncRead for End {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let (reads, _) = this.ways();
        let connection = this.connection.clone();
        let mut state = connection.state();
        if state.is_reset {
            return Poll::Ready(Err(broken()));
        }
        state.ways[reads].reader = Some(context.waker().clone());
        if state.stands_still() || state.is_half_open && this.side == Side::Client {
            return Poll::Pending;
        }
        let way = &mut state.ways[reads];
        let Some(chunk) = way.chunks.front_mut() else {
            return if way.ended { Poll::Ready(Ok(())) } else { Poll::Pending };
        };
        if chunk.due > Instant::now() {
            this.alarm.as_mut().reset(chunk.due);
            // It wakes this task when the chunk is due.
            if this.alarm.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
        let length = chunk.bytes.len().min(buffer.remaining());
        buffer.put_slice(&chunk.bytes.split_to(length));
        if chunk.bytes.is_empty() {
            way.chunks.pop_front();
        }
        way.bytes -= length;
        if way.has_room()
            && let Some(writer) = way.writer.take()
        {
            writer.wake();
        }
        state.passed(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let (_, writes) = self.ways();
        let mut state = self.connection.state();
        if state.is_reset || state.ways[writes].abandoned {
            return Poll::Ready(Err(broken()));
        }
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if state.is_half_open {
            return Poll::Ready(Ok(bytes.len()));
        }
        let way = &mut state.ways[writes];
        if !way.has_room() {
            way.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        let room = UNDER_WAY_MAX - way.bytes;
        let in_turn = matches!(state.weather, Weather::Slow(_) | Weather::Dribbling);
        let (takes, length) = state.takes(bytes.len().min(room));
        let way = &mut state.ways[writes];
        let now = Instant::now();
        // What is slow is so for each chunk; what is far only never overtakes.
        let last = way.last.unwrap_or(now);
        let due = if in_turn { last.max(now) + takes } else { last.max(now + takes) };
        way.last = Some(due);
        way.bytes += length;
        way.chunks.push_back(Chunk { due, bytes: Bytes::copy_from_slice(&bytes[..length]) });
        if let Some(reader) = way.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (_, writes) = self.ways();
        self.connection.change(|state| state.ways[writes].ended = true);
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let (reads, writes) = self.ways();
        self.connection.change(|state| {
            state.ways[writes].ended = true;
            state.ways[reads].abandoned = true;
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_has_dribbled_makes_nothing_after_it_slow() {
        let (connection, mut client, mut node) = Connection::new(1, 4, Weather::Dribbling);
        let begun = Instant::now();
        let write = async { node.write_all(&[7; UNDER_WAY_MAX + 4096]).await.expect("nobody breaks it") };
        let read = async {
            client.read_exact(&mut [0; UNDER_WAY_MAX + 4096]).await.expect("nobody breaks it");
            begun.elapsed()
        };
        let change = async {
            sleep(Duration::from_secs(1)).await;
            connection.set(Weather::Slow(Duration::from_millis(24)));
            sleep(Duration::from_secs(3)).await;
            connection.set(Weather::Clear);
        };
        let ((), took, ()) = tokio::join!(write, read, change);
        // Three bytes a millisecond as long as it dribbles, and as much as is under way then.
        let dribbled = Duration::from_secs(1) + Duration::from_millis((UNDER_WAY_MAX - ROOM_MIN) as u64 / 3);
        assert!((dribbled..dribbled + Duration::from_secs(1)).contains(&took), "{took:?}");
    }
}
