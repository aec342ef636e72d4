//! `rookery admin ban`.

use anyhow::Result;

use super::arguments::Ban;
use super::cluster::Cluster;
use super::show::{moment, or_dash, say, say_json, say_table, table};
use super::url::segment;
use crate::admin::api;

pub(super) async fn run(cluster: &Cluster, command: Ban, json: bool) -> Result<()> {
    match command {
        Ban::List => {
            let bans: api::Bans = cluster.entry.get("/v1/bans").await?;
            if json {
                say_json(&bans);
            } else {
                list(&bans.bans);
            }
        }
        Ban::Add { network, reason, time } => {
            let seconds = time.map(|time| time.as_secs());
            let ban = api::AddBan { network: network.to_string(), reason, seconds };
            let added: api::BanAdded = cluster.entry.post("/v1/bans", &ban).await?;
            if json {
                say_json(&added);
            } else {
                let until = added
                    .ban
                    .until_ms
                    .map_or_else(|| "until it is removed".to_owned(), |ms| format!("until {}", moment(ms)));
                say(format_args!("{network} is banned {until}"));
            }
        }
        Ban::Remove { network } => {
            let path = format!("/v1/bans/{}", segment(&network.to_string()));
            let done: api::Done = cluster.entry.delete(&path).await?;
            if json {
                say_json(&done);
            } else {
                say(format_args!("{network} is banned no more"));
            }
        }
    }
    Ok(())
}

fn list(bans: &[api::Ban]) {
    let mut shown = table(["network", "since", "until", "reason"]);
    for ban in bans {
        shown.add_row([
            ban.network.clone(),
            moment(ban.since_ms),
            ban.until_ms.map_or_else(|| "-".to_owned(), moment),
            or_dash(ban.reason.as_str()),
        ]);
    }
    say_table(&shown, "nobody is banned");
}
