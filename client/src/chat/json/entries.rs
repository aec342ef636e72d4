//! An entry of a conversation, a message or a change, as a JSON object.

use rookery_protocol::{GroupChange, GroupSettings, Handle, Reference, ReferenceKind, UserId};
use serde::Serialize;

use crate::chat::people::People;
use crate::chat::words;
use crate::{Change, Entry, Message};

#[derive(Debug, Serialize)]
pub(super) struct MessageLine {
    pub(super) conversation: String,
    pub(super) seq: u64,
    pub(super) id: String,
    pub(super) from: Option<Handle>,
    pub(super) user: UserId,
    pub(super) device: u32,
    pub(super) time_ms: u64,
    /// `None` when the body is not UTF-8.
    pub(super) text: Option<String>,
    /// The message it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reference: Option<ReferenceLine>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) deleted: bool,
    /// When it disappears, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires_ms: Option<u64>,
    /// What it sets, if it is a timer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) timer_s: Option<u32>,
}

#[derive(Debug, Serialize)]
pub(super) struct ReferenceLine {
    kind: &'static str,
    seq: u64,
}

impl From<Reference> for ReferenceLine {
    fn from(reference: Reference) -> Self {
        let kind = match reference.kind {
            ReferenceKind::Reply => "reply",
            ReferenceKind::Reaction => "reaction",
            ReferenceKind::Edit => "edit",
            ReferenceKind::Delete => "delete",
            ReferenceKind::Timer => "timer",
            ReferenceKind::Unknown(_) => "unknown",
        };
        Self { kind, seq: reference.seq.get() }
    }
}

/// What has happened to a group. `users`, `text` and `settings` where the change has them.
#[derive(Debug, Serialize)]
pub(super) struct ChangeLine {
    pub(super) conversation: String,
    pub(super) seq: u64,
    pub(super) id: String,
    pub(super) from: Option<Handle>,
    pub(super) user: UserId,
    pub(super) device: u32,
    pub(super) time_ms: u64,
    pub(super) change: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) users: Vec<PersonLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) settings: Option<SettingsLine>,
}

#[derive(Debug, Serialize)]
pub(super) struct PersonLine {
    pub(super) user: UserId,
    pub(super) handle: Option<Handle>,
}

#[derive(Debug, Serialize)]
pub(super) struct SettingsLine {
    pub(super) only_admins_send: bool,
    pub(super) only_admins_edit: bool,
    pub(super) only_admins_add: bool,
    pub(super) backlog: u32,
    pub(super) is_channel: bool,
}

impl PersonLine {
    pub(super) async fn name(people: &People, user: UserId) -> Self {
        Self { user, handle: people.handle(user).await }
    }
}

impl From<GroupSettings> for SettingsLine {
    fn from(settings: GroupSettings) -> Self {
        let GroupSettings { only_admins_send, only_admins_edit, only_admins_add, backlog, is_channel } =
            settings;
        Self { only_admins_send, only_admins_edit, only_admins_add, backlog, is_channel }
    }
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum EntryLine {
    Message(MessageLine),
    Change(ChangeLine),
}

impl EntryLine {
    /// With the names of those it is about.
    pub(super) async fn name(people: &People, entry: Entry) -> Self {
        let change = match entry {
            Entry::Message(message) => {
                let from = people.handle(message.sender).await;
                return Self::Message(MessageLine::new(message, from));
            }
            Entry::Change(change) => change,
        };
        let from = people.handle(change.sender).await;
        let mut users = Vec::new();
        for user in words::users_of(&change.change) {
            users.push(PersonLine::name(people, *user).await);
        }
        Self::Change(ChangeLine::new(change, from, users))
    }
}

impl ChangeLine {
    fn new(change: Change, from: Option<Handle>, users: Vec<PersonLine>) -> Self {
        let Change { conversation, seq, sender, device, id, time_ms, change } = change;
        let word = change_word(&change);
        let (text, settings) = match change {
            GroupChange::Created { name, .. } | GroupChange::Named(name) => (Some(name), None),
            GroupChange::Described(text) | GroupChange::Pictured(text) => (Some(text), None),
            GroupChange::Set(settings) => (None, Some(settings.into())),
            _ => (None, None),
        };
        Self {
            conversation: conversation.to_string(),
            seq: seq.get(),
            id: id.to_string(),
            from,
            user: sender,
            device: device.get(),
            time_ms,
            change: word,
            users,
            text,
            settings,
        }
    }
}

fn change_word(change: &GroupChange) -> &'static str {
    match change {
        GroupChange::Created { .. } => "created",
        GroupChange::Added(_) => "added",
        GroupChange::Removed(_) => "removed",
        GroupChange::Left { .. } => "left",
        GroupChange::Promoted(_) => "promoted",
        GroupChange::Demoted(_) => "demoted",
        GroupChange::Named(_) => "named",
        GroupChange::Described(_) => "described",
        GroupChange::Pictured(_) => "pictured",
        GroupChange::Set(_) => "set",
        GroupChange::Deleted => "deleted",
        GroupChange::Unknown(_) => "unknown",
    }
}

impl MessageLine {
    pub(super) fn new(message: Message, from: Option<Handle>) -> Self {
        let is_timer = message.reference.is_some_and(|it| it.kind == ReferenceKind::Timer);
        Self {
            conversation: message.conversation.to_string(),
            seq: message.seq.get(),
            id: message.id.to_string(),
            from,
            user: message.sender,
            device: message.device.get(),
            time_ms: message.time_ms,
            text: std::str::from_utf8(message.body.as_bytes()).ok().map(str::to_owned),
            reference: message.reference.map(ReferenceLine::from),
            deleted: message.deleted,
            expires_ms: Some(message.expires_ms).filter(|time_ms| *time_ms != 0),
            timer_s: Some(message.timer_s).filter(|_| is_timer),
        }
    }
}
