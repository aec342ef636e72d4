//! Why a request or a connection failed, as a number that never changes its meaning.

/// The codes of ERROR and GOAWAY.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum ErrorCode {
    /// Bytes that are no frame, or a payload that is not what its opcode says. Closes.
    Malformed = 1,
    /// A header version the server does not speak. Closes.
    UnsupportedVersion = 2,
    /// A frame longer than allowed. Closes.
    FrameTooLarge = 3,
    /// An opcode the server does not know, or does not take from clients. The connection goes on.
    UnknownOpcode = 4,
    /// A frame other than HELLO before WELCOME. Closes.
    HelloFirst = 5,
    /// No HELLO in time. Closes.
    HandshakeTimeout = 6,
    /// A token that is not ours, or not for this cluster. Closes.
    TokenInvalid = 7,
    /// A token past its time. Closes.
    TokenExpired = 8,
    /// A token whose device or user has been removed, or that was revoked. Closes.
    TokenRevoked = 9,
    /// Too many unauthenticated connections from this address. Closes.
    TooManyConnections = 10,
    /// The same device has connected again. Closes; the client must not reconnect by itself.
    Replaced = 11,
    /// Nothing was heard for three heartbeats. Closes.
    HeartbeatTimeout = 12,
    /// A second HELLO. Closes.
    AlreadyWelcome = 13,
    /// The client does not read what is sent to it. Closes.
    TooSlow = 14,
    /// The node is stopping; only in GOAWAY. Closes when the time is up.
    Shutdown = 15,
    /// The user's account has been suspended. Closes; the client must not reconnect by itself.
    Suspended = 16,
    /// Nobody may connect from this address. Closes.
    Banned = 17,
    /// An operator has closed the connection. Closes; the client may reconnect.
    Kicked = 18,

    /// No such user, handle or message.
    NotFound = 20,
    /// The user is not a member of this conversation.
    NotMember = 21,
    /// A body over the limit.
    BodyTooLarge = 22,
    /// The message named in `after` has not been accepted: send that one first.
    OutOfOrder = 23,
    /// An acknowledgement of something that was not pushed on this connection.
    BadAck = 24,
    /// A value outside its documented range.
    BadRequest = 25,
    /// Not for this user to do: the group leaves it to its admins, the message is another's, or the other side does not
    /// want it.
    NotAllowed = 26,
    /// There are as many as there may be: members of a group, edits of a message, people of a user, reports that wait,
    /// channels followed.
    Full = 27,
    /// The id belongs to something else: choose another.
    IdTaken = 28,
    /// The time for that is over.
    TooLate = 29,

    /// The store cannot be reached or the outcome is unknown. Retry with the same message id.
    Unavailable = 30,
    /// The store has no room. Retry later with the same message id.
    StoreFull = 31,
    /// The node failed at this request. Retry with the same message id.
    Internal = 32,
    /// Too much at once. Retry after the time given.
    Busy = 33,
    /// The user has blocked the other side: unblock them first.
    Blocked = 34,
}

impl ErrorCode {
    /// All of them, in ascending order.
    pub const ALL: [Self; 33] = [
        Self::Malformed,
        Self::UnsupportedVersion,
        Self::FrameTooLarge,
        Self::UnknownOpcode,
        Self::HelloFirst,
        Self::HandshakeTimeout,
        Self::TokenInvalid,
        Self::TokenExpired,
        Self::TokenRevoked,
        Self::TooManyConnections,
        Self::Replaced,
        Self::HeartbeatTimeout,
        Self::AlreadyWelcome,
        Self::TooSlow,
        Self::Shutdown,
        Self::Suspended,
        Self::Banned,
        Self::Kicked,
        Self::NotFound,
        Self::NotMember,
        Self::BodyTooLarge,
        Self::OutOfOrder,
        Self::BadAck,
        Self::BadRequest,
        Self::NotAllowed,
        Self::Full,
        Self::IdTaken,
        Self::TooLate,
        Self::Unavailable,
        Self::StoreFull,
        Self::Internal,
        Self::Busy,
        Self::Blocked,
    ];

    /// The code with this number, if this version knows it.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|code| *code as u16 == number)
    }

    /// Whether the server closes the connection after sending it. Before WELCOME it does so after any.
    pub fn closes(self) -> bool {
        (self as u16) < 20 && self != Self::UnknownOpcode
    }

    /// Whether the same request may succeed later.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Unavailable | Self::StoreFull | Self::Internal | Self::Busy | Self::OutOfOrder)
    }
}
