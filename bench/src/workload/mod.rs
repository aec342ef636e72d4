//! The workloads, one a file.

pub(crate) mod capacity;
pub(crate) mod channel;
mod client;
pub(crate) mod connect;
mod day;
pub(crate) mod direct;
pub(crate) mod failover;
pub(crate) mod fanout;
pub(crate) mod group;
pub(crate) mod idle;
pub(crate) mod join;
pub(crate) mod limits;
pub(crate) mod measure;
pub(crate) mod mixed;
pub(crate) mod offline;
mod outbox;
mod placement;
pub(crate) mod presence;
mod skewed;
mod steps;
mod storm;
mod waiting;
