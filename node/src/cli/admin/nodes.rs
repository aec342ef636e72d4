//! `rookery admin status`, `nodes` and `slots`.

use anyhow::Result;
use rookery_store::placement::SLOTS;
use serde::Serialize;
use serde_json::json;

use super::cluster::Cluster;
use super::error::Unanswered;
use super::show::{bytes, length, or_dash, say, say_json, say_table, table};
use crate::admin::api;

pub(super) async fn status(cluster: &Cluster, json: bool) -> Result<()> {
    let answers = cluster.each(async |api| api.get::<api::Status>("/v1/status").await).await?;
    let nodes: Vec<&api::Status> = answers.answered.iter().map(|(_, status)| status).collect();
    if json {
        say_json(&json!({ "nodes": nodes, "unanswered": answers.unanswered }));
        return answers.all();
    }
    if let Some(first) = nodes.first() {
        let epoch = nodes.iter().map(|node| node.epoch).max().unwrap_or_default();
        say(format_args!("cluster {}   engine {}   epoch {epoch}\n", first.cluster, first.engine));
    }
    let mut shown =
        table(["node", "state", "version", "up", "slots#", "connections#", "sessions#", "clients"]);
    let mut rows = rows_of(&answers.unanswered);
    rows.extend(nodes.into_iter().map(|node| {
        [
            node.node.clone(),
            state(node),
            node.version.clone(),
            length(node.uptime_ms),
            node.slots.to_string(),
            node.counts.connections.to_string(),
            node.counts.sessions.to_string(),
            node.clients.first().cloned().unwrap_or_default(),
        ]
    }));
    rows.sort();
    shown.add_rows(rows);
    say_table(&shown, "no nodes");
    answers.all()
}

/// Rows for those that have not answered: the node's name, and that.
pub(super) fn rows_of<const N: usize>(unanswered: &[Unanswered]) -> Vec<[String; N]> {
    let row = |node: &Unanswered| {
        std::array::from_fn(|column| match column {
            0 => node.node.clone(),
            1 => "does not answer".to_owned(),
            _ => String::new(),
        })
    };
    unanswered.iter().map(row).collect()
}

fn state(status: &api::Status) -> String {
    match (&status.not_ready, status.draining) {
        (_, true) => "draining".into(),
        (None, false) => "ready".into(),
        (Some(why), false) => format!("not ready: {why}"),
    }
}

/// A link, seen from one end.
#[derive(Serialize)]
struct LinkSeen {
    from: String,
    to: String,
    #[serde(flatten)]
    link: api::Link,
}

pub(super) async fn nodes(cluster: &Cluster, json: bool) -> Result<()> {
    let answers = cluster.each(async |api| api.get::<api::Nodes>("/v1/nodes").await).await?;
    let newest = answers.answered.iter().map(|(_, nodes)| nodes).max_by_key(|nodes| nodes.epoch);
    let nodes = newest.unwrap_or(&cluster.nodes);
    let mut links = Vec::new();
    for (from, seen) in &answers.answered {
        for node in &seen.nodes {
            if let Some(link) = &node.link {
                links.push(LinkSeen { from: from.clone(), to: node.name.clone(), link: link.clone() });
            }
        }
    }
    if json {
        say_json(&json!({
            "epoch": nodes.epoch,
            "nodes": nodes.nodes.iter().map(member).collect::<Vec<_>>(),
            "links": links,
            "unanswered": answers.unanswered,
        }));
        return answers.all();
    }
    let mut members =
        table(["node", "run#", "weight#", "slots#", "state", "version", "pid#", "link", "admin"]);
    for node in &nodes.nodes {
        members.add_row([
            node.name.clone(),
            node.incarnation.to_string(),
            node.weight.to_string(),
            node.slots.to_string(),
            member_state(node, &answers.unanswered).into(),
            node.lease.as_ref().map_or_else(String::new, |lease| lease.version.clone()),
            node.lease.as_ref().map_or_else(String::new, |lease| lease.pid.to_string()),
            or_dash(node.link_address.as_str()),
            or_dash(node.admin.as_str()),
        ]);
    }
    for node in answers.unanswered.iter().filter(|it| !nodes.nodes.iter().any(|node| node.name == it.node)) {
        members.add_row([node.node.as_str(), "", "", "", "runs here, and is no member"]);
    }
    say(format_args!("epoch {}\n", nodes.epoch));
    say_table(&members, "this node is alone: it is no member of a cluster");
    if !links.is_empty() {
        let columns = [
            "from",
            "to",
            "link",
            "since",
            "round trip#",
            "waiting#",
            "mail#",
            "unconfirmed#",
            "out#",
            "in#",
        ];
        let mut shown = table(columns);
        for LinkSeen { from, to, link } in &links {
            shown.add_row([
                from.clone(),
                to.clone(),
                link_state(link.state).into(),
                length(link.since_ms),
                link.rtt_us.map_or_else(String::new, |us| format!("{:.1} ms", us as f64 / 1_000.0)),
                link.waiting.to_string(),
                link.waiting_mail.to_string(),
                bytes(link.unconfirmed_bytes),
                bytes(link.bytes_out),
                bytes(link.bytes_in),
            ]);
        }
        say(format_args!("\n{}", shown.trim_fmt()));
    }
    answers.all()
}

/// A member without the link of whoever was asked first.
fn member(node: &api::Node) -> api::Node {
    api::Node { link: None, ..node.clone() }
}

fn member_state(node: &api::Node, unanswered: &[Unanswered]) -> &'static str {
    if node.lease.is_none() {
        "gone"
    } else if unanswered.iter().any(|it| it.node == node.name) {
        "does not answer"
    } else if node.draining {
        "draining"
    } else {
        "member"
    }
}

fn link_state(state: api::LinkState) -> &'static str {
    match state {
        api::LinkState::Up => "up",
        api::LinkState::Dialling => "dialling",
        api::LinkState::Refused => "refused",
    }
}

pub(super) async fn slots(cluster: &Cluster, ranges: bool, json: bool) -> Result<()> {
    let slots: api::Slots = cluster.entry.get("/v1/slots").await?;
    if json {
        say_json(&slots);
        return Ok(());
    }
    say(format_args!("epoch {}\n", slots.epoch));
    let mut shown = table(["node", "slots#", "share#", if ranges { "which" } else { "" }]);
    for node in &slots.nodes {
        let list = || {
            let list = node.ranges.iter().map(|api::SlotRange { first, last }| match first == last {
                true => first.to_string(),
                false => format!("{first}-{last}"),
            });
            list.collect::<Vec<_>>().join(" ")
        };
        let share = format!("{:.1} %", f64::from(node.slots) * 100.0 / f64::from(SLOTS));
        let which = if ranges { list() } else { String::new() };
        shown.add_row([node.node.clone(), node.slots.to_string(), share, which]);
    }
    say_table(&shown, "this node is alone: it is no member of a cluster, and owns them all");
    Ok(())
}
