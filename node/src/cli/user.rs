//! `rookery user`: accounts, directly on the store.

use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use comfy_table::Table;
use rand::RngExt;
use rookery_actors::{Clock, SystemClock};
use rookery_protocol::{DeviceId, Handle, UserId};
use rookery_store::keys::device::Device;
use rookery_store::keys::user::User as Account;
use rookery_store::ops::{AddUser, AddUserError};
use rookery_store::{Store, queries, remove_user};
use serde_json::json;

use super::arguments::{Place, User};
use super::confirm::confirm;
use super::local::Local;

/// Accounts read at a time.
const PAGE: usize = 1_000;

pub(super) async fn run(command: User) -> Result<()> {
    match command {
        User::Add { name, json, place } => {
            let local = Local::open(&place).await?;
            let user = add(&local.store, &name).await;
            local.store.close().await;
            let user = user?;
            if json {
                println!("{}", json!({ "name": name, "user": user }));
            } else {
                println!("added {name} (user {user})");
            }
        }
        User::List { json, place } => {
            let local = Local::open(&place).await?;
            list(&local.store, json, &place).await?;
            local.store.close().await;
        }
        User::Remove { name, yes, place } => {
            let local = Local::open(&place).await?;
            let user = local.user(&place, &name).await?;
            let question = format!(
                "Remove {name} (user {user}), all devices, and every message not delivered to them yet?"
            );
            if !yes && !confirm(&question)? {
                bail!("nothing was removed");
            }
            let removed = remove_user(&local.store, user, SystemClock.now_ms()).await;
            local.store.close().await;
            if removed? {
                println!("removed {name} (user {user})");
            } else {
                bail!("{name} was removed by somebody else in the meantime");
            }
        }
    }
    Ok(())
}

async fn add(store: &Store, name: &Handle) -> Result<UserId> {
    loop {
        let number = rand::rng().random_range(1..=UserId::MAX);
        let user = UserId::new(number).expect("the range is that of user numbers");
        let op = AddUser { user, handle: name.clone(), time_ms: SystemClock.now_ms() };
        match store.submit(&user, op).await?.answer {
            Ok(()) => return Ok(user),
            Err(AddUserError::UserTaken) => {}
            Err(AddUserError::HandleTaken(owner)) => {
                bail!("there is a user \"{name}\" already (user {owner})")
            }
            Err(error) => return Err(error).context(format!("cannot add {name}")),
        }
    }
}

async fn list(store: &Store, json: bool, place: &Place) -> Result<()> {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["name", "user", "since", "devices"]);
    let mut after = None;
    loop {
        // A snapshot a page: a store is not to be held at one version for long.
        let snapshot = store.snapshot().await?;
        let page = queries::users(&*snapshot, after, PAGE).await?;
        for (user, account) in &page {
            let devices = queries::devices(&*snapshot, *user).await?;
            if json {
                println!("{}", as_json(*user, account, &devices));
            } else {
                let names: Vec<&str> = devices.iter().map(|(_, device)| device.name.as_str()).collect();
                let row = [
                    account.handle.to_string(),
                    user.to_string(),
                    date(account.created_ms),
                    names.join(", "),
                ];
                table.add_row(row);
            }
        }
        match page.last() {
            Some((user, _)) if page.len() == PAGE => after = Some(*user),
            _ => break,
        }
    }
    if json {
        return Ok(());
    }
    if table.row_count() == 0 {
        println!("no users yet: add one with `{} alice`", place.command("user add"));
    } else {
        println!("{}", table.trim_fmt());
    }
    Ok(())
}

fn as_json(user: UserId, account: &Account, devices: &[(DeviceId, Device)]) -> serde_json::Value {
    let devices: Vec<_> = devices
        .iter()
        .map(|(device, about)| {
            json!({ "device": device, "name": about.name, "created_ms": about.created_ms, "generation": about.generation })
        })
        .collect();
    json!({ "name": account.handle, "user": user, "created_ms": account.created_ms, "devices": devices })
}

fn date(ms: u64) -> String {
    let mut text = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(ms)).to_string();
    text.truncate("2020-01-01".len());
    text
}
