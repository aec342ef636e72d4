//! A user's device over any number of connections, as the protocol wants it: it connects elsewhere when its connection is
//! lost, sends again what was not confirmed, and hands up each message once and in order.
//!
//! What it says, and what becomes of what it hears, is its [`App`]'s.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use rand::RngExt;
use rand::seq::SliceRandom;
use rookery_protocol::{ConversationId, ErrorCode, Heartbeat, Payload, RequestId, Seq, ServerFrame, Stamp};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval, sleep, sleep_until, timeout};

use super::measure::Acks;
use super::outbox::{Message, Outbox};
use crate::users::BenchUser;
use crate::wire::{Address, Reader, Wire, Writer};

/// How often a client makes sure that its node answers. One that says nothing for twice as long is taken for dead.
const HEARTBEAT_EVERY: Duration = Duration::from_millis(2_500);

/// For a node to let a client in.
const WELCOME_TIME_MAX: Duration = Duration::from_secs(5);

/// Within a pass over the nodes, before the next one is tried: a random time up to this.
const NEXT_NODE_MAX: Duration = Duration::from_millis(100);

/// For finding a node that lets the client in, of all of them again and again.
const RECONNECT_TIME_MAX: Duration = Duration::from_secs(60);

/// What a client does of its own, and with what it hears.
pub(super) trait App: Send + 'static {
    /// What it is told to do, at the times of an open loop.
    type Command: Send + 'static;

    /// A connection has been made.
    fn welcomed(&mut self, _now: Instant, _out: &mut Out<'_>) {}

    /// Does what it is told.
    fn told(&mut self, command: Self::Command, out: &mut Out<'_>) -> Next;

    /// One of its messages is durable.
    fn confirmed(&mut self, message: &Message, seq: Seq, now: Instant);

    /// Something has come: an event or a notice, a message only when it was not there before.
    ///
    /// # Errors
    /// When it is nothing that should come.
    fn came(&mut self, frame: ServerFrame, now: Instant, out: &mut Out<'_>) -> anyhow::Result<()>;

    /// Whether nothing more is expected, once there are no commands any more and all is confirmed.
    fn is_done(&self) -> bool {
        true
    }
}

/// What a client does after a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It goes on.
    Go,
    /// It gives its connection up for another one with the same node.
    Reconnect,
}

/// Where an app puts what is to be sent.
pub(super) struct Out<'a> {
    outbox: &'a mut Outbox,
    writer: &'a mut Writer,
    next_request: &'a mut u32,
}

impl Out<'_> {
    /// A message, sent until it is confirmed.
    pub(super) fn message(&mut self, message: Message) {
        self.outbox.push(message);
    }

    /// Anything else, sent once.
    pub(super) fn push<P: Payload>(&mut self, payload: &P) {
        self.writer.push(payload);
    }

    /// A number for a request that is no message: never that of one.
    pub(super) fn request(&mut self) -> RequestId {
        *self.next_request += 1;
        RequestId::new(NOT_MESSAGES | *self.next_request)
    }
}

/// The requests that are no messages have this in their numbers.
const NOT_MESSAGES: u32 = 1 << 31;

/// What happened to connections.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Connections {
    /// When each was found to have ended, without having been given up, and when the next one was welcomed.
    pub(super) lost: Vec<(Instant, Instant)>,
    /// Messages that came again, with the number that they had before.
    pub(super) repeated: u64,
}

/// How clients of a run go from one node to the next.
pub(super) struct Nodes {
    /// All of them.
    pub(super) all: Vec<Address>,
    /// After a connection was lost, a random time up to this passes first.
    pub(super) reconnect_max: Duration,
}

/// The client.
pub(super) struct Client<A: App> {
    pub(super) app: A,
    pub(super) connections: Connections,
    user: BenchUser,
    nodes: Arc<Nodes>,
    /// The node where it is.
    at: usize,
    outbox: Outbox,
    next_request: u32,
    /// The last event that was stored.
    stored: Option<Stamp>,
    /// The last message of each conversation.
    last: HashMap<ConversationId, Seq>,
}

/// Why a connection is over.
enum Over {
    /// There is nothing left to do.
    Done,
    Lost,
    GivenUp,
}

impl<A: App> Client<A> {
    /// A client that begins at the node with this number, around.
    pub(super) fn new(user: BenchUser, nodes: Arc<Nodes>, at: usize, app: A) -> Self {
        let at = at % nodes.all.len();
        Self {
            app,
            connections: Connections::default(),
            user,
            nodes,
            at,
            outbox: Outbox::default(),
            next_request: 0,
            stored: None,
            last: HashMap::new(),
        }
    }

    /// Goes on from a first connection until there are no commands any more and everything is done. Returns itself.
    ///
    /// # Errors
    /// When no node lets it in, or something comes that should not.
    pub(super) async fn run(
        mut self,
        mut wire: Wire,
        mut commands: mpsc::UnboundedReceiver<A::Command>,
    ) -> anyhow::Result<Self> {
        loop {
            match self.serve(wire, &mut commands).await? {
                Over::Done => return Ok(self),
                Over::GivenUp => wire = self.dial(self.at).await?,
                Over::Lost => {
                    let lost = Instant::now();
                    wire = self.reconnect().await?;
                    self.connections.lost.push((lost, Instant::now()));
                }
            }
            self.outbox.disconnected();
        }
    }

    async fn dial(&self, at: usize) -> anyhow::Result<Wire> {
        let dialling = Wire::resume(&self.nodes.all[at], &self.user, self.stored);
        Ok(timeout(WELCOME_TIME_MAX, dialling).await.context("no WELCOME in time")??.0)
    }

    /// Tries the nodes in passes: the others first, in random order, then all.
    async fn reconnect(&mut self) -> anyhow::Result<Wire> {
        let lost = self.at;
        sleep(at_most(self.nodes.reconnect_max)).await;
        let passes = async {
            let mut pass: Vec<usize> = (0..self.nodes.all.len()).filter(|at| *at != lost).collect();
            let mut next_pass_max = Duration::from_secs(1);
            loop {
                pass.shuffle(&mut rand::rng());
                for at in &pass {
                    match self.dial(*at).await {
                        Ok(wire) => return (*at, wire),
                        Err(_) => sleep(at_most(NEXT_NODE_MAX)).await,
                    }
                }
                sleep(at_most(next_pass_max)).await;
                next_pass_max *= 2;
                pass = (0..self.nodes.all.len()).collect();
            }
        };
        let (at, wire) = timeout(RECONNECT_TIME_MAX, passes).await.with_context(|| {
            format!("user {} found no node within {RECONNECT_TIME_MAX:?}", self.user.user)
        })?;
        self.at = at;
        Ok(wire)
    }

    /// One connection, until it is over.
    async fn serve(
        &mut self,
        wire: Wire,
        commands: &mut mpsc::UnboundedReceiver<A::Command>,
    ) -> anyhow::Result<Over> {
        let Wire { mut reader, mut writer } = wire;
        let mut acks = Acks::default();
        let mut heartbeats = interval(HEARTBEAT_EVERY);
        heartbeats.reset();
        let (mut heard, mut next) = (Instant::now(), Next::Go);
        self.with(&mut writer, |app, out| app.welcomed(heard, out));
        loop {
            self.outbox.due(Instant::now()).iter().for_each(|send| writer.push(send));
            acks.push(&mut writer);
            if !matches!(timeout(WELCOME_TIME_MAX, writer.flush()).await, Ok(Ok(()))) {
                return Ok(Over::Lost);
            }
            if next == Next::Reconnect {
                return Ok(Over::GivenUp);
            }
            let is_closed = commands.is_closed() && commands.is_empty();
            if is_closed && self.outbox.is_empty() && self.app.is_done() {
                return Ok(Over::Done);
            }
            tokio::select! {
                frame = reader.next() => {
                    let Ok(frame) = frame else { return Ok(Over::Lost) };
                    heard = Instant::now();
                    if !self.take(frame, heard, &mut reader, &mut writer, &mut acks)? {
                        return Ok(Over::Lost);
                    }
                }
                command = commands.recv(), if !is_closed => if let Some(command) = command {
                    next = self.with(&mut writer, |app, out| app.told(command, out));
                },
                _ = heartbeats.tick() => {
                    if heard.elapsed() > 2 * HEARTBEAT_EVERY {
                        return Ok(Over::Lost);
                    }
                    writer.push(&Heartbeat { nonce: 0 });
                }
                () = wait_until(self.outbox.held_until()) => {}
            }
        }
    }

    fn with<T>(&mut self, writer: &mut Writer, act: impl FnOnce(&mut A, &mut Out<'_>) -> T) -> T {
        let Self { app, outbox, next_request, .. } = self;
        act(app, &mut Out { outbox, writer, next_request })
    }

    /// Takes what has arrived together. Whether the connection goes on.
    fn take(
        &mut self,
        frame: ServerFrame,
        now: Instant,
        reader: &mut Reader,
        writer: &mut Writer,
        acks: &mut Acks,
    ) -> anyhow::Result<bool> {
        let mut frame = Some(frame);
        while let Some(arrived) = frame {
            let stamp = match &arrived {
                ServerFrame::MessageEvent(event) => Some(event.stamp),
                ServerFrame::ReceiptEvent(event) => Some(event.stamp),
                ServerFrame::ConversationEvent(event) => Some(event.stamp),
                ServerFrame::AccountEvent(event) => Some(event.stamp),
                _ => None,
            };
            match arrived {
                ServerFrame::Sent(sent) => {
                    if let Some(message) = self.outbox.confirmed(sent.request) {
                        self.app.confirmed(&message, sent.seq, now);
                    }
                }
                ServerFrame::Error(error) if is_end(&error) => return Ok(false),
                ServerFrame::Error(error) => {
                    let retry = error.known_code().is_some_and(ErrorCode::is_retryable);
                    let after = Duration::from_millis(error.retry_after_ms.into());
                    ensure!(retry, "user {} was refused: {error:?}", self.user.user);
                    if !self.outbox.failed(error.request, after, now) {
                        self.with(writer, |app, out| app.came(ServerFrame::Error(error), now, out))?;
                    }
                }
                ServerFrame::Goaway(_) => return Ok(false),
                ServerFrame::HeartbeatAck(_) | ServerFrame::Nodes(_) => {}
                ServerFrame::MessageEvent(event) => {
                    if self.is_new(event.message.conversation, event.message.seq)? {
                        let frame = ServerFrame::MessageEvent(event);
                        self.with(writer, |app, out| app.came(frame, now, out))?;
                    }
                }
                other => self.with(writer, |app, out| app.came(other, now, out))?,
            }
            if let Some(stamp) = stamp {
                self.stored = self.stored.max(Some(stamp));
                acks.note(stamp);
            }
            frame = match reader.buffered() {
                Ok(frame) => frame,
                Err(_) => return Ok(false),
            };
        }
        Ok(true)
    }

    /// Whether a message was not there before.
    fn is_new(&mut self, conversation: ConversationId, seq: Seq) -> anyhow::Result<bool> {
        let last = self.last.insert(conversation, seq);
        match last {
            Some(last) if seq <= last => {
                self.last.insert(conversation, last);
                self.connections.repeated += 1;
                Ok(false)
            }
            Some(last) if seq != last.next() => {
                let user = self.user.user;
                bail!("user {user} got message {seq} of {conversation} after {last}: one is missing between")
            }
            _ => Ok(true),
        }
    }
}

/// Whether the node is about to close the connection.
fn is_end(error: &rookery_protocol::Error) -> bool {
    error.request.get() == 0 && error.known_code().is_some_and(ErrorCode::closes)
}

fn at_most(time: Duration) -> Duration {
    time.mul_f64(rand::rng().random_range(0.0..=1.0))
}

async fn wait_until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
