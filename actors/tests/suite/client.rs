//! A client that knows frames and nothing else: what it sends and acknowledges is the test's to say.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use rookery_protocol::{
    AccountEvent, Ack, Body, ChannelNotice, ConversationEvent, ConversationId, Done, Error, ErrorCode,
    FrameDecoder, Goaway, Heartbeat, HeartbeatAck, Hello, History, HistoryPage, MessageEvent, MessageId,
    Nodes, Payload, Read, ReceiptEvent, RequestId, Send, Sent, Seq, ServerFrame, Stamp, UserId, Welcome,
    encode, limits,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::timeout;

/// Nothing a test waits for takes longer, in virtual time.
pub(crate) const DEADLINE: Duration = Duration::from_secs(200);

static CLIENTS: AtomicU64 = AtomicU64::new(0);

/// A user's number as an id.
pub(crate) fn user(number: u64) -> UserId {
    UserId::new(number).expect("a test's users have small numbers")
}

/// The direct conversation of two users.
pub(crate) fn direct(a: u64, b: u64) -> ConversationId {
    ConversationId::direct(user(a), user(b))
}

/// A message's id, by number.
pub(crate) fn id(number: u128) -> MessageId {
    MessageId::from_bytes(number.to_be_bytes())
}

/// A device of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Who {
    pub(crate) user: u64,
    pub(crate) device: u32,
    pub(crate) generation: u32,
}

/// A device of a user, with its first tokens.
pub(crate) const fn who(user: u64, device: u32) -> Who {
    Who { user, device, generation: 1 }
}

impl Who {
    /// The token that the tests' authenticator takes.
    pub(crate) fn token(self) -> String {
        format!("{}:{}:{}", self.user, self.device, self.generation)
    }

    /// Its HELLO.
    pub(crate) fn hello(self) -> Hello {
        Hello { token: self.token(), client: "test".into(), resume: None, window_events: 0 }
    }
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Message(MessageEvent),
    Receipt(ReceiptEvent),
    Shown(ConversationEvent),
    Account(AccountEvent),
}

impl Event {
    pub(crate) fn stamp(&self) -> Stamp {
        match self {
            Self::Message(event) => event.stamp,
            Self::Receipt(event) => event.stamp,
            Self::Shown(event) => event.stamp,
            Self::Account(event) => event.stamp,
        }
    }
}

/// One end of a connection.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) stream: DuplexStream,
    decoder: FrameDecoder,
    events: VecDeque<Event>,
    others: VecDeque<ServerFrame>,
    nodes: VecDeque<Nodes>,
    /// Of channels.
    notices: VecDeque<ChannelNotice>,
    /// No other client of this process has it.
    number: u64,
    requests: u32,
    messages: u128,
}

impl Client {
    pub(crate) fn new(stream: DuplexStream) -> Self {
        Self {
            stream,
            decoder: FrameDecoder::new(limits::FRAME_BYTES_MAX),
            events: VecDeque::new(),
            others: VecDeque::new(),
            nodes: VecDeque::new(),
            notices: VecDeque::new(),
            number: CLIENTS.fetch_add(1, Ordering::Relaxed) + 1,
            requests: 0,
            messages: 0,
        }
    }

    /// Sends a frame.
    pub(crate) async fn tell<P: Payload>(&mut self, payload: &P) {
        self.tell_bytes(&encode(payload)).await;
    }

    /// Sends bytes, whatever they are. The node may have closed, which the test will learn by reading.
    pub(crate) async fn tell_bytes(&mut self, bytes: &[u8]) {
        let _ = timeout(DEADLINE, self.stream.write_all(bytes)).await.expect("the node reads in time");
    }

    pub(crate) fn new_request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId::new(self.requests)
    }

    /// Sends a message, and returns the request's id.
    pub(crate) async fn send(
        &mut self,
        conversation: ConversationId,
        id: MessageId,
        text: &str,
    ) -> RequestId {
        self.send_after(conversation, id, None, text.as_bytes()).await
    }

    pub(crate) async fn send_after(
        &mut self,
        conversation: ConversationId,
        id: MessageId,
        after: Option<MessageId>,
        body: &[u8],
    ) -> RequestId {
        let request = self.new_request();
        let body = Body::new(Bytes::copy_from_slice(body));
        self.tell(&Send { request, conversation, id, after, body, reference: None, expires_s: 0 }).await;
        request
    }

    /// An id that no other message has.
    pub(crate) fn new_id(&mut self) -> MessageId {
        self.messages += 1;
        let mut unique = [0; 16];
        unique[..8].copy_from_slice(&self.number.to_be_bytes());
        unique[8..].copy_from_slice(&(self.messages as u64).to_be_bytes());
        MessageId::from_bytes(unique)
    }

    /// Sends a message under an id of its own, and waits until it is accepted.
    pub(crate) async fn say(&mut self, conversation: ConversationId, text: &str) -> Seq {
        let id = self.new_id();
        let request = self.send(conversation, id, text).await;
        self.sent(request).await.seq
    }

    pub(crate) async fn ack(&mut self, stamp: Stamp) {
        self.tell(&Ack { stamp }).await;
    }

    pub(crate) async fn read(&mut self, conversation: ConversationId, seq: u64) {
        let request = self.new_request();
        self.tell(&Read { request, conversation, seq: Seq::new(seq) }).await;
        assert_eq!(self.answer().await, ServerFrame::Done(Done { request }));
    }

    pub(crate) async fn history(
        &mut self,
        conversation: ConversationId,
        from: u64,
        to: u64,
    ) -> Result<HistoryPage, Error> {
        let request = self.new_request();
        self.tell(&History {
            request,
            conversation,
            from: Seq::new(from),
            to: Seq::new(to),
            backwards: false,
            time_ms: 0,
        })
        .await;
        match self.answer().await {
            ServerFrame::HistoryPage(page) => Ok(page),
            ServerFrame::Error(error) => Err(error),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn heartbeat(&mut self) {
        self.tell(&Heartbeat { nonce: 5 }).await;
        assert_eq!(self.answer().await, ServerFrame::HeartbeatAck(HeartbeatAck { nonce: 5 }));
    }

    /// The next frame, whatever it is; `None` when the node has closed.
    pub(crate) async fn next(&mut self) -> Option<ServerFrame> {
        loop {
            if let Some(frame) = self.decoder.next_frame().expect("the node sends frames") {
                return Some(ServerFrame::decode(&frame).expect("the node sends what it should"));
            }
            let read = timeout(DEADLINE, self.stream.read_buf(self.decoder.buffer_mut())).await;
            match read.expect("the node answers in time") {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    async fn file_next(&mut self) {
        let Some(frame) = self.next().await else { panic!("the node has closed after {:?}", self.others) };
        match frame {
            ServerFrame::MessageEvent(event) => self.events.push_back(Event::Message(event)),
            ServerFrame::ReceiptEvent(event) => self.events.push_back(Event::Receipt(event)),
            ServerFrame::ConversationEvent(event) => self.events.push_back(Event::Shown(event)),
            ServerFrame::AccountEvent(event) => self.events.push_back(Event::Account(event)),
            ServerFrame::Nodes(nodes) => self.nodes.push_back(nodes),
            ServerFrame::ChannelNotice(notice) => self.notices.push_back(notice),
            other => self.others.push_back(other),
        }
    }

    /// The next frame that is no event.
    pub(crate) async fn answer(&mut self) -> ServerFrame {
        loop {
            if let Some(other) = self.others.pop_front() {
                return other;
            }
            self.file_next().await;
        }
    }

    /// The next list of nodes.
    pub(crate) async fn nodes(&mut self) -> Vec<String> {
        loop {
            if let Some(Nodes { nodes }) = self.nodes.pop_front() {
                return nodes;
            }
            self.file_next().await;
        }
    }

    /// The next notice of a channel.
    pub(crate) async fn channel_notice(&mut self) -> ChannelNotice {
        loop {
            if let Some(notice) = self.notices.pop_front() {
                return notice;
            }
            self.file_next().await;
        }
    }

    /// The next event.
    pub(crate) async fn event(&mut self) -> Event {
        loop {
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            self.file_next().await;
        }
    }

    pub(crate) async fn message(&mut self) -> MessageEvent {
        match self.event().await {
            Event::Message(event) => event,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn receipt(&mut self) -> ReceiptEvent {
        match self.event().await {
            Event::Receipt(event) => event,
            other => panic!("{other:?}"),
        }
    }

    /// The next event, and acknowledges it.
    pub(crate) async fn take(&mut self) -> Event {
        let event = self.event().await;
        self.ack(event.stamp()).await;
        event
    }

    pub(crate) async fn take_message(&mut self) -> MessageEvent {
        let event = self.message().await;
        self.ack(event.stamp).await;
        event
    }

    pub(crate) async fn take_receipt(&mut self) -> ReceiptEvent {
        let event = self.receipt().await;
        self.ack(event.stamp).await;
        event
    }

    pub(crate) async fn welcome(&mut self) -> Welcome {
        match self.answer().await {
            ServerFrame::Welcome(welcome) => welcome,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn sent(&mut self, request: RequestId) -> Sent {
        match self.answer().await {
            ServerFrame::Sent(sent) if sent.request == request => sent,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn error(&mut self) -> Error {
        match self.answer().await {
            ServerFrame::Error(error) => error,
            other => panic!("{other:?}"),
        }
    }

    /// Waits for this request to be refused like this.
    pub(crate) async fn refused(&mut self, request: RequestId, code: ErrorCode) {
        let error = self.error().await;
        assert_eq!((error.request, error.known_code()), (request, Some(code)), "{error:?}");
    }

    /// Waits for the connection to be closed for this reason, events aside.
    pub(crate) async fn closed_for(&mut self, code: ErrorCode) {
        let error = self.error().await;
        assert_eq!((error.request, error.known_code()), (RequestId::default(), Some(code)), "{error:?}");
        assert_eq!(self.next().await, None);
    }

    pub(crate) async fn goaway(&mut self) -> Goaway {
        match self.answer().await {
            ServerFrame::Goaway(goaway) => goaway,
            other => panic!("{other:?}"),
        }
    }

    /// Nothing comes for this long, and the connection stays open.
    pub(crate) async fn quiet_for(&mut self, time: Duration) {
        assert_eq!((&self.events, &self.others), (&VecDeque::new(), &VecDeque::new()));
        assert!(self.nodes.is_empty(), "{:?}", self.nodes);
        assert!(self.notices.is_empty(), "{:?}", self.notices);
        if let Ok(frame) = timeout(time, self.next()).await {
            panic!("{frame:?}");
        }
    }

    /// Every event that comes before nothing has come for this long.
    pub(crate) async fn events_until_quiet(&mut self, time: Duration) -> Vec<Event> {
        loop {
            match timeout(time, self.file_next()).await {
                Ok(()) => {}
                Err(_) => return self.events.drain(..).collect(),
            }
        }
    }
}
