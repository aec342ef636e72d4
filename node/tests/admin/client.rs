//! The least of a chat client: frames over TCP.

use std::net::SocketAddr;

use rookery_protocol::{
    Ack, Body, ConversationId, ErrorCode, FrameDecoder, Hello, MessageId, Payload, Report, RequestId, Send,
    Seq, ServerFrame, Stamp, UserId, encode, limits,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::node::DEADLINE;

/// See the module.
pub(crate) struct Client {
    stream: TcpStream,
    decoder: FrameDecoder,
}

impl Client {
    /// A connection before its HELLO, from an address of this machine.
    pub(crate) async fn connect_from(from: &str, to: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
        let stream = socket.connect(to).await.unwrap();
        Self { stream, decoder: FrameDecoder::new(limits::FRAME_BYTES_MAX) }
    }

    /// A connection that has said HELLO.
    pub(crate) async fn hello(to: SocketAddr, token: &str) -> Self {
        let mut client = Self::connect_from("127.0.0.1", to).await;
        client.say_hello(token).await;
        client
    }

    /// A connection that has been welcomed, and whose it is.
    pub(crate) async fn join(to: SocketAddr, token: &str) -> (Self, UserId) {
        let mut client = Self::hello(to, token).await;
        match client.next().await {
            Some(ServerFrame::Welcome(welcome)) => (client, welcome.user),
            other => panic!("no welcome: {other:?}"),
        }
    }

    pub(crate) async fn say_hello(&mut self, token: &str) {
        let client = "test".into();
        self.tell(&Hello { token: token.into(), client, resume: None, window_events: 0 }).await;
    }

    async fn tell(&mut self, payload: &impl Payload) {
        self.stream.write_all(&encode(payload)).await.unwrap();
    }

    /// Reports a user for messages of a conversation, and waits until that is kept.
    pub(crate) async fn report(
        &mut self,
        user: UserId,
        conversation: ConversationId,
        seqs: &[u64],
        text: &str,
    ) {
        let request = RequestId::new(2);
        let seqs = seqs.iter().map(|seq| Seq::new(*seq)).collect();
        self.tell(&Report { request, user, conversation: Some(conversation), seqs, text: text.into() }).await;
        loop {
            match self.next().await {
                Some(ServerFrame::Done(done)) => return assert_eq!(done.request, request),
                Some(ServerFrame::Error(error)) => panic!("{error:?}"),
                _ => {}
            }
        }
    }

    pub(crate) async fn send(&mut self, conversation: ConversationId, id: u128, text: &str) {
        let (id, body) = (MessageId::from_bytes(id.to_be_bytes()), Body::new(text.as_bytes().to_vec()));
        self.tell(&Send {
            request: RequestId::new(1),
            conversation,
            id,
            after: None,
            body,
            reference: None,
            expires_s: 0,
        })
        .await;
    }

    pub(crate) async fn ack(&mut self, stamp: Stamp) {
        self.tell(&Ack { stamp }).await;
    }

    /// The next frame; `None` when the node has closed.
    pub(crate) async fn next(&mut self) -> Option<ServerFrame> {
        loop {
            if let Some(frame) = self.decoder.next_frame().unwrap() {
                return Some(ServerFrame::decode(&frame).unwrap());
            }
            let mut bytes = [0; 4096];
            let read = timeout(DEADLINE, self.stream.read(&mut bytes)).await.expect("in time").unwrap_or(0);
            if read == 0 {
                return None;
            }
            self.decoder.extend(&bytes[..read]);
        }
    }

    /// The message that comes next.
    pub(crate) async fn message(&mut self) -> rookery_protocol::MessageEvent {
        loop {
            match self.next().await {
                Some(ServerFrame::MessageEvent(event)) => return event,
                Some(_) => {}
                None => panic!("closed"),
            }
        }
    }

    /// Waits until the node closes, and checks why.
    pub(crate) async fn closed_for(mut self, expected: ErrorCode) -> String {
        loop {
            match self.next().await {
                Some(ServerFrame::Error(error)) => {
                    assert_eq!(ErrorCode::from_number(error.code), Some(expected), "{error:?}");
                    assert!(self.next().await.is_none());
                    return error.text;
                }
                Some(_) => {}
                None => panic!("closed without a word, not for {expected:?}"),
            }
        }
    }
}
