//! `rookery admin group`, and `where` of a group.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use rookery_protocol::GroupId;
use serde_json::json;

use super::arguments::{Group, Sure};
use super::client::Api;
use super::cluster::Cluster;
use super::nodes::rows_of;
use super::show::{line, moment, say, say_json, say_table, table};
use super::url::segment;
use crate::admin::api;
use crate::cli::confirm::confirm;

pub(super) async fn run(cluster: &Cluster, command: Group, json: bool) -> Result<()> {
    let entry = &cluster.entry;
    match command {
        Group::Show { group } => {
            let shown: api::Group = entry.get(&path(group, "")).await?;
            if json { say_json(&shown) } else { show(&shown) }
        }
        Group::Members { group } => members(&entry.get(&path(group, "/members")).await?, json),
        Group::RemoveMember { group, user, sure } => remove_member(entry, group, &user, sure, json).await?,
        Group::Delete { group, sure } => delete(entry, group, sure, json).await?,
    }
    Ok(())
}

fn path(group: GroupId, more: &str) -> String {
    format!("/v1/groups/{group}{more}")
}

pub(super) fn person(api::GroupUser { user, handle }: &api::GroupUser) -> String {
    handle.clone().unwrap_or_else(|| format!("user {user}, who is no more"))
}

pub(super) fn show(group: &api::Group) {
    let (name, creator) = (line(&group.name), person(&group.creator));
    say(format_args!("{name} ({})   since {} by {creator}", group.conversation, moment(group.created_ms)));
    for (what, text) in [("about", &group.about), ("picture", &group.picture)] {
        if !text.is_empty() {
            say(format_args!("{what}: {}", line(text)));
        }
    }
    let Some(settings) = &group.settings else {
        say(format_args!("it has been deleted, or everybody has left; its last entry is {}", group.head));
        return;
    };
    let admins: Vec<String> = group.admins.iter().map(person).collect();
    say(format_args!("{} members, up to entry {}", group.members, group.head));
    say(format_args!("admins: {}", admins.join(", ")));
    let who = |only_admins: bool| if only_admins { "admins" } else { "everybody" };
    let mut shown = table(["what", "who may"]);
    shown.add_row(["send", who(settings.only_admins_send)]);
    shown.add_row(["edit name, description, picture", who(settings.only_admins_edit)]);
    shown.add_row(["add members", who(settings.only_admins_add)]);
    say(format_args!("who joins sees {} entries from before\n\n{}", settings.backlog, shown.trim_fmt()));
}

fn members(group: &api::GroupMembers, json: bool) {
    if json {
        say_json(group);
        return;
    }
    let mut shown = table(["name", "user#", "role", "since#", "delivered#", "read#"]);
    for it in &group.members {
        let role = match it.role {
            api::GroupRole::Member => "member",
            api::GroupRole::Admin => "admin",
        };
        let [user, since, delivered, read] =
            [it.user, it.since, it.delivered, it.read].map(|number| number.to_string());
        shown.add_row([it.handle.clone().unwrap_or_default(), user, role.into(), since, delivered, read]);
    }
    say(format_args!("up to entry {}", group.head));
    say_table(&shown, "no members: it has been deleted, or everybody has left");
}

/// Where the members are. Somebody with devices at two nodes is counted at each.
pub(super) async fn locate(cluster: &Cluster, group: GroupId, json: bool) -> Result<()> {
    let answers = cluster.each(async |api| api.get::<api::GroupWhere>(&path(group, "/where")).await).await?;
    let Some((_, first)) = answers.answered.first() else { bail!("nobody has answered") };
    let connected: BTreeSet<u64> =
        answers.answered.iter().flat_map(|(_, seen)| &seen.connected).copied().collect();
    let nowhere = first.members.saturating_sub(connected.len() as u64);
    if json {
        let nodes = answers.answered.iter();
        let nodes = nodes.map(|(node, seen)| json!({ "node": node, "connected": seen.connected }));
        say_json(&json!({
            "group": group.get(), "name": first.name, "members": first.members, "nowhere": nowhere,
            "nodes": nodes.collect::<Vec<_>>(), "unanswered": answers.unanswered,
        }));
        return answers.all();
    }
    let whether =
        if answers.unanswered.is_empty() { "nowhere" } else { "at none of the nodes that answered" };
    say(format_args!(
        "{} (g:{group})   {} members, {nowhere} of them {whether}",
        line(&first.name),
        first.members
    ));
    let mut shown = table(["node", "members connected#"]);
    let mut rows = rows_of(&answers.unanswered);
    rows.extend(answers.answered.iter().map(|(node, seen)| [node.clone(), seen.connected.len().to_string()]));
    rows.sort();
    shown.add_rows(rows);
    say(format_args!("\n{}", shown.trim_fmt()));
    answers.all()
}

async fn remove_member(entry: &Api, group: GroupId, user: &str, sure: Sure, json: bool) -> Result<()> {
    let shown: api::Group = entry.get(&path(group, "")).await?;
    let name = line(&shown.name);
    if !sure.yes && !confirm(&format!("Take {user} out of {name} (g:{group})?"))? {
        bail!("nobody was taken out");
    }
    let done: api::Done = entry.delete(&path(group, &format!("/members/{}", segment(user)))).await?;
    if json {
        say_json(&done);
    } else if done.changed {
        say(format_args!("{user} is not in {name} any more"));
    } else {
        say(format_args!("{user} was not in {name}"));
    }
    Ok(())
}

async fn delete(entry: &Api, group: GroupId, sure: Sure, json: bool) -> Result<()> {
    let shown: api::Group = entry.get(&path(group, "")).await?;
    let (name, members) = (line(&shown.name), shown.members);
    if !sure.yes && !confirm(&format!("End {name} (g:{group}) for its {members} members?"))? {
        bail!("nothing was deleted");
    }
    let done: api::Done = entry.delete(&path(group, "")).await?;
    if json {
        say_json(&done);
    } else if done.changed {
        say(format_args!("{name} is no more"));
    } else {
        say(format_args!("{name} was no more already"));
    }
    Ok(())
}
