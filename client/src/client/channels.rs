//! Channels: groups that anyone may follow.

use rookery_protocol::{GroupId, GroupSettings};

use super::Client;
use crate::machine::Call;
use crate::{GroupError, RequestError};

/// Followers are no members: they read what is said, and say nothing. Members make, change and fill a channel like any group.
impl Client {
    /// Makes a channel in which this user, its admin, alone sends; as [`create_group`](Self::create_group) with these
    /// settings and no other members.
    ///
    /// # Errors
    /// As [`create_group`](Self::create_group).
    pub async fn create_channel(&self, name: impl Into<String>) -> Result<GroupId, GroupError> {
        let settings = GroupSettings { only_admins_send: true, is_channel: true, ..GroupSettings::default() };
        self.create_group(name, Vec::new(), settings).await
    }

    /// Follows a channel from now on, on all of the user's devices. What is said there comes as
    /// [`Event::Message`](crate::Event::Message) and [`Event::Change`](crate::Event::Change), each once and in order, also what
    /// was said without a connection; [`history`](Self::history) has what was there before. Again is no mistake.
    ///
    /// # Errors
    /// When the server says no ([`NotFound`](crate::ErrorCode::NotFound): there is no such group,
    /// [`NotAllowed`](crate::ErrorCode::NotAllowed): it is no channel, [`Full`](crate::ErrorCode::Full): the user follows
    /// [`FOLLOWED_MAX`](rookery_protocol::limits::FOLLOWED_MAX) already), or nothing in time: then it may have been done.
    pub async fn follow(&self, group: GroupId) -> Result<(), RequestError> {
        self.order(Call::Follow { group, follow: true }).await
    }

    /// Follows a channel no more. Nothing of it is handed up then but what had come before. What is not followed is let be.
    ///
    /// # Errors
    /// When the server says no, or nothing in time: then it may have been done.
    pub async fn unfollow(&self, group: GroupId) -> Result<(), RequestError> {
        self.order(Call::Follow { group, follow: false }).await
    }

    /// The channels that this user follows, ascending, as far as the server has told;
    /// [`Event::Followed`](crate::Event::Followed) tells when that changes.
    pub fn followed(&self) -> Vec<GroupId> {
        self.shared().state().followed.clone()
    }
}
