//! The node's own metrics, all of them. The actors have theirs.

use std::time::Duration;

use metrics::{
    Counter, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use rookery_store::keys::node::NodeName;

const ACCEPTED: &str = "rookery_connections_accepted_total";
const REFUSED: &str = "rookery_connections_refused_total";
const HANDSHAKE_FAILED: &str = "rookery_handshakes_failed_total";
const OPEN: &str = "rookery_connections_open";
const COMMIT_SECONDS: &str = "rookery_store_commit_seconds";
const COMMIT_OPERATIONS: &str = "rookery_store_commit_operations";
const COMMITS_FAILED: &str = "rookery_store_commits_failed_total";
const LINK_UP: &str = "rookery_link_up";
const LINK_BATCHES: &str = "rookery_link_batches_total";
const LINK_BYTES: &str = "rookery_link_bytes_total";
const LINK_BATCHES_REFUSED: &str = "rookery_link_batches_refused_total";
const LINK_BATCHES_UNREADABLE: &str = "rookery_link_batches_unreadable_total";
const LINK_HANDSHAKE_FAILED: &str = "rookery_link_handshakes_failed_total";
const LINK_DIAL_FAILED: &str = "rookery_link_dials_failed_total";
const LINK_ROUND_TRIP_SECONDS: &str = "rookery_link_round_trip_seconds";

/// The buckets of histograms, by the end of their names.
pub const BUCKETS: [(&str, &[f64]); 2] = [
    ("_seconds", &[0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.0, 4.0]),
    ("_operations", &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0]),
];

/// Tells the recorder what each means, the actors' included.
pub fn describe() {
    rookery_actors::describe_metrics();
    describe_counter!(ACCEPTED, "TCP connections accepted, by listener");
    describe_counter!(REFUSED, "connections refused by a limit, by reason");
    describe_counter!(
        HANDSHAKE_FAILED,
        "connections that failed before their first frame, by listener and stage"
    );
    describe_gauge!(OPEN, "connections open, handshakes included");
    describe_histogram!(COMMIT_SECONDS, Unit::Seconds, "time a commit took");
    describe_histogram!(COMMIT_OPERATIONS, Unit::Count, "operations in a commit");
    describe_counter!(COMMITS_FAILED, "commits that failed, by reason");
    describe_gauge!(LINK_UP, "whether there is a link to a node: 1 or 0, by peer");
    describe_counter!(LINK_BATCHES, "batches on links, by peer and direction");
    describe_counter!(LINK_BYTES, Unit::Bytes, "bytes in batches on links, by peer and direction");
    describe_counter!(
        LINK_BATCHES_REFUSED,
        "batches a link did not take because the peer had not confirmed what was sent before, by peer"
    );
    describe_counter!(LINK_BATCHES_UNREADABLE, "batches that came in a form this node does not know");
    describe_counter!(LINK_HANDSHAKE_FAILED, "connections from nodes that became no link, by reason");
    describe_counter!(LINK_DIAL_FAILED, "connections to nodes that became no link, by peer and reason");
    describe_histogram!(LINK_ROUND_TRIP_SECONDS, Unit::Seconds, "from a heartbeat on a link to its answer");
}

pub(crate) fn connection_accepted(listener: &'static str) {
    counter!(ACCEPTED, "listener" => listener).increment(1);
}

pub(crate) fn connection_refused(reason: &'static str) {
    counter!(REFUSED, "reason" => reason).increment(1);
}

pub(crate) fn handshake_failed(listener: &'static str, stage: &'static str) {
    counter!(HANDSHAKE_FAILED, "listener" => listener, "stage" => stage).increment(1);
}

pub(crate) fn connections_open(count: usize) {
    gauge!(OPEN).set(count as f64);
}

pub(crate) fn committed(operations: usize, took: Duration) {
    histogram!(COMMIT_SECONDS).record(took);
    histogram!(COMMIT_OPERATIONS).record(operations as f64);
}

pub(crate) fn commit_failed(reason: &'static str) {
    counter!(COMMITS_FAILED, "reason" => reason).increment(1);
}

/// Which way a batch goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkDirection {
    /// From the peer.
    In,
    /// To it.
    Out,
}

/// Counters of batches and of their bytes, held by who counts many.
pub(crate) fn link_counters(peer: &NodeName, direction: LinkDirection) -> (Counter, Counter) {
    let direction = match direction {
        LinkDirection::In => "in",
        LinkDirection::Out => "out",
    };
    let peer = peer.to_string();
    let batches = counter!(LINK_BATCHES, "peer" => peer.clone(), "direction" => direction);
    (batches, counter!(LINK_BYTES, "peer" => peer, "direction" => direction))
}

pub(crate) fn link_up(peer: &NodeName, up: bool) {
    gauge!(LINK_UP, "peer" => peer.to_string()).set(if up { 1.0 } else { 0.0 });
}

pub(crate) fn link_batch_refused(peer: &NodeName) {
    counter!(LINK_BATCHES_REFUSED, "peer" => peer.to_string()).increment(1);
}

pub(crate) fn link_batch_unreadable() {
    counter!(LINK_BATCHES_UNREADABLE).increment(1);
}

pub(crate) fn link_handshake_failed(reason: &'static str) {
    counter!(LINK_HANDSHAKE_FAILED, "reason" => reason).increment(1);
}

pub(crate) fn link_dial_failed(peer: &NodeName, reason: &'static str) {
    counter!(LINK_DIAL_FAILED, "peer" => peer.to_string(), "reason" => reason).increment(1);
}

pub(crate) fn link_round_trip(took: Duration) {
    histogram!(LINK_ROUND_TRIP_SECONDS).record(took);
}
