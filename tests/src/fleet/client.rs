//! One simulated client: the real library over a bad network, ended and started again on the same local store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rookery_client::{
    Client as Library, Config, ConversationId, Dialer, EnqueueError, Entry, Event, Events, LmdbStore,
    MemoryStore, Message, MessageId, NodeAddress, ReferenceKind, Status, TokenProvider,
};
use tempfile::TempDir;
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::entry::handed;
use super::leased::Leased;
use crate::Network;
use crate::deadline::SOON;
use crate::history::{Client, Recorder, Said, What};

/// Every so many messages of others are marked as read.
const READ_EVERY: u64 = 3;

/// How long a client that is to crash at its next message waits for one.
const CRASH_PATIENCE: Duration = Duration::from_millis(500);

/// Time for a connection, and for an answer to HELLO: short, for the networks here are short.
const DIAL: Duration = Duration::from_secs(3);

/// Time for an answer to a request, so that some outcomes of groups' changes are unknown.
const ANSWER: Duration = Duration::from_secs(8);

/// How a client ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HowStopped {
    /// In order: what was handed up counts as taken.
    Closed,
    /// As if its process had been killed.
    Crashed,
    /// The same, with a message just handed up and not yet taken, if one comes.
    CrashedWithMessageInHand,
}

/// How a client gets to its nodes.
pub struct Access {
    /// What lets it in.
    pub token: String,
    /// Where it goes first.
    pub addresses: Vec<NodeAddress>,
    /// How it gets there.
    pub dialer: Arc<dyn Dialer>,
    /// What is between, if that can be made worse.
    pub network: Option<Arc<dyn Network>>,
    /// What the client's clock said when the history began, milliseconds since 1970, if not what the machine's does.
    pub began_unix_ms: Option<u64>,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// A client that comes and goes.
#[derive(Debug)]
pub struct FleetClient {
    pub(super) me: Client,
    access: Access,
    kept: Kept,
    seed: u64,
    pub(super) recorder: Recorder,
    starts: AtomicU64,
    pub(super) running: Mutex<Option<Running>>,
}

/// Where its state outlives it.
#[derive(Debug)]
enum Kept {
    InMemory(MemoryStore),
    OnDisk(TempDir),
}

#[derive(Debug)]
pub(super) struct Running {
    pub(super) library: Library,
    /// Dropped before anything else: whoever uses the library lets go of it.
    pub(super) lives: watch::Sender<()>,
    order: mpsc::Sender<Order>,
    pump: JoinHandle<()>,
    gone: oneshot::Receiver<()>,
}

/// What the task that takes events is told.
#[derive(Debug, Clone, Copy)]
enum Order {
    Crash,
    CrashWithMessageInHand,
}

impl FleetClient {
    pub(super) fn new(
        me: Client,
        access: Access,
        on_disk: bool,
        seed: u64,
        recorder: Recorder,
    ) -> Result<Self> {
        let kept = if on_disk {
            Kept::OnDisk(tempfile::Builder::new().prefix("rookery-client-").tempdir()?)
        } else {
            Kept::InMemory(MemoryStore::new())
        };
        let (starts, running) = (AtomicU64::new(0), Mutex::default());
        Ok(Self { me, access, kept, seed, recorder, starts, running })
    }

    /// Its network.
    ///
    /// # Panics
    /// When its fleet has good networks only.
    pub fn network(&self) -> &dyn Network {
        self.access.network.as_deref().expect("a fleet on bad networks")
    }

    /// What its clock says, milliseconds since 1970.
    pub(super) fn now_ms(&self) -> u64 {
        let since = match self.access.began_unix_ms {
            Some(began) => Duration::from_millis(began) + self.recorder.now(),
            None => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        };
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// Starts it, unless it runs.
    ///
    /// # Errors
    /// When its local store cannot be read.
    pub async fn start(&self) -> Result<()> {
        let mut running = self.running.lock().await;
        if running.is_some() {
            return Ok(());
        }
        let start = self.starts.fetch_add(1, Ordering::Relaxed);
        let rng = StdRng::seed_from_u64(self.seed.wrapping_add(start));
        let Access { token, addresses, dialer, .. } = &self.access;
        let mut config = Config::new(addresses.clone(), TokenProvider::fixed(token.as_str()));
        (config.dial_deadline, config.handshake_deadline) = (DIAL, DIAL);
        config.request_deadline = ANSWER;
        config.started_unix_ms = self.now_ms();
        config.client_name = format!("fleet/{}", self.me.0);
        let (store, gone) = match &self.kept {
            Kept::InMemory(store) => Leased::new(store.clone()),
            Kept::OnDisk(directory) => Leased::new(LmdbStore::open(directory.path())?),
        };
        let started = Library::resume(config, dialer.clone(), store, rng)?;
        self.recorder.note(self.me, What::Started);
        let (order, orders) = mpsc::channel(4);
        let listener = Listener {
            me: self.me,
            recorder: self.recorder.clone(),
            library: started.client.clone(),
            events: started.events,
        };
        let pump = tokio::spawn(listener.listen(orders));
        *running =
            Some(Running { library: started.client, lives: watch::Sender::new(()), order, pump, gone });
        Ok(())
    }

    /// Ends it, if it runs. When this returns its local store is free.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn stop(&self, how: HowStopped) {
        let mut held = self.running.lock().await;
        let Some(Running { library, lives, order, mut pump, gone }) = held.take() else { return };
        drop(lives);
        let note = match how {
            HowStopped::Closed => {
                library.close().await;
                What::Closed
            }
            HowStopped::Crashed => {
                // A task that has ended already needs no order.
                let _ = order.send(Order::Crash).await;
                What::Crashed
            }
            HowStopped::CrashedWithMessageInHand => {
                let _ = order.send(Order::CrashWithMessageInHand).await;
                if timeout(CRASH_PATIENCE, &mut pump).await.is_err() {
                    let _ = order.send(Order::Crash).await;
                }
                What::Crashed
            }
        };
        if !pump.is_finished() {
            timeout(SOON, &mut pump).await.expect("a client's events end").expect("no client panics");
        }
        self.recorder.note(self.me, note);
        drop(library);
        // The sender is dropped, never used.
        let _ = timeout(SOON, gone).await.expect("a client's tasks end with it");
    }

    /// Sends a message that is about no other, if the client runs.
    ///
    /// # Errors
    /// When its outbox takes no more.
    pub async fn send(
        &self,
        conversation: ConversationId,
        body: impl Into<bytes::Bytes>,
    ) -> Result<Option<MessageId>, EnqueueError> {
        self.say(conversation, Said::plain(body)).await
    }

    /// Sends a message, if the client runs.
    ///
    /// # Errors
    /// When its outbox takes no more, or no server would take it.
    pub async fn say(
        &self,
        conversation: ConversationId,
        said: Said,
    ) -> Result<Option<MessageId>, EnqueueError> {
        let running = self.running.lock().await;
        let Some(running) = &*running else { return Ok(None) };
        self.recorder.note_while(self.me, || {
            let (library, Said { body, reference, timer_s }) = (&running.library, said.clone());
            let ticket = match reference {
                None => library.send(conversation, body),
                Some(about) if about.kind == ReferenceKind::Timer => {
                    let after = (timer_s != 0).then(|| Duration::from_secs(timer_s.into()));
                    library.set_timer(conversation, after)
                }
                Some(about) => library.refer(conversation, about, body),
            };
            let id = ticket?.id();
            Ok((Some(id), What::Enqueued { conversation, id, said }))
        })
    }

    /// How it is doing, if it runs.
    pub async fn status(&self) -> Option<Status> {
        self.running.lock().await.as_ref().map(|running| running.library.status())
    }

    /// The last message of a conversation, as the server has it.
    ///
    /// # Errors
    /// When the client does not run, or the server does not answer.
    pub async fn head(&self, conversation: ConversationId) -> Result<rookery_client::Seq> {
        let first = rookery_client::Seq::new(1);
        Ok(self.library().await?.history(conversation, first, first).await?.head)
    }
}

/// Takes events and notes them.
struct Listener {
    me: Client,
    recorder: Recorder,
    library: Library,
    events: Events,
}

impl Listener {
    async fn listen(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut crash_with_message = false;
        loop {
            tokio::select! {
                // A simulation must see the same order each time.
                biased;
                order = orders.recv() => match order {
                    Some(Order::CrashWithMessageInHand) => crash_with_message = true,
                    Some(Order::Crash) | None => return,
                },
                event = self.events.next() => {
                    let Some(event) = event else { return };
                    let is_message = matches!(event, Event::Message(_) | Event::Change(_));
                    self.take(event);
                    if is_message && crash_with_message {
                        return;
                    }
                }
            }
        }
    }

    fn take(&self, event: Event) {
        let note = |what| self.recorder.note(self.me, what);
        match event {
            Event::Connected(_) => note(What::Connected),
            Event::Disconnected { reason, .. } => note(What::Disconnected { reason }),
            Event::Message(message) => self.take_message(message),
            Event::Change(change) => note(What::Handed(handed(Entry::Change(change)))),
            Event::Stored { id, conversation } => note(What::Stored { conversation, id }),
            Event::Sent { id, conversation, seq, .. } => note(What::Accepted { conversation, id, seq }),
            Event::SendFailed { id, conversation, refusal } => {
                note(What::Refused { conversation, id, refusal });
            }
            Event::Receipt(receipt) => note(What::Receipt {
                conversation: receipt.conversation,
                user: receipt.user,
                delivered: receipt.delivered,
                read: receipt.read,
            }),
            Event::Terminal(error) => note(What::Ended { reason: error.to_string() }),
            // Of what no invariant speaks.
            Event::Shown(_)
            | Event::Expired { .. }
            | Event::Account { .. }
            | Event::Followed(_)
            | Event::Watching
            | Event::Presence(_)
            | Event::Typing { .. }
            | Event::Receipts { .. } => {}
        }
    }

    fn take_message(&self, message: Message) {
        let handed = handed(Entry::Message(message));
        let (conversation, seq) = (handed.conversation, handed.seq);
        let own = self.library.status().identity.is_some_and(|identity| identity.user == handed.sender.user);
        self.recorder.note(self.me, What::Handed(handed));
        if !own && seq.get().is_multiple_of(READ_EVERY) {
            self.recorder.note(self.me, What::Read { conversation, seq });
            self.library.read(conversation, seq);
        }
    }
}
