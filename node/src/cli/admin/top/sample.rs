//! What `top` shows, looked at once: every node, and what has changed since the last look.

use std::collections::BTreeMap;

use serde::Serialize;
use tokio::time::Instant;

use super::metrics::Metrics;
use crate::admin::api;
use crate::cli::admin::arguments::ReachArguments;
use crate::cli::admin::client::Api;
use crate::cli::admin::cluster::Cluster;
use crate::cli::admin::error::{AdminError, Unanswered};

/// All nodes at one moment.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Sample {
    pub(super) cluster: String,
    pub(super) time_ms: u64,
    pub(super) epoch: u64,
    pub(super) nodes: Vec<Row>,
    pub(super) unanswered: Vec<Unanswered>,
}

/// A node. What is per second, and latencies, are of the time since the last look: none at the first.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Row {
    pub(super) node: String,
    /// `ready`, `draining` or `not ready`.
    pub(super) state: &'static str,
    pub(super) slots: u32,
    pub(super) connections: u64,
    pub(super) sessions: u64,
    pub(super) accepted_per_second: Option<f64>,
    pub(super) pushed_per_second: Option<f64>,
    pub(super) failed_per_second: Option<f64>,
    /// From a message's arrival to its commit; milliseconds.
    pub(super) send_p50_ms: Option<f64>,
    pub(super) send_p99_ms: Option<f64>,
    pub(super) commit_p99_ms: Option<f64>,
    pub(super) commit_operations: Option<f64>,
    pub(super) links_up: usize,
    pub(super) links: usize,
    /// Messages that wait for links, and to go through the store.
    pub(super) waiting: u64,
}

/// Remembers the last look.
#[derive(Default)]
pub(super) struct Sampler {
    last: BTreeMap<String, Seen>,
}

struct Seen {
    at: Instant,
    pid: u32,
    metrics: Metrics,
}

impl Sampler {
    /// Looks at all nodes.
    pub(super) async fn look(&mut self, reach: &ReachArguments) -> anyhow::Result<Sample> {
        let cluster = Cluster::find(reach).await?;
        let answers = cluster.each(look_at).await?;
        let mut sample = Sample { unanswered: answers.unanswered, ..Sample::default() };
        let mut seen = BTreeMap::new();
        for (node, (status, metrics, nodes)) in answers.answered {
            let now = Seen { at: Instant::now(), pid: status.pid, metrics: Metrics::parse(&metrics) };
            let before = self.last.get(&node).filter(|before| before.pid == now.pid);
            sample.cluster.clone_from(&status.cluster);
            sample.time_ms = sample.time_ms.max(status.time_ms);
            sample.epoch = sample.epoch.max(status.epoch);
            sample.nodes.push(row(&status, &nodes, before, &now));
            seen.insert(node, now);
        }
        self.last = seen;
        Ok(sample)
    }
}

async fn look_at(api: Api) -> Result<(api::Status, String, api::Nodes), AdminError> {
    tokio::try_join!(api.get("/v1/status"), api.text("/v1/metrics"), api.get("/v1/nodes"))
}

fn row(status: &api::Status, nodes: &api::Nodes, before: Option<&Seen>, now: &Seen) -> Row {
    let per_second = |name: &str| {
        let before = before?;
        let seconds = now.at.duration_since(before.at).as_secs_f64();
        Some(now.metrics.grown(&before.metrics, name)? / seconds.max(f64::EPSILON))
    };
    let milliseconds = |name: &str, part| Some(now.metrics.quantile(&before?.metrics, name, part)? * 1_000.0);
    let links: Vec<&api::Link> = nodes.nodes.iter().filter_map(|node| node.link.as_ref()).collect();
    let commits = per_second("rookery_store_commit_operations_count").filter(|commits| *commits > 0.0);
    let operations = per_second("rookery_store_commit_operations_sum");
    Row {
        node: status.node.clone(),
        state: match (status.draining, status.ready) {
            (true, _) => "draining",
            (false, true) => "ready",
            (false, false) => "not ready",
        },
        slots: status.slots,
        connections: status.counts.connections,
        sessions: status.counts.sessions,
        accepted_per_second: per_second("rookery_messages_accepted_total"),
        pushed_per_second: per_second("rookery_events_pushed_total"),
        failed_per_second: per_second("rookery_requests_failed_total"),
        send_p50_ms: milliseconds("rookery_send_seconds", 0.5),
        send_p99_ms: milliseconds("rookery_send_seconds", 0.99),
        commit_p99_ms: milliseconds("rookery_store_commit_seconds", 0.99),
        commit_operations: operations.zip(commits).map(|(operations, commits)| operations / commits),
        links_up: links.iter().filter(|link| link.state == api::LinkState::Up).count(),
        links: links.len(),
        waiting: links.iter().map(|link| link.waiting + link.waiting_mail).sum(),
    }
}
