//! One member of a group, writing to all. Members who are not online have their messages put into their inboxes as all do.

use std::path::Path;
use std::sync::Arc;

use anyhow::{bail, ensure};
use clap::Args as ClapArgs;
use rookery_protocol::{
    ChangeGroup, ConversationId, CreateGroup, GroupChange, GroupId, GroupSettings, MessageId, RequestId,
    ServerFrame, UserId, limits,
};
use tokio::time::Instant;

use super::fanout::{Load, Run};
use super::measure::{Acks, connect};
use crate::node::Nodes;
use crate::probe;
use crate::report::Report;
use crate::users::{BenchUser, prepare};
use crate::wire::Wire;

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Members of the group.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(2..=limits::GROUP_MEMBERS_MAX as i64))]
    members: u32,
    /// Members with a connection, the writer among them [default: all].
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..=limits::GROUP_MEMBERS_MAX as i64))]
    online: Option<u32>,
    /// Nodes on one store. With more than one, members are at each of them in turn.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    nodes: u8,
    #[command(flatten)]
    load: Load,
}

/// Measures; `data` is an empty directory.
pub(crate) async fn run(rookery: &Path, data: &Path, args: Args) -> anyhow::Result<Report> {
    let online = args.online.unwrap_or(args.members).min(args.members);
    let mut report = Report::new(format!(
        "group: {} members, {online} online across {} nodes, {}",
        args.members, args.nodes, args.load
    ));
    let disk_before = probe::fdatasync(data, args.load.every())?;
    let users = prepare(data, args.members as usize).await?;
    let nodes = Nodes::start(rookery, data, args.nodes.into()).await?;
    let mut readers = connect(&nodes, &users[..online as usize]).await?;
    let mut writer = readers.remove(0);
    let to = ConversationId::group(make_group(&mut writer, &users).await?);
    let counted = args.load.run(&nodes, (users[0].user, to), writer, readers, read).await?;
    ensure!(counted.missing == 0, "the last messages did not arrive in time");

    let delivered = counted.add((0.0, 0.0), &nodes, &mut report)?;
    drop(nodes);
    let disk_after = probe::fdatasync(data, args.load.every())?;
    counted.add_times("member", &mut report)?;
    report.disk_around(&disk_before, &disk_after);
    counted.bind(delivered, users.len(), data, &mut report)?;
    Ok(report)
}

/// The group of all users, made by the first.
async fn make_group(wire: &mut Wire, users: &[BenchUser]) -> anyhow::Result<GroupId> {
    let others: Vec<UserId> = users[1..].iter().map(|user| user.user).collect();
    let mut some = others.chunks(limits::GROUP_USERS_AT_ONCE_MAX);
    let (id, request) = (MessageId::from_bytes([0xff; 16]), RequestId::new(u32::MAX));
    let members = some.next().unwrap_or_default().to_vec();
    let settings = GroupSettings::default();
    wire.writer.push(&CreateGroup { request, id, name: "bench".into(), members, settings });
    wire.writer.flush().await?;
    let group = loop {
        match wire.reader.next().await? {
            ServerFrame::GroupCreated(created) => break created.group,
            ServerFrame::MessageEvent(_) => {}
            other => bail!("instead of a group came {other:?}"),
        }
    };
    for (number, more) in some.enumerate() {
        let id = MessageId::from_bytes([0xf0 + number as u8; 16]);
        let change = GroupChange::Added(more.to_vec());
        wire.writer.push(&ChangeGroup { request, group, id, change });
        wire.writer.flush().await?;
        loop {
            match wire.reader.next().await? {
                ServerFrame::Sent(_) => break,
                ServerFrame::MessageEvent(_) => {}
                other => bail!("instead of a larger group came {other:?}"),
            }
        }
    }
    Ok(group)
}

/// Reads until the run is over, when it is ended.
async fn read(run: Arc<Run>, number: usize, wire: Wire) -> anyhow::Result<()> {
    let Wire { mut reader, mut writer } = wire;
    let mut acks = Acks::default();
    loop {
        let mut frame = Some(reader.next().await?);
        let now = Instant::now();
        while let Some(ServerFrame::MessageEvent(event)) = frame {
            acks.note(event.stamp);
            if let Some(body) = &event.message.body {
                run.received(number, body.as_bytes(), now)?;
            }
            frame = reader.buffered()?;
        }
        if let Some(other) = frame {
            bail!("a reader was sent {other:?}");
        }
        acks.push(&mut writer);
        writer.flush().await?;
    }
}
