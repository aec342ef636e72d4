//! Stamps: places in inboxes that grow with commit order.
//!
//! A stamp is 10 bytes that the engine gives to a commit (a FoundationDB versionstamp; on one machine a commit number)
//! and 2 bytes that tell apart what one commit wrote.

use rookery_protocol::Stamp;

/// What the engine gave a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CommitStamp([u8; 10]);

/// One of a commit's stamps, known before the commit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StampSlot(pub(crate) u16);

impl CommitStamp {
    /// From the engine's bytes.
    pub const fn from_bytes(bytes: [u8; 10]) -> Self {
        Self(bytes)
    }

    /// From a commit number.
    pub fn from_number(number: u64) -> Self {
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        Self(bytes)
    }

    /// The stamp of one slot of this commit.
    pub fn stamp(self, slot: StampSlot) -> Stamp {
        let mut bytes = [0; 12];
        bytes[..10].copy_from_slice(&self.0);
        bytes[10..].copy_from_slice(&slot.0.to_be_bytes());
        Stamp::from_bytes(bytes)
    }
}

impl StampSlot {
    /// The slot's number, the stamp's last two bytes.
    pub const fn number(self) -> u16 {
        self.0
    }
}
