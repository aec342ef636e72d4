//! Moves bytes between a TLS connection and ractor_cluster, and notices when nobody is at the other end.
//!
//! ractor_cluster sends pings and does not mind when nothing answers; its queues have no bound. So its bytes travel in
//! frames of our own, between heartbeats and confirmations: four bytes of header, the kind and three of length, then
//!
//! | kind | frame | payload |
//! |---|---|---|
//! | 1 | data | bytes of ractor_cluster |
//! | 2 | ping | 8 bytes of the sender's choice, not all zero; once a second |
//! | 3 | pong | the same 8 bytes |
//! | 4 | confirm | 8 bytes: bytes of batches taken since the connection began |
//!
//! Invariants: a connection that brings no byte for [`SILENCE_MAX`], or takes none for [`WRITE_MAX`], is over.

use std::io;
use std::time::Duration;

use bytes::{Buf, BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::flow::Flow;
use crate::metrics;

/// Between heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A peer that says nothing for so long, heartbeats included, is gone or stopped.
const SILENCE_MAX: Duration = Duration::from_millis(2500);

/// 64 KiB must be on their way within this time.
const WRITE_MAX: Duration = Duration::from_millis(2500);

/// A connection that is over has this long to say so.
const GOODBYE_MAX: Duration = Duration::from_millis(100);

const HEADER_BYTES: usize = 4;
const DATA_BYTES_MAX: usize = 64 * 1024;
const NUMBER_BYTES: usize = 8;

/// What lies between the connection and ractor_cluster, each way.
pub(super) const PIPE_BYTES: usize = 256 * 1024;

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("the other side has closed it")]
    Closed,
    #[error("nothing has come for {} ms", SILENCE_MAX.as_millis())]
    Silent,
    #[error("nothing could be written for {} ms", WRITE_MAX.as_millis())]
    Stuck,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the other side does not keep to the protocol")]
    Protocol,
    #[error("it was cut")]
    Cut,
    #[error("its session has ended")]
    Session,
}

#[repr(u8)]
enum Kind {
    Data = 1,
    Ping = 2,
    Pong = 3,
    Confirm = 4,
}

/// Runs until the connection is over, for whatever reason. `pipe` leads to ractor_cluster, which sees its end when this
/// returns.
pub(super) async fn pump<S>(stream: S, pipe: DuplexStream, flow: &Flow) -> Ended
where
    S: AsyncRead + AsyncWrite + Send,
{
    let (mut from_peer, mut to_peer) = tokio::io::split(stream);
    let (from_session, to_session) = tokio::io::split(pipe);
    let began = Instant::now();
    let ended = tokio::select! {
        ended = read(&mut from_peer, to_session, flow, began) => ended,
        ended = write(&mut to_peer, from_session, flow, began) => ended,
        () = flow.until_cut() => Ended::Cut,
    };
    // Best effort: a peer that is told knows sooner.
    let _ = timeout(GOODBYE_MAX, to_peer.shutdown()).await;
    ended
}

async fn read<S: AsyncRead>(
    peer: &mut ReadHalf<S>,
    mut session: WriteHalf<DuplexStream>,
    flow: &Flow,
    began: Instant,
) -> Ended {
    let mut bytes = BytesMut::new();
    loop {
        bytes.reserve(HEADER_BYTES + DATA_BYTES_MAX);
        match timeout(SILENCE_MAX, peer.read_buf(&mut bytes)).await {
            Err(_) => return Ended::Silent,
            Ok(Err(error)) => return closed_or(error),
            Ok(Ok(0)) => return Ended::Closed,
            Ok(Ok(_)) => {}
        }
        while let Some(header) = bytes.first_chunk::<HEADER_BYTES>() {
            let [kind, length @ ..] = *header;
            let [high, middle, low] = length.map(usize::from);
            let length = high << 16 | middle << 8 | low;
            if length > DATA_BYTES_MAX {
                return Ended::Protocol;
            }
            let Some(payload) = bytes.get(HEADER_BYTES..HEADER_BYTES + length) else { break };
            if kind == Kind::Data as u8 {
                if session.write_all(payload).await.is_err() {
                    return Ended::Session;
                }
            } else {
                let Ok(number) = payload.try_into().map(u64::from_be_bytes) else { return Ended::Protocol };
                if kind == Kind::Ping as u8 {
                    flow.asked(number);
                } else if kind == Kind::Pong as u8 {
                    let took = began.elapsed().saturating_sub(Duration::from_micros(number));
                    flow.set_round_trip(took);
                    metrics::link_round_trip(took);
                } else if kind == Kind::Confirm as u8 {
                    flow.confirmed(number);
                } else {
                    return Ended::Protocol;
                }
            }
            bytes.advance(HEADER_BYTES + length);
        }
    }
}

async fn write<S: AsyncWrite>(
    peer: &mut WriteHalf<S>,
    mut session: ReadHalf<DuplexStream>,
    flow: &Flow,
    began: Instant,
) -> Ended {
    let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut bytes = Vec::with_capacity(HEADER_BYTES + DATA_BYTES_MAX + 3 * (HEADER_BYTES + NUMBER_BYTES));
    loop {
        bytes.clear();
        bytes.resize(HEADER_BYTES, 0);
        let mut ping = false;
        let mut data = (&mut bytes).limit(DATA_BYTES_MAX);
        let read = tokio::select! {
            biased;
            _ = heartbeat.tick() => { ping = true; 0 }
            () = flow.woken() => 0,
            read = session.read_buf(&mut data) => match read {
                Ok(0) | Err(_) => return Ended::Session,
                Ok(read) => read,
            },
        };
        if read == 0 {
            bytes.clear();
        } else {
            bytes[..HEADER_BYTES].copy_from_slice(&header(Kind::Data, read));
        }
        if let Some(taken) = flow.to_confirm() {
            put(&mut bytes, Kind::Confirm, taken);
        }
        if let Some(question) = flow.to_answer() {
            put(&mut bytes, Kind::Pong, question);
        }
        if ping {
            let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
            put(&mut bytes, Kind::Ping, micros.max(1));
        }
        if bytes.is_empty() {
            continue;
        }
        let written = async {
            peer.write_all(&bytes).await?;
            peer.flush().await
        };
        match timeout(WRITE_MAX, written).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return closed_or(error),
            Err(_) => return Ended::Stuck,
        }
    }
}

fn put(bytes: &mut Vec<u8>, kind: Kind, number: u64) {
    bytes.extend(header(kind, NUMBER_BYTES));
    bytes.extend(number.to_be_bytes());
}

fn header(kind: Kind, length: usize) -> [u8; HEADER_BYTES] {
    let length = u32::try_from(length).expect("a frame is at most 64 KiB").to_be_bytes();
    [kind as u8, length[1], length[2], length[3]]
}

fn closed_or(error: io::Error) -> Ended {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            Ended::Closed
        }
        _ => Ended::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::duplex;
    use tokio::task::JoinHandle;

    use super::*;

    struct Side {
        session: DuplexStream,
        flow: Arc<Flow>,
        pump: JoinHandle<Ended>,
    }

    fn side(wire: DuplexStream) -> Side {
        let (session, pipe) = duplex(PIPE_BYTES);
        let flow = Arc::new(Flow::new());
        let pump = tokio::spawn({
            let flow = flow.clone();
            async move { pump(wire, pipe, &flow).await }
        });
        Side { session, flow, pump }
    }

    fn pair() -> (Side, Side) {
        let (a, b) = duplex(1 << 20);
        (side(a), side(b))
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_come_out_as_they_went_in() {
        let (mut a, mut b) = pair();
        let sent: Vec<u8> = (0..1_000_000_u32).map(|i| (i / 7) as u8).collect();
        let mut got = vec![0; sent.len()];
        let (wrote, read) = tokio::join!(a.session.write_all(&sent), b.session.read_exact(&mut got));
        wrote.unwrap();
        read.unwrap();
        assert_eq!(got, sent);
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_lives_and_knows_its_round_trip() {
        let (a, b) = pair();
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert!(!a.pump.is_finished() && !b.pump.is_finished());
        assert!(a.flow.round_trip().is_some() && b.flow.round_trip().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_falls_silent_is_noticed_within_three_seconds() {
        let (wire, held) = duplex(1 << 20);
        let began = Instant::now();
        let ended = side(wire).pump.await.unwrap();
        assert!(matches!(ended, Ended::Silent), "{ended:?}");
        assert!(began.elapsed() < Duration::from_secs(3));
        drop(held);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_noticed_although_it_speaks() {
        let (wire, mut peer) = duplex(4096);
        let mut a = side(wire);
        let speaking = async {
            let mut ping = header(Kind::Ping, NUMBER_BYTES).to_vec();
            ping.extend(1_u64.to_be_bytes());
            loop {
                if peer.write_all(&ping).await.is_err() {
                    std::future::pending::<()>().await;
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        };
        a.session.write_all(&[7; 100_000]).await.unwrap();
        let ended = tokio::select! {
            ended = &mut a.pump => ended.unwrap(),
            () = speaking => unreachable!("it never ends"),
        };
        assert!(matches!(ended, Ended::Stuck), "{ended:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_taken_is_confirmed_with_the_next_heartbeat_or_when_it_is_much() {
        let (a, b) = pair();
        assert!(a.flow.send(1000, || true));
        b.flow.took(1000);
        tokio::time::sleep(Duration::from_millis(1100)).await;
        assert_eq!(a.flow.unconfirmed_bytes(), 0);
        assert!(a.flow.send(300 * 1024, || true));
        b.flow.took(300 * 1024);
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(a.flow.unconfirmed_bytes(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_cut_ends_both_sides_and_their_sessions() {
        let (mut a, mut b) = pair();
        a.session.write_all(b"last words").await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        a.flow.cut();
        assert!(matches!(a.pump.await.unwrap(), Ended::Cut));
        assert!(matches!(b.pump.await.unwrap(), Ended::Closed));
        let mut rest = Vec::new();
        b.session.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"last words");
        assert_eq!(a.session.read(&mut [0]).await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn garbage_ends_the_connection() {
        for garbage in
            [&[0; 12][..], &[9, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0], &[1, 0xff, 0, 0], &[2, 0, 0, 1, 1]]
        {
            let (wire, mut peer) = duplex(1 << 20);
            let a = side(wire);
            peer.write_all(garbage).await.unwrap();
            let ended = a.pump.await.unwrap();
            assert!(matches!(ended, Ended::Protocol), "{garbage:?}: {ended:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_ends_ends_the_connection() {
        let (a, b) = pair();
        drop(a.session);
        assert!(matches!(a.pump.await.unwrap(), Ended::Session));
        assert!(matches!(b.pump.await.unwrap(), Ended::Closed));
    }
}
