//! The commands.

mod bar;
mod chaos;
mod failover;

pub(crate) use chaos::Chaos;
pub(crate) use failover::Failover;
