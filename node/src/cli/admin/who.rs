//! `rookery admin where`, `sessions`, `connections` and `kick`.

use anyhow::{Result, bail};
use serde::Serialize;
use serde_json::json;

use super::arguments::{Kick, Limit};
use super::client::Api;
use super::cluster::Cluster;
use super::error::AdminError;
use super::nodes::rows_of;
use super::show::{bytes, length, or_dash, say, say_json, say_table, table};
use super::url::segment;
use crate::admin::api;
use crate::cli::confirm::confirm;

/// Entries in a page, the most there may be.
const PAGE: u64 = 1_000;

pub(super) async fn locate(cluster: &Cluster, user: &str, json: bool) -> Result<()> {
    let path = format!("/v1/users/{}/where", segment(user));
    let answers = cluster.each(async |api| api.get::<api::Where>(&path).await).await?;
    let Some((_, first)) = answers.answered.first() else { bail!("nobody has answered") };
    // Only the owner knows them.
    let hosts = answers.answered.iter().map(|(_, seen)| &seen.hosts).find(|hosts| !hosts.is_empty());
    let hosts: &[String] = hosts.map_or(&[], Vec::as_slice);
    if json {
        let nodes = answers.answered.iter().map(|(node, seen)| {
            json!({
                "node": node, "shard": seen.shard, "session": seen.session, "connections": seen.connections,
            })
        });
        say_json(&json!({
            "user": first.user, "handle": first.handle, "slot": first.slot, "owner": first.owner, "hosts": hosts,
            "nodes": nodes.collect::<Vec<_>>(), "unanswered": answers.unanswered,
        }));
        return answers.all();
    }
    let owner = first.owner.as_deref().unwrap_or("nobody: this node is alone");
    say(format_args!("{} (user {})   slot {}   owner {owner}", first.handle, first.user, first.slot));
    if !hosts.is_empty() {
        say(format_args!("the owner rings: {}", hosts.join(", ")));
    }
    let mut nodes = table(["node", "session", "shard#", "connections#"]);
    let mut shown = connections_table();
    let mut rows = rows_of(&answers.unanswered);
    for (node, seen) in &answers.answered {
        let connections = seen.connections.len().to_string();
        rows.push([node.clone(), session(seen.session).into(), seen.shard.to_string(), connections]);
        seen.connections.iter().for_each(|connection| {
            shown.add_row(row(node, connection));
        });
    }
    rows.sort();
    nodes.add_rows(rows);
    say(format_args!("\n{}", nodes.trim_fmt()));
    if !shown.is_empty() {
        say(format_args!("\n{}", shown.trim_fmt()));
    }
    answers.all()
}

fn session(state: api::SessionState) -> &'static str {
    match state {
        api::SessionState::Absent => "-",
        api::SessionState::Hibernating => "hibernating",
        api::SessionState::Alive => "alive",
    }
}

fn connections_table() -> comfy_table::Table {
    table(["node", "connection#", "user#", "device#", "from", "open", "in flight#", "queued#", ""])
}

fn row(node: &str, it: &api::Connection) -> [String; 9] {
    let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    [
        node.to_owned(),
        it.connection.to_string(),
        number(it.user),
        number(it.device.map(u64::from)),
        it.peer.clone(),
        length(it.open_ms),
        it.in_flight.to_string(),
        bytes(it.queued_bytes),
        if it.closing { "closing".into() } else { String::new() },
    ]
}

/// An entry, with the node that has it.
#[derive(Serialize)]
struct At<T> {
    node: String,
    #[serde(flatten)]
    it: T,
}

/// Entries of a node, page by page, and whether there are more.
async fn pages<T, P>(
    api: &Api,
    path: &str,
    limit: Limit,
    take: impl Fn(P) -> (Vec<T>, Option<u64>),
) -> Result<(Vec<T>, bool), AdminError>
where
    P: serde::de::DeserializeOwned,
{
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let wanted = limit.limit.saturating_sub(all.len() as u64).min(PAGE);
        if wanted == 0 {
            return Ok((all, true));
        }
        let more = after.map_or_else(String::new, |after: u64| format!("&after={after}"));
        let mark = if path.contains('?') { '&' } else { '?' };
        let (page, next) = take(api.get(&format!("{path}{mark}limit={wanted}{more}")).await?);
        all.extend(page);
        match next {
            Some(next) => after = Some(next),
            None => return Ok((all, false)),
        }
    }
}

/// All accounts.
pub(super) async fn users(api: &Api) -> Result<Vec<api::User>, AdminError> {
    let take = |page: api::Users| (page.users, page.next);
    Ok(pages(api, "/v1/users", Limit { limit: u64::MAX }, take).await?.0)
}

pub(super) async fn sessions(cluster: &Cluster, limit: Limit, json: bool) -> Result<()> {
    let take = |page: api::Sessions| (page.sessions, page.next);
    let answers = cluster.each(async |api| pages(&api, "/v1/sessions", limit, take).await).await?;
    let is_more = answers.answered.iter().any(|(_, (_, more))| *more);
    let all = answers.answered.iter();
    let all = all.flat_map(|(node, (some, _))| some.iter().map(|it| At { node: node.clone(), it }));
    if json {
        let all: Vec<_> = all.collect();
        say_json(&json!({ "sessions": all, "more": is_more, "unanswered": answers.unanswered }));
        return answers.all();
    }
    let mut shown = table(["node", "user#", "state", "shard#", "devices"]);
    for At { node, it } in all {
        let devices: Vec<String> = it.devices.iter().map(u32::to_string).collect();
        let (user, shard) = (it.user.to_string(), it.shard.to_string());
        shown.add_row([node, user, session(it.state).into(), shard, devices.join(", ")]);
    }
    say_table(&shown, "nobody is connected");
    tell_more(is_more, limit);
    answers.all()
}

pub(super) async fn connections(
    cluster: &Cluster,
    user: Option<&str>,
    from: Option<String>,
    limit: Limit,
    json: bool,
) -> Result<()> {
    let asked = [("user", user), ("peer", from.as_deref())];
    let asked = asked.iter().filter_map(|(what, value)| Some(format!("{what}={}", segment((*value)?))));
    let asked = asked.collect::<Vec<_>>().join("&");
    let path =
        if asked.is_empty() { "/v1/connections".to_owned() } else { format!("/v1/connections?{asked}") };
    let take = |page: api::Connections| (page.connections, page.next);
    let answers = cluster.each(async |api| pages(&api, &path, limit, take).await).await?;
    let is_more = answers.answered.iter().any(|(_, (_, more))| *more);
    let all = answers.answered.iter();
    let all = all.flat_map(|(node, (some, _))| some.iter().map(|it| At { node: node.clone(), it }));
    if json {
        let all: Vec<_> = all.collect();
        say_json(&json!({ "connections": all, "more": is_more, "unanswered": answers.unanswered }));
        return answers.all();
    }
    let mut shown = connections_table();
    for At { node, it } in all {
        shown.add_row(row(&node, it));
    }
    say_table(&shown, "no connections");
    tell_more(is_more, limit);
    answers.all()
}

fn tell_more(is_more: bool, limit: Limit) {
    if is_more {
        eprintln!("there are more: this is {} of each node at the most (--limit)", limit.limit);
    }
}

pub(super) async fn kick(cluster: &Cluster, kick: Kick, json: bool) -> Result<()> {
    let Kick { user, device, connection, only: _, reason, sure } = kick;
    let question = match (&user, &device, connection) {
        (Some(user), Some(device), _) => format!("Close the connections of {user}'s device \"{device}\"?"),
        (Some(user), None, _) => format!("Close all connections of {user}?"),
        (None, _, number) => {
            format!(
                "Close connection {} to {}?",
                number.unwrap_or_default(),
                or_dash(cluster.entry.name.as_str())
            )
        }
    };
    if !sure.yes && !confirm(&question)? {
        bail!("nothing was closed");
    }
    let kick = api::Kick { user, device, connection, reason };
    let answers = cluster.each(async |api| api.post::<api::Kicked>("/v1/kick", &kick).await).await?;
    let kicked: Vec<&api::Kicked> = answers.answered.iter().map(|(_, kicked)| kicked).collect();
    if json {
        say_json(&json!({ "nodes": kicked, "unanswered": answers.unanswered }));
        return answers.all();
    }
    let closed: usize = kicked.iter().map(|kicked| kicked.connections.len()).sum();
    match closed {
        0 => say("there was no connection to close"),
        _ => kicked.iter().filter(|kicked| !kicked.connections.is_empty()).for_each(|kicked| {
            say(format_args!("{}: closed {}", kicked.node, kicked.connections.len()));
        }),
    }
    answers.all()
}
