//! `rookery admin channel`.

use anyhow::Result;
use rookery_protocol::GroupId;

use super::arguments::Channel;
use super::client::Api;
use super::cluster::Cluster;
use super::groups;
use super::show::{line, moment, say, say_json, say_table, table};
use crate::admin::api;

pub(super) async fn run(cluster: &Cluster, command: Channel, json: bool) -> Result<()> {
    let entry = &cluster.entry;
    match command {
        Channel::List { after, limit } => {
            let channels = channels(entry, after.map(GroupId::get), limit).await?;
            if json { say_json(&channels) } else { list(&channels) }
        }
        Channel::Show { channel } => {
            let shown: api::ChannelShown = entry.get(&format!("/v1/channels/{channel}")).await?;
            if json { say_json(&shown) } else { show(&shown) }
        }
        Channel::Followers { channel, after, limit } => {
            let query = query(after.map(|user| user.get()), limit);
            let page: api::Followers =
                entry.get(&format!("/v1/channels/{channel}/followers?{query}")).await?;
            if json { say_json(&page) } else { followers(&page) }
        }
    }
    Ok(())
}

fn query(after: Option<u64>, limit: u32) -> String {
    let after = after.map(|after| format!("&after={after}")).unwrap_or_default();
    format!("limit={limit}{after}")
}

/// So many of the channels, from as many pages as they take: a page may have none though there are more.
async fn channels(entry: &Api, mut after: Option<u64>, limit: u32) -> Result<api::Channels> {
    let mut channels = Vec::new();
    loop {
        let left = limit - channels.len() as u32;
        let page: api::Channels = entry.get(&format!("/v1/channels?{}", query(after, left))).await?;
        channels.extend(page.channels);
        if page.next.is_none() || channels.len() as u32 >= limit {
            return Ok(api::Channels { channels, next: page.next });
        }
        after = page.next;
    }
}

fn list(api::Channels { channels, next }: &api::Channels) {
    let mut shown = table(["channel", "name", "since", "members#", "followers#"]);
    for channel in channels {
        let [members, followers] = [channel.members, channel.followers].map(|number| number.to_string());
        let (name, since) = (line(&channel.name), moment(channel.created_ms));
        shown.add_row([channel.conversation.clone(), name, since, members, followers]);
    }
    say_table(&shown, "no channels");
    if let Some(next) = next {
        say(format_args!("\nthere may be more: `--after {next}` shows them"));
    }
}

fn show(api::ChannelShown { group, followers }: &api::ChannelShown) {
    groups::show(group);
    say(format_args!("\n{followers} follow it"));
}

fn followers(page: &api::Followers) {
    let mut shown = table(["name", "user#"]);
    for follower in &page.followers {
        shown.add_row([groups::person(follower), follower.user.to_string()]);
    }
    say_table(&shown, "nobody follows it");
    if let Some(next) = page.next {
        say(format_args!("\n{} follow it in all: `--after id:{next}` shows more", page.count));
    }
}
