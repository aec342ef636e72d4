//! The workloads, one a file.

pub(crate) mod channel;
pub(crate) mod connect;
pub(crate) mod direct;
mod fanout;
pub(crate) mod group;
pub(crate) mod idle;
pub(crate) mod join;
pub(crate) mod limits;
mod measure;
pub(crate) mod offline;
pub(crate) mod presence;
mod storm;
mod waiting;
