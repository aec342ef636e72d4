//! A user's conversations: how each stands, how it is listed, what of it is shown.

use crate::positional::List;
use crate::{ConversationId, Message, RequestId, Seq, Stamp, limits, positional};

positional! {
    /// How a user wants a conversation listed. The server only keeps it, for the user's devices.
    #[derive(Default)]
    pub struct ConversationSettings {
        /// No sound until then, milliseconds since 1970; 0: not muted; the greatest number: for good.
        pub muted_until_ms: u64,
        /// Put away.
        pub archived: bool,
        /// At the top.
        pub pinned: bool,
        /// Shown as unread, whatever has been read.
        pub unread: bool,
    }
}

positional! {
    /// In which conversations am I, and how do they stand.
    pub struct ListConversations {
        /// The answer's request id.
        pub request: RequestId,
        /// Those after this one; `None`: from the first on.
        pub after: Option<ConversationId>,
    }
}

positional! {
    /// Conversations that the user is in, at most [`limits::CONVERSATIONS_MAX`].
    pub struct ConversationList {
        /// The request.
        pub request: RequestId,
        /// In ascending order of their ids' bytes; not empty if there are others.
        pub conversations: Vec<Conversation> as List<Conversation>,
        /// Whether there are others after them.
        pub more: bool,
    }
}

positional! {
    /// How a conversation stands with a user.
    pub struct Conversation {
        /// Which.
        pub conversation: ConversationId,
        /// How it is listed.
        pub settings: ConversationSettings,
        /// The first message that the user may see.
        pub first: Seq,
        /// The last.
        pub head: Seq,
        /// All up to here have been read.
        pub read: Seq,
        /// Messages after that: none if the last is the user's own, else the user's own among them count too.
        pub unread: u64,
        /// The last message, unless it is hidden or no longer there.
        pub last: Option<Message>,
        since later:
        /// The user is in it: one of the two, or a member now.
        pub is_member: bool,
        /// It is a channel, and the user follows it. Members may.
        pub is_followed: bool,
    }
}

positional! {
    /// List a conversation so.
    pub struct SetConversation {
        /// The answer's request id.
        pub request: RequestId,
        /// Which.
        pub conversation: ConversationId,
        /// How.
        pub settings: ConversationSettings,
    }
}

positional! {
    /// Do not show me these messages any more, on any of my devices. Others keep them.
    pub struct Hide {
        /// The answer's request id.
        pub request: RequestId,
        /// Where.
        pub conversation: ConversationId,
        /// All up to here; 0: none.
        pub up_to: Seq,
        /// And these, at most [`limits::HIDE_MAX`].
        pub seqs: Vec<Seq> as List<Seq>,
    }
}

positional! {
    /// What has changed in how a conversation is shown to its user.
    pub struct Shown {
        /// Which.
        pub conversation: ConversationId,
        /// How it is listed, if that has changed.
        pub settings: Option<ConversationSettings>,
        /// All up to here are hidden, if more than 0.
        pub up_to: Seq,
        /// These are hidden.
        pub seqs: Vec<Seq> as List<Seq>,
    }
}

positional! {
    /// Event: how a conversation is listed, or what of it is shown, has changed.
    pub struct ConversationEvent {
        /// Its place in the inbox.
        pub stamp: Stamp,
        /// What.
        pub shown: Shown,
    }
}

/// More messages to hide than one request may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("name at most {} messages to hide, and at least one", limits::HIDE_MAX)]
pub struct HideError;

impl Hide {
    /// Whether it hides something, and not too much by name.
    ///
    /// # Errors
    /// When it does not.
    pub fn check(&self) -> Result<(), HideError> {
        let is_empty = self.up_to == Seq::ZERO && self.seqs.is_empty();
        if is_empty || self.seqs.len() > limits::HIDE_MAX { Err(HideError) } else { Ok(()) }
    }
}
