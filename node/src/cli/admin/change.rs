//! `rookery admin drain`, `remove`, `rebalance`, `weight` and `log-level`.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use rookery_store::keys::node::NodeName;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::arguments::{Drain, Sure};
use super::client::Api;
use super::cluster::Cluster;
use super::error::AdminError;
use super::nodes::rows_of;
use super::show::{Progress, length, say, say_json, say_table, table, write_json};
use super::url::segment;
use crate::admin::api;
use crate::cli::confirm::confirm;
use crate::config::Directives;

/// How often a drain is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long a node that is being drained may answer nothing: it has a lot to do.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// How much longer than it may take a drain is waited for: it counts from when the node has begun, and the node looks
/// after its last clients for a second however late it is.
const MARGIN: Duration = Duration::from_secs(10);

/// More rebalances than there are slots say that somebody else moves them back.
const STEPS_MAX: u32 = 4_096;

pub(super) async fn drain(cluster: &Cluster, drain: Drain, json: bool) -> Result<()> {
    let Drain { node, spread, within, sure } = drain;
    ensure!(spread <= Duration::from_secs(600), "--spread is {} at the most", length(600_000));
    ensure!(within <= Duration::from_secs(3_600), "--within is {} at the most", length(3_600_000));
    let api = cluster.node(&node)?;
    let question = format!(
        "Drain {node}? Its slots and clients go to other nodes, and it takes nobody until it is started again."
    );
    if !sure.yes && !confirm(&question)? {
        bail!("nothing was drained");
    }
    let request = api::DrainRequest {
        spread_seconds: spread.as_secs() as u32,
        within_seconds: within.as_secs() as u32,
    };
    let begun = api.post("/v1/drain", &request).await?;
    follow(&api, begun, Instant::now() + within + MARGIN, json).await
}

/// Shows how far a drain that has begun comes, until it has ended.
///
/// # Errors
/// When something is left at its end or at `until`, when the node has been started again, and when it answers nothing for
/// [`SILENCE_MAX`].
async fn follow(api: &Api, mut drain: api::Drain, until: Instant, json: bool) -> Result<()> {
    let (mut progress, mut heard) = (Progress::new(), Instant::now());
    loop {
        let api::Drain { node, state, running_ms, connections_left, slots_left, .. } = &drain;
        if json {
            let _ = write_json(&drain);
        } else {
            progress.show(&format!("{node}: {connections_left} connections and {slots_left} slots left"));
        }
        match state {
            api::DrainState::Draining if Instant::now() < until => {}
            api::DrainState::None => {
                progress.end();
                bail!("{node} has been started again: it is not drained");
            }
            api::DrainState::Drained => {
                progress.end();
                if !json {
                    say(format_args!("{node} is drained after {}: it may be stopped", length(*running_ms)));
                }
                return Ok(());
            }
            api::DrainState::Draining | api::DrainState::Late => {
                progress.end();
                let (node, connections, slots) = (node.clone(), *connections_left, *slots_left);
                return Err(AdminError::Late { node, connections, slots }.into());
            }
        }
        loop {
            sleep(LOOK_EVERY).await;
            match api.get("/v1/drain").await {
                Ok(now) => {
                    (drain, heard) = (now, Instant::now());
                    break;
                }
                Err(error @ AdminError::NoAnswer { .. }) if heard.elapsed() < SILENCE_MAX => {
                    progress.show(&error.to_string());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

pub(super) async fn remove(cluster: &Cluster, node: &NodeName, sure: Sure, json: bool) -> Result<()> {
    if !cluster.nodes.nodes.iter().any(|member| member.name == node.as_str()) {
        let names: Vec<&str> = cluster.nodes.nodes.iter().map(|member| member.name.as_str()).collect();
        let text = format!("there is no node {node} in the cluster: there are {}", names.join(", "));
        return Err(AdminError::NotFound(text).into());
    }
    let answers = match cluster.node(node) {
        Ok(api) => api.get::<api::Status>("/v1/status").await.is_ok(),
        Err(_) => false,
    };
    let alive =
        if answers { " It is alive, and joins again: drain and stop it to keep it away." } else { "" };
    let question = format!("Remove {node} from the cluster? Its slots go to other nodes.{alive}");
    if !sure.yes && !confirm(&question)? {
        bail!("nothing was removed");
    }
    let path = format!("/v1/nodes/{}", segment(node.as_str()));
    let changed: api::ViewChanged = cluster.another_than(node).delete(&path).await?;
    if json {
        say_json(&changed);
    } else {
        say(format_args!("removed {node}: the cluster's view has epoch {} now.{alive}", changed.epoch));
    }
    Ok(())
}

pub(super) async fn rebalance(cluster: &Cluster, step: u16, pause: Duration, json: bool) -> Result<()> {
    let (mut moved, mut progress) = (0, Progress::new());
    for _ in 0..STEPS_MAX {
        let done: api::Rebalanced =
            cluster.entry.post("/v1/rebalance", &api::RebalanceRequest { at_most: step }).await?;
        moved += done.moved;
        if json {
            let _ = write_json(&done);
        }
        if done.left == 0 {
            progress.end();
            if !json {
                say(format_args!("moved {moved} slots: all are where they should be (epoch {})", done.epoch));
            }
            return Ok(());
        }
        if !json {
            progress.show(&format!("moved {moved} slots, {} left", done.left));
        }
        sleep(pause).await;
    }
    bail!("{moved} slots were moved, and they are still not where they should be: do others rebalance, too?")
}

pub(super) async fn weight(cluster: &Cluster, node: &NodeName, weight: u32, json: bool) -> Result<()> {
    let path = format!("/v1/nodes/{}/weight", segment(node.as_str()));
    let changed: api::ViewChanged = cluster.entry.put(&path, &api::Weight { weight }).await?;
    if json {
        say_json(&changed);
    } else {
        say(format_args!(
            "{node} has the weight {weight} now; `rookery admin rebalance` moves slots accordingly"
        ));
    }
    Ok(())
}

pub(super) async fn log_level(cluster: &Cluster, level: Option<Directives>, json: bool) -> Result<()> {
    let wanted = level.map(|level| api::LogLevel { level: level.as_str().to_owned() });
    let ask = async |api: Api| match &wanted {
        Some(wanted) => api.put::<api::LogLevel>("/v1/log-level", wanted).await,
        None => api.get::<api::LogLevel>("/v1/log-level").await,
    };
    let answers = cluster.each(ask).await?;
    if json {
        let nodes = answers.answered.iter().map(|(node, it)| json!({ "node": node, "level": it.level }));
        say_json(&json!({ "nodes": nodes.collect::<Vec<_>>(), "unanswered": answers.unanswered }));
        return answers.all();
    }
    let mut shown = table(["node", "level"]);
    let mut rows = rows_of(&answers.unanswered);
    rows.extend(answers.answered.iter().map(|(node, it)| [node.clone(), it.level.clone()]));
    rows.sort();
    shown.add_rows(rows);
    say_table(&shown, "no nodes");
    answers.all()
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use axum::{Json, Router};
    use tokio::net::TcpListener;

    use super::*;
    use crate::cli::admin::client::Access;

    fn drain_is(state: api::DrainState) -> api::Drain {
        let node = "chat1".into();
        api::Drain { node, state, running_ms: 0, connections_before: 9, connections_left: 3, slots_left: 2 }
    }

    /// A drain of a node that goes on answering `state`, followed for as long as `within` says.
    async fn followed(state: api::DrainState, within: Duration) -> Result<()> {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", socket.local_addr().unwrap()).parse().unwrap();
        let router = Router::new().route("/v1/drain", get(async move || Json(drain_is(state))));
        let serving = tokio::spawn(async { axum::serve(socket, router).await });
        let api = Api::of_node("chat1".into(), url, Access::for_tests());
        let outcome = follow(&api, drain_is(api::DrainState::Draining), Instant::now() + within, true).await;
        serving.abort();
        outcome
    }

    #[tokio::test]
    async fn a_node_that_is_started_again_is_not_drained() {
        let outcome = tokio::time::timeout(
            Duration::from_secs(30),
            followed(api::DrainState::None, Duration::from_secs(3_600)),
        );
        let error = outcome.await.expect("it is not waited for").unwrap_err();
        assert_eq!(error.to_string(), "chat1 has been started again: it is not drained");
    }

    #[tokio::test]
    async fn a_drain_that_does_not_end_is_late() {
        let error = followed(api::DrainState::Draining, Duration::from_secs(1)).await.unwrap_err();
        let expected = AdminError::Late { node: "chat1".into(), connections: 3, slots: 2 };
        assert_eq!(error.to_string(), expected.to_string());
    }
}
