//! The operations: what Rookery does to its store, one a file. Each is harmless when applied again.
//!
//! What an operation cannot read stops it with [`StoreError::Corrupt`](crate::StoreError::Corrupt) in its answer: it
//! writes nothing then, and the other operations of its batch go on.

mod ack;
mod asker;
mod ban;
mod chat;
mod cluster;
mod entry;
mod expire;
mod follow;
mod group;
mod people;
mod read;
mod receipt;
mod reference;
mod report;
mod seen;
mod send;
mod settled;
mod trim;
mod users;

pub use ack::{AckEvents, Acked};
pub use asker::Asker;
pub use ban::{AddBan, BanAdded, RemoveBan};
pub use chat::{Hide, SetConversation};
pub use cluster::{
    Join, JoinError, Joined, MoveSlots, Moved, PostMail, PostOutcome, RemoveNode, RemoveOutcome, Renew,
    RenewOutcome, SetDraining, SetWeight, TakeMail, join,
};
pub use entry::{Accepted, Author, Outcome, Refusal};
pub use expire::ExpireMessages;
pub use follow::Follow;
pub use group::{ChangeGroup, CreateGroup, DeleteGroup, RemoveMember, Withdraw};
pub use people::{SetPerson, SetPrivacy, SetProfile};
pub use read::{MarkRead, MarkedRead};
pub use report::{MakeReport, ResolveReport};
pub use seen::NoteLastSeen;
pub use send::SendMessage;
pub use settled::Settled;
pub use trim::{ForgetHidden, ForgetMembership, TrimInbox, TrimLog};
pub use users::{
    AddDevice, AddDeviceError, AddUser, AddUserError, DeviceAdded, RemoveUser, Removed, RevokeDevice,
    SetStanding, SuspendUser, Suspended,
};
