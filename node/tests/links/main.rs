//! Links between nodes, some of which are other processes: killed, stopped, cut off, or not what they say.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod breaking;
mod carrying;
mod doors;
mod node;
mod other;
mod proxy;
