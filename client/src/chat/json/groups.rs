//! Commands about groups.

use rookery_protocol::{
    ConversationId, ErrorCode, Group, GroupChange, GroupId, GroupSettings, Handle, MemberMark, MessageId,
    Role, UserId,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::entries::{PersonLine, SettingsLine};
use super::{Complaint, Output};
use crate::chat::people::People;
use crate::{Client, GroupError, Refusal, RequestError, code_name};

/// What is to become of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ChangeWord {
    Add,
    Remove,
    Promote,
    Demote,
    Leave,
    Rename,
    Describe,
    Picture,
    Set,
    Delete,
}

/// Settings that are to be so; the others stay as they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SettingsGiven {
    only_admins_send: Option<bool>,
    only_admins_edit: Option<bool>,
    only_admins_add: Option<bool>,
    backlog: Option<u32>,
    is_channel: Option<bool>,
}

impl SettingsGiven {
    fn over(self, settings: GroupSettings) -> GroupSettings {
        GroupSettings {
            only_admins_send: self.only_admins_send.unwrap_or(settings.only_admins_send),
            only_admins_edit: self.only_admins_edit.unwrap_or(settings.only_admins_edit),
            only_admins_add: self.only_admins_add.unwrap_or(settings.only_admins_add),
            backlog: self.backlog.unwrap_or(settings.backlog),
            is_channel: self.is_channel.unwrap_or(settings.is_channel),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct GroupLine {
    conversation: String,
    name: String,
    about: String,
    picture: String,
    settings: SettingsLine,
    created_ms: u64,
    head: u64,
    members: Vec<MemberLine>,
    followers: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<Value>,
}

#[derive(Debug, Serialize)]
struct MemberLine {
    #[serde(flatten)]
    person: PersonLine,
    role: &'static str,
    since: u64,
}

/// How far a member has come.
#[derive(Debug, Serialize)]
pub(super) struct MarkLine {
    #[serde(flatten)]
    person: PersonLine,
    delivered: u64,
    read: u64,
    /// When each came to be that, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_ms: Option<u64>,
}

impl MarkLine {
    pub(super) async fn name(people: &People, mark: MemberMark) -> Self {
        let MemberMark { user, delivered, read, delivered_ms, read_ms } = mark;
        let known = |ms: u64| (ms > 0).then_some(ms);
        Self {
            person: PersonLine::name(people, user).await,
            delivered: delivered.get(),
            read: read.get(),
            delivered_ms: known(delivered_ms),
            read_ms: known(read_ms),
        }
    }
}

impl From<GroupError> for Complaint {
    fn from(error: GroupError) -> Self {
        let text = error.to_string();
        let (code, text, id) = match error {
            GroupError::Invalid(_) => (code_name(ErrorCode::BadRequest as u16), text, None),
            GroupError::Refused(Refusal { code, text }) => (code_name(code), text, None),
            GroupError::Unknown { id } => ("outcome_unknown".to_owned(), text, Some(id)),
            GroupError::Full => ("full".to_owned(), text, None),
            GroupError::Closed => ("closed".to_owned(), text, None),
        };
        Self { code, text, id }
    }
}

/// The group whose conversation this is.
pub(super) fn group(conversation: &str) -> Result<GroupId, Complaint> {
    let parsed =
        conversation.parse::<ConversationId>().map_err(|error| Complaint::usage(error.to_string()))?;
    parsed.group_id().ok_or_else(|| Complaint::usage("the conversation is no group's"))
}

fn given_or_new(id: Option<&str>, client: &Client) -> Result<MessageId, Complaint> {
    match id {
        Some(id) => id.parse().map_err(|_| Complaint::usage("an id is 32 hexadecimal digits")),
        None => Ok(client.new_id()),
    }
}

pub(super) async fn create(
    people: &People,
    client: &Client,
    (name, members, settings): (String, Vec<Handle>, SettingsGiven),
    id: Option<String>,
    tag: Option<Value>,
) -> Result<Output, Complaint> {
    let id = given_or_new(id.as_deref(), client)?;
    let members = look_up(people, &members).await?;
    let settings = settings.over(GroupSettings::default());
    let group = client.create_group_as(id, name, members, settings).await?;
    Ok(Output::GroupCreated { conversation: ConversationId::group(group).to_string(), tag })
}

/// What is wanted of a group.
pub(super) struct Wanted {
    pub(super) change: ChangeWord,
    pub(super) users: Vec<Handle>,
    pub(super) text: Option<String>,
    pub(super) settings: Option<SettingsGiven>,
}

pub(super) async fn change(
    people: &People,
    client: &Client,
    conversation: String,
    wanted: Wanted,
    id: Option<String>,
    tag: Option<Value>,
) -> Result<Output, Complaint> {
    let group = group(&conversation)?;
    let id = given_or_new(id.as_deref(), client)?;
    let change = wanted.change(people, client, group).await?;
    let (seq, time_ms) = client.change_group_as(id, group, change).await?;
    Ok(Output::GroupChanged { conversation, seq: seq.get(), time_ms, tag })
}

impl Wanted {
    async fn change(
        self,
        people: &People,
        client: &Client,
        group: GroupId,
    ) -> Result<GroupChange, Complaint> {
        use ChangeWord::{Add, Delete, Demote, Describe, Leave, Picture, Promote, Remove, Rename, Set};
        let Self { change, users, text, settings } = self;
        let misfit = match (change, users.is_empty(), &text, &settings) {
            (Add | Remove | Promote | Demote, false, None, None) => None,
            (Add | Remove | Promote | Demote, ..) => Some("this change takes \"users\", and nothing else"),
            (Rename | Describe | Picture, true, Some(_), None) => None,
            (Rename | Describe | Picture, ..) => Some("this change takes \"text\", and nothing else"),
            (Set, true, None, Some(_)) => None,
            (Set, ..) => Some("this change takes \"settings\", and nothing else"),
            (Leave | Delete, true, None, None) => None,
            (Leave | Delete, ..) => Some("this change takes nothing"),
        };
        if let Some(misfit) = misfit {
            return Err(Complaint::usage(misfit));
        }
        let users = look_up(people, &users).await?;
        let text = text.unwrap_or_default();
        Ok(match change {
            Add => GroupChange::Added(users),
            Remove => GroupChange::Removed(users),
            Promote => GroupChange::Promoted(users),
            Demote => GroupChange::Demoted(users),
            Leave => GroupChange::Left { successor: None },
            Rename => GroupChange::Named(text),
            Describe => GroupChange::Described(text),
            Picture => GroupChange::Pictured(text),
            Set => GroupChange::Set(settings.unwrap_or_default().over(client.group(group).await?.settings)),
            Delete => GroupChange::Deleted,
        })
    }
}

pub(super) async fn look_up(people: &People, handles: &[Handle]) -> Result<Vec<UserId>, Complaint> {
    let mut users = Vec::with_capacity(handles.len());
    for handle in handles {
        let user = people.user(handle).await.map_err(|error| {
            let complaint = Complaint::from(error);
            Complaint { text: format!("{handle}: {}", complaint.text), ..complaint }
        })?;
        users.push(user);
    }
    Ok(users)
}

pub(super) async fn describe(
    people: &People,
    client: &Client,
    conversation: String,
    tag: Option<Value>,
) -> Result<Output, Complaint> {
    let Group { name, about, picture, settings, created_ms, head, members: all, followers, .. } =
        client.group(group(&conversation)?).await?;
    let mut members = Vec::with_capacity(all.len());
    for member in all {
        let role = match member.role {
            Role::Member => "member",
            Role::Admin => "admin",
        };
        let person = PersonLine::name(people, member.user).await;
        members.push(MemberLine { person, role, since: member.since.get() });
    }
    let (settings, head) = (settings.into(), head.get());
    Ok(Output::Group(GroupLine {
        conversation,
        name,
        about,
        picture,
        settings,
        created_ms,
        head,
        members,
        followers,
        tag,
    }))
}

pub(super) async fn list(client: &Client, tag: Option<Value>) -> Result<Output, Complaint> {
    let groups = client.groups().await?.into_iter();
    Ok(Output::Groups { groups: groups.map(|group| ConversationId::group(group).to_string()).collect(), tag })
}

pub(super) async fn receipts(
    people: &People,
    client: &Client,
    conversation: ConversationId,
) -> Result<Vec<MarkLine>, RequestError> {
    let mut members = Vec::new();
    for mark in client.receipts(conversation).await? {
        members.push(MarkLine::name(people, mark).await);
    }
    Ok(members)
}
