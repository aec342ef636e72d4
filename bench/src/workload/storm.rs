//! Many users who connect as fast as they can, so many handshakes at once, each with messages waiting: what `connect` and
//! `offline` have in common.
//!
//! A user who is connected stays, and does what the protocol asks of an idle client, until the storm is dropped.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use hdrhistogram::Histogram;
use rookery_protocol::{Heartbeat, ServerFrame, limits};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout};

use super::measure::{Acks, LATENCY_US_MAX, first_failure};
use crate::bar;
use crate::node::Nodes;
use crate::users::BenchUser;
use crate::wire::{Address, Reader, Wire, Writer};

/// For one handshake, and for an inbox that does not move.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);

/// For the whole storm: users connect at some rate, or something is wrong.
const STORM_TIME_MAX: Duration = Duration::from_secs(600);

/// A storm that is over: who connected is connected still.
pub(super) struct Storm {
    /// From the first connect on until the last WELCOME, in seconds.
    pub(super) welcomed_s: f64,
    /// From the first connect on until the last waiting message, in seconds.
    pub(super) drained_s: f64,
    /// From each user's connect to WELCOME, in microseconds.
    pub(super) welcome: Histogram<u64>,
    /// From each user's connect until the last waiting message has come and been acknowledged, in microseconds.
    pub(super) drain: Histogram<u64>,
    /// Bytes of frames that users received until then: WELCOME, and the waiting messages.
    pub(super) received_bytes: u64,
    _staying: JoinSet<anyhow::Result<()>>,
}

/// What one user has to tell, once everything that waited has come.
struct Drained {
    began: Instant,
    welcomed: Instant,
    drained: Instant,
    received_bytes: u64,
}

impl Storm {
    /// Lets the users connect, to the nodes in turn, and take the messages that wait for each of them.
    ///
    /// # Errors
    /// When one cannot connect, or does not get its messages in order, each once.
    pub(super) async fn rage(
        nodes: &Nodes,
        users: &[BenchUser],
        handshakes_at_once: usize,
        waiting: u64,
    ) -> anyhow::Result<Self> {
        let bar = bar::counting(users.len() as u64, "connecting");
        let handshakes = Arc::new(Semaphore::new(handshakes_at_once));
        let (tell, mut told) = mpsc::unbounded_channel();
        let mut staying = JoinSet::new();
        let origin = Instant::now();
        for (number, user) in users.iter().enumerate() {
            let (address, user) = (nodes.of(number).clients().clone(), user.clone());
            staying.spawn(come(address, user, handshakes.clone(), waiting, tell.clone()));
        }
        drop(tell);

        let histogram = || Histogram::<u64>::new_with_bounds(1, LATENCY_US_MAX, 3);
        let (mut welcome, mut drain) = (histogram()?, histogram()?);
        let (mut welcomed, mut drained, mut received_bytes) = (origin, origin, 0);
        let storm = async {
            for _ in users {
                let user = tokio::select! {
                    user = told.recv() => user.context("every user comes, or fails")?,
                    failed = first_failure(&mut staying) => bail!(failed.expect_err("it ends with a failure alone")),
                };
                welcome.record((user.welcomed - user.began).as_micros() as u64)?;
                drain.record((user.drained - user.began).as_micros() as u64)?;
                welcomed = welcomed.max(user.welcomed);
                drained = drained.max(user.drained);
                received_bytes += user.received_bytes;
                bar.inc(1);
            }
            Ok(())
        };
        timeout(STORM_TIME_MAX, storm)
            .await
            .with_context(|| format!("not everybody was there within {STORM_TIME_MAX:?}"))??;
        bar.finish_and_clear();
        Ok(Self {
            welcomed_s: (welcomed - origin).as_secs_f64(),
            drained_s: (drained - origin).as_secs_f64(),
            welcome,
            drain,
            received_bytes,
            _staying: staying,
        })
    }
}

/// Connects when it is its turn, takes what waits, tells, and stays.
async fn come(
    address: Address,
    user: BenchUser,
    handshakes: Arc<Semaphore>,
    waiting: u64,
    tell: mpsc::UnboundedSender<Drained>,
) -> anyhow::Result<()> {
    let turn = handshakes.acquire().await.expect("it is never closed");
    let began = Instant::now();
    let connecting = Wire::connect(&address, &user);
    let Wire { mut reader, mut writer } =
        timeout(ANSWER_TIME_MAX, connecting).await.context("no WELCOME in time")??.0;
    let welcomed = Instant::now();
    drop(turn);

    drain(&mut reader, &mut writer, waiting).await?;
    let drained = if waiting == 0 { welcomed } else { Instant::now() };
    let received_bytes = reader.received_bytes();
    // Nobody listens any more when another has failed.
    let _ = tell.send(Drained { began, welcomed, drained, received_bytes });
    stay(reader, writer).await
}

/// Takes the messages of one conversation that wait, and acknowledges what has arrived together.
async fn drain(reader: &mut Reader, writer: &mut Writer, waiting: u64) -> anyhow::Result<()> {
    let (mut acks, mut received) = (Acks::default(), 0);
    while received < waiting {
        let next = timeout(ANSWER_TIME_MAX, reader.next());
        let mut frame = Some(next.await.context("an inbox does not go on")??);
        while let Some(arrived) = frame {
            let ServerFrame::MessageEvent(event) = arrived else { bail!("an inbox has {arrived:?}") };
            acks.note(event.stamp);
            received += 1;
            let seq = event.message.seq.get();
            ensure!(seq == received, "message {seq} of an inbox came when {received} was due");
            frame = reader.buffered()?;
        }
        acks.push(writer);
        writer.flush().await?;
    }
    Ok(())
}

/// Sends heartbeats for ever. Nothing else comes.
async fn stay(mut reader: Reader, mut writer: Writer) -> anyhow::Result<()> {
    let mut heartbeats = interval(Duration::from_millis(limits::HEARTBEAT_MS.into()));
    heartbeats.reset();
    loop {
        tokio::select! {
            frame = reader.next() => match frame? {
                ServerFrame::HeartbeatAck(_) => {}
                other => bail!("a user for whom nothing waits was sent {other:?}"),
            },
            _ = heartbeats.tick() => {
                writer.push(&Heartbeat { nonce: 0 });
                writer.flush().await?;
            }
        }
    }
}
