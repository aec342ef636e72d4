//! A connection that costs the load generator little: frames over TCP, no more client than the measurement needs.

use anyhow::{Context as _, bail};
use bytes::BytesMut;
use rookery_protocol::{FrameDecoder, Hello, Payload, ServerFrame, Welcome, encode_into, limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::users::BenchUser;

/// A welcomed connection.
pub(crate) struct Wire {
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
}

/// Its reading half.
pub(crate) struct Reader {
    stream: OwnedReadHalf,
    decoder: FrameDecoder,
}

/// Its writing half: frames gather until flushed.
pub(crate) struct Writer {
    stream: OwnedWriteHalf,
    frames: Vec<u8>,
}

impl Wire {
    /// Connects and says hello.
    pub(crate) async fn connect(address: &str, user: &BenchUser) -> anyhow::Result<(Self, Welcome)> {
        let stream = TcpStream::connect(address).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        let (read, write) = stream.into_split();
        let mut wire = Self {
            reader: Reader { stream: read, decoder: FrameDecoder::new(limits::FRAME_BYTES_MAX) },
            writer: Writer { stream: write, frames: Vec::new() },
        };
        wire.writer.push(&Hello {
            token: user.token.clone(),
            client: "rookery-bench".into(),
            resume: None,
            window_events: limits::WINDOW_EVENTS_MAX,
        });
        wire.writer.flush().await?;
        match wire.reader.next().await? {
            ServerFrame::Welcome(welcome) => Ok((wire, welcome)),
            other => bail!("instead of WELCOME came {other:?}"),
        }
    }
}

impl Reader {
    /// The next frame, waiting for it.
    pub(crate) async fn next(&mut self) -> anyhow::Result<ServerFrame> {
        loop {
            if let Some(frame) = self.buffered()? {
                return Ok(frame);
            }
            let buffer: &mut BytesMut = self.decoder.buffer_mut();
            buffer.reserve(16 * 1024);
            anyhow::ensure!(self.stream.read_buf(buffer).await? > 0, "the node closed the connection");
        }
    }

    /// The next frame that has already arrived.
    pub(crate) fn buffered(&mut self) -> anyhow::Result<Option<ServerFrame>> {
        Ok(self.decoder.next_frame()?.map(|frame| ServerFrame::decode(&frame)).transpose()?)
    }
}

impl Writer {
    /// Adds a frame to what will be written.
    pub(crate) fn push<P: Payload>(&mut self, payload: &P) {
        encode_into(&mut self.frames, payload);
    }

    /// Writes what has gathered.
    pub(crate) async fn flush(&mut self) -> anyhow::Result<()> {
        if !self.frames.is_empty() {
            self.stream.write_all(&self.frames).await?;
            self.frames.clear();
        }
        Ok(())
    }
}
