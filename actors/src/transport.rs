//! How frames come and go: whatever the listener accepted, seen as frames.

use std::future::{Future, poll_fn};
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use rookery_protocol::{FrameDecoder, FrameError, RawFrame, limits};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

/// Why no frame can be read any more.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The peer sent something that is no frame: it is told, then the connection closes.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The peer broke the rules of the protocol below ours: it is told, then the connection closes.
    #[error("{0}")]
    Protocol(String),
    /// The stream failed: there is nobody to tell.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A duplex stream of frames. Owned by one task.
pub trait Transport: Send + 'static {
    /// The next frame; `None` when the peer has closed. May be dropped and called again without loss.
    fn next_frame(&mut self) -> impl Future<Output = Option<Result<RawFrame, TransportError>>> + Send;

    /// Writes and flushes frames, leaving `frames` empty. Not to be dropped halfway, unless the transport is too.
    fn write(&mut self, frames: &mut Vec<Bytes>) -> impl Future<Output = io::Result<()>> + Send;

    /// Says goodbye as the protocol below ours has it. The caller bounds the time.
    fn close(&mut self) -> impl Future<Output = ()> + Send;

    /// Changes the largest frame accepted, for frames not yet begun.
    fn set_frame_bytes_max(&mut self, frame_bytes_max: usize);

    /// Gives back what memory an idle stream does not need.
    fn release_idle_memory(&mut self);
}

/// Bytes read at once, into a buffer on the stack: a connection that waits holds none.
const READ_BYTES: usize = 8 * 1024;

/// Bytes read after the last word, while the peer has not closed: what may be under way.
const DISCARD_BYTES_MAX: usize = 2 * limits::FRAME_BYTES_MAX;

/// Frames one after another on a byte stream: TCP, TLS, or a pipe in a simulation.
#[derive(Debug)]
pub struct StreamTransport<S> {
    stream: S,
    decoder: FrameDecoder,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> StreamTransport<S> {
    /// Frames over `stream`, limited as before a handshake.
    pub fn new(stream: S) -> Self {
        Self { stream, decoder: FrameDecoder::new(limits::HANDSHAKE_FRAME_BYTES_MAX) }
    }

    /// Reads into the decoder, and returns how much.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut bytes = [MaybeUninit::uninit(); READ_BYTES];
        let mut bytes = ReadBuf::uninit(&mut bytes);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut bytes))?;
        self.decoder.extend(bytes.filled());
        Poll::Ready(Ok(bytes.filled().len()))
    }
}

/// Reads for no purpose, and returns how much.
fn poll_discard<S: AsyncRead + Unpin>(stream: &mut S, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
    let mut bytes = [MaybeUninit::uninit(); READ_BYTES];
    let mut bytes = ReadBuf::uninit(&mut bytes);
    ready!(Pin::new(stream).poll_read(context, &mut bytes))?;
    Poll::Ready(Ok(bytes.filled().len()))
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Transport for StreamTransport<S> {
    async fn next_frame(&mut self) -> Option<Result<RawFrame, TransportError>> {
        loop {
            match self.decoder.next_frame() {
                Ok(Some(frame)) => return Some(Ok(frame)),
                Ok(None) => {}
                Err(error) => return Some(Err(error.into())),
            }
            match poll_fn(|context| self.poll_read(context)).await {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => return Some(Err(error.into())),
            }
        }
    }

    async fn write(&mut self, frames: &mut Vec<Bytes>) -> io::Result<()> {
        if let [frame] = &frames[..] {
            self.stream.write_all(frame).await?;
        } else {
            let mut together = Vec::with_capacity(frames.iter().map(Bytes::len).sum());
            for frame in frames.iter() {
                together.extend_from_slice(frame);
            }
            self.stream.write_all(&together).await?;
        }
        frames.clear();
        self.stream.flush().await
    }

    async fn close(&mut self) {
        // The peer may be gone already, and then there is nobody to say goodbye to.
        if self.stream.shutdown().await.is_err() {
            return;
        }
        // A socket closed with something unread would be reset, and the peer might not get to read our last words.
        let mut discarded = 0;
        while discarded < DISCARD_BYTES_MAX {
            match poll_fn(|context| poll_discard(&mut self.stream, context)).await {
                Ok(0) | Err(_) => return,
                Ok(bytes) => discarded += bytes,
            }
        }
    }

    fn set_frame_bytes_max(&mut self, frame_bytes_max: usize) {
        self.decoder.set_frame_bytes_max(frame_bytes_max);
    }

    fn release_idle_memory(&mut self) {
        self.decoder.release_idle_memory();
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, duplex};

    use super::*;

    #[tokio::test]
    async fn closing_waits_for_the_peer_and_takes_what_it_still_sends() {
        let (ours, mut theirs) = duplex(16);
        let mut transport = StreamTransport::new(ours);
        let closing = tokio::spawn(async move { transport.close().await });
        assert_eq!(theirs.read(&mut [0; 8]).await.expect("it is open"), 0);
        theirs.write_all(&[0; 100]).await.expect("it is taken");
        assert!(!closing.is_finished());
        drop(theirs);
        closing.await.expect("it ends");
    }
}
