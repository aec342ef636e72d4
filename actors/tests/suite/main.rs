//! The actors as a client meets them: frames in, frames out, over a store in memory, in virtual time.
//!
//! Nothing sleeps but virtually, and every wait has a deadline. The clients know frames only; what they acknowledge,
//! and when, is each test's to say.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client;
mod faults;
mod network;
mod node;

mod admission;
mod channels;
mod chats;
mod cluster;
mod conversation;
mod crashes;
mod drain;
mod groups;
mod handshake;
mod hibernation;
mod inspect;
mod looking;
mod nodes;
mod people;
mod random;
mod rates;
mod resuming;
mod shadow_bans;
mod slow_reader;
mod store_faults;
