//! Every opcode. Numbers are retired, never reused.
//!
//! | range | use |
//! |---|---|
//! | `0x01..=0x0f` | the connection itself |
//! | `0x10..=0x3f` | requests and their answers |
//! | `0x40..=0x7f` | events: the payload's first element is the stamp, and each must be acknowledged |
//! | `0x80..=0xbf` | ephemeral notices: never stored, never acknowledged |
//! | `0xc0..=0xff` | reserved |

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Opcode {
    /// Client: first frame of a connection.
    Hello = 0x01,
    /// Server: the handshake's success.
    Welcome = 0x02,
    /// Client: I am here.
    Heartbeat = 0x03,
    /// Server: answer to a heartbeat.
    HeartbeatAck = 0x04,
    /// Server: a request failed, or the connection is about to close.
    Error = 0x05,
    /// Server: reconnect elsewhere, or later.
    Goaway = 0x06,
    /// Server: a request without other answer is done.
    Done = 0x07,
    /// Server: the list of WELCOME, anew.
    Nodes = 0x08,

    /// Client: a message for a conversation.
    Send = 0x10,
    /// Server: the message is durable, and this is its place.
    Sent = 0x11,
    /// Client: events up to a stamp are safe with this device.
    Ack = 0x12,
    /// Client: the user has read a conversation up to a sequence number.
    Read = 0x13,
    /// Client: give me a range of a conversation's log.
    History = 0x14,
    /// Server: that range, or its beginning.
    HistoryPage = 0x15,
    /// Client: who has this handle, or what is this user's handle.
    Lookup = 0x16,
    /// Server: that user.
    Found = 0x17,

    /// Client: make a group.
    CreateGroup = 0x18,
    /// Server: the group is made.
    GroupCreated = 0x19,
    /// Client: change a group, or leave it.
    ChangeGroup = 0x1a,
    /// Client: what is this group, and who is in it.
    GetGroup = 0x1b,
    /// Server: that group.
    Group = 0x1c,
    /// Client: in which groups am I.
    ListGroups = 0x1d,
    /// Server: those.
    GroupList = 0x1e,
    /// Client: how far have the members of a conversation come.
    GetReceipts = 0x1f,
    /// Server: that far.
    Receipts = 0x20,

    /// Client: in which conversations am I, and how do they stand.
    ListConversations = 0x21,
    /// Server: those.
    ConversationList = 0x22,
    /// Client: this is how I want a conversation listed.
    SetConversation = 0x23,
    /// Client: do not show me these messages any more.
    Hide = 0x24,

    /// Client: who may see what of me.
    SetPrivacy = 0x25,
    /// Client: what have I said about that.
    GetPrivacy = 0x26,
    /// Server: this.
    Privacy = 0x27,
    /// Client: this is what I show of myself.
    SetProfile = 0x28,
    /// Client: what do these users show of themselves.
    GetProfiles = 0x29,
    /// Server: as much of it as the client may see.
    Profiles = 0x2a,
    /// Client: this is what somebody is to me: a contact, blocked, or nothing.
    SetPerson = 0x2b,
    /// Client: who is anything to me.
    ListPeople = 0x2c,
    /// Server: those.
    People = 0x2d,
    /// Client: which of these handles are users.
    FindPeople = 0x2e,
    /// Server: those.
    FoundPeople = 0x2f,
    /// Client: the moderators should look at this.
    Report = 0x30,

    /// Client: this is what the user is looking at.
    Watch = 0x31,
    /// Client: the user is there, or is not.
    Active = 0x32,
    /// Client: the user is typing.
    Typing = 0x33,

    /// Client: I follow this channel, or follow it no more.
    Follow = 0x34,

    /// Event: a message.
    MessageEvent = 0x40,
    /// Event: a member's delivered and read watermarks moved.
    ReceiptEvent = 0x41,
    /// Event: how a conversation is listed, or what of it is shown, has changed.
    ConversationEvent = 0x42,
    /// Event: the user's privacy, profile, people or followed channels have changed.
    AccountEvent = 0x43,

    /// Notice: people come, go and fall idle.
    PresenceNotice = 0x80,
    /// Notice: somebody is typing.
    TypingNotice = 0x81,
    /// Notice: members' delivered and read watermarks moved.
    ReceiptsNotice = 0x82,
    /// Notice: an entry of a followed channel.
    ChannelNotice = 0x83,
}

impl Opcode {
    /// All of them, in ascending order.
    pub const ALL: [Self; 53] = [
        Self::Hello,
        Self::Welcome,
        Self::Heartbeat,
        Self::HeartbeatAck,
        Self::Error,
        Self::Goaway,
        Self::Done,
        Self::Nodes,
        Self::Send,
        Self::Sent,
        Self::Ack,
        Self::Read,
        Self::History,
        Self::HistoryPage,
        Self::Lookup,
        Self::Found,
        Self::CreateGroup,
        Self::GroupCreated,
        Self::ChangeGroup,
        Self::GetGroup,
        Self::Group,
        Self::ListGroups,
        Self::GroupList,
        Self::GetReceipts,
        Self::Receipts,
        Self::ListConversations,
        Self::ConversationList,
        Self::SetConversation,
        Self::Hide,
        Self::SetPrivacy,
        Self::GetPrivacy,
        Self::Privacy,
        Self::SetProfile,
        Self::GetProfiles,
        Self::Profiles,
        Self::SetPerson,
        Self::ListPeople,
        Self::People,
        Self::FindPeople,
        Self::FoundPeople,
        Self::Report,
        Self::Watch,
        Self::Active,
        Self::Typing,
        Self::Follow,
        Self::MessageEvent,
        Self::ReceiptEvent,
        Self::ConversationEvent,
        Self::AccountEvent,
        Self::PresenceNotice,
        Self::TypingNotice,
        Self::ReceiptsNotice,
        Self::ChannelNotice,
    ];

    /// The opcode with this number, if this version knows it.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|opcode| *opcode as u8 == number)
    }

    /// Whether a number lies in the events' range. A client acknowledges events it does not know.
    pub fn is_event(number: u8) -> bool {
        (0x40..=0x7f).contains(&number)
    }
}
