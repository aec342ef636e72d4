//! Connections that do nothing, of users who are there: what each costs the server in memory, as
//! [`workload::idle`](crate::workload::idle) has it for a node.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args as ClapArgs;
use clap::builder::RangedU64ValueParser;
use tokio::time::{Instant, sleep, timeout};

use super::connection::{Connection, Management};
use super::{Target, each};
use crate::peer::server::Server;
use crate::report::Report;
use crate::sockets::SocketMemory;
use crate::workload::idle::{Costs, Settling};

/// For an answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Connections, each of a user of its own.
    #[arg(long, default_value_t = 10_000, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000_000))]
    connections: usize,
}

/// Measures.
pub(super) async fn run(target: &Target, server: &Server, args: Args) -> anyhow::Result<Report> {
    ensure!(!server.is_unknown(), "name the server's process with --pid: this is about its memory");
    let mut report = Report::new(format!("idle: {} connections, at {}", args.connections, target.label));
    let (empty, sockets) = (server.rss_bytes()?, SocketMemory::read());
    let (cpu_before, begun) = (server.cpu()?, Instant::now());
    let login = |login| async move { Connection::login_present(&login).await };
    let mut connections = each("connecting", target.logins(args.connections), login).await?;
    let connect_seconds = begun.elapsed().as_secs_f64();
    let cpu_connecting = server.cpu()? - cpu_before;
    let awake = server.rss_bytes()?;

    let mut settling = Settling::from(awake);
    while !settling.is_over() {
        sleep(Duration::from_secs(1)).await;
        settling.note(server.rss_bytes()?);
    }
    let hibernating = server.rss_bytes()?;
    let sockets_bytes = SocketMemory::taken_since(sockets);

    // Each must still be there, and answer.
    for (connection, management) in &mut connections {
        let answered = timeout(ANSWER_TIME_MAX, answer(connection, management)).await;
        answered.context("an idle connection was not answered")??;
    }

    let connections = args.connections;
    let costs =
        Costs { connections, empty, awake, hibernating, sockets_bytes, connect_seconds, cpu_connecting };
    costs.report(&mut report);
    Ok(report)
}

/// Asks the server to confirm what it has, and waits until it does: the presence.
async fn answer(connection: &mut Connection, management: &mut Management) -> anyhow::Result<()> {
    Management::ask(&mut connection.writer);
    connection.writer.flush().await?;
    while management.take(&connection.reader.next().await?)? == 0 {}
    Ok(())
}
