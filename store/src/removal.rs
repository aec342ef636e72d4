//! Removing an account, which takes an operation for each of its groups and of the channels it follows.

use rookery_protocol::{ConversationId, UserId};

use crate::error::StoreError;
use crate::ops::{Follow, RemoveUser, Removed, Settled, Withdraw};
use crate::queries;
use crate::store::Store;

/// Groups looked up at a time.
const GROUPS_AT_ONCE: usize = 256;

/// Takes a user out of every group and channel and removes the account. Whether there was one.
///
/// The members of those groups find the entries in their inboxes; nobody is woken for them. Interrupted, it leaves an
/// account that is out of some of its groups; called again, it goes on from there. A group that the user makes or is
/// added to meanwhile is found before the account goes.
///
/// # Errors
/// When the store cannot be read or written.
pub async fn remove_user(store: &Store, user: UserId, time_ms: u64) -> Result<bool, StoreError> {
    loop {
        withdraw_from_groups(store, user, time_ms).await?;
        let snapshot = store.snapshot().await?;
        let followed = queries::followed(&*snapshot, user).await?;
        drop(snapshot);
        for (group, _) in followed {
            let op = Follow { user, asker: None, group, follow: false, time_ms };
            if let Settled::Corrupt(error) = store.submit(&user, op).await?.answer {
                return Err(error);
            }
        }
        match store.submit(&user, RemoveUser { user }).await?.answer? {
            Removed::Done => return Ok(true),
            Removed::NoSuchUser => return Ok(false),
            Removed::InGroups => {}
        }
    }
}

async fn withdraw_from_groups(store: &Store, user: UserId, time_ms: u64) -> Result<(), StoreError> {
    loop {
        let snapshot = store.snapshot().await?;
        let groups = queries::groups(&*snapshot, user, None, GROUPS_AT_ONCE).await?;
        drop(snapshot);
        if groups.is_empty() {
            return Ok(());
        }
        for (group, _) in groups {
            let withdraw = Withdraw { group, user, time_ms };
            store.submit(&ConversationId::group(group), withdraw).await?.answer?;
        }
    }
}
