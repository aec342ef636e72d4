//! Channels: groups that anyone may follow. Followers are no members: they read the log from where they are, and what is
//! said while they are there comes to them as a notice, never stored for them and never acknowledged.

use crate::{GroupId, Message, RequestId, positional};

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
