//! Messages to users who are away, and how fast they are taken when everybody comes back, as
//! [`workload::offline`](crate::workload::offline) has it for a node.
//!
//! The messages are sent over the stream by users who are there, and confirmed (XEP-0198) before anybody comes back. To come
//! back is to connect, to authenticate and to send presence.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args as ClapArgs;
use hdrhistogram::Histogram;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::body::{self, RunId, Said};
use super::connection::{Connection, Login, Management, ns};
use super::usage::Usage;
use super::{Target, each};
use crate::peer::server::Server;
use crate::probe;
use crate::report::Report;
use crate::users::READERS_PER_WRITER;
use crate::workload::measure::LATENCY_US_MAX;

/// Messages a writer keeps unconfirmed.
const WINDOW: usize = 8;

/// How long nothing may come while messages are outstanding.
const SILENCE_MAX: Duration = Duration::from_secs(30);

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Users who are away.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    users: u32,
    /// Messages that wait for each of them.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    messages: u32,
    /// Bytes of each message's body.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(body::SAYS_BYTES as i64..=65536))]
    body: u32,
    /// Handshakes at once.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=4_096))]
    at_once: u32,
}

/// Measures.
pub(super) async fn run(target: &Target, server: &Server, data: &Path, args: Args) -> anyhow::Result<Report> {
    let (users, messages) = (args.users as usize, f64::from(args.users) * f64::from(args.messages));
    let mut report = Report::new(format!(
        "offline: {} messages of {} B waiting for each of {users} users, {} handshakes at once, at {}",
        args.messages, args.body, args.at_once, target.label
    ));
    let disk = probe::fdatasync(data, Duration::ZERO)?;
    let id = RunId::random()?;
    let mut logins = target.logins(users + users.div_ceil(READERS_PER_WRITER));
    let writers = logins.split_off(users);
    let away: Vec<String> = logins.iter().map(Login::jid).collect();
    let writers = each("connecting", writers, |login| async move { Connection::login(&login).await }).await?;

    let begun = Instant::now();
    let mut writing = JoinSet::new();
    for (writer, to) in writers.into_iter().zip(away.chunks(READERS_PER_WRITER)) {
        writing.spawn(write(writer, to.to_vec(), id, (args.messages, args.body as usize)));
    }
    while let Some(ended) = writing.join_next().await {
        ended.context("a load task does not panic")??;
    }
    let stored_s = begun.elapsed().as_secs_f64();

    let before = Usage::read(0, server)?;
    let (begun, at_once) = (Instant::now(), Arc::new(Semaphore::new(args.at_once as usize)));
    let mut coming = JoinSet::new();
    for login in logins {
        let at_once = at_once.clone();
        coming.spawn(async move {
            let turn = at_once.acquire_owned().await.context("it is never closed")?;
            let began = Instant::now();
            let connection = Connection::login(&login).await?;
            drop(turn);
            let welcomed = Instant::now();
            let connection = drain(connection, id, args.messages).await;
            Ok((connection.with_context(|| login.jid())?, began, welcomed, Instant::now()))
        });
    }
    let mut took = Histogram::<u64>::new_with_bounds(1, LATENCY_US_MAX, 3)?;
    let (mut connections, mut all_welcomed, mut all_drained) = (Vec::new(), begun, begun);
    while let Some(came) = coming.join_next().await {
        let came: anyhow::Result<_> = came.context("a load task does not panic")?;
        let (connection, began, welcomed, drained) = came?;
        connections.push(connection);
        took.record((drained - began).as_micros() as u64)?;
        (all_welcomed, all_drained) = (all_welcomed.max(welcomed), all_drained.max(drained));
    }
    let after = Usage::read(0, server)?;
    // Who has gone is away for the next run.
    for connection in connections {
        let left = timeout(SILENCE_MAX, connection.leave()).await;
        left.context("the server does not end a stream")??;
    }
    let (welcomed_s, drained_s) = ((all_welcomed - begun).as_secs_f64(), (all_drained - begun).as_secs_f64());

    report.add("messages to users who are away, confirmed", messages / stored_s, "/s");
    let drained = report.add("messages drained", messages / drained_s, "/s");
    report.headline(drained);
    report.add("bytes of bodies drained", messages * f64::from(args.body) / drained_s / 1e6, "MB/s");
    report.add("connects, authenticated", users as f64 / welcomed_s, "/s");
    report.latency("connect until the inbox is drained", &took)?;
    after.add(&before, drained_s, ("message, with its user's connect", messages), server, &mut report)?;
    report.disk(&disk);
    Ok(report)
}

/// Writes to each in turn, until all is confirmed.
async fn write(
    connection: Connection,
    to: Vec<String>,
    run: RunId,
    (each, bytes): (u32, usize),
) -> anyhow::Result<()> {
    let Connection { mut reader, mut writer } = connection;
    let (mut management, mut body, origin) = (Management::default(), String::new(), Instant::now());
    let (all, mut pushed, mut confirmed) = (each as usize * to.len(), 0, 0);
    while confirmed < all {
        while pushed < all && pushed - confirmed < WINDOW {
            let (number, to) = (pushed / to.len(), &to[pushed % to.len()]);
            let said = Said { number: number as u32, due: origin.elapsed() };
            body::write(&mut body, run, said, bytes);
            writer.push(format_args!(
                "<message type='chat' to='{to}' id='{number:x}'><body>{body}</body></message>"
            ));
            pushed += 1;
        }
        Management::ask(&mut writer);
        management.answer(&mut writer);
        writer.flush().await?;
        let mut newly = 0;
        while newly == 0 {
            let element = timeout(SILENCE_MAX, reader.next()).await;
            let element = element.context("the server confirms no more messages")??;
            newly = management.take(&element)? as usize;
        }
        ensure!(newly <= pushed - confirmed, "the server confirms more messages than there were");
        confirmed += newly;
    }
    writer.close().await
}

/// Says that the user is there, and takes all that has waited. The connection stays.
async fn drain(connection: Connection, run: RunId, messages: u32) -> anyhow::Result<Connection> {
    let Connection { mut reader, mut writer } = connection;
    let mut management = Management::default();
    writer.push(format_args!("<presence/>"));
    writer.flush().await?;
    let mut came = 0;
    while came < messages {
        let Ok(element) = timeout(SILENCE_MAX, reader.next()).await else {
            bail!(
                "{came} of {messages} messages came, and then none for {SILENCE_MAX:?}: how many does the server keep for a \
                 user (access_max_user_messages in ejabberd)?"
            );
        };
        let mut element = Some(element?);
        while let Some(taken) = element {
            management.take(&taken)?;
            let body = taken.child("body", ns::CLIENT);
            came += u32::from(body.is_some_and(|body| body::read(&body.text, run).is_some()));
            element = reader.buffered()?;
        }
        management.answer(&mut writer);
        writer.flush().await?;
    }
    Ok(Connection { reader, writer })
}
