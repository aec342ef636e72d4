//! Who is here.

use std::net::SocketAddr;
use std::time::Duration;

use rookery_protocol::{DeviceId, ErrorCode, UserId};
use rookery_store::keys::node::NodeName;
use rookery_store::placement::Slot;
use tokio::sync::oneshot;

use crate::actors::Actors;
use crate::connection::Connection;
use crate::shard::ShardMessage;

/// A connection, at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionSeen {
    /// Its number among those of this run of the node.
    pub number: u64,
    /// Whose, once it has been welcomed.
    pub identity: Option<(UserId, DeviceId)>,
    /// Who is at the other end.
    pub peer: SocketAddr,
    /// How long it has been open.
    pub open_for: Duration,
    /// Frames of the client's inside the node.
    pub in_flight: u32,
    /// Bytes waiting to be written.
    pub queued_bytes: usize,
    /// Whether it is being closed.
    pub is_closing: bool,
}

/// A session on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    /// None: the user is not connected here.
    Absent,
    /// An entry in its shard's map.
    Hibernating,
    /// Its actor is there.
    Alive,
}

/// A session, at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSeen {
    /// Whose.
    pub user: UserId,
    /// In which shard.
    pub shard: usize,
    /// Never [`SessionState::Absent`].
    pub state: SessionState,
    /// The devices connected.
    pub devices: Vec<DeviceId>,
}

/// What a shard knows of one user.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) session: Option<SessionSeen>,
    pub(crate) hosts: Vec<NodeName>,
}

/// Where a user is on this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The user's slot.
    pub slot: Slot,
    /// The shard that has the user's session, when there is one.
    pub shard: usize,
    /// The session.
    pub session: SessionState,
    /// The connections.
    pub connections: Vec<ConnectionSeen>,
    /// The other nodes that have devices of the user, if this node is the owner of the slot: as they have told.
    pub hosts: Vec<NodeName>,
}

impl Actors {
    /// Where a user is on this node.
    pub async fn locate(&self, user: UserId) -> Located {
        let slot = Slot::of_user(user);
        let shards = self.context.router.shards();
        let shard = usize::from(slot.number()) % shards.len().max(1);
        let found = match shards.get(shard) {
            Some(it) => ask(it, |tell| ShardMessage::Find { user, number: shard, tell }).await,
            None => Found::default(),
        };
        Located {
            slot,
            shard,
            session: found.session.map_or(SessionState::Absent, |seen| seen.state),
            connections: self.connections(0, usize::MAX, |it| it.identity.is_some_and(|(of, _)| of == user)),
            hosts: found.hosts,
        }
    }

    /// Sessions of users after `after`, by number, up to `limit`.
    pub async fn sessions(&self, after: Option<UserId>, limit: usize) -> Vec<SessionSeen> {
        let mut all = Vec::new();
        for (number, shard) in self.context.router.shards().iter().enumerate() {
            all.extend(ask(shard, |tell| ShardMessage::List { number, after, limit, tell }).await);
        }
        first(all, limit, |session| session.user)
    }

    /// Connections with numbers above `after` that are `wanted`, by number, up to `limit`.
    pub fn connections(
        &self,
        after: u64,
        limit: usize,
        wanted: impl Fn(&ConnectionSeen) -> bool,
    ) -> Vec<ConnectionSeen> {
        let all = self.context.connections.all().into_iter();
        let seen = all.filter(|connection| connection.id.0 > after).map(|connection| connection.seen());
        first(seen.filter(wanted).collect(), limit, |connection| connection.number)
    }

    /// Closes the connections that are `wanted` with an error, and returns their numbers.
    pub fn close(&self, code: ErrorCode, text: &str, wanted: impl Fn(&ConnectionSeen) -> bool) -> Vec<u64> {
        let is_wanted = |connection: &Connection| {
            let seen = connection.seen();
            !seen.is_closing && wanted(&seen)
        };
        let mut closed = Vec::new();
        for connection in self.context.connections.all() {
            if is_wanted(&connection) {
                connection.close_with(code, text);
                closed.push(connection.id.0);
            }
        }
        closed.sort_unstable();
        closed
    }
}

/// Asks a shard. One that is being replaced knows nothing.
async fn ask<T: Default>(
    shard: &ractor::ActorRef<ShardMessage>,
    question: impl FnOnce(oneshot::Sender<T>) -> ShardMessage,
) -> T {
    let (tell, answer) = oneshot::channel();
    if shard.cast(question(tell)).is_err() {
        return T::default();
    }
    answer.await.unwrap_or_default()
}

/// The first `limit` in order.
fn first<T, K: Ord>(mut all: Vec<T>, limit: usize, key: impl Fn(&T) -> K) -> Vec<T> {
    all.sort_unstable_by_key(key);
    all.truncate(limit);
    all
}

/// Which of a shard's users make the page, in order. Looks at all of them and keeps only the page.
pub(crate) fn page_of(
    users: impl Iterator<Item = UserId>,
    after: Option<UserId>,
    limit: usize,
) -> Vec<UserId> {
    let mut page = std::collections::BinaryHeap::new();
    for user in users.filter(|user| after.is_none_or(|after| *user > after)) {
        if page.len() < limit {
            page.push(user);
        } else if page.peek().is_some_and(|last| user < *last) {
            page.pop();
            page.push(user);
        }
    }
    page.into_sorted_vec()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn user(number: u64) -> UserId {
        UserId::new(number).expect("an id")
    }

    proptest! {
        #[test]
        fn pages_have_everybody_once_and_in_order(
            users in proptest::collection::hash_set(1..500_u64, 0..60),
            limit in 1..20_usize,
        ) {
            let mut seen = Vec::new();
            loop {
                let page = page_of(users.iter().map(|number| user(*number)), seen.last().copied(), limit);
                prop_assert!(page.len() <= limit);
                if page.is_empty() {
                    break;
                }
                seen.extend(page);
            }
            let mut all: Vec<UserId> = users.into_iter().map(user).collect();
            all.sort_unstable();
            prop_assert_eq!(seen, all);
        }
    }
}
