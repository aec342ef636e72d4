//! Rookery's wire protocol: frames, opcodes, payloads, limits and identifiers.
//!
//! This crate owns the bytes and nothing else. It has no socket, clock, task or randomness, and depends on nothing
//! that could bring one in, so that the node, the client, the simulation and the fuzzer run the same code.
//! `docs/protocol.md` is the same thing in words, `protocol/vectors/` as examples.
//!
//! ```
//! use rookery_protocol::{ClientFrame, FrameDecoder, Heartbeat, RequestId, limits};
//!
//! let bytes = rookery_protocol::encode(&Heartbeat { nonce: 7 });
//! let mut decoder = FrameDecoder::new(limits::FRAME_BYTES_MAX);
//! decoder.extend(&bytes);
//! let frame = decoder.next_frame()?.expect("one whole frame was given");
//! assert!(matches!(ClientFrame::decode(&frame)?, ClientFrame::Heartbeat(Heartbeat { nonce: 7 })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod channels;
mod chats;
mod direction;
mod error_code;
mod frame;
mod group;
mod handle;
mod ids;
pub mod limits;
mod looking;
mod opcode;
mod payload;
mod people;
mod positional;
mod reference;

pub use channels::*;
pub use chats::*;
pub use direction::{ClientFrame, DecodeError, ServerFrame, event_stamp};
pub use error_code::ErrorCode;
pub use frame::{FrameDecoder, FrameError, HEADER_BYTES, PROTOCOL_VERSION, RawFrame, whole_frames};
pub use group::{GroupChange, GroupChangeError, GroupMember, GroupSettings, Role, check_name, check_users};
pub use handle::{Handle, HandleError};
pub use ids::{
    ConversationBytes, ConversationId, ConversationIdError, DeviceId, Epoch, GroupId, HexError, IdError,
    MessageId, RequestId, Seq, Stamp, UserId,
};
pub use looking::*;
pub use opcode::Opcode;
pub use payload::*;
pub use people::*;
#[doc(hidden)]
pub use positional::{Text, array_only};
pub use positional::{ValueError, decode_value, encode_value, skip_newer_fields};
pub use reference::{Reference, ReferenceError, ReferenceKind};
