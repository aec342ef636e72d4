//! The workloads, one a file.

pub(crate) mod direct;
pub(crate) mod idle;
