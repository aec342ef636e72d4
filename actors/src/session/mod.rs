//! One actor per user: what has been offered to the user's devices and not yet acknowledged.
//!
//! Durable truth lives in the store's inbox; losing this actor loses no event. Decisions are in [`machine`], which has
//! no clock, socket or store; [`actor`] carries them out; [`sweep`] reads the inbox. What devices send is checked in
//! [`writing`] and [`setting`], and [`telling`] tells what became of the former.
//!
//! Invariants:
//! - a device is pushed events in the order of their stamps, each after its commit, and none is skipped;
//! - no device has more events unacknowledged than its window, nor more bytes;
//! - a cursor is committed no further than the device has acknowledged.

mod actor;
mod hint;
pub(crate) mod machine;
mod setting;
mod sweep;
mod telling;
mod writing;

pub(crate) use actor::{Session, SessionMessage, SessionStart};
pub(crate) use hint::Hint;
pub(crate) use setting::Setting;
pub(crate) use writing::Writing;
