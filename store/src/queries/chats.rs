//! What is read of a user's conversations: which they are, how each stands, what of it is hidden.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use rookery_protocol::{ConversationId, GroupId, Message, Seq, UserId};

use super::channels::followed_channels;
use super::{get, groups, log_backwards};
use crate::engine::Snapshot;
use crate::error::StoreError;
use crate::keys::chat::{self, Chat};
use crate::keys::conversation::{Mark, decode_head, head_key, log_key, mark_key, withheld_key};
use crate::keys::group::Membership;
use crate::keys::{decode, hidden};
use crate::op::KeyRange;

/// Messages at a log's end among which one is looked for that a user may see.
const LOOKED_BACK: usize = 32;

/// A conversation that a user is or was in, or a channel that the user follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Which.
    pub conversation: ConversationId,
    /// How it is listed, and what of it is hidden.
    pub chat: Chat,
    /// The first message of it that the user may see, if it is not hidden.
    pub from: Seq,
    /// The last; `None`: whatever comes.
    pub until: Option<Seq>,
    /// All up to here is taken for read, whatever has been.
    pub behind: Seq,
    /// Whether the user is in it: one of the two, or a member now.
    pub is_member: bool,
    /// Whether it is a channel that the user follows.
    pub is_followed: bool,
}

/// How a conversation stands with a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The first message that the user may see, and that is not hidden with all before it.
    pub first: Seq,
    /// The last message that the user may see.
    pub head: Seq,
    /// All up to here have been read.
    pub read: Seq,
    /// The last message as logged, unless it is no longer there.
    pub last: Option<Bytes>,
    /// Whether that is hidden.
    pub is_last_hidden: bool,
}

/// How a conversation is shown to a user, as far as they have ever said.
///
/// # Errors
/// When the store cannot be read.
pub async fn chat(
    snapshot: &dyn Snapshot,
    user: UserId,
    conversation: ConversationId,
) -> Result<Chat, StoreError> {
    let chat = get(snapshot, chat::key(user, conversation)).await?;
    Ok(chat.map(|value| decode(&value)).transpose()?.unwrap_or_default())
}

/// Conversations that a user is or was in, and channels that the user follows, after `after` in the order of their ids'
/// bytes, up to `limit`: the direct ones, then groups and channels.
///
/// # Errors
/// When the store cannot be read.
pub async fn conversations(
    snapshot: &dyn Snapshot,
    user: UserId,
    after: Option<ConversationId>,
    limit: usize,
) -> Result<Vec<Listed>, StoreError> {
    let mut listed = Vec::new();
    let after_group = after.and_then(ConversationId::group_id);
    if after_group.is_none() {
        listed = direct(snapshot, user, after, limit).await?;
    }
    let groups = places(snapshot, user, after_group, limit - listed.len()).await?;
    let conversations = groups.keys().map(|group| ConversationId::group(*group));
    let keys: Vec<Vec<u8>> = conversations.map(|conversation| chat::key(user, conversation)).collect();
    let chats = snapshot.get_many(&keys).await?;
    for ((group, place), chat) in groups.into_iter().zip(chats) {
        let conversation = ConversationId::group(group);
        let chat = chat.map(|value| decode(&value)).transpose()?.unwrap_or_default();
        let Place { from, until, behind, is_member, is_followed } = place;
        listed.push(Listed { conversation, chat, from, until, behind, is_member, is_followed });
    }
    Ok(listed)
}

/// A user's place in a group.
struct Place {
    from: Seq,
    until: Option<Seq>,
    behind: Seq,
    is_member: bool,
    is_followed: bool,
}

/// The groups that a user is or was in, and the channels that the user follows.
async fn places(
    snapshot: &dyn Snapshot,
    user: UserId,
    after: Option<GroupId>,
    limit: usize,
) -> Result<BTreeMap<GroupId, Place>, StoreError> {
    let groups = groups(snapshot, user, after, limit).await?.into_iter();
    let place = |it: Membership| Place {
        from: it.from,
        until: it.until,
        behind: Seq::ZERO,
        is_member: it.is_current(),
        is_followed: false,
    };
    let mut places: BTreeMap<GroupId, Place> = groups.map(|(group, it)| (group, place(it))).collect();
    for (group, following) in followed_channels(snapshot, user, after, limit).await? {
        let place = places.entry(group).or_insert(Place {
            from: Seq::ZERO.next(),
            until: None,
            behind: following.from,
            is_member: false,
            is_followed: true,
        });
        place.is_followed = true;
        // Who follows a channel sees all of it, members and former members too.
        if place.until.take().is_some() {
            place.behind = following.from;
        }
        place.from = Seq::ZERO.next();
    }
    if let Some(beyond) = places.keys().nth(limit).copied() {
        places.split_off(&beyond);
    }
    Ok(places)
}

async fn direct(
    snapshot: &dyn Snapshot,
    user: UserId,
    after: Option<ConversationId>,
    limit: usize,
) -> Result<Vec<Listed>, StoreError> {
    let mut range = KeyRange::prefix(&chat::direct_prefix(user), limit);
    if let Some(after) = after {
        range.begin = chat::key(user, after);
        range.begin.push(0);
    }
    let entry = |(key, value): (Bytes, Bytes)| {
        let (_, conversation) =
            chat::chat_of(&key).ok_or_else(|| StoreError::Corrupt(format!("a chat's key: {key:02x?}")))?;
        let (chat, from, until, behind) = (decode(&value)?, Seq::ZERO.next(), None, Seq::ZERO);
        let (is_member, is_followed) = (true, false);
        Ok(Listed { conversation, chat, from, until, behind, is_member, is_followed })
    };
    snapshot.range(&range).await?.into_iter().map(entry).collect()
}

/// How some of a user's conversations stand. Reads the last message of each.
///
/// # Errors
/// When the store cannot be read.
pub async fn standings(
    snapshot: &dyn Snapshot,
    user: UserId,
    listed: &[Listed],
) -> Result<Vec<Standing>, StoreError> {
    let keys = listed.iter().map(|it| it.conversation);
    let keys = keys.flat_map(|conversation| [head_key(conversation), mark_key(conversation, user)]);
    let found = snapshot.get_many(&keys.collect::<Vec<_>>()).await?;
    let mut standings = Vec::with_capacity(listed.len());
    for (it, found) in listed.iter().zip(found.chunks_exact(2)) {
        let head = found[0].as_ref().map(|value| decode_head(value)).transpose()?.unwrap_or(Seq::ZERO);
        let mark = found[1].as_ref().map(|value| decode(value)).transpose()?.unwrap_or(Mark::NONE);
        standings.push(Standing {
            first: it.from.max(it.chat.hidden_up_to.next()),
            head: it.until.map_or(head, |until| until.min(head)),
            read: mark.read.max(it.behind),
            last: None,
            is_last_hidden: false,
        });
    }
    let places = listed.iter().zip(&standings).map(|(it, standing)| (it.conversation, standing.head));
    let keys = places.flat_map(|(place, head)| {
        [log_key(place, head), hidden::key(user, place, head), withheld_key(place, head)]
    });
    let found = snapshot.get_many(&keys.collect::<Vec<_>>()).await?;
    for ((it, standing), found) in listed.iter().zip(&mut standings).zip(found.chunks_exact(3)) {
        standing.last.clone_from(&found[0]);
        let mut is_hidden = found[1].is_some();
        if found[2].is_some() {
            let range = (it.from, standing.head);
            (standing.head, standing.last) = last_seen_by(snapshot, user, it.conversation, range).await?;
            let key = hidden::key(user, it.conversation, standing.head);
            is_hidden = get(snapshot, key).await?.is_some();
        }
        standing.is_last_hidden = standing.head < standing.first || is_hidden;
    }
    Ok(standings)
}

/// The last of the messages `from..=to` that is not withheld from a user, and its place. Of a long row of those that are,
/// only the end is looked at: then the place is the one before, and nothing is there.
async fn last_seen_by(
    snapshot: &dyn Snapshot,
    user: UserId,
    conversation: ConversationId,
    (from, to): (Seq, Seq),
) -> Result<(Seq, Option<Bytes>), StoreError> {
    let mut head = to;
    let logged = log_backwards(snapshot, conversation, (from, to), LOOKED_BACK).await?;
    for logged in logged {
        let message: Message = decode(&logged)?;
        let key = withheld_key(conversation, message.seq);
        if message.sender == user || get(snapshot, key).await?.is_none() {
            return Ok((message.seq, Some(logged)));
        }
        head = Seq::new(message.seq.get().saturating_sub(1));
    }
    Ok((head, None))
}

/// Which of the messages `from..=to` are hidden from a user by name, up to `limit`.
///
/// # Errors
/// When the store cannot be read.
pub async fn hidden(
    snapshot: &dyn Snapshot,
    user: UserId,
    conversation: ConversationId,
    (from, to): (Seq, Seq),
    limit: usize,
) -> Result<BTreeSet<Seq>, StoreError> {
    let mut end = hidden::key(user, conversation, to);
    end.push(0);
    let range = KeyRange { begin: hidden::key(user, conversation, from), end, limit, reverse: false };
    let seq = |(key, _): (Bytes, Bytes)| {
        let (_, _, seq) = hidden::hidden_of(&key)
            .ok_or_else(|| StoreError::Corrupt(format!("a hidden message's key: {key:02x?}")))?;
        Ok(seq)
    };
    snapshot.range(&range).await?.into_iter().map(seq).collect()
}
