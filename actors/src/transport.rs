//! How frames come and go: whatever the listener accepted, seen as frames.

use std::future::Future;
use std::io;

use bytes::{BufMut, Bytes};
use rookery_protocol::{FrameDecoder, FrameError, RawFrame, limits};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

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

/// Bytes read at once. Small, because every idle connection may hold as many.
const READ_BYTES: usize = 4 * 1024;

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
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Transport for StreamTransport<S> {
    async fn next_frame(&mut self) -> Option<Result<RawFrame, TransportError>> {
        loop {
            match self.decoder.next_frame() {
                Ok(Some(frame)) => return Some(Ok(frame)),
                Ok(None) => {}
                Err(error) => return Some(Err(error.into())),
            }
            let buffer = self.decoder.buffer_mut();
            buffer.reserve(READ_BYTES);
            match self.stream.read_buf(&mut buffer.limit(READ_BYTES)).await {
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
        let _ = self.stream.shutdown().await;
    }

    fn set_frame_bytes_max(&mut self, frame_bytes_max: usize) {
        self.decoder.set_frame_bytes_max(frame_bytes_max);
    }

    fn release_idle_memory(&mut self) {
        self.decoder.release_idle_memory();
    }
}
