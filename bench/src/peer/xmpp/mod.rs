//! XMPP servers, over plain XMPP: RFC 6120 and 6121 on TCP without TLS, with stream management (XEP-0198), rooms (XEP-0045)
//! and registration within the stream (XEP-0077).

mod accounts;
mod body;
mod connection;
mod decoder;
mod direct;
mod element;
mod group;
mod idle;
mod offline;
mod scram;
#[cfg(test)]
mod tests;
mod usage;

use std::path::Path;

use anyhow::Context as _;
use clap::{Args as ClapArgs, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use self::connection::Login;
use super::server::Server;
use crate::report::Report;
use crate::workload::measure::CONNECTING_AT_ONCE;

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    workload: Workload,
}

/// The server, and what is to be known of it.
#[derive(Debug, ClapArgs)]
struct Target {
    /// Where it listens for clients, without TLS.
    #[arg(long, value_name = "HOST:PORT")]
    address: String,
    /// The domain of its accounts.
    #[arg(long)]
    domain: String,
    /// What it is and how it is configured: the report's title says so.
    #[arg(long, default_value = "an XMPP server")]
    label: String,
    /// It confirms a message only after a sync to disk: then its confirmed messages are called durable, as a node's are.
    #[arg(long)]
    durable: bool,
    /// The password of all accounts.
    #[arg(long, default_value = "bench")]
    password: String,
    /// A process of the server's, for its processor time and memory and those of all it has started. May be given again, for
    /// a database of its own.
    #[arg(long)]
    pid: Vec<u32>,
}

#[derive(Debug, Subcommand)]
enum Workload {
    /// Registers the accounts that the others use, bench0 and so on, where they are not there yet (XEP-0077).
    Accounts(accounts::Args),
    /// Pairs of users, one writing to the other: confirmed messages per second, and their latency.
    Direct(direct::Args),
    /// One user writing to a room with all others in it: deliveries per second, and how long until the last has a message.
    Group(group::Args),
    /// Connections that do nothing: what each costs in memory.
    Idle(idle::Args),
    /// Messages to users who are away, and then fetched by them.
    Offline(offline::Args),
}

/// Measures.
pub(crate) async fn run(data: &Path, args: Args) -> anyhow::Result<Report> {
    let Args { target, workload } = args;
    let server = Server::new(target.pid.clone())?;
    match workload {
        Workload::Accounts(args) => accounts::run(&target, args).await,
        Workload::Direct(args) => direct::run(&target, &server, data, args).await,
        Workload::Group(args) => group::run(&target, &server, data, args).await,
        Workload::Idle(args) => idle::run(&target, &server, args).await,
        Workload::Offline(args) => offline::run(&target, &server, data, args).await,
    }
}

impl Target {
    /// The account of this number.
    fn login(&self, number: usize) -> Login {
        Login {
            address: self.address.clone(),
            domain: self.domain.clone(),
            user: format!("bench{number}"),
            password: self.password.clone(),
        }
    }

    fn logins(&self, count: usize) -> Vec<Login> {
        (0..count).map(|number| self.login(number)).collect()
    }

    /// The name of its messages that have been confirmed: the same as a node's where it is the same.
    fn confirmed(&self) -> &'static str {
        if self.durable { "durable messages, confirmed" } else { "messages, confirmed" }
    }
}

/// Does the same for each of `all`, some at once, with a bar. The answers are in their order.
async fn each<T, A, F>(what: &'static str, all: Vec<T>, act: impl Fn(T) -> F) -> anyhow::Result<Vec<A>>
where
    A: Send + 'static,
    F: Future<Output = anyhow::Result<A>> + Send + 'static,
{
    let style =
        ProgressStyle::with_template("{msg:>12} {bar:40} {pos}/{len}").expect("the template is a valid one");
    let bar = ProgressBar::new(all.len() as u64).with_style(style).with_message(what);
    let mut answers = Vec::with_capacity(all.len());
    let mut all = all.into_iter();
    loop {
        let acting: Vec<_> =
            all.by_ref().take(CONNECTING_AT_ONCE).map(|one| tokio::spawn(act(one))).collect();
        if acting.is_empty() {
            bar.finish_and_clear();
            return Ok(answers);
        }
        for acting in acting {
            answers.push(acting.await.context("connecting does not panic")??);
        }
        bar.set_position(answers.len() as u64);
    }
}
