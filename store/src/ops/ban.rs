//! Banning addresses and networks.

use crate::error::StoreError;
use crate::keys::ban::{self, BANS_MAX, Ban, BanList, Network};
use crate::keys::{decode, encode};
use crate::op::{Op, Reads, View, Writes};

/// Bans a network, in place of the ban there may be already.
#[derive(Debug, Clone)]
pub struct AddBan {
    /// Which.
    pub network: Network,
    /// Why, since when and until when.
    pub ban: Ban,
}

/// What became of a ban.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BanAdded {
    /// It is as was asked, and was not before.
    Changed,
    /// It was so already.
    Unchanged,
    /// There are as many as there may be.
    TooMany,
}

impl Op for AddBan {
    type Answer = Result<BanAdded, StoreError>;

    fn reads(&self, reads: &mut Reads) {
        reads.key(ban::key(self.network));
        reads.key(ban::list_key());
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Self::Answer {
        let before = read(view, self.network)?;
        if before.as_ref() == Some(&self.ban) {
            return Ok(BanAdded::Unchanged);
        }
        let mut list = list(view)?;
        if before.is_none() {
            if list.count >= BANS_MAX {
                return Ok(BanAdded::TooMany);
            }
            list.count += 1;
        }
        list.changes += 1;
        writes.put(ban::key(self.network), encode(&self.ban));
        writes.put(ban::list_key(), encode(&list));
        Ok(BanAdded::Changed)
    }
}

/// Takes a ban away.
#[derive(Debug, Clone, Copy)]
pub struct RemoveBan {
    /// Of which network; others that contain it, or that it contains, stay.
    pub network: Network,
    /// Only if it had ended by this time, milliseconds since 1970.
    pub ended_by_ms: Option<u64>,
}

impl Op for RemoveBan {
    /// Whether there was such a ban.
    type Answer = Result<bool, StoreError>;

    fn reads(&self, reads: &mut Reads) {
        reads.key(ban::key(self.network));
        reads.key(ban::list_key());
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Self::Answer {
        let Some(found) = read(view, self.network)? else { return Ok(false) };
        let ended = |by_ms| found.until_ms.is_some_and(|until_ms| until_ms <= by_ms);
        if self.ended_by_ms.is_some_and(|by_ms| !ended(by_ms)) {
            return Ok(false);
        }
        let mut list = list(view)?;
        list.changes += 1;
        list.count = list.count.saturating_sub(1);
        writes.delete(ban::key(self.network));
        writes.put(ban::list_key(), encode(&list));
        Ok(true)
    }
}

fn read(view: &View<'_>, network: Network) -> Result<Option<Ban>, StoreError> {
    view.get(&ban::key(network)).map(|value| decode(&value)).transpose()
}

fn list(view: &View<'_>) -> Result<BanList, StoreError> {
    let list = view.get(&ban::list_key()).map(|value| decode(&value)).transpose()?;
    Ok(list.unwrap_or(BanList::NONE))
}
