//! The node's own metrics, all of them. The actors have theirs.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

const ACCEPTED: &str = "rookery_connections_accepted_total";
const REFUSED: &str = "rookery_connections_refused_total";
const HANDSHAKE_FAILED: &str = "rookery_handshakes_failed_total";
const OPEN: &str = "rookery_connections_open";
const COMMIT_SECONDS: &str = "rookery_store_commit_seconds";
const COMMIT_OPERATIONS: &str = "rookery_store_commit_operations";
const COMMITS_FAILED: &str = "rookery_store_commits_failed_total";

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
