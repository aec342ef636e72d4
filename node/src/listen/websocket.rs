//! Frames in WebSocket messages.
//!
//! The codec is tungstenite's, driven here and not through `WebSocketStream`: the largest message changes with WELCOME,
//! and a connection that falls idle gives its buffers back; neither can be done through the stream.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use rookery_actors::{Transport, TransportError};
use rookery_protocol::{FrameError, HEADER_BYTES, RawFrame, limits, whole_frames};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig, WebSocketContext};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::frame_boundary::FrameBoundary;
use super::polled::Polled;

/// Bytes read at once, and kept by a connection that is not idle.
const READ_BYTES: usize = 4 * 1024;

/// Bytes read by an idle connection to see that it no longer is.
const WAKE_BYTES: usize = 512;

/// Bytes of frames that travel in one message, unless one frame alone is larger.
const MESSAGE_BYTES: usize = 64 * 1024;

/// Bytes that may wait to be written: the largest frame in its message, and a pong.
const WRITE_BYTES_MAX: usize = limits::FRAME_BYTES_MAX + 1024;

/// Bytes of a peer's that are read and ignored after the close, so that it is not reset before it has read ours.
const IGNORED_BYTES_MAX: usize = 1024 * 1024;

/// Frames in the binary messages of a WebSocket, the server's side.
pub struct WebSocketTransport<S> {
    stream: S,
    /// `None` while idle.
    codec: Option<WebSocketContext>,
    boundary: FrameBoundary,
    /// The codec has handed up every message it has read whole.
    drained: bool,
    /// Something is written and not yet flushed.
    unflushed: bool,
    frame_bytes_max: usize,
    /// What is left of the message that arrived last.
    message: Bytes,
    /// What the close frame will say.
    close_code: CloseCode,
}

impl<S> std::fmt::Debug for WebSocketTransport<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebSocketTransport")
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> WebSocketTransport<S> {
    /// After the upgrade; `read_ahead` is what came after it. Limited as before a handshake.
    pub fn new(stream: S, read_ahead: &[u8]) -> Self {
        let mut transport = Self {
            stream,
            codec: None,
            boundary: FrameBoundary::default(),
            drained: true,
            unflushed: false,
            frame_bytes_max: limits::HANDSHAKE_FRAME_BYTES_MAX,
            message: Bytes::new(),
            close_code: CloseCode::Normal,
        };
        if !read_ahead.is_empty() {
            transport.wake(read_ahead);
        }
        transport
    }

    fn config(&self) -> WebSocketConfig {
        WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(WRITE_BYTES_MAX)
            .max_message_size(Some(self.frame_bytes_max))
            .max_frame_size(Some(self.frame_bytes_max))
    }

    /// Makes the codec, with bytes it has not seen.
    fn wake(&mut self, bytes: &[u8]) {
        self.boundary.advance(bytes);
        self.drained = false;
        let config = Some(self.config());
        self.codec = Some(WebSocketContext::from_partially_read(bytes.to_vec(), Role::Server, config));
    }

    /// The next message's bytes; `None` when the peer has closed.
    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, TransportError>>> {
        loop {
            let Some(codec) = &mut self.codec else {
                let mut bytes = [0; WAKE_BYTES];
                let mut buffer = ReadBuf::new(&mut bytes);
                let read = ready!(std::pin::Pin::new(&mut self.stream).poll_read(context, &mut buffer));
                match read {
                    Err(error) => return Poll::Ready(Some(Err(error.into()))),
                    Ok(()) if buffer.filled().is_empty() => return Poll::Ready(None),
                    Ok(()) => self.wake(buffer.filled()),
                }
                continue;
            };
            let mut polled = Polled {
                stream: &mut self.stream,
                context: &mut *context,
                boundary: &mut self.boundary,
                unflushed: &mut self.unflushed,
            };
            self.drained = false;
            match codec.read(&mut polled) {
                Ok(Message::Binary(bytes)) => return Poll::Ready(Some(Ok(bytes))),
                Ok(Message::Text(_)) => {
                    self.close_code = CloseCode::Unsupported;
                    let text = "a text message: frames travel in binary messages";
                    return Poll::Ready(Some(Err(TransportError::Protocol(text.into()))));
                }
                // The codec answers pings and closes by itself, on the next read.
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.drained = true;
                    return Poll::Pending;
                }
                Err(error) => return Poll::Ready(self.read_failed(error)),
            }
        }
    }

    fn read_failed(&mut self, error: Error) -> Option<Result<Bytes, TransportError>> {
        let error = match error {
            Error::ConnectionClosed
            | Error::AlreadyClosed
            | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => return None,
            Error::Io(error) => error.into(),
            Error::Capacity(CapacityError::MessageTooLong { size, .. }) => {
                self.close_code = CloseCode::Size;
                FrameError::TooLarge { announced: size as u64, limit: self.frame_bytes_max }.into()
            }
            error => {
                self.close_code = CloseCode::Protocol;
                TransportError::Protocol(error.to_string())
            }
        };
        Some(Err(error))
    }

    /// Writes one message and flushes it.
    async fn write_message(&mut self, message: Message) -> io::Result<()> {
        let config = self.config();
        let mut message = Some(message);
        poll_fn(|context| {
            let codec = self.codec.get_or_insert_with(|| WebSocketContext::new(Role::Server, Some(config)));
            let mut polled = Polled {
                stream: &mut self.stream,
                context,
                boundary: &mut self.boundary,
                unflushed: &mut self.unflushed,
            };
            let written = match message.take() {
                // What does not go out at once stays in the codec, for `flush`.
                Some(message) => codec.write(&mut polled, message).and_then(|()| codec.flush(&mut polled)),
                None => codec.flush(&mut polled),
            };
            match written {
                Ok(()) => Poll::Ready(Ok(())),
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
                Err(Error::Io(error)) => Poll::Ready(Err(error)),
                Err(error) => Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, error))),
            }
        })
        .await
    }

    /// The next frame of the message that arrived last.
    fn next_in_message(&mut self) -> Option<Result<RawFrame, FrameError>> {
        let frame = whole_frames(self.message.clone(), self.frame_bytes_max).next()?;
        match &frame {
            Ok(frame) => self.message.advance(HEADER_BYTES + frame.payload.len()),
            Err(_) => self.message.clear(),
        }
        if self.message.is_empty() {
            // An empty slice would still hold on to the read buffer.
            self.message = Bytes::new();
        }
        Some(frame)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Transport for WebSocketTransport<S> {
    async fn next_frame(&mut self) -> Option<Result<RawFrame, TransportError>> {
        loop {
            // A message may hold thousands of frames: other connections have their turn in between.
            tokio::task::coop::consume_budget().await;
            if let Some(frame) = self.next_in_message() {
                return Some(frame.map_err(TransportError::from));
            }
            match poll_fn(|context| self.poll_message(context)).await? {
                Ok(message) => self.message = message,
                Err(error) => return Some(Err(error)),
            }
        }
    }

    async fn write(&mut self, frames: &mut Vec<Bytes>) -> io::Result<()> {
        let mut rest = &frames[..];
        while let Some(first) = rest.first() {
            let mut together = first.len();
            let mut count = 1;
            while let Some(next) = rest.get(count).filter(|next| together + next.len() <= MESSAGE_BYTES) {
                together += next.len();
                count += 1;
            }
            let message = match &rest[..count] {
                [frame] => frame.clone(),
                several => {
                    let mut message = BytesMut::with_capacity(together);
                    for frame in several {
                        message.extend_from_slice(frame);
                    }
                    message.freeze()
                }
            };
            rest = &rest[count..];
            self.write_message(Message::Binary(message)).await?;
        }
        frames.clear();
        Ok(())
    }

    async fn close(&mut self) {
        let goodbye = CloseFrame { code: self.close_code, reason: Default::default() };
        let closed = async {
            // After the peer's own close there is no second one to send, only the answer to flush.
            if self.codec.as_ref().is_none_or(WebSocketContext::can_write) {
                self.write_message(Message::Close(Some(goodbye))).await?;
            }
            self.stream.shutdown().await?;
            let (mut ignored, mut ignored_bytes) = ([0; WAKE_BYTES], 0);
            while ignored_bytes < IGNORED_BYTES_MAX {
                match self.stream.read(&mut ignored).await? {
                    0 => break,
                    read => ignored_bytes += read,
                }
            }
            io::Result::Ok(())
        };
        // The peer may be gone already, and then there is nobody to say goodbye to.
        let _ = closed.await;
    }

    fn set_frame_bytes_max(&mut self, frame_bytes_max: usize) {
        self.frame_bytes_max = frame_bytes_max;
        if let Some(codec) = &mut self.codec {
            codec.set_config(|config| {
                config.max_message_size = Some(frame_bytes_max);
                config.max_frame_size = Some(frame_bytes_max);
            });
        }
    }

    fn release_idle_memory(&mut self) {
        let is_open = self.codec.as_ref().is_some_and(|codec| codec.can_write() && codec.can_read());
        let nothing_read = self.drained && self.message.is_empty() && self.boundary.is_between_messages();
        if is_open && nothing_read && !self.unflushed {
            self.codec = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{SinkExt, StreamExt};
    use rookery_protocol::{Heartbeat, encode};
    use tokio::io::DuplexStream;
    use tokio_tungstenite::WebSocketStream;

    use super::*;

    async fn pair() -> (WebSocketTransport<DuplexStream>, WebSocketStream<DuplexStream>) {
        let (server, client) = tokio::io::duplex(256);
        let client = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
        (WebSocketTransport::new(server, &[]), client)
    }

    fn heartbeat(nonce: u64) -> Bytes {
        encode(&Heartbeat { nonce })
    }

    async fn next(transport: &mut WebSocketTransport<DuplexStream>) -> RawFrame {
        transport.next_frame().await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_message_of_several_frames_is_several_frames() {
        let (mut transport, mut client) = pair().await;
        let together = [heartbeat(1), heartbeat(2), heartbeat(3)].concat();
        client.send(Message::Binary(together.into())).await.unwrap();
        for nonce in 1..=3 {
            assert_eq!(next(&mut transport).await.payload, heartbeat(nonce).slice(HEADER_BYTES..));
        }
    }

    #[tokio::test]
    async fn a_message_that_ends_inside_a_frame_is_an_error() {
        let (mut transport, mut client) = pair().await;
        let cut = heartbeat(1).slice(..HEADER_BYTES);
        client.send(Message::Binary(cut)).await.unwrap();
        let error = transport.next_frame().await.unwrap().unwrap_err();
        assert!(matches!(error, TransportError::Frame(FrameError::Truncated)), "{error}");
    }

    #[tokio::test]
    async fn before_the_handshake_a_large_message_is_refused_by_its_header_and_after_it_is_not() {
        let (mut transport, mut client) = pair().await;
        let large = Message::Binary(vec![0; limits::HANDSHAKE_FRAME_BYTES_MAX + 1].into());
        let sending = tokio::spawn(async move { client.send(large).await });
        let error = transport.next_frame().await.unwrap().unwrap_err();
        assert!(matches!(error, TransportError::Frame(FrameError::TooLarge { .. })), "{error}");
        drop(transport);
        sending.await.unwrap().unwrap_err();

        let (mut transport, mut client) = pair().await;
        let many = heartbeat(1).repeat(limits::HANDSHAKE_FRAME_BYTES_MAX);
        client.send(Message::Binary(heartbeat(1))).await.unwrap();
        next(&mut transport).await;
        transport.set_frame_bytes_max(limits::FRAME_BYTES_MAX);
        let sending = tokio::spawn(async move { client.send(Message::Binary(many.into())).await });
        for _ in 0..limits::HANDSHAKE_FRAME_BYTES_MAX {
            next(&mut transport).await;
        }
        sending.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn text_is_an_error_and_the_close_says_so() {
        let (mut transport, mut client) = pair().await;
        client.send(Message::text("hello")).await.unwrap();
        let error = transport.next_frame().await.unwrap().unwrap_err();
        assert!(matches!(error, TransportError::Protocol(_)), "{error}");
        let closing = tokio::spawn(async move { transport.close().await });
        let Some(Ok(Message::Close(Some(frame)))) = client.next().await else { panic!("no close frame") };
        assert_eq!(frame.code, CloseCode::Unsupported);
        drop(client);
        closing.await.unwrap();
    }

    #[tokio::test]
    async fn a_ping_is_answered_without_a_frame_in_between() {
        let (mut transport, mut client) = pair().await;
        client.send(Message::Ping(Bytes::from_static(b"there?"))).await.unwrap();
        let reading = tokio::spawn(async move { transport.next_frame().await.is_none() });
        assert_eq!(client.next().await.unwrap().unwrap(), Message::Pong(Bytes::from_static(b"there?")));
        client.close(None).await.unwrap();
        assert!(reading.await.unwrap(), "a close is an end, not an error");
    }

    #[tokio::test]
    async fn frames_written_together_travel_in_one_message_up_to_a_bound() {
        let (mut transport, mut client) = pair().await;
        let mut frames: Vec<Bytes> = (0..20_000).map(heartbeat).collect();
        let all = frames.concat();
        let writing = tokio::spawn(async move { transport.write(&mut frames).await.map(|()| frames) });
        let mut received = Vec::new();
        while received.len() < all.len() {
            let Message::Binary(message) = client.next().await.unwrap().unwrap() else {
                panic!("not binary")
            };
            assert!(message.len() <= MESSAGE_BYTES);
            received.extend_from_slice(&message);
        }
        assert!(received == all);
        assert!(writing.await.unwrap().unwrap().is_empty());
    }

    #[tokio::test]
    async fn an_idle_connection_keeps_no_buffers_and_loses_nothing() {
        let (mut transport, mut client) = pair().await;
        for nonce in 0..10 {
            transport.release_idle_memory();
            assert!(transport.codec.is_none());
            client.send(Message::Binary(heartbeat(nonce))).await.unwrap();
            client.send(Message::Binary(heartbeat(nonce + 100))).await.unwrap();
            assert_eq!(next(&mut transport).await.payload, heartbeat(nonce).slice(HEADER_BYTES..));
            // The second message is in the codec by now: it must stay.
            transport.release_idle_memory();
            assert_eq!(next(&mut transport).await.payload, heartbeat(nonce + 100).slice(HEADER_BYTES..));
            assert!(futures_util::poll!(Box::pin(transport.next_frame())).is_pending());
            transport.write(&mut vec![heartbeat(nonce)]).await.unwrap();
            client.next().await.unwrap().unwrap();
        }
    }
}
