//! What end-to-end tests are made of: real nodes, bad networks, a fleet of clients that keep a history, and an oracle
//! that judges it.
//!
//! Nothing here looks into a node: it is the `rookery` program, driven by its command line, configuration, signals and
//! sockets. What is right is judged from the clients' own records alone, in [`oracle`], one invariant a file; [`Verdict`] adds
//! what else should not have happened.

mod accounts;
pub mod chaos;
pub mod cluster;
pub mod deadline;
pub mod failover;
pub mod fleet;
pub mod group_log;
pub mod history;
mod http;
mod metrics;
mod node;
mod node_config;
mod operator;
pub mod oracle;
mod ports;
mod process;
mod program;
mod proxy;
pub mod raw;
pub mod seed;
mod tokens;
mod verdict;

pub use accounts::{Account, Device, accounts};
pub use http::{Answer, get};
pub use metrics::Metrics;
pub use node::{Node, Place, Port};
pub use node_config::{Membership, NodeConfig, TlsFiles};
pub use operator::{Operator, Service};
pub use ports::free_port;
pub use program::rookery;
pub use proxy::{Cut, HowCut, Network, Proxy, Weather};
pub use tokens::TokenForge;
pub use verdict::Verdict;
