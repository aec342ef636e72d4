//! The frame: a 7-byte header and a payload.
//!
//! ```text
//! 0               2        3                        7
//! | version:flags | opcode | payload length (bytes) | payload ...
//! |  4 bits:12    |   8    |        32, big-endian  |
//! ```
//!
//! On a byte stream frames follow one another; a WebSocket binary message holds one or more whole frames.

use bytes::{Buf, Bytes, BytesMut};

use crate::ErrorCode;

/// Bytes of a frame's header.
pub const HEADER_BYTES: usize = 7;

/// The protocol version this crate speaks, in the header's top four bits.
pub const PROTOCOL_VERSION: u8 = 1;

/// A frame whose payload has not been looked into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawFrame {
    /// The opcode's number, known or not.
    pub opcode: u8,
    /// The payload: one MessagePack value when the frame is well formed.
    pub payload: Bytes,
}

/// Why bytes are not a frame. Each is answered with an error frame and closes the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The header names a version this side does not speak.
    #[error("protocol version {0} is not supported, this side speaks {PROTOCOL_VERSION}")]
    Version(u8),
    /// Flags that were not negotiated are set.
    #[error("unknown flags {0:#05x}")]
    Flags(u16),
    /// The header announces a longer frame than allowed at this point.
    #[error("a frame of {announced} bytes was announced, at most {limit} are allowed here")]
    TooLarge {
        /// Header and payload as announced, in bytes.
        announced: u64,
        /// What is allowed, in bytes.
        limit: usize,
    },
    /// A message-oriented transport delivered part of a frame.
    #[error("a message ended inside a frame")]
    Truncated,
}

impl FrameError {
    /// The code of the error frame that answers it.
    pub fn error_code(&self) -> ErrorCode {
        match self {
            Self::Version(_) => ErrorCode::UnsupportedVersion,
            Self::TooLarge { .. } => ErrorCode::FrameTooLarge,
            Self::Flags(_) | Self::Truncated => ErrorCode::Malformed,
        }
    }
}

/// Turns a byte stream into frames. Holds at most one incomplete frame; never reserves more than has arrived.
#[derive(Debug)]
pub struct FrameDecoder {
    buffer: BytesMut,
    frame_bytes_max: usize,
}

impl FrameDecoder {
    /// A decoder that refuses frames longer than `frame_bytes_max`, header included.
    pub fn new(frame_bytes_max: usize) -> Self {
        Self { buffer: BytesMut::new(), frame_bytes_max }
    }

    /// Changes the limit, for frames whose header has not been read yet.
    pub fn set_frame_bytes_max(&mut self, frame_bytes_max: usize) {
        self.frame_bytes_max = frame_bytes_max;
    }

    /// Adds bytes that arrived. Call [`next_frame`](Self::next_frame) until it returns `None` before adding more.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The buffer bytes may be read into directly, instead of [`extend`](Self::extend).
    pub fn buffer_mut(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Bytes held that do not yet make a frame.
    pub fn pending_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Gives back the buffer's memory when nothing is pending, for connections that fall idle.
    pub fn release_idle_memory(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }

    /// The next whole frame, or `None` until more bytes arrive.
    ///
    /// # Errors
    /// The stream cannot be resynchronised after any error: answer it and close.
    pub fn next_frame(&mut self) -> Result<Option<RawFrame>, FrameError> {
        let Some(header) = parse_header(&self.buffer, self.frame_bytes_max)? else { return Ok(None) };
        if self.buffer.len() < HEADER_BYTES + header.payload_bytes {
            return Ok(None);
        }
        self.buffer.advance(HEADER_BYTES);
        let payload = self.buffer.split_to(header.payload_bytes).freeze();
        Ok(Some(RawFrame { opcode: header.opcode, payload }))
    }
}

/// Splits a WebSocket message into its frames, without copying.
///
/// # Errors
/// As [`FrameDecoder::next_frame`], and [`FrameError::Truncated`] when the message ends inside a frame. The iterator
/// ends after an error.
pub fn whole_frames(
    mut message: Bytes,
    frame_bytes_max: usize,
) -> impl Iterator<Item = Result<RawFrame, FrameError>> {
    std::iter::from_fn(move || {
        if message.is_empty() {
            return None;
        }
        let frame = split_whole_frame(&mut message, frame_bytes_max);
        if frame.is_err() {
            message.clear();
        }
        Some(frame)
    })
}

fn split_whole_frame(message: &mut Bytes, frame_bytes_max: usize) -> Result<RawFrame, FrameError> {
    let header = parse_header(message, frame_bytes_max)?.ok_or(FrameError::Truncated)?;
    if message.len() < HEADER_BYTES + header.payload_bytes {
        return Err(FrameError::Truncated);
    }
    message.advance(HEADER_BYTES);
    Ok(RawFrame { opcode: header.opcode, payload: message.split_to(header.payload_bytes) })
}

struct Header {
    opcode: u8,
    payload_bytes: usize,
}

fn parse_header(bytes: &[u8], frame_bytes_max: usize) -> Result<Option<Header>, FrameError> {
    let Some(&[v0, v1, opcode, l0, l1, l2, l3]) = bytes.first_chunk::<HEADER_BYTES>() else {
        return Ok(None);
    };
    let version_flags = u16::from_be_bytes([v0, v1]);
    let version = (version_flags >> 12) as u8;
    if version != PROTOCOL_VERSION {
        return Err(FrameError::Version(version));
    }
    let flags = version_flags & 0x0fff;
    if flags != 0 {
        return Err(FrameError::Flags(flags));
    }
    let payload_bytes = u32::from_be_bytes([l0, l1, l2, l3]);
    let announced = u64::from(payload_bytes) + HEADER_BYTES as u64;
    if announced > frame_bytes_max as u64 {
        return Err(FrameError::TooLarge { announced, limit: frame_bytes_max });
    }
    Ok(Some(Header { opcode, payload_bytes: payload_bytes as usize }))
}

/// Starts a frame in `out`; [`finish_frame`] fills in the length.
pub(crate) fn begin_frame(out: &mut Vec<u8>, opcode: u8) -> usize {
    let start = out.len();
    out.extend_from_slice(&(u16::from(PROTOCOL_VERSION) << 12).to_be_bytes());
    out.push(opcode);
    out.extend_from_slice(&[0; 4]);
    start
}

/// Completes the frame begun at `start`.
pub(crate) fn finish_frame(out: &mut [u8], start: usize) {
    let payload_bytes = u32::try_from(out.len() - start - HEADER_BYTES).expect("a frame is far below 4 GiB");
    out[start + 3..start + HEADER_BYTES].copy_from_slice(&payload_bytes.to_be_bytes());
}
