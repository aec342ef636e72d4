//! Channels: groups that anyone may follow. Followers are no members: they read the log from where they are, and what is
//! said while they are there comes to them as a notice, never stored for them and never acknowledged.

use bytes::Bytes;

use crate::frame::{begin_frame, finish_frame};
use crate::{GroupId, HEADER_BYTES, Message, Opcode, RequestId, positional};

positional! {
    /// Follow a channel, or follow it no more. Again is no mistake.
    pub struct Follow {
        /// The answer's request id.
        pub request: RequestId,
        /// Which.
        pub group: GroupId,
        /// Whether from now on.
        pub follow: bool,
    }
}

positional! {
    /// Notice: an entry of a followed channel, as it comes. It may be lost: what is missing is in the log.
    pub struct ChannelNotice {
        /// The entry.
        pub message: Message,
    }
}

/// The frame of a [`ChannelNotice`] whose entry is already encoded.
pub fn encode_channel_notice(entry: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(HEADER_BYTES + 1 + entry.len());
    let start = begin_frame(&mut out, Opcode::ChannelNotice as u8);
    out.push(0x91); // an array of one
    out.extend_from_slice(entry);
    finish_frame(&mut out, start);
    out.into()
}
