//! A server that a test plays by hand, over in-memory streams, in virtual time.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    reason = "each test file uses its part of this"
)]

pub mod json;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::{SeedableRng, rngs::StdRng};
use rookery_client::{
    Body, Client, Config, ConversationId, DeviceId, DialFuture, Dialer, ErrorCode, Event, Events, Link,
    LocalStore, MessageId, NodeAddress, Receipt, Seq, Stamp, TokenProvider, UserId,
};
use rookery_protocol::{
    ClientFrame, ConversationList, Error, FrameDecoder, Heartbeat, HeartbeatAck, Hello, History,
    ListConversations, Message, MessageEvent, Payload, ReceiptEvent, RequestId, Send, Sent, Welcome, limits,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::time::timeout;

pub const HEARTBEAT: Duration = Duration::from_secs(30);

pub fn user(number: u64) -> UserId {
    UserId::new(number).unwrap()
}

/// Alice, user 1, device 1, is the client; bob is user 2.
pub fn with_bob() -> ConversationId {
    ConversationId::direct(user(1), user(2))
}

pub fn with(other: u64) -> ConversationId {
    ConversationId::direct(user(1), user(other))
}

pub fn stamp(number: u8) -> Stamp {
    let mut bytes = [0; 12];
    bytes[11] = number;
    Stamp::from_bytes(bytes)
}

pub fn text(body: &Body) -> &str {
    std::str::from_utf8(body.as_bytes()).unwrap()
}

pub fn message(conversation: ConversationId, seq: u64) -> Message {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&seq.to_be_bytes());
    Message {
        conversation,
        seq: Seq::new(seq),
        sender: user(2),
        device: DeviceId::new(1),
        id: MessageId::from_bytes(id),
        time_ms: 1_000 + seq,
        body: Some(Body::new(format!("message {seq}"))),
        change: None,
        deleted: false,
        expires_ms: 0,
        timer_s: 0,
        reference: None,
    }
}

#[derive(Clone)]
pub struct FakeNetwork {
    connections: mpsc::UnboundedSender<(NodeAddress, DuplexStream)>,
    down: Arc<AtomicBool>,
    /// Refuses connections.
    dead: Arc<Mutex<Vec<String>>>,
}

impl Dialer for FakeNetwork {
    fn dial(&self, node: &NodeAddress) -> DialFuture {
        let (client, server) = duplex(1 << 20);
        let refused = self.down.load(Ordering::SeqCst)
            || self.dead.lock().unwrap().contains(&node.to_string())
            || self.connections.send((node.clone(), server)).is_err();
        Box::pin(async move {
            if refused { Err(io::ErrorKind::ConnectionRefused.into()) } else { Ok(Link::from_stream(client)) }
        })
    }
}

pub struct FakeServer {
    pub network: FakeNetwork,
    accepted: mpsc::UnboundedReceiver<(NodeAddress, DuplexStream)>,
}

impl FakeServer {
    pub fn new() -> Self {
        let (connections, accepted) = mpsc::unbounded_channel();
        Self { network: FakeNetwork { connections, down: Arc::default(), dead: Arc::default() }, accepted }
    }

    pub fn set_down(&self, down: bool) {
        self.network.down.store(down, Ordering::SeqCst);
    }

    /// The node refuses connections from now on.
    pub fn kill(&self, node: &str) {
        self.network.dead.lock().unwrap().push(node.to_owned());
    }

    pub async fn accept(&mut self) -> (NodeAddress, Connection) {
        let (node, stream) = timeout(Duration::from_secs(300), self.accepted.recv()).await.unwrap().unwrap();
        (node, Connection { stream, decoder: FrameDecoder::new(limits::FRAME_BYTES_MAX) })
    }

    /// Takes the next connection up to and including WELCOME.
    pub async fn welcome(&mut self) -> (Hello, Connection) {
        let (_, mut connection) = self.accept().await;
        let hello = connection.hello().await;
        connection.send(welcome()).await;
        (hello, connection)
    }

    /// No connection comes within the time.
    pub async fn is_left_alone_for(&mut self, time: Duration) -> bool {
        timeout(time, self.accepted.recv()).await.is_err()
    }
}

pub fn welcome() -> Welcome {
    Welcome {
        user: user(1),
        handle: "alice".parse().unwrap(),
        device: DeviceId::new(1),
        connection: 7,
        time_ms: 1_000,
        cursor: Stamp::ZERO,
        heartbeat_ms: u32::try_from(HEARTBEAT.as_millis()).unwrap(),
        window_events: 128,
        requests_in_flight: 64,
        frame_bytes: 256 * 1024,
        body_bytes: 64 * 1024,
        nodes: Vec::new(),
    }
}

/// A client asks for groups and channels alone once in each run.
pub fn asks_what_is_followed(list: &ListConversations) -> bool {
    let last = user(UserId::MAX);
    list.after == Some(ConversationId::direct(last, last))
}

pub fn nothing_followed(request: RequestId) -> ConversationList {
    ConversationList { request, conversations: Vec::new(), more: false }
}

pub struct Connection {
    stream: DuplexStream,
    decoder: FrameDecoder,
}

impl Connection {
    pub async fn send(&mut self, payload: impl Payload) {
        self.send_bytes(&rookery_protocol::encode(&payload)).await;
    }

    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    pub async fn push(&mut self, number: u8, message: Message) {
        self.send(MessageEvent { stamp: stamp(number), message }).await;
    }

    pub async fn push_receipt(&mut self, number: u8, receipt: Receipt) {
        self.send(ReceiptEvent { stamp: stamp(number), receipt }).await;
    }

    pub async fn refuse(&mut self, request: RequestId, code: ErrorCode) {
        self.send(Error::new(request, code, "because")).await;
    }

    /// The client's next frame, or `None` when it hangs up.
    pub async fn next(&mut self) -> Option<ClientFrame> {
        loop {
            if let Some(frame) = self.decoder.next_frame().unwrap() {
                return Some(ClientFrame::decode(&frame).unwrap());
            }
            let mut bytes = [0; 4096];
            let count = self.stream.read(&mut bytes).await.unwrap_or(0);
            if count == 0 {
                return None;
            }
            self.decoder.extend(&bytes[..count]);
        }
    }

    /// As [`next`](Self::next); heartbeats are answered, and the question which channels are followed, by none.
    pub async fn frame(&mut self) -> ClientFrame {
        timeout(Duration::from_secs(600), async {
            loop {
                match self.next().await.expect("the client hung up") {
                    ClientFrame::Heartbeat(Heartbeat { nonce }) => self.send(HeartbeatAck { nonce }).await,
                    ClientFrame::ListConversations(list) if asks_what_is_followed(&list) => {
                        let nothing = rookery_protocol::encode(&nothing_followed(list.request));
                        // A client that has hung up meanwhile may have said more before.
                        let _ = self.stream.write_all(&nothing).await;
                    }
                    frame => return frame,
                }
            }
        })
        .await
        .expect("the client said nothing")
    }

    /// Takes that question as the next frame, and answers it by none.
    pub async fn is_asked_what_is_followed(&mut self) {
        match self.next().await {
            Some(ClientFrame::ListConversations(list)) if asks_what_is_followed(&list) => {
                self.send(nothing_followed(list.request)).await;
            }
            other => panic!("{other:?}"),
        }
    }

    /// Answers heartbeats and nothing else until the client hangs up.
    pub async fn answers_heartbeats_only(mut self) {
        while let Some(frame) = self.next().await {
            match frame {
                ClientFrame::Heartbeat(Heartbeat { nonce }) => self.send(HeartbeatAck { nonce }).await,
                ClientFrame::ListConversations(list) if asks_what_is_followed(&list) => {
                    self.send(nothing_followed(list.request)).await;
                }
                _ => {}
            }
        }
    }

    pub async fn hello(&mut self) -> Hello {
        match self.frame().await {
            ClientFrame::Hello(hello) => hello,
            other => panic!("{other:?}"),
        }
    }

    pub async fn sent_message(&mut self) -> Send {
        match self.frame().await {
            ClientFrame::Send(send) => send,
            other => panic!("{other:?}"),
        }
    }

    pub async fn history(&mut self) -> History {
        match self.frame().await {
            ClientFrame::History(history) => history,
            other => panic!("{other:?}"),
        }
    }

    /// Waits for the acknowledgement of an event; earlier ones may come before it.
    pub async fn acked(&mut self, number: u8) {
        loop {
            match self.frame().await {
                ClientFrame::Ack(ack) if ack.stamp == stamp(number) => return,
                ClientFrame::Ack(ack) => assert!(ack.stamp < stamp(number), "{ack:?}"),
                other => panic!("{other:?}"),
            }
        }
    }

    pub async fn confirm(&mut self, send: &Send, seq: u64) {
        self.send(Sent { request: send.request, seq: Seq::new(seq), time_ms: 1_000 + seq }).await;
    }

    /// The client sends nothing but heartbeats within the time.
    pub async fn is_quiet_for(&mut self, time: Duration) -> bool {
        timeout(time, self.frame()).await.is_err()
    }

    pub async fn is_closed(&mut self) -> bool {
        loop {
            match timeout(Duration::from_secs(600), self.next()).await {
                Ok(None) => return true,
                Ok(Some(_)) => {}
                Err(_) => return false,
            }
        }
    }
}

pub fn config() -> Config {
    let nodes = vec!["tcp://node-a:1".parse().unwrap()];
    let mut config = Config::new(nodes, TokenProvider::fixed("a token"));
    config.started_unix_ms = 1_700_000_000_000;
    config
}

pub fn start(server: &FakeServer, store: impl LocalStore) -> (Client, Events) {
    start_with(server, store, config())
}

pub fn start_with(server: &FakeServer, store: impl LocalStore, config: Config) -> (Client, Events) {
    Client::start(config, server.network.clone(), store, StdRng::seed_from_u64(1)).unwrap()
}

/// The next event that is not about the connection.
pub async fn event(events: &mut Events) -> Event {
    loop {
        let event = timeout(Duration::from_secs(600), events.next()).await.expect("nothing happened");
        match event.expect("the client ended") {
            Event::Connected(_) | Event::Disconnected { .. } | Event::Stored { .. } => {}
            event => return event,
        }
    }
}

/// The next message's place and text.
pub async fn next_message(events: &mut Events) -> (u64, String) {
    match event(events).await {
        Event::Message(message) => (message.seq.get(), text(&message.body).to_owned()),
        other => panic!("{other:?}"),
    }
}

pub async fn nothing_happens(events: &mut Events) -> bool {
    timeout(Duration::from_secs(2), event(events)).await.is_err()
}
