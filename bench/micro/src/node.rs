//! All of a node but its sockets and its disk: connections over pipes, their actors, sessions, the store in memory, on one
//! thread. What the clients do costs little beside it: they look at nothing but what they wait for. The scheduler leaves to chance
//! who is next, and so how much is committed together: instructions differ by a seventh from one run to the next.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rookery_actors::{
    Actors, ActorsConfig, Authenticator, ConnectionInfo, DeviceToken, Parts, StreamTransport, SystemClock,
    TokenError,
};
use rookery_protocol::{
    Ack, Body, ConversationId, DeviceId, FrameDecoder, Hello, MessageId, Opcode, RawFrame, RequestId, Send,
    Seq, ServerFrame, Stamp, UserId, encode_into, event_stamp, limits,
};
use rookery_store::engines::MemoryEngine;
use rookery_store::{Store, StoreConfig, ops};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::codec::user;
use crate::{Case, Work, timed};

const PAIRS: u64 = 16;
/// Messages that a writer has under way.
const WINDOW: u64 = 8;
const BODY_BYTES: usize = 128;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        timed("node: a direct message, from SEND to its receipt, one by one", 1, || messages(1, 1)),
        timed(
            "node: a direct message, from SEND to its receipt, 16 pairs with 8 each",
            PAIRS * WINDOW,
            || messages(PAIRS, WINDOW),
        ),
    ]
}

/// Takes a user's number for a token.
struct Number;

impl Authenticator for Number {
    fn verify(&self, token: &str, _: u64) -> Result<DeviceToken, TokenError> {
        let user =
            token.parse().ok().and_then(|number| UserId::new(number).ok()).ok_or(TokenError::Invalid)?;
        Ok(DeviceToken { user, device: DeviceId::new(1), generation: 1 })
    }
}

/// So many pairs, of whom one writes so many messages, and the other acknowledges them.
fn messages(pairs: u64, window: u64) -> Work {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let mut ready = runtime.block_on(start(pairs));
    let mut work = move || {
        ready = runtime.block_on(async {
            let mut rounds = JoinSet::new();
            for pair in ready.drain(..) {
                rounds.spawn(pair.round(window));
            }
            rounds.join_all().await
        });
    };
    // What is made on the way of the first is not made again.
    (0..2).for_each(|_| work());
    Box::new(work)
}

async fn start(pairs: u64) -> Vec<Pair> {
    let store = Store::start(Arc::new(MemoryEngine::new()), StoreConfig::default());
    for number in 1..=2 * pairs {
        let (user, handle) = (user(number), format!("user{number}").parse().expect("it is a handle"));
        let added =
            store.submit(&0, ops::AddUser { user, handle, time_ms: 0 }).await.expect("it commits").answer;
        added.expect("nobody has the handle");
        let device = ops::AddDevice { user, name: "it".into(), time_ms: 0 };
        store.submit(&0, device).await.expect("it commits").answer.expect("the user is there");
    }
    let (authenticator, clock) = (Arc::new(Number), Arc::new(SystemClock));
    let parts = Parts { store, authenticator, clock, cluster: None };
    let actors = Actors::start(ActorsConfig::default(), parts).await.expect("the actors start");
    let mut ready = Vec::new();
    for number in (1..=2 * pairs).step_by(2) {
        ready.push(Pair {
            writer: Client::connect(&actors, number).await,
            reader: Client::connect(&actors, number + 1).await,
            conversation: ConversationId::direct(user(number), user(number + 1)),
            sent: 0,
        });
    }
    ready
}

struct Pair {
    writer: Client,
    reader: Client,
    conversation: ConversationId,
    sent: u64,
}

impl Pair {
    /// Until the writer has been told that all its messages are there.
    async fn round(mut self, window: u64) -> Self {
        let mut frames = Vec::new();
        for _ in 0..window {
            self.sent += 1;
            let send = Send {
                request: RequestId::new(self.sent as u32),
                conversation: self.conversation,
                id: MessageId::from_bytes(u128::from(self.sent).to_be_bytes()),
                after: None,
                body: Body::new(vec![b'x'; BODY_BYTES]),
                reference: None,
                expires_s: 0,
            };
            encode_into(&mut frames, &send);
        }
        self.writer.write(&frames).await;
        let last = Seq::new(self.sent);
        tokio::join!(self.reader.take(window), async {
            // Each is confirmed, and comes back as an event.
            self.writer.take(window).await;
            self.writer.receipt(last).await;
        });
        self
    }
}

struct Client {
    stream: DuplexStream,
    decoder: FrameDecoder,
    delivered: Seq,
    unacknowledged: Option<Stamp>,
}

impl Client {
    async fn connect(actors: &Actors, number: u64) -> Self {
        let (ours, theirs) = duplex(64 * 1024);
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let info = ConnectionInfo { peer, accepted: Instant::now(), admission: None };
        tokio::spawn(actors.serve(StreamTransport::new(theirs), info));
        let decoder = FrameDecoder::new(limits::FRAME_BYTES_MAX);
        let mut client = Self { stream: ours, decoder, delivered: Seq::ZERO, unacknowledged: None };
        let hello = Hello { token: number.to_string(), client: "it".into(), resume: None, window_events: 0 };
        let mut frame = Vec::new();
        encode_into(&mut frame, &hello);
        client.write(&frame).await;
        let welcome = client.next().await;
        assert_eq!(welcome.opcode, Opcode::Welcome as u8);
        client
    }

    async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the node reads");
    }

    async fn next(&mut self) -> RawFrame {
        loop {
            if let Some(frame) = self.decoder.next_frame().expect("the node writes frames") {
                return frame;
            }
            let read = self.stream.read_buf(self.decoder.buffer_mut()).await.expect("the node writes");
            assert_ne!(read, 0, "the node has closed the connection");
        }
    }

    /// Until so many messages have come, which are acknowledged as they come.
    async fn take(&mut self, mut messages: u64) {
        while messages > 0 {
            let frame = self.next().await;
            messages -= u64::from(frame.opcode == Opcode::MessageEvent as u8);
            self.note(&frame).await;
        }
    }

    /// Until all up to here has been delivered.
    async fn receipt(&mut self, seq: Seq) {
        while self.delivered < seq {
            let frame = self.next().await;
            self.note(&frame).await;
        }
    }

    async fn note(&mut self, frame: &RawFrame) {
        if frame.opcode == Opcode::ReceiptEvent as u8 {
            let Ok(ServerFrame::ReceiptEvent(event)) = ServerFrame::decode(frame) else {
                panic!("a receipt")
            };
            self.delivered = self.delivered.max(event.receipt.delivered);
        }
        if Opcode::is_event(frame.opcode) {
            self.unacknowledged = Some(event_stamp(frame).expect("an event has a stamp"));
        }
        // One acknowledgement for all that came together.
        if self.decoder.pending_bytes() == 0
            && let Some(stamp) = self.unacknowledged.take()
        {
            self.ack(stamp).await;
        }
    }

    async fn ack(&mut self, stamp: Stamp) {
        let mut frame = Vec::new();
        encode_into(&mut frame, &Ack { stamp });
        self.write(&frame).await;
    }
}
