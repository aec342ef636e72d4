//! A connection to a node: frames in, bytes of frames out, on a byte stream or in WebSocket messages.
//!
//! Reading and writing progress together, so that a node that writes before it reads is never waited for in vain.
//! Nothing is buffered for an idle connection beyond what its transport keeps.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::{Sink, Stream};
use rookery_protocol::{FrameDecoder, FrameError, RawFrame, limits, whole_frames};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, Message, protocol::WebSocketConfig};

/// Bytes taken from a stream at a time; on the stack, so an idle connection has none of them.
const READ_BYTES: usize = 4096;
/// Largest WebSocket message taken: several of the largest frames.
const MESSAGE_BYTES_MAX: usize = 4 * limits::FRAME_BYTES_MAX;

/// A byte stream in both directions.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> ByteStream for T {}

/// A connection to a node, ready for frames.
pub struct Link {
    transport: Transport,
    /// Given to [`send`](Self::send) and not yet written.
    unsent: Bytes,
    flushed: bool,
}

enum Transport {
    Stream { stream: Box<dyn ByteStream>, decoder: FrameDecoder },
    WebSocket { socket: Box<WebSocketStream<Counted>>, heard: u64 },
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let transport = match self.transport {
            Transport::Stream { .. } => "stream",
            Transport::WebSocket { .. } => "websocket",
        };
        f.debug_struct("Link")
            .field("transport", &transport)
            .field("unsent_bytes", &self.unsent.len())
            .finish()
    }
}

impl Link {
    /// Plain frames on a byte stream: TCP, TLS, or in memory.
    pub fn from_stream(stream: impl ByteStream) -> Self {
        let decoder = FrameDecoder::new(limits::FRAME_BYTES_MAX);
        Self::new(Transport::Stream { stream: Box::new(stream), decoder })
    }

    pub(crate) fn from_websocket(socket: WebSocketStream<Counted>) -> Self {
        Self::new(Transport::WebSocket { socket: Box::new(socket), heard: 0 })
    }

    fn new(transport: Transport) -> Self {
        Self { transport, unsent: Bytes::new(), flushed: true }
    }

    /// WebSocket settings that keep an idle connection small and a hostile server's frames bounded.
    pub(crate) fn websocket_config() -> WebSocketConfig {
        WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(MESSAGE_BYTES_MAX)
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX))
    }

    /// Whether all given to [`send`](Self::send) is written, so that more may be given.
    pub(crate) fn is_clear(&self) -> bool {
        self.unsent.is_empty() && self.flushed
    }

    /// Begins writing whole frames. Only when [`is_clear`](Self::is_clear).
    pub(crate) fn send(&mut self, frames: Vec<u8>) {
        debug_assert!(self.is_clear(), "frames would be lost");
        self.unsent = frames.into();
        self.flushed = false;
    }

    /// Writes what there is to write and waits until it is done or something arrives. Frames that arrive go to
    /// `frames`; there may be none when only part of one came. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// When the connection is over.
    pub(crate) async fn progress(&mut self, frames: &mut Vec<RawFrame>) -> io::Result<Progress> {
        std::future::poll_fn(|context| {
            if !self.is_clear() && self.poll_write(context)?.is_ready() {
                return Poll::Ready(Ok(Progress::Written));
            }
            self.poll_read(context, frames).map_ok(|()| Progress::Heard)
        })
        .await
    }

    /// Writes what is left and says goodbye.
    pub(crate) async fn close(mut self) -> io::Result<()> {
        std::future::poll_fn(|context| self.poll_write(context)).await?;
        std::future::poll_fn(|context| match &mut self.transport {
            Transport::Stream { stream, .. } => Pin::new(stream).poll_shutdown(context),
            Transport::WebSocket { socket, .. } => {
                Pin::new(&mut **socket).poll_close(context).map_err(websocket_error)
            }
        })
        .await
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Stream { stream, .. } => {
                while !self.unsent.is_empty() {
                    let written = ready!(Pin::new(&mut *stream).poll_write(context, &self.unsent))?;
                    if written == 0 {
                        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                    }
                    bytes::Buf::advance(&mut self.unsent, written);
                }
                ready!(Pin::new(stream).poll_flush(context))?;
            }
            Transport::WebSocket { socket, .. } => {
                if !self.unsent.is_empty() {
                    ready!(Pin::new(&mut **socket).poll_ready(context)).map_err(websocket_error)?;
                    let message = Message::Binary(std::mem::take(&mut self.unsent));
                    Pin::new(&mut **socket).start_send(message).map_err(websocket_error)?;
                }
                ready!(Pin::new(&mut **socket).poll_flush(context)).map_err(websocket_error)?;
            }
        }
        self.unsent = Bytes::new();
        self.flushed = true;
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, context: &mut Context<'_>, frames: &mut Vec<RawFrame>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Stream { stream, decoder } => {
                let mut bytes = [0; READ_BYTES];
                let mut buffer = ReadBuf::new(&mut bytes);
                ready!(Pin::new(stream).poll_read(context, &mut buffer))?;
                if buffer.filled().is_empty() {
                    return Poll::Ready(Err(closed()));
                }
                decoder.extend(buffer.filled());
                while let Some(frame) = decoder.next_frame().map_err(frame_error)? {
                    frames.push(frame);
                }
                decoder.release_idle_memory();
                Poll::Ready(Ok(()))
            }
            Transport::WebSocket { socket, heard } => {
                let next = Pin::new(&mut **socket).poll_next(context);
                let counted = socket.get_ref().bytes_read;
                let news = std::mem::replace(heard, counted) != counted;
                let Poll::Ready(next) = next else {
                    // Part of a message: a long one takes its time.
                    return if news { Poll::Ready(Ok(())) } else { Poll::Pending };
                };
                Poll::Ready(take_message(next, frames))
            }
        }
    }
}

fn take_message(
    next: Option<Result<Message, tungstenite::Error>>,
    frames: &mut Vec<RawFrame>,
) -> io::Result<()> {
    match next {
        Some(Ok(Message::Binary(message))) => {
            for frame in whole_frames(message, limits::FRAME_BYTES_MAX) {
                frames.push(frame.map_err(frame_error)?);
            }
            Ok(())
        }
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
        Some(Ok(Message::Text(_) | Message::Frame(_))) => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "the server sent text"))
        }
        Some(Ok(Message::Close(_))) | None => Err(closed()),
        Some(Err(error)) => Err(websocket_error(error)),
    }
}

/// A stream that counts what is read from it: whoever waits for a message can tell whether it is coming.
pub(crate) struct Counted {
    stream: Box<dyn ByteStream>,
    bytes_read: u64,
}

impl Counted {
    pub(crate) fn new(stream: Box<dyn ByteStream>) -> Self {
        Self { stream, bytes_read: 0 }
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.bytes_read += (buffer.filled().len() - before) as u64;
        outcome
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Why [`Link::progress`] returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// All is written.
    Written,
    /// Bytes came.
    Heard,
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection")
}

fn frame_error(error: FrameError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

pub(crate) fn websocket_error(error: tungstenite::Error) -> io::Error {
    match error {
        tungstenite::Error::Io(error) => error,
        tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => closed(),
        error => io::Error::other(error),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, duplex};
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn part_of_a_websocket_message_is_something_heard() {
        let (client, mut server) = duplex(1 << 16);
        let config = Some(Link::websocket_config());
        let socket = WebSocketStream::from_raw_socket(Counted::new(Box::new(client)), Role::Client, config);
        let mut link = Link::from_websocket(socket.await);
        let frame = rookery_protocol::encode(&rookery_protocol::HeartbeatAck { nonce: 7 });
        let header = [0x82, u8::try_from(frame.len()).unwrap()];
        let mut frames = Vec::new();
        for part in [&header[..], &frame[..3], &frame[3..]] {
            assert_eq!(frames, []);
            server.write_all(part).await.unwrap();
            assert_eq!(link.progress(&mut frames).await.unwrap(), Progress::Heard);
        }
        assert_eq!(frames.len(), 1);
        let more = tokio::time::timeout(std::time::Duration::from_millis(50), link.progress(&mut frames));
        assert!(more.await.is_err(), "nothing more is heard");
    }
}
