//! Requests that are answered from the store alone, off the session: nothing changes by them.

mod chats;
mod history;
mod people;

use rookery_protocol::{
    ConversationId, ErrorCode, FindPeople, Found, GetGroup, GetPrivacy, GetProfiles, GetReceipts, Group,
    GroupId, GroupList, History, ListConversations, ListGroups, ListPeople, Lookup, MemberMark, Payload,
    Receipts, RequestId, UserId, limits,
};
use rookery_store::engine::Snapshot;
use rookery_store::keys::conversation::Mark;
use rookery_store::keys::group::Members;
use rookery_store::{Store, StoreError, ops, queries};

use super::handle::Reply;
use crate::failure::of_store;

/// Marks and memberships read at once.
const READ_AT_ONCE: usize = limits::GROUP_MEMBERS_MAX;

/// A request to read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// A part of a conversation.
    History(History),
    /// A user.
    Lookup(Lookup),
    /// A group.
    Group(GetGroup),
    /// In which groups the user is.
    Groups(ListGroups),
    /// The user's conversations.
    Conversations(ListConversations),
    /// How far the members of a conversation have come.
    Receipts(GetReceipts),
    /// What may be seen of the user.
    Privacy(GetPrivacy),
    /// What others show to the user.
    Profiles(GetProfiles),
    /// What others are to the user.
    People(ListPeople),
    /// Whose handles some are.
    Find(FindPeople),
}

/// Why a request is refused.
pub(super) struct Refusal(pub(super) ErrorCode, pub(super) String);

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let (code, text) = of_store(&error);
        Self(code, text)
    }
}

/// Whether it exists or not.
fn not_member() -> Refusal {
    Refusal(ErrorCode::NotMember, ops::Refusal::NotMember.to_string())
}

impl Reading {
    /// The request's id.
    pub(crate) fn request(&self) -> RequestId {
        match self {
            Self::History(history) => history.request,
            Self::Lookup(lookup) => lookup.request,
            Self::Group(get) => get.request,
            Self::Groups(list) => list.request,
            Self::Conversations(list) => list.request,
            Self::Receipts(get) => get.request,
            Self::Privacy(get) => get.request,
            Self::Profiles(get) => get.request,
            Self::People(list) => list.request,
            Self::Find(find) => find.request,
        }
    }

    /// How many handles it tries.
    pub(super) fn lookups(&self) -> u32 {
        match self {
            Self::Lookup(lookup) => lookup.handle.is_some().into(),
            Self::Find(find) => find.handles.len().min(limits::FIND_PEOPLE_MAX) as u32,
            _ => 0,
        }
    }

    /// Whether the answer may be so long that it waits until others have been written.
    pub(super) fn is_long(&self) -> bool {
        !matches!(self, Self::Lookup(_) | Self::Privacy(_))
    }

    /// Answers it, for this user, as things are to be read at this time.
    pub(super) async fn answer(self, store: &Store, user: UserId, now_ms: u64, reply: Reply) {
        let snapshot = match store.snapshot().await {
            Ok(snapshot) => snapshot,
            Err(error) => return refuse(reply, error.into()),
        };
        let snapshot = &*snapshot;
        match self {
            Self::History(history) => give(reply, history::page(snapshot, user, &history, now_ms).await),
            Self::Lookup(lookup) => give(reply, find(snapshot, lookup).await),
            Self::Group(get) => give(reply, group(snapshot, user, &get).await),
            Self::Groups(list) => give(reply, groups(snapshot, user, &list).await),
            Self::Conversations(list) => {
                give(reply, chats::conversations(snapshot, user, &list, now_ms).await);
            }
            Self::Receipts(get) => give(reply, receipts(snapshot, user, &get).await),
            Self::Privacy(get) => give(reply, people::privacy(snapshot, user, &get).await),
            Self::Profiles(get) => give(reply, people::profiles(snapshot, user, &get).await),
            Self::People(list) => give(reply, people::people(snapshot, user, &list).await),
            Self::Find(find) => give(reply, people::find(snapshot, &find).await),
        }
    }
}

fn give<P: Payload>(reply: Reply, answer: Result<P, Refusal>) {
    match answer {
        Ok(answer) => reply.answer(&answer),
        Err(refusal) => refuse(reply, refusal),
    }
}

fn refuse(reply: Reply, Refusal(code, text): Refusal) {
    reply.refuse(code, text);
}

async fn find(snapshot: &dyn Snapshot, lookup: Lookup) -> Result<Found, Refusal> {
    let (user, handle) = match (lookup.user, lookup.handle) {
        (Some(user), None) => (Some(user), queries::user(snapshot, user).await?.map(|user| user.handle)),
        (None, Some(handle)) => (queries::user_by_handle(snapshot, &handle).await?, Some(handle)),
        _ => return Err(Refusal(ErrorCode::BadRequest, "give a handle or a user, and one of them".into())),
    };
    match (user, handle) {
        (Some(user), Some(handle)) => Ok(Found { request: lookup.request, user, handle }),
        _ => Err(Refusal(ErrorCode::NotFound, "no such user".into())),
    }
}

/// Who is in a group that a user is in.
async fn members(snapshot: &dyn Snapshot, user: UserId, group: GroupId) -> Result<Members, Refusal> {
    let members = queries::members(snapshot, group).await?;
    members.filter(|members| members.get(user).is_some()).ok_or_else(not_member)
}

async fn group(snapshot: &dyn Snapshot, user: UserId, get: &GetGroup) -> Result<Group, Refusal> {
    let members = queries::members(snapshot, get.group).await?.ok_or_else(not_member)?;
    let (is_member, is_channel) = (members.get(user).is_some(), members.settings.is_channel);
    if !is_member && !is_channel {
        return Err(not_member());
    }
    let shown = if is_member { members.list() } else { &[] };
    let group = queries::group(snapshot, get.group).await?.ok_or_else(not_member)?;
    let followers = if is_channel { queries::followers_count(snapshot, get.group).await? } else { 0 };
    Ok(Group {
        request: get.request,
        group: get.group,
        name: group.name,
        about: group.about,
        picture: group.picture,
        settings: members.settings.clone(),
        created_ms: group.created_ms,
        head: queries::head(snapshot, ConversationId::group(get.group)).await?,
        members: shown.iter().copied().map(Into::into).collect(),
        followers,
    })
}

async fn groups(snapshot: &dyn Snapshot, user: UserId, list: &ListGroups) -> Result<GroupList, Refusal> {
    let (mut groups, mut after) = (Vec::new(), list.after);
    // One more than a page, to know whether there is another.
    while groups.len() <= limits::GROUP_LIST_MAX {
        let some = queries::groups(snapshot, user, after, READ_AT_ONCE).await?;
        groups.extend(some.iter().filter(|(_, membership)| membership.is_current()).map(|(group, _)| *group));
        if some.len() < READ_AT_ONCE {
            break;
        }
        after = some.last().map(|(group, _)| *group);
    }
    let more = groups.len() > limits::GROUP_LIST_MAX;
    groups.truncate(limits::GROUP_LIST_MAX);
    Ok(GroupList { request: list.request, groups, more })
}

async fn receipts(snapshot: &dyn Snapshot, user: UserId, get: &GetReceipts) -> Result<Receipts, Refusal> {
    let conversation = get.conversation;
    let marks = match conversation.group_id() {
        Some(group) => {
            let members = members(snapshot, user, group).await?;
            let marks = queries::marks_of(snapshot, conversation, members.users()).await?;
            members.users().zip(marks).collect()
        }
        None => {
            let peer = conversation.direct_peer(user).ok_or_else(not_member)?;
            let mark = queries::mark(snapshot, conversation, peer).await?;
            let is_blocked = queries::is_blocked(snapshot, user, peer).await?;
            if is_blocked { Vec::new() } else { vec![(peer, mark.as_shown())] }
        }
    };
    let others = marks.into_iter().filter(|(of, mark)| *of != user && *mark != Mark::NONE);
    let marks = others.map(|(user, mark)| MemberMark {
        user,
        delivered: mark.delivered,
        read: mark.read,
        delivered_ms: mark.delivered_ms,
        read_ms: mark.read_ms,
    });
    Ok(Receipts { request: get.request, marks: marks.collect() })
}
