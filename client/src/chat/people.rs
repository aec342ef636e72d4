//! Names of users, asked for once.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rookery_protocol::{Handle, UserId};

use crate::{Client, RequestError};

/// Handles and users that the server has told.
pub(super) struct People {
    client: Client,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    handles: HashMap<UserId, Handle>,
    users: HashMap<Handle, UserId>,
}

impl People {
    pub(super) fn new(client: Client) -> Self {
        Self { client, known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn learn(&self, user: UserId, handle: &Handle) {
        let mut known = self.known();
        known.handles.insert(user, handle.clone());
        known.users.insert(handle.clone(), user);
    }

    /// A handle that is known already.
    pub(super) fn known_handle(&self, user: UserId) -> Option<Handle> {
        self.known().handles.get(&user).cloned()
    }

    pub(super) fn known_user(&self, handle: &Handle) -> Option<UserId> {
        self.known().users.get(handle).copied()
    }

    pub(super) async fn user(&self, handle: &Handle) -> Result<UserId, RequestError> {
        if let Some(user) = self.known_user(handle) {
            return Ok(user);
        }
        let found = self.client.lookup(handle.clone()).await?;
        self.learn(found.user, &found.handle);
        Ok(found.user)
    }

    /// `None` when the server does not say.
    pub(super) async fn handle(&self, user: UserId) -> Option<Handle> {
        if let Some(handle) = self.known_handle(user) {
            return Some(handle);
        }
        let found = self.client.lookup_user(user).await.ok()?;
        self.learn(found.user, &found.handle);
        Some(found.handle)
    }
}
