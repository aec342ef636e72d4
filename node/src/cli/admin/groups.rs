//! `rookery admin group`.

use anyhow::Result;
use rookery_protocol::GroupId;

use super::arguments::Group;
use super::cluster::Cluster;
use super::show::{moment, say, say_json, say_table, table};
use crate::admin::api;

pub(super) async fn run(cluster: &Cluster, command: Group, json: bool) -> Result<()> {
    let entry = &cluster.entry;
    match command {
        Group::Show { group } => show(&entry.get(&path(group, "")).await?, json),
        Group::Members { group } => members(&entry.get(&path(group, "/members")).await?, json),
    }
    Ok(())
}

fn path(group: GroupId, more: &str) -> String {
    format!("/v1/groups/{group}{more}")
}

/// A text of somebody else's on a line of its own.
fn line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

fn person(api::GroupUser { user, handle }: &api::GroupUser) -> String {
    handle.clone().unwrap_or_else(|| format!("user {user}, who is no more"))
}

fn show(group: &api::Group, json: bool) {
    if json {
        say_json(group);
        return;
    }
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
