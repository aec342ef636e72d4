//! What must be true of a world that has come to rest, beside what clients have seen.

use std::time::Duration;

use anyhow::Result;
use rookery_client::UserId;
use rookery_protocol::Stamp;
use rookery_store::check::Check;
use rookery_store::queries;
use rookery_tests::fleet::Fleet;
use tokio::time::{Instant, sleep};

use crate::trace::Trace;
use crate::world::World;

/// How long nodes may take, when clients have all they are to have, to have nothing to say to each other any more.
const QUIET: Duration = Duration::from_secs(60);

/// How long it is watched whether a quiet world is quiet.
const WATCHED: Duration = Duration::from_secs(60);

/// Commits of a node and second that has nothing to do: its lease, and what of its upkeep there may be.
const COMMITS_AT_REST: u64 = 2;

/// Batches of a node and second that has nothing to do.
const BATCHES_AT_REST: u64 = 2;

/// Events that all of a user's devices have and that need not be trimmed yet: a session trims after 64 of a device.
const LEFT_MAX: usize = 512;

/// Findings that are named.
const EXAMPLES: usize = 5;

/// All there is to say against a world at rest.
pub(crate) async fn at_rest(
    world: &World,
    fleet: &Fleet,
    users: &[UserId],
    trace: &Trace,
) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    let store = world.store();
    let owners = fleet.recorder().progress(|history, _| history.owners.clone());
    let deadline = Instant::now() + QUIET;
    let restless = loop {
        let mut restless = world.discord().await;
        let held = world.connections().await;
        let connections: usize = held.iter().map(|(_, connections)| connections).sum();
        if connections != fleet.clients().len() {
            restless
                .push(format!("{} clients have {connections} connections: {held:?}", fleet.clients().len()));
        }
        let snapshot = store.snapshot().await?;
        for user in users {
            let mut oldest = Stamp::MAX;
            for owner in owners.iter().filter(|owner| owner.user == *user) {
                oldest = oldest.min(queries::cursor(&*snapshot, *user, owner.device).await?);
            }
            let left = queries::inbox_after(&*snapshot, *user, Stamp::ZERO, usize::MAX).await?;
            if let Some((stamp, event)) = left.iter().find(|(stamp, _)| *stamp > oldest) {
                restless
                    .push(format!("user {user} has an event that not all devices have: {stamp}, {event:?}"));
            }
            if left.len() > LEFT_MAX {
                restless.push(format!("user {user} has {} events that all devices have", left.len()));
            }
        }
        drop(snapshot);
        if restless.is_empty() || Instant::now() >= deadline {
            break restless;
        }
        sleep(Duration::from_secs(1)).await;
    };
    wrong.extend(restless.into_iter().take(EXAMPLES));

    let before = (trace.count("commit"), trace.count("batch"));
    sleep(WATCHED).await;
    let (commits, batches) = (trace.count("commit") - before.0, trace.count("batch") - before.1);
    let node_seconds = world.connections().await.len() as u64 * WATCHED.as_secs();
    if commits > COMMITS_AT_REST * node_seconds || batches > BATCHES_AT_REST * node_seconds {
        wrong.push(format!(
            "at rest there were {commits} commits and {batches} batches in {node_seconds} seconds of nodes"
        ));
    }

    let mut check = Check::new(512);
    let mut found = 0;
    while let Some(findings) = check.step(&store).await? {
        found += findings.len();
        let named = findings.iter().map(|finding| format!("the store: {finding}"));
        wrong.extend(named.take(EXAMPLES.saturating_sub(found - findings.len())));
    }
    store.close().await;
    Ok(wrong)
}
