//! Every metric of this crate, by name, with what it counts.

use metrics::{
    Counter, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use rookery_protocol::ErrorCode;

pub(crate) const CONNECTIONS: &str = "rookery_connections";
pub(crate) const CONNECTIONS_CLOSED: &str = "rookery_connections_closed_total";
pub(crate) const CONNECTION_ACTORS: &str = "rookery_connection_actors";
pub(crate) const SESSIONS: &str = "rookery_sessions";
pub(crate) const SESSION_ACTORS: &str = "rookery_session_actors";
pub(crate) const RESTARTS: &str = "rookery_restarts_total";
const MESSAGES_ACCEPTED: &str = "rookery_messages_accepted_total";
pub(crate) const REQUESTS_FAILED: &str = "rookery_requests_failed_total";
const EVENTS_PUSHED: &str = "rookery_events_pushed_total";
const EVENTS_ACKED: &str = "rookery_events_acked_total";
pub(crate) const DOORBELLS_SHED: &str = "rookery_doorbells_shed_total";
pub(crate) const DOORBELLS_MAILED: &str = "rookery_doorbells_mailed_total";
pub(crate) const USERS_HOSTED_ELSEWHERE: &str = "rookery_users_hosted_elsewhere";
const LINK_MESSAGES_IN: &str = "rookery_link_messages_in_total";
pub(crate) const LINK_MESSAGES_UNKNOWN: &str = "rookery_link_messages_unknown_total";
pub(crate) const NODES_REMOVED: &str = "rookery_nodes_removed_total";
pub(crate) const REJOINED: &str = "rookery_rejoined_total";
pub(crate) const VIEW_CHANGES: &str = "rookery_view_changes_total";
pub(crate) const VIEW_EPOCH: &str = "rookery_view_epoch";
pub(crate) const VIEW_MEMBERS: &str = "rookery_view_members";
pub(crate) const VIEW_SLOTS: &str = "rookery_view_slots";
pub(crate) const SESSIONS_HIBERNATED: &str = "rookery_sessions_hibernated_total";
pub(crate) const WATCHES: &str = "rookery_watches";
const NOTICES: &str = "rookery_notices_total";
pub(crate) const NOTICES_DROPPED: &str = "rookery_notices_dropped_total";
const SEND_SECONDS: &str = "rookery_send_seconds";
const PUSH_SECONDS: &str = "rookery_push_seconds";
const SWEEP_EVENTS: &str = "rookery_sweep_events";

/// Kinds of actors that are replaced when they fail.
const RESTARTED: [&str; 7] =
    ["shard", "supervisor", "looking", "membership", "session", "connection", "peer"];

/// Kinds of notices.
const NOTICE_KINDS: [&str; 4] = ["presence", "typing", "receipts", "channel"];

/// Codes that tell of this server's trouble, not of a client's.
const ALARMING: [ErrorCode; 4] =
    [ErrorCode::Unavailable, ErrorCode::StoreFull, ErrorCode::Internal, ErrorCode::Busy];

/// Tells the current recorder what each metric means.
pub fn describe_metrics() {
    describe_gauge!(CONNECTIONS, "connections that have been welcomed and are open");
    describe_counter!(CONNECTIONS_CLOSED, "connections closed with an error, by the error's code");
    describe_gauge!(CONNECTION_ACTORS, "connections whose actor is alive; the others are idle");
    describe_gauge!(SESSIONS, "users with at least one connection");
    describe_gauge!(SESSION_ACTORS, "sessions whose actor is alive; the others hibernate");
    describe_counter!(RESTARTS, "actors that failed and were replaced, by kind");
    describe_counter!(MESSAGES_ACCEPTED, "messages committed for the first time");
    describe_counter!(REQUESTS_FAILED, "requests answered with an error, by the error's code");
    describe_counter!(EVENTS_PUSHED, "events written to connections' queues, repetitions included");
    describe_counter!(EVENTS_ACKED, "acknowledgements taken from devices, each of one event or more");
    describe_counter!(
        DOORBELLS_SHED,
        "messages to other nodes dropped because neither link nor mail had room; a sweep makes up for each"
    );
    describe_counter!(
        DOORBELLS_MAILED,
        "messages to other nodes that went through the store, for want of a link"
    );
    describe_gauge!(
        USERS_HOSTED_ELSEWHERE,
        "users owned by this node, once for each other node that has devices of theirs"
    );
    describe_counter!(LINK_MESSAGES_IN, "messages from other nodes, over links");
    describe_counter!(LINK_MESSAGES_UNKNOWN, "messages or batches from other nodes that were not understood");
    describe_counter!(
        NODES_REMOVED,
        "nodes this node has removed from the cluster because they did not live any more"
    );
    describe_counter!(REJOINED, "times this node has joined again because the others had taken it for dead");
    describe_counter!(VIEW_CHANGES, "views of the cluster that this node has adopted");
    describe_gauge!(VIEW_EPOCH, "the epoch of this node's view of the cluster");
    describe_gauge!(VIEW_MEMBERS, "nodes in this node's view of the cluster");
    describe_gauge!(VIEW_SLOTS, "slots that are this node's");
    describe_counter!(SESSIONS_HIBERNATED, "sessions whose actor ended because there was nothing to do");
    describe_gauge!(WATCHES, "connections that watch somebody or have a conversation open");
    describe_counter!(
        NOTICES,
        "notices of presence, typing and receipts written to connections' queues, by kind"
    );
    describe_counter!(
        NOTICES_DROPPED,
        "notices, or what they tell of, dropped because a connection or this node had no room; nothing is lost by it"
    );
    describe_histogram!(SEND_SECONDS, "seconds from a message's arrival to its commit");
    describe_histogram!(
        PUSH_SECONDS,
        "seconds from a message's arrival at its sender's node to its push to a recipient here, by the nodes' clocks; \
         messages older than a minute are not counted"
    );
    describe_histogram!(SWEEP_EVENTS, "events that a look into an inbox found waiting");
    begin_at_zero();
}

/// What counts rare things is there from the beginning: a rate is not seen of a counter that begins with its first.
fn begin_at_zero() {
    for code in ALARMING {
        counter!(REQUESTS_FAILED, "code" => format!("{code:?}")).increment(0);
        counter!(CONNECTIONS_CLOSED, "code" => format!("{code:?}")).increment(0);
    }
    for kind in RESTARTED {
        counter!(RESTARTS, "kind" => kind).increment(0);
    }
    for kind in NOTICE_KINDS {
        counter!(NOTICES, "kind" => kind).increment(0);
    }
    for rare in [
        DOORBELLS_SHED,
        DOORBELLS_MAILED,
        LINK_MESSAGES_UNKNOWN,
        NODES_REMOVED,
        REJOINED,
        VIEW_CHANGES,
        SESSIONS_HIBERNATED,
        NOTICES_DROPPED,
    ] {
        counter!(rare).increment(0);
    }
    for gauge in [CONNECTIONS, CONNECTION_ACTORS, SESSIONS, SESSION_ACTORS, USERS_HOSTED_ELSEWHERE, WATCHES] {
        gauge!(gauge).increment(0);
    }
}

/// What is counted for every message or notice, looked up once. Of the recorder that is installed when they are made.
#[derive(Clone)]
pub(crate) struct Meters {
    pub(crate) accepted: Counter,
    pub(crate) pushed: Counter,
    pub(crate) acked: Counter,
    pub(crate) link_messages_in: Counter,
    pub(crate) presence_notices: Counter,
    pub(crate) typing_notices: Counter,
    pub(crate) receipts_notices: Counter,
    pub(crate) channel_notices: Counter,
    pub(crate) notices_dropped: Counter,
    pub(crate) send_seconds: Histogram,
    pub(crate) push_seconds: Histogram,
    pub(crate) sweep_events: Histogram,
}

impl Meters {
    pub(crate) fn new() -> Self {
        let [presence_notices, typing_notices, receipts_notices, channel_notices] =
            NOTICE_KINDS.map(|kind| counter!(NOTICES, "kind" => kind));
        Self {
            accepted: counter!(MESSAGES_ACCEPTED),
            pushed: counter!(EVENTS_PUSHED),
            acked: counter!(EVENTS_ACKED),
            link_messages_in: counter!(LINK_MESSAGES_IN),
            presence_notices,
            typing_notices,
            receipts_notices,
            channel_notices,
            notices_dropped: counter!(NOTICES_DROPPED),
            send_seconds: histogram!(SEND_SECONDS),
            push_seconds: histogram!(PUSH_SECONDS),
            sweep_events: histogram!(SWEEP_EVENTS),
        }
    }
}

/// One of those that a gauge counts, for as long as it lives: also when what holds it ends in a panic.
#[derive(Debug)]
pub(crate) struct Counted(&'static str);

impl Counted {
    pub(crate) fn new(gauge: &'static str) -> Self {
        gauge!(gauge).increment(1);
        Self(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        gauge!(self.0).decrement(1);
    }
}
