//! Broadcasts: the same to several people, to each as a direct message.

use std::collections::BTreeSet;

use rookery_protocol::{Body, ConversationId, UserId};
use tokio::sync::oneshot;

use super::{Client, SendTicket, check_length};
use crate::{BROADCAST_USERS_MAX, BroadcastError};

impl Client {
    /// Sends the same to each of these users, in the direct conversation with them: none learns of the others. As
    /// [`send`](Self::send) for each, all of them or none: they wait in the outbox, each has an id of its own, and is sent
    /// or refused ([`Event::SendFailed`](crate::Event::SendFailed)) by itself. The tickets are in the order of the users.
    ///
    /// # Errors
    /// When it names nobody, more than [`BROADCAST_USERS_MAX`] or somebody twice, while it is not known whose client this
    /// is (that is said by the local store, or by the first connection), and as [`send`](Self::send) when the outbox has
    /// no room for all of them. Nothing of it is kept then.
    pub fn broadcast(
        &self,
        users: &[UserId],
        body: impl Into<Body>,
    ) -> Result<Vec<SendTicket>, BroadcastError> {
        let body = body.into();
        if users.is_empty() {
            return Err(BroadcastError::Nobody);
        }
        if users.len() > BROADCAST_USERS_MAX {
            return Err(BroadcastError::TooMany { users: users.len() });
        }
        let mut named = BTreeSet::new();
        if let Some(twice) = users.iter().find(|user| !named.insert(**user)) {
            return Err(BroadcastError::Twice(*twice));
        }
        check_length(&body)?;
        let me = self.shared().state().user().ok_or(BroadcastError::NotConnected)?;
        let (mut messages, mut outcomes) = (Vec::new(), Vec::new());
        for user in users {
            let (reply, outcome) = oneshot::channel();
            messages.push((ConversationId::direct(me, *user), reply));
            outcomes.push(outcome);
        }
        let ids = self.shared().enqueue_each(messages, &body)?;
        let tickets = ids.into_iter().zip(outcomes).map(|(id, outcome)| SendTicket { id, outcome });
        Ok(tickets.collect())
    }
}
