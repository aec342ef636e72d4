//! What is too old, found step by step: a crawler asks, submits the trims, and goes on where the step ended. A step is
//! bounded whatever the store holds, and one over fresh data costs two small reads for each conversation or inbox.
//!
//! Times are those of the messages. An inbox's events are as old as the messages they are about, or say when they were.

use bytes::Bytes;
use rookery_protocol::{ConversationId, GroupId, Message, Seq, Stamp, UserId};

use crate::engine::Snapshot;
use crate::error::StoreError;
use crate::keys::conversation::{self, log_key};
use crate::keys::group::{Membership, membership_key, membership_of, memberships_family_prefix};
use crate::keys::inbox::{self, AccountChange, InboxEntry, ShownChange};
use crate::keys::{decode, hidden, user};
use crate::op::KeyRange;
use crate::ops::{ForgetHidden, ForgetMembership, TrimInbox, TrimLog};

/// The bounds of a step.
#[derive(Debug, Clone, Copy)]
pub struct StepLimits {
    /// Conversations or inboxes to look at.
    pub places_max: usize,
    /// Messages or events to read. A message is up to a frame's bytes.
    pub entries_max: usize,
}

/// What a step found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step<Trim, Place> {
    /// To be submitted before the next step: it may begin at the last of them, and would find it again.
    pub trims: Vec<Trim>,
    /// Where to go on. `None` at the end of the store.
    pub next: Option<Place>,
}

/// Finds messages from before `before_ms` in the conversations from `from` on.
///
/// # Errors
/// When the store cannot be read.
pub async fn expired_messages(
    snapshot: &dyn Snapshot,
    from: Option<ConversationId>,
    before_ms: u64,
    limits: StepLimits,
) -> Result<Step<TrimLog, ConversationId>, StoreError> {
    let mut trims = Vec::new();
    let mut seek = KeyRange::prefix(&conversation::family_prefix(), 1);
    if let Some(from) = from {
        seek.begin = conversation::prefix(from);
    }
    let (mut places, mut entries) = (0, 0);
    while let Some((key, _)) = snapshot.range(&seek).await?.pop() {
        let conversation = conversation::conversation_of(&key)
            .ok_or_else(|| StoreError::Corrupt(format!("a conversation's key: {key:02x?}")))?;
        if places >= limits.places_max.max(1) || entries >= limits.entries_max.max(1) {
            return Ok(Step { trims, next: Some(conversation) });
        }
        places += 1;

        let room = limits.entries_max.max(1) - entries;
        let (trim, read) = expired_in_log(snapshot, conversation, before_ms, room).await?;
        entries += read;
        let whole_page = trim.as_ref().is_some_and(|trim| trim.sent.len() == room);
        trims.extend(trim);
        if whole_page {
            return Ok(Step { trims, next: Some(conversation) });
        }
        seek.begin = KeyRange::prefix(&conversation::prefix(conversation), 1).end;
    }
    Ok(Step { trims, next: None })
}

/// The expired messages among the first `limit` of a conversation, and how many were read.
async fn expired_in_log(
    snapshot: &dyn Snapshot,
    conversation: ConversationId,
    before_ms: u64,
    limit: usize,
) -> Result<(Option<TrimLog>, usize), StoreError> {
    let mut range = KeyRange {
        begin: log_key(conversation, Seq::ZERO),
        end: log_key(conversation, Seq::new(u64::MAX)),
        limit: 1,
        reverse: false,
    };
    // Mostly the first is fresh, and then there is no need to read more.
    let mut entries = snapshot.range(&range).await?;
    let mut read = entries.len();
    if limit > 1 && entries.first().is_some_and(|(_, logged)| expired(logged, before_ms).is_some()) {
        range.limit = limit;
        entries = snapshot.range(&range).await?;
        read = entries.len();
    }
    let messages: Vec<Message> = entries.iter().map_while(|(_, logged)| expired(logged, before_ms)).collect();
    let trim = messages.last().map(|last| TrimLog {
        conversation,
        upto: last.seq,
        sent: messages.iter().map(|message| (message.sender, message.device, message.id)).collect(),
    });
    Ok((trim, read))
}

/// The message, if it is from before `before_ms`. One that cannot be read is kept: somebody may want to look at it.
fn expired(logged: &Bytes, before_ms: u64) -> Option<Message> {
    decode::<Message>(logged).ok().filter(|message| message.time_ms < before_ms)
}

/// Finds events from before `before_ms`, or about messages no longer there, at the beginning of the inboxes from the place
/// `from` on: a user, and up to where that inbox has been looked at. And the inboxes of users who have been removed.
///
/// # Errors
/// When the store cannot be read.
pub async fn expired_events(
    snapshot: &dyn Snapshot,
    from: Option<(UserId, Stamp)>,
    before_ms: u64,
    limits: StepLimits,
) -> Result<Step<TrimInbox, (UserId, Stamp)>, StoreError> {
    let mut trims = Vec::new();
    let mut seek = KeyRange::prefix(&inbox::family_prefix(), 1);
    if let Some((user, after)) = from {
        seek.begin = inbox::key_after(user, after);
    }
    let (mut places, mut entries) = (0, 0);
    while let Some((key, _)) = snapshot.range(&seek).await?.pop() {
        let user =
            inbox::user_of(&key).ok_or_else(|| StoreError::Corrupt(format!("an inbox key: {key:02x?}")))?;
        let after = from.filter(|from| from.0 == user).map_or(Stamp::ZERO, |from| from.1);
        if places >= limits.places_max.max(1) || entries >= limits.entries_max.max(1) {
            return Ok(Step { trims, next: Some((user, after)) });
        }
        places += 1;

        let room = limits.entries_max.max(1) - entries;
        let found = expired_in_inbox(snapshot, (user, after), before_ms, room).await?;
        entries += found.read;
        trims.extend(found.upto.map(|upto| TrimInbox { user, upto }));
        if let Some(last) = found.on_after {
            return Ok(Step { trims, next: Some((user, last)) });
        }
        seek.begin = inbox::end(user);
    }
    Ok(Step { trims, next: None })
}

struct ExpiredEvents {
    upto: Option<Stamp>,
    read: usize,
    /// There may be more after this one.
    on_after: Option<Stamp>,
}

async fn expired_in_inbox(
    snapshot: &dyn Snapshot,
    (user, after): (UserId, Stamp),
    before_ms: u64,
    limit: usize,
) -> Result<ExpiredEvents, StoreError> {
    if super::get(snapshot, user::key(user)).await?.is_none() {
        return Ok(ExpiredEvents { upto: Some(Stamp::MAX), read: 1, on_after: None });
    }
    let found = expired_after(snapshot, (user, after), before_ms, 1).await?;
    if limit > 1 && found.on_after.is_some() {
        return expired_after(snapshot, (user, after), before_ms, limit).await;
    }
    Ok(found)
}

/// Up to where the first `limit` events after `after` are expired. Of some the age is not known: those of a kind that a
/// newer version wrote, and changes that an older version noted. They go with an expired one after them.
async fn expired_after(
    snapshot: &dyn Snapshot,
    (user, after): (UserId, Stamp),
    before_ms: u64,
    limit: usize,
) -> Result<ExpiredEvents, StoreError> {
    let events = super::inbox_after(snapshot, user, after, limit).await?;
    let places: Vec<_> = events.iter().filter_map(|(_, entry)| place(entry)).collect();
    let mut messages = super::messages(snapshot, places).await?.into_iter();

    let (mut upto, mut fresh) = (None, false);
    for (stamp, entry) in &events {
        let is_fresh = match (place(entry), noted_ms(entry)) {
            (Some(_), _) => {
                let message = messages.next().expect("one was fetched for each place");
                message.is_some_and(|logged| expired(&logged, before_ms).is_none())
            }
            (None, Some(time_ms)) => time_ms >= before_ms,
            (None, None) => continue,
        };
        if is_fresh {
            fresh = true;
            break;
        }
        upto = Some(*stamp);
    }
    let last = events.last().filter(|_| !fresh && events.len() == limit);
    Ok(ExpiredEvents { upto, read: events.len(), on_after: last.map(|(stamp, _)| *stamp) })
}

/// Which message an event is about.
fn place(entry: &InboxEntry) -> Option<(ConversationId, Seq)> {
    match entry {
        InboxEntry::Message(pointer) => Some((pointer.conversation, pointer.seq)),
        InboxEntry::Receipt(receipt) => Some((receipt.conversation, receipt.delivered)),
        InboxEntry::Shown(_) | InboxEntry::Account(_) | InboxEntry::Unknown(_) => None,
    }
}

/// When an event says that it was.
fn noted_ms(entry: &InboxEntry) -> Option<u64> {
    let time_ms = match entry {
        InboxEntry::Shown(ShownChange { time_ms, .. }) => *time_ms,
        InboxEntry::Account(AccountChange { time_ms, .. }) => *time_ms,
        InboxEntry::Message(_) | InboxEntry::Receipt(_) | InboxEntry::Unknown(_) => 0,
    };
    Some(time_ms).filter(|time_ms| *time_ms > 0)
}

/// Finds memberships after `after` that have ended before what is left of their group's log: there is nothing any more
/// that the user might see. Of `limits`, `places_max` counts.
///
/// # Errors
/// When the store cannot be read.
pub async fn expired_memberships(
    snapshot: &dyn Snapshot,
    after: Option<(UserId, GroupId)>,
    limits: StepLimits,
) -> Result<Step<ForgetMembership, (UserId, GroupId)>, StoreError> {
    let mut page = KeyRange::prefix(&memberships_family_prefix(), limits.places_max.max(1));
    if let Some((user, group)) = after {
        page.begin = membership_key(user, group);
        page.begin.push(0);
    }
    let (mut trims, mut next) = (Vec::new(), None);
    let found = snapshot.range(&page).await?;
    let is_full = found.len() == page.limit;
    for (key, value) in found {
        let (user, group) = membership_of(&key)
            .ok_or_else(|| StoreError::Corrupt(format!("a membership's key: {key:02x?}")))?;
        next = Some((user, group)).filter(|_| is_full);
        let membership: Membership = decode(&value)?;
        let Some(until) = membership.until else { continue };
        let first = super::first_seq(snapshot, ConversationId::group(group)).await?;
        if first.is_none_or(|first| until < first) {
            trims.push(ForgetMembership { user, group, until });
        }
    }
    Ok(Step { trims, next })
}

/// Finds messages hidden by name that are no longer there, from those of `from` on. Of `limits`, `places_max` counts.
///
/// # Errors
/// When the store cannot be read.
pub async fn expired_hidden(
    snapshot: &dyn Snapshot,
    from: Option<(UserId, ConversationId)>,
    limits: StepLimits,
) -> Result<Step<ForgetHidden, (UserId, ConversationId)>, StoreError> {
    let mut trims = Vec::new();
    let mut seek = KeyRange::prefix(&hidden::family_prefix(), 1);
    if let Some((user, conversation)) = from {
        seek.begin = hidden::conversation_prefix(user, conversation);
    }
    let mut places = 0;
    while let Some((key, _)) = snapshot.range(&seek).await?.pop() {
        let (user, conversation, seq) = hidden::hidden_of(&key)
            .ok_or_else(|| StoreError::Corrupt(format!("a hidden message's key: {key:02x?}")))?;
        if places >= limits.places_max.max(1) {
            return Ok(Step { trims, next: Some((user, conversation)) });
        }
        places += 1;
        let before = match super::first_seq(snapshot, conversation).await? {
            Some(first) => first,
            None => super::head(snapshot, conversation).await?.next(),
        };
        if seq < before {
            trims.push(ForgetHidden { user, conversation, before });
        }
        seek.begin = KeyRange::prefix(&hidden::conversation_prefix(user, conversation), 1).end;
    }
    Ok(Step { trims, next: None })
}
