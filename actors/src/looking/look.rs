//! What may be seen, read from the store.

use rookery_protocol::{ConversationId, GroupId, TypingNotice, UserId};
use rookery_store::engine::Snapshot;
use rookery_store::queries::{self, Aspect};
use rookery_store::{Store, StoreError};

use super::host::Sight;
use crate::connection::ConnectionId;

/// What a user may see of others, in their order.
pub(super) async fn sights(
    store: &Store,
    viewer: UserId,
    users: &[UserId],
) -> Result<Vec<(UserId, Sight)>, StoreError> {
    let snapshot = store.snapshot().await?;
    let may = queries::may_see_each(&*snapshot, viewer, users, [Aspect::Online, Aspect::LastSeen]).await?;
    let last_seen = queries::last_seen(&*snapshot, users).await?;
    let sights = users.iter().zip(may).zip(last_seen);
    let sight = |((user, [online, last_seen]), last_seen_ms): ((&UserId, [bool; 2]), u64)| {
        (*user, Sight { online, last_seen, last_seen_ms })
    };
    Ok(sights.map(sight).collect())
}

/// Those of some conversations that a user is in.
pub(super) async fn own(
    store: &Store,
    user: UserId,
    mut conversations: Vec<ConversationId>,
) -> Result<Vec<ConversationId>, StoreError> {
    let snapshot = store.snapshot().await?;
    let mut own = Vec::with_capacity(conversations.len());
    for conversation in conversations.drain(..) {
        if is_in(&*snapshot, user, conversation).await? {
            own.push(conversation);
        }
    }
    Ok(own)
}

/// Those connections whose users are not in a group.
pub(super) async fn outsiders(
    store: &Store,
    conversation: ConversationId,
    watchers: Vec<(ConnectionId, UserId)>,
) -> Result<Vec<ConnectionId>, StoreError> {
    let Some(group) = conversation.group_id() else { return Ok(Vec::new()) };
    let members = queries::members(&*store.snapshot().await?, group).await?;
    let is_member = |user| members.as_ref().is_some_and(|members| members.get(user).is_some());
    let outsiders = watchers.into_iter().filter(|(_, user)| !is_member(*user));
    Ok(outsiders.map(|(connection, _)| connection).collect())
}

/// The channels that a user follows, and the version of the store that says so.
pub(super) async fn followed(store: &Store, user: UserId) -> Result<(u64, Vec<GroupId>), StoreError> {
    let snapshot = store.snapshot().await?;
    let version = snapshot.version().await?;
    let followed = queries::followed(&*snapshot, user).await?;
    Ok((version, followed.into_iter().map(|(group, _)| group).collect()))
}

/// Whether others may hear of this: whoever types is in the conversation, and in a direct one neither has blocked the other.
/// Of shadow-banned accounts nobody hears anything.
pub(crate) async fn may_type(store: &Store, typing: &TypingNotice) -> Result<bool, StoreError> {
    let snapshot = store.snapshot().await?;
    let account = queries::user(&*snapshot, typing.user).await?;
    if account.is_none_or(|account| account.standing.is_shadow_banned) {
        return Ok(false);
    }
    match typing.conversation.direct_peer(typing.user) {
        Some(peer) => Ok(!queries::is_blocked(&*snapshot, typing.user, peer).await?),
        None => is_in(&*snapshot, typing.user, typing.conversation).await,
    }
}

async fn is_in(
    snapshot: &dyn Snapshot,
    user: UserId,
    conversation: ConversationId,
) -> Result<bool, StoreError> {
    match conversation.group_id() {
        Some(group) => {
            let membership = queries::membership(snapshot, user, group).await?;
            Ok(membership.is_some_and(|membership| membership.is_current()))
        }
        None => Ok(conversation.direct_peer(user).is_some()),
    }
}
