//! Links to the cluster's other nodes: a full mesh over ractor_cluster, on connections of our own.
//!
//! ```text
//! accept ─┐                        ┌─ session (ractor_cluster) ── router ── events
//! dial ───┴─ TLS, first words ── pump
//! ```
//!
//! ractor_cluster carries messages between actors. What it leaves out is here: mutual TLS (`tls`, `ca`), a handshake
//! with deadlines and a rule for who dials (`connect`, `peer`), heartbeats, deadlines and bounds (`pump`, `flow`),
//! and dialling again. Only batches for the `router` cross a link.
//!
//! Invariants:
//! - a connection becomes a link only if both sides have proved to be the nodes they say, and each means that run of the
//!   other which it dials or keeps;
//! - there is at most one link to a peer, and of its events the order holds;
//! - what is handed in for a peer and not confirmed is bounded, on both sides;
//! - a peer that is gone or stopped is noticed within 3 s.

mod accept;
mod backoff;
mod ca;
mod connect;
mod flow;
mod hello;
mod links;
mod peer;
mod pump;
mod router;
mod session;
mod tls;
mod traffic;

pub use ca::{CaError, CertificatePem, dns_name, issue, make_ca};
pub use links::{ClusterLinks, LinkConfig};
pub use tls::{LinkFiles, LinkTls, LinkTlsError};
