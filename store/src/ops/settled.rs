//! The answer of operations that change what is a user's own: how a conversation is listed, what of it is shown.

use super::asker::{Asker, Objection};
use super::entry::Refusal;
use crate::error::StoreError;
use crate::op::{View, Writes};

/// What became of a change of something of a user's own.
#[derive(Debug, Clone)]
pub enum Settled {
    /// It is so now, or was so before. If it is new, the user's devices have it in their inbox.
    Done,
    /// It may not be.
    Refused(Refusal),
    /// The device has connected anew, and has changed something from there: this came too late.
    Superseded,
    /// The device's token has been revoked, or the device removed.
    Revoked,
    /// The user's account has been suspended, for this reason.
    Suspended(String),
    /// Something in the store cannot be read.
    Corrupt(StoreError),
}

impl Settled {
    /// What becomes of it: what `decide` says, unless the device may do nothing for its user any more, or not from there.
    pub(super) fn of(
        asker: &Asker,
        view: &View<'_>,
        writes: &mut Writes<'_>,
        decide: impl FnOnce(&mut Writes<'_>) -> Result<Self, StoreError>,
    ) -> Self {
        let decided = asker.admitted(view).and_then(|admitted| match admitted {
            Err(Objection::Revoked) => Ok(Self::Revoked),
            Err(Objection::Suspended(reason)) => Ok(Self::Suspended(reason)),
            Ok(_) if !asker.supersede(view, writes)? => Ok(Self::Superseded),
            Ok(_) => decide(writes),
        });
        decided.unwrap_or_else(Self::Corrupt)
    }
}
