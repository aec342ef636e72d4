//! `rookery admin user`, `token` and `inbox`.

use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::json;

use super::arguments::{Sure, User};
use super::client::Api;
use super::cluster::{Cluster, all, unanswered};
use super::error::Unanswered;
use super::show::{moment, or_dash, say, say_json, say_table, table};
use super::url::segment;
use super::who::users;
use crate::admin::api;
use crate::cli::confirm::confirm;

pub(super) async fn run(cluster: &Cluster, command: User, json: bool) -> Result<()> {
    let entry = &cluster.entry;
    match command {
        User::Add { name } => {
            let made: api::UserShown = entry.post("/v1/users", &api::AddUser { handle: name.into() }).await?;
            if json {
                say_json(&made);
            } else {
                say(format_args!("added {} (user {})", made.user.handle, made.user.user));
            }
        }
        User::Show { user } => show(&entry.get(&path(&user, "")).await?, json),
        User::List => list(&users(entry).await?, json),
        User::Suspend { user, reason } => return suspend(cluster, &user, reason, json).await,
        User::Unsuspend { user } => {
            let done: api::Done = entry.delete(&path(&user, "/suspension")).await?;
            if json {
                say_json(&done);
            } else if done.changed {
                say(format_args!("{user} may be used again"));
            } else {
                say(format_args!("{user} was not suspended"));
            }
        }
        User::Unlimit { user } => {
            let says = ["may do everything as often as it likes", "had no limits before"];
            stand(entry, &user, api::Standing { unlimited: Some(true), ..Default::default() }, says, json)
                .await?;
        }
        User::Limit { user } => {
            let says = ["may do things only as often as others", "had the limits of others before"];
            stand(entry, &user, api::Standing { unlimited: Some(false), ..Default::default() }, says, json)
                .await?;
        }
        User::ShadowBan { user } => {
            let says = ["is not seen by others from now on", "was not seen by others before"];
            let standing = api::Standing { shadow_banned: Some(true), ..Default::default() };
            stand(entry, &user, standing, says, json).await?;
        }
        User::UnshadowBan { user } => {
            let says = ["is seen by others from now on", "was seen by others before"];
            let standing = api::Standing { shadow_banned: Some(false), ..Default::default() };
            stand(entry, &user, standing, says, json).await?;
        }
        User::Remove { user, sure } => remove(entry, &user, sure, json).await?,
        User::Devices { user, revoke: None, .. } => {
            let devices: api::Devices = entry.get(&path(&user, "/devices")).await?;
            if json {
                say_json(&devices);
            } else {
                devices_shown(&devices.devices);
            }
        }
        User::Devices { user, revoke: Some(device), sure } => {
            return revoke(cluster, &user, &device, sure, json).await;
        }
    }
    Ok(())
}

/// Says something of an account; `says` what is so if it changed, and if it did not.
async fn stand(entry: &Api, user: &str, standing: api::Standing, says: [&str; 2], json: bool) -> Result<()> {
    let done: api::Done = entry.put(&path(user, "/standing"), &standing).await?;
    if json {
        say_json(&done);
    } else {
        say(format_args!("{user} {}", says[usize::from(!done.changed)]));
    }
    Ok(())
}

fn path(user: &str, more: &str) -> String {
    format!("/v1/users/{}{more}", segment(user))
}

fn show(shown: &api::UserShown, json: bool) {
    if json {
        say_json(shown);
        return;
    }
    let user = &shown.user;
    say(format_args!("{} (user {})   since {}", user.handle, user.user, moment(user.created_ms)));
    if let Some(api::Suspension { since_ms, reason }) = &user.suspension {
        say(format_args!("suspended since {}: {}", moment(*since_ms), or_dash(reason.as_str())));
    }
    if user.unlimited {
        say("without limits");
    }
    if user.shadow_banned {
        say("shadow-banned: nobody else sees what it sends");
    }
    match shown.groups {
        None => {}
        Some(1) => say("in 1 group"),
        Some(groups) => say(format_args!("in {groups} groups")),
    }
    say("");
    devices_shown(&shown.devices);
}

fn devices_shown(devices: &[api::Device]) {
    let mut shown = table(["device#", "name", "since", "generation#"]);
    for device in devices {
        let (number, generation) = (device.device.to_string(), device.generation.to_string());
        shown.add_row([number, device.name.clone(), moment(device.created_ms), generation]);
    }
    say_table(&shown, "no devices");
}

fn list(users: &[api::User], json: bool) {
    if json {
        say_json(&json!({ "users": users }));
        return;
    }
    let mut shown = table(["name", "user#", "since", "suspended"]);
    for user in users {
        let suspended = user.suspension.as_ref().map_or_else(String::new, |it| {
            format!("since {} {}", moment(it.since_ms), it.reason).trim_end().to_owned()
        });
        shown.add_row([user.handle.clone(), user.user.to_string(), moment(user.created_ms), suspended]);
    }
    say_table(&shown, "no users yet: add one with `rookery admin user add NAME`");
}

/// The node that is asked closes the user's connections; so that others do not wait until they notice, they are told.
async fn suspend(cluster: &Cluster, user: &str, reason: String, json: bool) -> Result<()> {
    let done: api::Done = cluster.entry.put(&path(user, "/suspension"), &api::Suspend { reason }).await?;
    let missing = close_elsewhere(cluster, user, None, "this account has been suspended").await;
    if json {
        say_json(&json!({ "changed": done.changed, "unanswered": missing }));
    } else if done.changed {
        say(format_args!("{user} is suspended"));
    } else {
        say(format_args!("{user} was suspended already"));
    }
    all(&missing)
}

/// Closes connections at the nodes that the entry's doing does not reach.
async fn close_elsewhere(
    cluster: &Cluster,
    user: &str,
    device: Option<&str>,
    reason: &str,
) -> Vec<Unanswered> {
    let kick = api::Kick {
        user: Some(user.to_owned()),
        device: device.map(str::to_owned),
        connection: None,
        reason: Some(reason.to_owned()),
    };
    let (ways, mut missing) = cluster.ways();
    let others = ways.into_iter().filter(|api| api.name != cluster.entry.name);
    let told = others.map(async |api| {
        let told = api.post::<api::Kicked>("/v1/kick", &kick).await;
        told.err().map(|error| unanswered(&api, error))
    });
    missing.extend(futures_util::future::join_all(told).await.into_iter().flatten());
    missing
}

async fn remove(entry: &Api, user: &str, sure: Sure, json: bool) -> Result<()> {
    let shown: api::UserShown = entry.get(&path(user, "")).await?;
    let api::User { handle, user: number, .. } = &shown.user;
    let question =
        format!("Remove {handle} (user {number}), all devices, and every message not delivered to them yet?");
    if !sure.yes && !confirm(&question)? {
        bail!("nothing was removed");
    }
    // By the number: a handle may be somebody else's by now.
    let done: api::Done = entry.delete(&path(&format!("id:{number}"), "")).await?;
    if json {
        say_json(&done);
    } else if done.changed {
        say(format_args!("removed {handle} (user {number})"));
    } else {
        bail!("{handle} was removed by somebody else in the meantime");
    }
    Ok(())
}

async fn revoke(cluster: &Cluster, user: &str, device: &str, sure: Sure, json: bool) -> Result<()> {
    let question = format!("Revoke every token that {user}'s device \"{device}\" has been given?");
    if !sure.yes && !confirm(&question)? {
        bail!("nothing was revoked");
    }
    let revoke = path(user, &format!("/devices/{}/revoke", segment(device)));
    let done: api::Done = cluster.entry.post(&revoke, &json!({})).await?;
    let missing = close_elsewhere(cluster, user, Some(device), "the device's tokens have been revoked").await;
    if json {
        say_json(&json!({ "changed": done.changed, "unanswered": missing }));
    } else {
        say(format_args!("revoked: no token given to \"{device}\" so far lets it in again"));
    }
    all(&missing)
}

pub(super) async fn token(
    cluster: &Cluster,
    user: &str,
    device: String,
    expires: Duration,
    json: bool,
) -> Result<()> {
    let request = api::TokenRequest { device, seconds: Some(expires.as_secs()) };
    let made: api::TokenMade = cluster.entry.post(&path(user, "/tokens"), &request).await?;
    if json {
        say_json(&made);
    } else {
        say(made.token);
    }
    Ok(())
}

pub(super) async fn inbox(cluster: &Cluster, user: &str, peek: u32, json: bool) -> Result<()> {
    let inbox: api::Inbox = cluster.entry.get(&path(user, &format!("/inbox?peek={peek}"))).await?;
    if json {
        say_json(&inbox);
        return Ok(());
    }
    let at_least = if inbox.more { "at least " } else { "" };
    say(format_args!("user {}   {at_least}{} events", inbox.user, inbox.depth));
    if let Some(oldest) = &inbox.oldest {
        let when = oldest.time_ms.map_or_else(|| "no time".to_owned(), moment);
        say(format_args!("the oldest: {} of {when} ({})", kind(oldest.kind), oldest.stamp));
    }
    let mut devices = table(["device#", "name", "waiting#", "has acknowledged up to"]);
    for it in &inbox.devices {
        let (number, waiting) = (it.device.to_string(), it.waiting.to_string());
        devices.add_row([number, it.name.clone(), waiting, it.cursor.clone()]);
    }
    say("");
    say_table(&devices, "no devices");
    if peek > 0 {
        let mut events = table(["stamp", "what", "conversation", "seq#", "from#", "time", "bytes#"]);
        for it in &inbox.events {
            let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |it| it.to_string());
            events.add_row([
                it.stamp.clone(),
                kind(it.kind).into(),
                or_dash(it.conversation.clone().unwrap_or_default()),
                number(it.seq),
                number(it.from),
                it.time_ms.map_or_else(|| "-".to_owned(), moment),
                number(it.body_bytes),
            ]);
        }
        say("");
        say_table(&events, "no events");
    }
    Ok(())
}

fn kind(kind: api::EventKind) -> &'static str {
    match kind {
        api::EventKind::Message => "message",
        api::EventKind::Receipt => "receipt",
        api::EventKind::Shown => "shown or hidden",
        api::EventKind::Account => "account",
        api::EventKind::Unknown => "something of a newer version",
    }
}
