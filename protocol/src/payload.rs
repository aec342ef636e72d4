//! What each frame carries.

use bytes::Bytes;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::frame::{begin_frame, finish_frame};
use crate::positional::{List, encode_value};
use crate::{
    AccountEvent, Active, ChannelNotice, ConversationEvent, ConversationId, ConversationList, DecodeError,
    DeviceId, ErrorCode, FindPeople, Follow, FoundPeople, GetPrivacy, GetProfiles, GroupChange,
    GroupChangeError, GroupId, GroupMember, GroupSettings, Handle, Hide, ListConversations, ListPeople,
    MessageId, Opcode, People, PresenceNotice, Privacy, Profiles, ReceiptsNotice, Reference, Report,
    RequestId, Seq, SetConversation, SetPerson, SetPrivacy, SetProfile, Stamp, Text, Typing, TypingNotice,
    UserId, Watch, check_name, check_users, limits, positional,
};

/// A payload type and the opcode it travels under.
pub trait Payload: Serialize {
    /// The frame's opcode.
    const OPCODE: Opcode;
}

macro_rules! payloads {
    ($($name:ident),* $(,)?) => { $( impl Payload for $name { const OPCODE: Opcode = Opcode::$name; } )* };
}

payloads!(
    Hello,
    Welcome,
    Heartbeat,
    HeartbeatAck,
    Error,
    Goaway,
    Done,
    Nodes,
    Send,
    Sent,
    Ack,
    Read,
    History,
    HistoryPage,
    Lookup,
    Found,
    CreateGroup,
    GroupCreated,
    ChangeGroup,
    GetGroup,
    Group,
    ListGroups,
    GroupList,
    GetReceipts,
    Receipts,
    ListConversations,
    ConversationList,
    SetConversation,
    Hide,
    SetPrivacy,
    GetPrivacy,
    Privacy,
    SetProfile,
    GetProfiles,
    Profiles,
    SetPerson,
    ListPeople,
    People,
    FindPeople,
    FoundPeople,
    Report,
    Watch,
    Active,
    Typing,
    Follow,
    MessageEvent,
    ReceiptEvent,
    ConversationEvent,
    AccountEvent,
    PresenceNotice,
    TypingNotice,
    ReceiptsNotice,
    ChannelNotice,
);

/// Bytes that mean nothing to the server.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Body(Bytes);

impl Body {
    /// A body of these bytes.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Bodies are private: a log may say how long one is, not what it says.
        write!(f, "Body({} bytes)", self.0.len())
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BodyBytes;
        impl Visitor<'_> for BodyBytes {
            type Value = Body;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("binary")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Body, E> {
                // Copied on purpose: what is kept must not hold the connection's read buffer.
                Ok(Body(Bytes::copy_from_slice(bytes)))
            }

            fn visit_str<E: de::Error>(self, _: &str) -> Result<Body, E> {
                // A likely mistake, and the usual error would quote what people wrote.
                Err(E::invalid_type(de::Unexpected::Other("a string"), &self))
            }
        }
        deserializer.deserialize_bytes(BodyBytes)
    }
}

positional! {
    /// First frame of a connection.
    pub struct Hello {
        /// A signed token, at most [`limits::TOKEN_BYTES_MAX`].
        pub token: String as Text,
        /// The client's name and version, for people; at most [`limits::CLIENT_NAME_BYTES_MAX`].
        pub client: String as Text,
        /// The last event this device has safely stored: acknowledges all up to it. `None`: as the server remembers.
        pub resume: Option<Stamp>,
        /// Events the client is ready to hold unacknowledged; 0 for the server's choice.
        pub window_events: u32,
    }
}

impl Hello {
    /// Checks the fields that have limits of their own.
    ///
    /// # Errors
    /// Names the field over its limit.
    pub fn check_limits(&self) -> Result<(), DecodeError> {
        let over = |field, limit| Err(DecodeError::Limit { opcode: Opcode::Hello, field, limit });
        if self.token.len() > limits::TOKEN_BYTES_MAX {
            return over("token", limits::TOKEN_BYTES_MAX);
        }
        if self.client.len() > limits::CLIENT_NAME_BYTES_MAX {
            return over("client", limits::CLIENT_NAME_BYTES_MAX);
        }
        Ok(())
    }
}

positional! {
    /// The handshake's success, and the terms of this connection.
    pub struct Welcome {
        /// Who the token says the client is.
        pub user: UserId,
        /// The user's handle.
        pub handle: Handle,
        /// Which of the user's devices.
        pub device: DeviceId,
        /// The server's name for this connection, for support.
        pub connection: u64,
        /// The server's clock, milliseconds since 1970.
        pub time_ms: u64,
        /// What the server has on record as acknowledged by this device.
        pub cursor: Stamp,
        /// Send a heartbeat when nothing else was sent for this long.
        pub heartbeat_ms: u32,
        /// Events the server pushes before it waits for acknowledgements.
        pub window_events: u32,
        /// Unanswered requests the server takes before it stops reading.
        pub requests_in_flight: u32,
        /// Largest frame either side may send, in bytes.
        pub frame_bytes: u32,
        /// Largest message body, in bytes.
        pub body_bytes: u32,
        /// Addresses (URLs) to connect to: first the node that owns this user's session, which saves a hop, then the
        /// others in no order; empty: the ones the client knows. [`Nodes`] replaces them.
        pub nodes: Vec<String>,
    }
}

positional! {
    /// I am here.
    pub struct Heartbeat {
        /// Anything; comes back in the answer.
        pub nonce: u64,
    }
}

positional! {
    /// Answer to a heartbeat.
    pub struct HeartbeatAck {
        /// As in the heartbeat.
        pub nonce: u64,
    }
}

positional! {
    /// A request failed; or, with request 0, something about the connection.
    pub struct Error {
        /// The request that failed, or 0.
        pub request: RequestId,
        /// An [`ErrorCode`]'s number; a code that the reader does not know is final for the request.
        pub code: u16,
        /// For people; at most [`limits::TEXT_BYTES_MAX`].
        pub text: String as Text,
        /// When a retry makes sense; 0: at once, if the code allows one at all.
        pub retry_after_ms: u32,
    }
}

impl Error {
    /// An error frame's payload. A text over its limit is cut: one that quotes what a peer sent can be any length.
    pub fn new(request: RequestId, code: ErrorCode, text: impl Into<String>) -> Self {
        let mut text = text.into();
        let cut = (0..=limits::TEXT_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(cut.unwrap_or(0));
        let retry_after_ms = match code {
            ErrorCode::StoreFull => 5_000,
            ErrorCode::Unavailable | ErrorCode::Busy => 500,
            _ => 0,
        };
        Self { request, code: code as u16, text, retry_after_ms }
    }

    /// The code, if this version knows it.
    pub fn known_code(&self) -> Option<ErrorCode> {
        ErrorCode::from_number(self.code)
    }
}

positional! {
    /// The connection will be closed soon, for no fault of the client's.
    pub struct Goaway {
        /// An [`ErrorCode`]'s number.
        pub code: u16,
        /// For people.
        pub text: String as Text,
        /// How long to wait before connecting again.
        pub reconnect_after_ms: u32,
        /// Where to connect instead, in no order; empty: anywhere the client knows.
        pub nodes: Vec<String>,
    }
}

positional! {
    /// A request without other answer is done.
    pub struct Done {
        /// The request.
        pub request: RequestId,
    }
}

positional! {
    /// The cluster's nodes have changed: the list of WELCOME, anew.
    pub struct Nodes {
        /// As in [`Welcome`].
        pub nodes: Vec<String>,
    }
}

positional! {
    /// A message for a conversation.
    pub struct Send {
        /// The answer's request id.
        pub request: RequestId,
        /// Where to. The sender must be in it.
        pub conversation: ConversationId,
        /// The sender's id of the message; a retry carries the same.
        pub id: MessageId,
        /// The message that must come before this one: the one sent last to this conversation, while it is not
        /// confirmed. The server refuses this message until that one is accepted, so order survives any failure.
        pub after: Option<MessageId>,
        /// At most [`limits::BODY_BYTES_MAX`]; of a reaction [`limits::REACTION_BYTES_MAX`], of a deletion or timer empty.
        pub body: Body,
        since later:
        /// The message it is about, and what it does to it.
        pub reference: Option<Reference>,
        /// It disappears so long after it has been accepted, in seconds, from [`limits::EXPIRES_S_MIN`] to
        /// [`limits::EXPIRES_S_MAX`]; 0: never. Of a timer: so long after theirs the messages from here on do.
        pub expires_s: u32,
    }
}

/// Messages do not disappear after as long as that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("messages disappear after {} to {} seconds, or never", limits::EXPIRES_S_MIN, limits::EXPIRES_S_MAX)]
pub struct ExpiresError;

/// Whether messages may disappear after so many seconds; after 0 is never.
///
/// # Errors
/// When they may not.
pub fn check_expires_s(expires_s: u32) -> Result<(), ExpiresError> {
    match expires_s {
        0 | limits::EXPIRES_S_MIN..=limits::EXPIRES_S_MAX => Ok(()),
        _ => Err(ExpiresError),
    }
}

positional! {
    /// The message is durable, and this is its place.
    pub struct Sent {
        /// The request.
        pub request: RequestId,
        /// Its place in the conversation. A retry gets the first one's.
        pub seq: Seq,
        /// When it was accepted, milliseconds since 1970 by the server's clock.
        pub time_ms: u64,
    }
}

positional! {
    /// Every event up to and including this stamp is safe with this device. Has no answer.
    pub struct Ack {
        /// The last event's stamp.
        pub stamp: Stamp,
    }
}

positional! {
    /// The user has read a conversation up to and including a message.
    pub struct Read {
        /// The answer's request id.
        pub request: RequestId,
        /// Which conversation.
        pub conversation: ConversationId,
        /// The last message read. Beyond the conversation's head: as if it were the head.
        pub seq: Seq,
    }
}

positional! {
    /// Give me messages `from..=to` of a conversation.
    pub struct History {
        /// The answer's request id.
        pub request: RequestId,
        /// Which conversation.
        pub conversation: ConversationId,
        /// The first message wanted.
        pub from: Seq,
        /// The last message wanted.
        pub to: Seq,
        since later:
        /// Whether the last of them are wanted first: a page then ends with the last wanted, and goes back as far as fits.
        pub backwards: bool,
        /// If not 0: instead of `from`, the first message accepted at this time or later, milliseconds since 1970; with
        /// `backwards`, instead of `to` the last one accepted before.
        pub time_ms: u64,
    }
}

positional! {
    /// As many of the wanted messages, from the first on, as fit a page.
    pub struct HistoryPage {
        /// The request.
        pub request: RequestId,
        /// The conversation's last message.
        pub head: Seq,
        /// The first message of those wanted that this page says nothing about; after the last wanted: complete.
        /// Messages below it that are not in the page no longer exist. Backwards: the last of those wanted that this page
        /// says nothing about; before the first wanted: complete.
        pub next: Seq,
        /// In ascending order.
        pub messages: Vec<Message>,
    }
}

positional! {
    /// Who has this handle, or which handle has this user. One of the two is given.
    pub struct Lookup {
        /// The answer's request id.
        pub request: RequestId,
        /// The handle.
        pub handle: Option<Handle>,
        /// The user.
        pub user: Option<UserId>,
    }
}

positional! {
    /// The user looked up.
    pub struct Found {
        /// The request.
        pub request: RequestId,
        /// The user.
        pub user: UserId,
        /// The user's handle.
        pub handle: Handle,
    }
}

positional! {
    /// Make a group. Whoever asks is its admin, and its first member.
    pub struct CreateGroup {
        /// The answer's request id.
        pub request: RequestId,
        /// The sender's id of the group's first entry; a retry carries the same.
        pub id: MessageId,
        /// Its name, of at most [`limits::GROUP_NAME_BYTES_MAX`].
        pub name: String as Text,
        /// The other members; at most [`limits::GROUP_USERS_AT_ONCE_MAX`], more are added later.
        pub members: Vec<UserId> as List<UserId>,
        /// What is left to everybody.
        pub settings: GroupSettings,
    }
}

impl CreateGroup {
    /// Whether a group may be made so, whoever asks.
    ///
    /// # Errors
    /// What is wrong with the request.
    pub fn check(&self) -> Result<(), GroupChangeError> {
        check_name(&self.name)?;
        check_users(&self.members)?;
        self.settings.check()
    }
}

positional! {
    /// The group is made; its first entry is in all members' inboxes.
    pub struct GroupCreated {
        /// The request.
        pub request: RequestId,
        /// Its number.
        pub group: GroupId,
        /// When it was made, milliseconds since 1970 by the server's clock.
        pub time_ms: u64,
    }
}

positional! {
    /// Change a group, or leave it. The answer is [`Sent`]: the change is an entry of the log.
    pub struct ChangeGroup {
        /// The answer's request id.
        pub request: RequestId,
        /// Which.
        pub group: GroupId,
        /// The sender's id of the entry; a retry carries the same.
        pub id: MessageId,
        /// What.
        pub change: GroupChange,
    }
}

positional! {
    /// What is this group, and who is in it. Only members learn that; of a channel anybody learns what it is.
    pub struct GetGroup {
        /// The answer's request id.
        pub request: RequestId,
        /// Which.
        pub group: GroupId,
    }
}

positional! {
    /// A group as it is now.
    pub struct Group {
        /// The request.
        pub request: RequestId,
        /// Which.
        pub group: GroupId,
        /// Its name.
        pub name: String as Text,
        /// Its description.
        pub about: String as Text,
        /// The reference of its picture; empty: none.
        pub picture: String as Text,
        /// What is left to everybody.
        pub settings: GroupSettings,
        /// When it was made, milliseconds since 1970 by the server's clock.
        pub created_ms: u64,
        /// Its last entry's place.
        pub head: Seq,
        /// By user, ascending; empty for who is not one of them.
        pub members: Vec<GroupMember> as List<GroupMember>,
        since later:
        /// How many follow it, if it is a channel.
        pub followers: u64,
    }
}

positional! {
    /// In which groups am I.
    pub struct ListGroups {
        /// The answer's request id.
        pub request: RequestId,
        /// Those after this one; `None`: from the first on.
        pub after: Option<GroupId>,
    }
}

positional! {
    /// Groups the user is in, at most [`limits::GROUP_LIST_MAX`].
    pub struct GroupList {
        /// The request.
        pub request: RequestId,
        /// Ascending; not empty if there are others.
        pub groups: Vec<GroupId> as List<GroupId>,
        /// Whether there are others after them.
        pub more: bool,
    }
}

positional! {
    /// How far have the members of a conversation come. Only members learn that.
    pub struct GetReceipts {
        /// The answer's request id.
        pub request: RequestId,
        /// Which conversation.
        pub conversation: ConversationId,
    }
}

positional! {
    /// How far the members have come, but for the one who asks. From this follows of each message how many have it, and
    /// who.
    pub struct Receipts {
        /// The request.
        pub request: RequestId,
        /// Those of whom something is known, by user, ascending.
        pub marks: Vec<MemberMark> as List<MemberMark>,
    }
}

positional! {
    /// How far a member has come. `read <= delivered`.
    pub struct MemberMark {
        /// Who.
        pub user: UserId,
        /// All up to here have reached one of the user's devices ...
        pub delivered: Seq,
        /// ... and all up to here have been read.
        pub read: Seq,
        since later:
        /// When `delivered` came to be that, milliseconds since 1970 by the server's clock; 0: not known.
        pub delivered_ms: u64,
        /// When `read` came to be that.
        pub read_ms: u64,
    }
}

positional! {
    /// A message as every member sees it; also its form in the log, so that a push copies the stored bytes.
    pub struct Message {
        /// Where.
        pub conversation: ConversationId,
        /// Its place there.
        pub seq: Seq,
        /// Who sent it.
        pub sender: UserId,
        /// From which of the sender's devices.
        pub device: DeviceId,
        /// The sender's id of it.
        pub id: MessageId,
        /// When it was accepted, milliseconds since 1970 by the server's clock. Never orders anything.
        pub time_ms: u64,
        /// `None` in an event on the very connection that sent it: the client has the body. And where there is a change.
        pub body: Option<Body>,
        since later:
        /// What has happened to the group, in an entry that is no message of a member.
        pub change: Option<GroupChange>,
        /// The message it is about, and what it does to it.
        pub reference: Option<Reference>,
        /// It has been deleted for everyone, or its time has come, and it says nothing any more.
        pub deleted: bool,
        /// When it disappears, milliseconds since 1970 by the server's clock; 0: never.
        pub expires_ms: u64,
        /// Of a timer: messages from here on disappear so long after they have been accepted, in seconds; 0: never.
        pub timer_s: u32,
    }
}

impl Message {
    /// Whether its time has come by then. Of a deleted one it does not matter.
    pub fn has_expired(&self, now_ms: u64) -> bool {
        (1..=now_ms).contains(&self.expires_ms)
    }

    /// What is left of it when it has been deleted, or its time has come: its place, and not what it said.
    pub fn emptied(self) -> Self {
        Self { body: None, deleted: true, ..self }
    }

    /// As it is to be read at this time.
    pub fn at(self, now_ms: u64) -> Self {
        if self.has_expired(now_ms) { self.emptied() } else { self }
    }
}

positional! {
    /// How far a member has come in a conversation. Both only grow; `read <= delivered`.
    pub struct Receipt {
        /// Where.
        pub conversation: ConversationId,
        /// Who.
        pub user: UserId,
        /// All up to here have reached one of the user's devices.
        pub delivered: Seq,
        /// All up to here have been read.
        pub read: Seq,
    }
}

positional! {
    /// Event: a message.
    pub struct MessageEvent {
        /// Its place in the inbox.
        pub stamp: Stamp,
        /// The message.
        pub message: Message,
    }
}

positional! {
    /// Event: a member's watermarks moved.
    pub struct ReceiptEvent {
        /// Its place in the inbox.
        pub stamp: Stamp,
        /// The watermarks.
        pub receipt: Receipt,
    }
}

/// One frame's bytes.
pub fn encode<P: Payload>(payload: &P) -> Bytes {
    let mut out = Vec::with_capacity(64);
    encode_into(&mut out, payload);
    out.into()
}

/// Appends one frame's bytes.
pub fn encode_into<P: Payload>(out: &mut Vec<u8>, payload: &P) {
    let start = begin_frame(out, P::OPCODE as u8);
    encode_value(out, payload);
    finish_frame(out, start);
}

positional! {
    /// A message but for its body, and what may be appended to it.
    pub struct MessageHead {
        /// Where.
        pub conversation: ConversationId,
        /// Its place there.
        pub seq: Seq,
        /// Who sent it.
        pub sender: UserId,
        /// From which of the sender's devices.
        pub device: DeviceId,
        /// The sender's id of it.
        pub id: MessageId,
        /// When it was accepted, milliseconds since 1970 by the server's clock.
        pub time_ms: u64,
    }
}

positional! {
    /// What [`MessageHead::of_event`] reads.
    struct MessageHeadEvent {
        pub stamp: Stamp,
        pub message: MessageHead,
    }
}

impl MessageHead {
    /// The head of the message that an event's frame carries; `None` for every other frame. Its body is not copied.
    pub fn of_event(frame: &[u8]) -> Option<Self> {
        if *frame.get(2)? != Opcode::MessageEvent as u8 {
            return None;
        }
        let payload = frame.get(crate::HEADER_BYTES..)?;
        crate::decode_value::<MessageHeadEvent>(payload).ok().map(|event| event.message)
    }
}

/// The frame of an event whose content is already encoded: `[stamp, content]`. ACCOUNT_EVENT has more than these two.
pub fn encode_event(opcode: Opcode, stamp: Stamp, content: &[u8]) -> Bytes {
    debug_assert!(Opcode::is_event(opcode as u8) && opcode != Opcode::AccountEvent);
    let mut out = Vec::with_capacity(crate::HEADER_BYTES + 15 + content.len());
    let start = begin_frame(&mut out, opcode as u8);
    out.push(0x92); // an array of two
    encode_value(&mut out, &stamp);
    out.extend_from_slice(content);
    finish_frame(&mut out, start);
    out.into()
}
