//! `rookery admin`: the cluster from the command line, through the nodes' admin API.
//!
//! - [`arguments`], [`error`]: what can be typed, and how it fails.
//! - [`cluster`], [`client`], [`tls`], [`url`]: which nodes there are, and requests to them. What all nodes answer the same
//!   is asked of the first that answers; what each knows a part of is asked of all at once, each with a deadline.
//! - [`show`]: tables for people, JSON for programs.
//! - the rest: the commands, a file for each kind.
//!
//! Nothing here keeps anything: what is shown is what the nodes have said.

mod arguments;
mod bans;
mod ca;
mod change;
mod channels;
mod client;
mod cluster;
mod error;
mod groups;
mod nodes;
mod reports;
mod show;
mod store;
mod tls;
mod top;
mod trace;
mod url;
mod users;
mod who;

use anyhow::Result;

pub(super) use arguments::Admin;
use arguments::{What, Whom};
use cluster::Cluster;
pub(super) use error::AdminError;

pub(super) async fn run(Admin { what, reach }: Admin) -> Result<()> {
    let json = reach.json;
    let cluster = async || Cluster::find(&reach).await;
    match what {
        What::Status { only } => nodes::status(&cluster().await?.narrow(only.node.as_ref())?, json).await,
        What::Nodes => nodes::nodes(&cluster().await?, json).await,
        What::Slots { ranges } => nodes::slots(&cluster().await?, ranges, json).await,
        What::Where { whom: Whom::User(user) } => who::locate(&cluster().await?, &user, json).await,
        What::Where { whom: Whom::Group(group) } => groups::locate(&cluster().await?, group, json).await,
        What::Sessions { only, limit } => {
            who::sessions(&cluster().await?.narrow(only.node.as_ref())?, limit, json).await
        }
        What::Connections { user, from, only, limit } => {
            let cluster = cluster().await?.narrow(only.node.as_ref())?;
            who::connections(&cluster, user.as_deref(), from.map(|from| from.to_string()), limit, json).await
        }
        What::Kick(kick) => {
            let cluster = cluster().await?.narrow(kick.only.node.as_ref())?;
            who::kick(&cluster, kick, json).await
        }
        What::User(command) => users::run(&cluster().await?, command, json).await,
        What::Group(command) => groups::run(&cluster().await?, command, json).await,
        What::Channel(command) => channels::run(&cluster().await?, command, json).await,
        What::Token { user, device, expires } => {
            users::token(&cluster().await?, &user, device, expires, json).await
        }
        What::Inbox { user, peek } => users::inbox(&cluster().await?, &user, peek, json).await,
        What::Drain(drain) => change::drain(&cluster().await?, drain, json).await,
        What::Remove { node, sure } => change::remove(&cluster().await?, &node, sure, json).await,
        What::Rebalance { step, pause } => change::rebalance(&cluster().await?, step, pause, json).await,
        What::Weight { node, weight } => change::weight(&cluster().await?, &node, weight, json).await,
        What::Reports(command) => reports::run(&cluster().await?, command, json).await,
        What::Ban(command) => bans::run(&cluster().await?, command, json).await,
        What::LogLevel { level, only } => {
            change::log_level(&cluster().await?.narrow(only.node.as_ref())?, level, json).await
        }
        What::Trace { user, time } => trace::run(&cluster().await?, &user, time, json).await,
        What::Top { every, count } => top::run(&reach, every, count).await,
        What::Check { offline: true, .. } => store::check_offline(&reach).await,
        What::Check { only, .. } => store::check(&cluster().await?.narrow(only.node.as_ref())?, json).await,
        What::Backup { directory, offline: true, .. } => store::backup_offline(directory, &reach).await,
        What::Backup { directory, only, .. } => {
            store::backup(&cluster().await?.narrow(only.node.as_ref())?, directory, &reach).await
        }
        What::Restore { from, sure } => store::restore(&from, sure, &reach),
        What::Ca { issue, out } => ca::run(issue.zip(out), &reach),
    }
}
