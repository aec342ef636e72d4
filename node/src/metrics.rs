//! The node's own metrics, all of them. The actors have theirs.

use std::time::Duration;

use metrics::{
    Counter, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use rookery_actors::Depth;
use rookery_store::CommitSeen;
use rookery_store::keys::node::NodeName;

const ACCEPTED: &str = "rookery_connections_accepted_total";
const REFUSED: &str = "rookery_connections_refused_total";
const HANDSHAKE_FAILED: &str = "rookery_handshakes_failed_total";
const OPEN: &str = "rookery_connections_open";
const OPEN_MAX: &str = "rookery_connections_max";
const COMMIT_SECONDS: &str = "rookery_store_commit_seconds";
const COMMIT_OPERATIONS: &str = "rookery_store_commit_operations";
const WRITES: &str = "rookery_store_writes_total";
const COMMITS_FAILED: &str = "rookery_store_commits_failed_total";
const STORE_QUEUE: &str = "rookery_store_queue_operations";
const STORE_FILE: &str = "rookery_store_file_bytes";
const STORE_FILE_MAX: &str = "rookery_store_file_bytes_max";
const REPORTS: &str = "rookery_reports_waiting";
const REPORTS_OLDEST: &str = "rookery_reports_oldest_age_seconds";
const NODE_INFO: &str = "rookery_node_info";
const ISOLATED: &str = "rookery_isolated";
const RESIDENT: &str = "process_resident_memory_bytes";
const STARTED: &str = "process_start_time_seconds";
const LINK_QUEUE: &str = "rookery_link_queue_messages";
const LINK_IN_FLIGHT: &str = "rookery_link_in_flight_bytes";
const LINK_CREDIT: &str = "rookery_link_credit_batches";
const MAIL: &str = "rookery_mail_messages";
const LINK_UP: &str = "rookery_link_up";
const LINK_BATCHES: &str = "rookery_link_batches_total";
const LINK_BYTES: &str = "rookery_link_bytes_total";
const LINK_BATCHES_REFUSED: &str = "rookery_link_batches_refused_total";
const LINK_BATCHES_UNREADABLE: &str = "rookery_link_batches_unreadable_total";
const LINK_HANDSHAKE_FAILED: &str = "rookery_link_handshakes_failed_total";
const LINK_DIAL_FAILED: &str = "rookery_link_dials_failed_total";
const LINK_CERTIFICATE_EXPIRES: &str = "rookery_link_certificate_expiry_time_seconds";
const LINK_ROUND_TRIP_SECONDS: &str = "rookery_link_round_trip_seconds";

/// The buckets of histograms, by the end of their names.
pub const BUCKETS: [(&str, &[f64]); 3] = [
    (
        "_seconds",
        &[
            0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.0, 2.0, 4.0,
            16.0, 60.0,
        ],
    ),
    ("_events", &[0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0]),
    ("_operations", &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0]),
];

/// Why commits fail.
const COMMIT_FAILURES: [&str; 9] =
    ["unavailable", "ambiguous", "conflict", "full", "too_large", "busy", "corrupt", "panicked", "closed"];

/// Why a listener takes no connection.
const REFUSALS: [&str; 3] = ["node_full", "address_full", "banned"];

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
    describe_gauge!(OPEN_MAX, "connections that may be open");
    describe_histogram!(COMMIT_SECONDS, Unit::Seconds, "time a commit took");
    describe_histogram!(COMMIT_OPERATIONS, Unit::Count, "operations in a commit");
    describe_counter!(WRITES, "keys that commits have set or removed, and ranges they have cleared");
    describe_counter!(COMMITS_FAILED, "commits that failed, by reason");
    describe_gauge!(STORE_QUEUE, "operations that wait for a commit to go with");
    describe_gauge!(
        STORE_FILE,
        Unit::Bytes,
        "the embedded store's file; it does not shrink, and has room in it"
    );
    describe_gauge!(STORE_FILE_MAX, Unit::Bytes, "the most the embedded store's file may be");
    describe_gauge!(REPORTS, "reports of users that no moderator has dealt with yet, in the whole cluster");
    describe_gauge!(
        REPORTS_OLDEST,
        Unit::Seconds,
        "for how long the oldest of the reports that wait has waited; 0 when none does"
    );
    describe_gauge!(NODE_INFO, "1, by the node's name and version");
    describe_gauge!(ISOLATED, "1 while the node takes no messages because it cannot renew its lease, else 0");
    describe_gauge!(RESIDENT, Unit::Bytes, "memory of the process");
    describe_gauge!(STARTED, Unit::Seconds, "when the process began, in seconds since 1970");
    describe_gauge!(LINK_QUEUE, "messages that wait for credit, by peer");
    describe_gauge!(LINK_IN_FLIGHT, Unit::Bytes, "bytes sent that the peer has not acknowledged, by peer");
    describe_gauge!(LINK_CREDIT, "batches that may be sent before the peer acknowledges one, by peer");
    describe_gauge!(MAIL, "messages that wait to go through the store, by peer");
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
    describe_gauge!(
        LINK_CERTIFICATE_EXPIRES,
        Unit::Seconds,
        "when the node's certificate for links expires, in seconds since 1970"
    );
    describe_histogram!(LINK_ROUND_TRIP_SECONDS, Unit::Seconds, "from a heartbeat on a link to its answer");
    // A rate is not seen of a counter that begins with its first.
    for reason in COMMIT_FAILURES {
        counter!(COMMITS_FAILED, "reason" => reason).increment(0);
    }
    for reason in REFUSALS {
        counter!(REFUSED, "reason" => reason).increment(0);
    }
    counter!(LINK_BATCHES_UNREADABLE).increment(0);
    counter!(LINK_HANDSHAKE_FAILED, "reason" => "other_ca").increment(0);
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

pub(crate) fn committed(CommitSeen { operations, writes, took }: CommitSeen) {
    histogram!(COMMIT_SECONDS).record(took);
    histogram!(COMMIT_OPERATIONS).record(operations as f64);
    counter!(WRITES).increment(writes as u64);
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
    counter!(LINK_BATCHES_REFUSED, "peer" => peer.clone()).increment(0);
    counter!(LINK_DIAL_FAILED, "peer" => peer.clone(), "reason" => "refused").increment(0);
    let batches = counter!(LINK_BATCHES, "peer" => peer.clone(), "direction" => direction);
    (batches, counter!(LINK_BYTES, "peer" => peer, "direction" => direction))
}

/// What there is to say to a peer.
pub(crate) fn peer(peer: &NodeName, up: bool, waiting: Depth) {
    let set = |name: &'static str, value: usize| gauge!(name, "peer" => peer.to_string()).set(value as f64);
    set(LINK_UP, usize::from(up));
    set(LINK_QUEUE, waiting.queued);
    set(LINK_IN_FLIGHT, waiting.in_flight_bytes);
    set(LINK_CREDIT, waiting.credit);
    set(MAIL, waiting.mail);
}

pub(crate) fn isolated(isolated: bool) {
    gauge!(ISOLATED).set(if isolated { 1.0 } else { 0.0 });
}

pub(crate) fn store_queue(operations: usize) {
    gauge!(STORE_QUEUE).set(operations as f64);
}

pub(crate) fn store_file(bytes: u64, bytes_max: u64) {
    gauge!(STORE_FILE).set(bytes as f64);
    gauge!(STORE_FILE_MAX).set(bytes_max as f64);
}

/// How many reports wait in the cluster, and for how long the oldest of them has.
pub(crate) fn reports_waiting(waiting: u64, oldest: Duration) {
    gauge!(REPORTS).set(waiting as f64);
    gauge!(REPORTS_OLDEST).set(oldest.as_secs_f64());
}

pub(crate) fn resident(bytes: u64) {
    gauge!(RESIDENT).set(bytes as f64);
}

/// What never changes while the node runs.
pub(crate) fn started(node: &NodeName, at_ms: u64, connections_max: usize) {
    gauge!(OPEN_MAX).set(connections_max as f64);
    gauge!(NODE_INFO, "node" => node.to_string(), "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    gauge!(STARTED).set(at_ms as f64 / 1_000.0);
}

/// When the node's certificate for links expires: seconds since 1970.
pub(crate) fn link_certificate_expires(at: u64) {
    gauge!(LINK_CERTIFICATE_EXPIRES).set(at as f64);
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
