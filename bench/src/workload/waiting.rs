//! Messages that users who are there send to users who are not.

use std::time::Duration;

use anyhow::{Context as _, bail};
use rookery_protocol::{Body, ConversationId, RequestId, Send, ServerFrame, UserId, limits};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::measure::{Acks, connect};
use crate::node::Nodes;
use crate::users::{BenchUser, message_id};
use crate::wire::Wire;

/// Messages that one writer has unconfirmed: a few fewer than a connection may have.
const WINDOW: u64 = limits::REQUESTS_IN_FLIGHT_MAX as u64 - 4;

/// For the next confirmation.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);

/// Lets `from` send so many messages, with bodies of so many bytes, to each of `to`, each from one of them, and returns when
/// all are confirmed.
pub(super) async fn write_messages(
    nodes: &Nodes,
    from: &[BenchUser],
    to: &[BenchUser],
    (each, body_bytes): (u64, usize),
) -> anyhow::Result<()> {
    let mut writing = JoinSet::new();
    for (number, (wire, user)) in connect(nodes, from).await?.into_iter().zip(from).enumerate() {
        let to: Vec<UserId> = to.iter().skip(number).step_by(from.len()).map(|user| user.user).collect();
        writing.spawn(write(wire, user.user, to, (each, Body::new(vec![0x5a; body_bytes]))));
    }
    while let Some(written) = writing.join_next().await {
        written.context("a load task does not panic")??;
    }
    Ok(())
}

/// One writer, and its readers in turn.
async fn write(wire: Wire, from: UserId, to: Vec<UserId>, (each, body): (u64, Body)) -> anyhow::Result<()> {
    let Wire { mut reader, mut writer } = wire;
    let mut acks = Acks::default();
    let readers = to.len() as u64;
    let (mut pushed, mut confirmed) = (0, 0);
    while confirmed < each * readers {
        while pushed < each * readers && pushed - confirmed < WINDOW {
            let (to, number) = (to[(pushed % readers) as usize], pushed / readers);
            pushed += 1;
            writer.push(&Send {
                request: RequestId::new(pushed as u32),
                conversation: ConversationId::direct(from, to),
                id: message_id(to, number),
                after: None,
                body: body.clone(),
                reference: None,
                expires_s: 0,
            });
        }
        acks.push(&mut writer);
        writer.flush().await?;
        let next = timeout(ANSWER_TIME_MAX, reader.next());
        let mut frame = Some(next.await.context("a message is not confirmed")??);
        while let Some(arrived) = frame {
            match arrived {
                ServerFrame::Sent(_) => confirmed += 1,
                ServerFrame::MessageEvent(event) => acks.note(event.stamp),
                ServerFrame::ReceiptEvent(event) => acks.note(event.stamp),
                other => bail!("a writer was sent {other:?}"),
            }
            frame = reader.buffered()?;
        }
    }
    acks.push(&mut writer);
    writer.flush().await
}
