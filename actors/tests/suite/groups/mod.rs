//! Groups as their members meet them.

use rookery_protocol::{
    Body, ChangeGroup, ConversationId, CreateGroup, Error, ErrorCode, GetGroup, GetReceipts, Group,
    GroupChange, GroupCreated, GroupId, GroupList, GroupSettings, ListGroups, MemberMark, Message, MessageId,
    Sent, Seq, ServerFrame, UserId,
};

use crate::client::{Client, user};

mod delivery;
mod devices;
mod formats;
mod history;
mod looking;
mod many;
mod marks;
mod membership;
mod nodes;
mod receipts;
mod refusals;
mod retries;
mod tracing;

/// The conversation of a group.
fn of(group: GroupId) -> ConversationId {
    ConversationId::group(group)
}

/// These users.
fn users(numbers: impl IntoIterator<Item = u64>) -> Vec<UserId> {
    numbers.into_iter().map(user).collect()
}

fn code(error: &Error) -> ErrorCode {
    error.known_code().expect("a code of this version")
}

impl Client {
    async fn try_create(
        &mut self,
        id: MessageId,
        name: &str,
        members: &[UserId],
        settings: GroupSettings,
    ) -> Result<GroupCreated, ErrorCode> {
        let request = self.new_request();
        let (name, members) = (name.into(), members.to_vec());
        self.tell(&CreateGroup { request, id, name, members, settings }).await;
        match self.answer().await {
            ServerFrame::GroupCreated(created) => Ok(created),
            ServerFrame::Error(error) => Err(code(&error)),
            other => panic!("{other:?}"),
        }
    }

    /// Makes a group with these others.
    pub(crate) async fn create(&mut self, others: impl IntoIterator<Item = u64>) -> GroupId {
        self.create_with(others, GroupSettings::default()).await
    }

    async fn create_with(
        &mut self,
        others: impl IntoIterator<Item = u64>,
        settings: GroupSettings,
    ) -> GroupId {
        let id = self.new_id();
        self.try_create(id, "crows", &users(others), settings).await.expect("the group is made").group
    }

    pub(crate) async fn change_as(
        &mut self,
        group: GroupId,
        id: MessageId,
        change: GroupChange,
    ) -> Result<Sent, ErrorCode> {
        let request = self.new_request();
        self.tell(&ChangeGroup { request, group, id, change }).await;
        match self.answer().await {
            ServerFrame::Sent(sent) => Ok(sent),
            ServerFrame::Error(error) => Err(code(&error)),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn change(&mut self, group: GroupId, change: GroupChange) -> Result<Sent, ErrorCode> {
        let id = self.new_id();
        self.change_as(group, id, change).await
    }

    async fn group(&mut self, group: GroupId) -> Result<Group, ErrorCode> {
        let request = self.new_request();
        self.tell(&GetGroup { request, group }).await;
        match self.answer().await {
            ServerFrame::Group(group) => Ok(group),
            ServerFrame::Error(error) => Err(code(&error)),
            other => panic!("{other:?}"),
        }
    }

    async fn groups(&mut self, after: Option<GroupId>) -> GroupList {
        let request = self.new_request();
        self.tell(&ListGroups { request, after }).await;
        match self.answer().await {
            ServerFrame::GroupList(list) => list,
            other => panic!("{other:?}"),
        }
    }

    /// How far others have come: user, delivered, read.
    async fn receipts_of(&mut self, conversation: ConversationId) -> Result<Vec<(u64, u64, u64)>, ErrorCode> {
        let request = self.new_request();
        self.tell(&GetReceipts { request, conversation }).await;
        let numbers =
            |MemberMark { user, delivered, read, .. }: &MemberMark| (user.get(), delivered.get(), read.get());
        match self.answer().await {
            ServerFrame::Receipts(receipts) => Ok(receipts.marks.iter().map(numbers).collect()),
            ServerFrame::Error(error) => Err(code(&error)),
            other => panic!("{other:?}"),
        }
    }

    /// Takes so many messages and changes, and tells what they say.
    async fn take_entries(&mut self, count: usize) -> Vec<(u64, Said)> {
        let mut entries = Vec::new();
        while entries.len() < count {
            let message = self.take_message().await.message;
            entries.push((message.seq.get(), said(message)));
        }
        entries
    }
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    Text(String),
    /// A text that the connection has sent itself.
    Own,
    Change(GroupChange),
}

fn said(message: Message) -> Said {
    match (message.body, message.change) {
        (None, Some(change)) => Said::Change(change),
        (None, None) => Said::Own,
        (Some(body), None) => Said::Text(text(&body)),
        (Some(_), Some(_)) => panic!("a message that is a change"),
    }
}

fn text(body: &Body) -> String {
    String::from_utf8_lossy(body.as_bytes()).into_owned()
}

/// The group's first entry.
fn beginning(others: impl IntoIterator<Item = u64>) -> (u64, Said) {
    (1, Said::Change(GroupChange::Created { members: users(others), name: "crows".into() }))
}

fn texts(from: u64, texts: &[&str]) -> Vec<(u64, Said)> {
    texts.iter().zip(from..).map(|(text, seq)| (seq, Said::Text((*text).into()))).collect()
}

fn seq(number: u64) -> Seq {
    Seq::new(number)
}
