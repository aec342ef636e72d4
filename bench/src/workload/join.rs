//! A node joins while many users sit idle at the others: how long until everybody is registered where they belong now,
//! and what that costs the store.

use std::path::Path;
use std::time::Duration;

use clap::Args as ClapArgs;
use clap::builder::RangedU64ValueParser;
use rookery_store::keys::view::ClusterView;
use tokio::time::{Instant, sleep, timeout};

use super::measure::connect;
use super::placement::{Placement, owner};
use crate::node::Nodes;
use crate::report::Report;
use crate::users::{BenchUser, prepare};

/// For registering everybody.
const SETTLE_TIME_MAX: Duration = Duration::from_secs(120);

/// How long commits are counted before the join, to tell its commits from those of leases alone.
const QUIET: Duration = Duration::from_secs(10);

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Idle sessions, each with one device: no more than this process may have open files, nor any node.
    #[arg(long, default_value_t = 16_000, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000_000))]
    sessions: usize,
    /// Nodes before the one that joins.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=15))]
    nodes: u8,
}

/// Measures; `data` is an empty directory.
pub(crate) async fn run(rookery: &Path, data: &Path, args: Args) -> anyhow::Result<Report> {
    let mut report = Report::new(format!("join: {} idle sessions at {} nodes", args.sessions, args.nodes));
    let users = prepare(data, args.sessions).await?;
    let mut nodes = Nodes::start(rookery, data, args.nodes.into()).await?;
    let before = nodes.len();
    let wires = connect(&nodes, &users).await?;
    let placement = Placement::of(data)?;

    let expected = elsewhere(&placement.view().await?, &users, before);
    settled(&nodes, expected).await?;
    let commits = commits(&nodes).await?;
    sleep(QUIET).await;
    let each_second = (commits_since(&nodes, commits).await?) / QUIET.as_secs_f64();

    let (commits, cpu, begun) = (self::commits(&nodes).await?, nodes.cpu()?, Instant::now());
    nodes.join(rookery, data).await?;
    let joined = begun.elapsed();
    let view = placement.view().await?;
    let moved = users.iter().filter(|user| owner(&view, user) == before).count();
    settled(&nodes, elsewhere(&view, &users, before)).await?;
    let took = begun.elapsed();
    // What leases cost at the same time is not the join's.
    let leases = each_second * took.as_secs_f64() * (before + 1) as f64 / before as f64;
    let cost = commits_since(&nodes, commits).await?;
    drop(wires);

    report.add("users whose slots moved", moved as f64, "");
    report.add("start of the process until all know it", joined.as_secs_f64() * 1e3, "ms");
    let headline =
        report.add("until every user is registered with the owner", took.as_secs_f64() * 1e3, "ms");
    report.headline(headline);
    report.add("commits meanwhile, without those of leases", (cost - leases).max(0.0), "");
    report.add("commits for leases alone", each_second, "/s");
    report.add("nodes: CPU meanwhile", (nodes.cpu()? - cpu).as_secs_f64() * 1e3, "ms");
    Ok(report)
}

/// How many users are at another node than their owner, of those that went to `nodes` nodes in turn.
fn elsewhere(view: &ClusterView, users: &[BenchUser], nodes: usize) -> f64 {
    let at = |number: usize| number % nodes;
    users.iter().enumerate().filter(|(number, user)| owner(view, user) != at(*number)).count() as f64
}

async fn settled(nodes: &Nodes, expected: f64) -> anyhow::Result<()> {
    let wait = async {
        while nodes.metric("rookery_users_hosted_elsewhere", "").await? != expected {
            sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    };
    match timeout(SETTLE_TIME_MAX, wait).await {
        Ok(settled) => settled,
        Err(_) => {
            let known = nodes.metric("rookery_users_hosted_elsewhere", "").await?;
            anyhow::bail!("{known} users are registered with their owners, {expected} are elsewhere")
        }
    }
}

async fn commits(nodes: &Nodes) -> anyhow::Result<f64> {
    nodes.metric("rookery_store_commit_seconds_count", "").await
}

async fn commits_since(nodes: &Nodes, before: f64) -> anyhow::Result<f64> {
    Ok(commits(nodes).await? - before)
}
