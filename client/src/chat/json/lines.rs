//! What the lines of both directions hold.

use rookery_protocol::{Handle, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::contacts::{AudienceWord, HolderLine, PrivacyLine, ProfileLine, RelationLine};
use super::conversations::{ListingLine, ShownLine, StandingLine};
use super::entries::{ChangeLine, EntryLine, MessageLine};
use super::groups::{ChangeWord, GroupLine, MarkLine, SettingsGiven};
use super::looking::{DoingWord, PresenceLine};

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Command {
    Send {
        to: Option<Handle>,
        conversation: Option<String>,
        text: String,
        reply_to: Option<u64>,
        tag: Option<Value>,
    },
    Broadcast {
        users: Vec<Handle>,
        text: String,
        tag: Option<Value>,
    },
    React {
        to: Option<Handle>,
        conversation: Option<String>,
        seq: u64,
        text: String,
        tag: Option<Value>,
    },
    Edit {
        to: Option<Handle>,
        conversation: Option<String>,
        seq: u64,
        text: String,
        tag: Option<Value>,
    },
    Delete {
        to: Option<Handle>,
        conversation: Option<String>,
        seq: u64,
        tag: Option<Value>,
    },
    Timer {
        to: Option<Handle>,
        conversation: Option<String>,
        /// 0: messages stay.
        seconds: u32,
        tag: Option<Value>,
    },
    Read {
        to: Option<Handle>,
        conversation: Option<String>,
        seq: Option<u64>,
        tag: Option<Value>,
    },
    Lookup {
        handle: Option<Handle>,
        user: Option<UserId>,
        tag: Option<Value>,
    },
    History {
        to: Option<Handle>,
        conversation: Option<String>,
        from: Option<u64>,
        upto: Option<u64>,
        #[serde(default)]
        backwards: bool,
        since_ms: Option<u64>,
        before_ms: Option<u64>,
        tag: Option<Value>,
    },
    CreateGroup {
        name: String,
        #[serde(default)]
        members: Vec<Handle>,
        #[serde(default)]
        settings: SettingsGiven,
        id: Option<String>,
        tag: Option<Value>,
    },
    ChangeGroup {
        conversation: String,
        change: ChangeWord,
        #[serde(default)]
        users: Vec<Handle>,
        text: Option<String>,
        settings: Option<SettingsGiven>,
        id: Option<String>,
        tag: Option<Value>,
    },
    Group {
        conversation: String,
        tag: Option<Value>,
    },
    Groups {
        tag: Option<Value>,
    },
    Follow {
        conversation: String,
        tag: Option<Value>,
    },
    Unfollow {
        conversation: String,
        tag: Option<Value>,
    },
    Receipts {
        to: Option<Handle>,
        conversation: Option<String>,
        tag: Option<Value>,
    },
    Conversations {
        after: Option<String>,
        tag: Option<Value>,
    },
    SetConversation {
        to: Option<Handle>,
        conversation: Option<String>,
        settings: ListingLine,
        tag: Option<Value>,
    },
    Hide {
        to: Option<Handle>,
        conversation: Option<String>,
        #[serde(default)]
        up_to: u64,
        #[serde(default)]
        seqs: Vec<u64>,
        tag: Option<Value>,
    },
    Privacy {
        tag: Option<Value>,
    },
    SetPrivacy {
        last_seen: Option<AudienceWord>,
        online: Option<AudienceWord>,
        profile: Option<AudienceWord>,
        groups: Option<AudienceWord>,
        read_receipts: Option<bool>,
        tag: Option<Value>,
    },
    Profiles {
        users: Vec<Handle>,
        tag: Option<Value>,
    },
    SetProfile {
        name: Option<String>,
        about: Option<String>,
        picture: Option<String>,
        tag: Option<Value>,
    },
    People {
        tag: Option<Value>,
    },
    SetPerson {
        handle: Handle,
        #[serde(default)]
        contact: bool,
        #[serde(default)]
        excepted: bool,
        #[serde(default)]
        blocked: bool,
        tag: Option<Value>,
    },
    FindPeople {
        handles: Vec<Handle>,
        tag: Option<Value>,
    },
    Report {
        handle: Handle,
        conversation: Option<String>,
        #[serde(default)]
        seqs: Vec<u64>,
        text: String,
        tag: Option<Value>,
    },
    Watch {
        #[serde(default)]
        users: Vec<Handle>,
        #[serde(default)]
        conversations: Vec<String>,
        tag: Option<Value>,
    },
    Active {
        active: bool,
        tag: Option<Value>,
    },
    Typing {
        to: Option<Handle>,
        conversation: Option<String>,
        doing: DoingWord,
        tag: Option<Value>,
    },
    State {
        tag: Option<Value>,
    },
    Quit,
}

#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Output {
    Ready {
        version: &'static str,
        unsent: usize,
    },
    Connected {
        user: UserId,
        handle: Handle,
        device: u32,
    },
    Disconnected {
        retry_in_ms: u64,
        reason: String,
    },
    Message(MessageLine),
    Change(ChangeLine),
    Queued {
        id: String,
        conversation: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<Value>,
    },
    Sent {
        id: String,
        conversation: String,
        seq: u64,
        time_ms: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<Value>,
    },
    Delivered {
        conversation: String,
        user: UserId,
        handle: Option<Handle>,
        seq: u64,
    },
    Read {
        conversation: String,
        user: UserId,
        handle: Option<Handle>,
        seq: u64,
    },
    Failed {
        id: String,
        conversation: String,
        code: String,
        text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<Value>,
    },
    Found {
        user: UserId,
        handle: Handle,
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<Value>,
    },
    History {
        conversation: String,
        head: u64,
        next: u64,
        messages: Vec<EntryLine>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<Value>,
    },
    GroupCreated {
        conversation: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<Value>,
    },
    GroupChanged {
        conversation: String,
        seq: u64,
        time_ms: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<Value>,
    },
    Group(GroupLine),
    Groups {
        groups: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<Value>,
    },
    Receipts {
        conversation: String,
        members: Vec<MarkLine>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<Value>,
    },
    Conversations {
        conversations: Vec<StandingLine>,
        more: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<Value>,
    },
    Privacy {
        #[serde(flatten)]
        privacy: PrivacyLine,
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<Value>,
    },
    Profiles {
        profiles: Vec<ProfileLine>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<Value>,
    },
    People {
        people: Vec<RelationLine>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<Value>,
    },
    FoundPeople {
        people: Vec<HolderLine>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<Value>,
    },
    /// A command without other answer is done.
    Done {
        line: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<Value>,
    },
    Expired {
        conversation: String,
        seq: u64,
    },
    Shown(ShownLine),
    Account {
        part: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        person: Option<RelationLine>,
    },
    /// All that the user follows now.
    Followed {
        conversations: Vec<String>,
    },
    Watching,
    Presence {
        people: Vec<PresenceLine>,
    },
    Typing {
        conversation: String,
        user: UserId,
        handle: Option<Handle>,
        doing: DoingWord,
    },
    ReceiptsChanged {
        conversation: String,
        members: Vec<MarkLine>,
    },
    State {
        connected: bool,
        user: Option<UserId>,
        handle: Option<Handle>,
        device: Option<u32>,
        outbox: usize,
        conversations: Vec<ConversationLine>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<Value>,
    },
    Error {
        #[serde(skip_serializing_if = "Option::is_none")]
        line: Option<u64>,
        code: String,
        text: String,
        /// To repeat the request with.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<Value>,
    },
    Bye {
        unsent: usize,
    },
}

#[derive(Debug, Serialize)]
pub(super) struct ConversationLine {
    pub(super) conversation: String,
    pub(super) seq: u64,
}

impl From<EntryLine> for Output {
    fn from(line: EntryLine) -> Self {
        match line {
            EntryLine::Message(message) => Self::Message(message),
            EntryLine::Change(change) => Self::Change(change),
        }
    }
}
