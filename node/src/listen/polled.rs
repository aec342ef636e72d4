//! A stream of futures as the blocking kind that the WebSocket codec wants: "would block" stands for "pending".

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frame_boundary::FrameBoundary;

/// A stream for the time of one poll. What is read is shown to the boundary.
pub(super) struct Polled<'a, 'b, S> {
    pub(super) stream: &'a mut S,
    pub(super) context: &'a mut Context<'b>,
    pub(super) boundary: &'a mut FrameBoundary,
    /// Whether something was written since the last whole flush.
    pub(super) unflushed: &'a mut bool,
}

fn blocking<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl<S: AsyncRead + Unpin> Read for Polled<'_, '_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(buffer);
        blocking(Pin::new(&mut *self.stream).poll_read(self.context, &mut buffer))?;
        self.boundary.advance(buffer.filled());
        Ok(buffer.filled().len())
    }
}

impl<S: AsyncWrite + Unpin> Write for Polled<'_, '_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        *self.unflushed = true;
        blocking(Pin::new(&mut *self.stream).poll_write(self.context, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        blocking(Pin::new(&mut *self.stream).poll_flush(self.context))?;
        // The codec flushes the stream only when it has written all it had.
        *self.unflushed = false;
        Ok(())
    }
}
