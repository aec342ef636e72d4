//! What every client of a fleet has seen and done, in one order that respects cause and effect.
//!
//! An entry is made before its effect can be seen elsewhere, or after its cause: what the application is handed is
//! noted before it counts as taken, what it asks to mark as read is noted before it asks.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rookery_client::{
    Body, ConversationId, DeviceId, GroupChange, MessageId, Reference, ReferenceKind, Refusal, Seq, UserId,
};
use tokio::time::Instant;

use crate::group_log::Changes;

/// A device of the fleet: its place in [`History::owners`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Client(pub usize);

impl std::fmt::Display for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "client {}", self.0)
    }
}

/// Whose client it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The user.
    pub user: UserId,
    /// Which of the user's devices.
    pub device: DeviceId,
}

/// What a message says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// Its body.
    pub body: Body,
    /// The message it is about, and what it does to that one.
    pub reference: Option<Reference>,
    /// Of a timer: the seconds after which what follows disappears; 0: it does not.
    pub timer_s: u32,
}

impl Said {
    /// Something that is about no other message.
    pub fn plain(body: impl Into<bytes::Bytes>) -> Self {
        Self { body: Body::new(body), ..Self::default() }
    }

    /// The message it is about, if it does this to it.
    pub fn target(&self, kind: ReferenceKind) -> Option<Seq> {
        self.reference.filter(|reference| reference.kind == kind).map(|reference| reference.seq)
    }

    /// Whether it may be referred to: it is about no other message, unless it answers one.
    pub fn stands_for_itself(&self) -> bool {
        self.reference.is_none_or(|reference| reference.kind == ReferenceKind::Reply)
    }
}

/// A message, or a group's change, as a client was given it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handed {
    /// Where.
    pub conversation: ConversationId,
    /// Its place there.
    pub seq: Seq,
    /// Who is said to have sent it.
    pub sender: Owner,
    /// Its id.
    pub id: MessageId,
    /// What it says; a change says nothing.
    pub said: Said,
    /// What it does to the group.
    pub change: Option<GroupChange>,
    /// Its body has been taken from it: somebody has deleted it, or its time has come.
    pub deleted: bool,
    /// When it disappears, milliseconds since 1970; 0: never.
    pub expires_ms: u64,
}

impl Handed {
    /// Whether it may be referred to while it has not been deleted.
    pub fn stands_for_itself(&self) -> bool {
        self.change.is_none() && self.said.stands_for_itself()
    }
}

/// What HISTORY has said of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recalled {
    /// Which.
    pub conversation: ConversationId,
    /// How many entries the history had when it was asked for.
    pub asked: usize,
    /// Whether it is all of the conversation, asked for at rest; then also the time of day in milliseconds since 1970, when
    /// the first request began and when the last was answered.
    pub at_rest: Option<(u64, u64)>,
    /// In the order given. Those that all clients are given alike are there once.
    pub entries: Vec<Arc<Handed>>,
}

/// Something a client has seen or done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It began, for the first time or again.
    Started,
    /// It ended in order.
    Closed,
    /// It ended as if its process had been killed.
    Crashed,
    /// A connection is up.
    Connected,
    /// There is no connection.
    Disconnected {
        /// As the library says.
        reason: String,
    },
    /// The application gave it a message. Whether that was ever sent is unknown until somebody sees it.
    Enqueued {
        /// Where to.
        conversation: ConversationId,
        /// Its id.
        id: MessageId,
        /// What it says.
        said: Said,
    },
    /// A message is in its local store: it will be sent, whatever becomes of the client.
    Stored {
        /// Where to.
        conversation: ConversationId,
        /// Which.
        id: MessageId,
    },
    /// The server has confirmed a message of its own.
    Accepted {
        /// Where.
        conversation: ConversationId,
        /// Which.
        id: MessageId,
        /// Its place there.
        seq: Seq,
    },
    /// The server refused a message for good.
    Refused {
        /// Where it was to go.
        conversation: ConversationId,
        /// Which.
        id: MessageId,
        /// Why.
        refusal: Refusal,
    },
    /// The application asks for a group to be made or changed. Whether that is ever done is unknown until somebody sees it.
    Asked {
        /// The group's; none if it is to be made.
        conversation: Option<ConversationId>,
        /// The request's id, and the change's.
        id: MessageId,
        /// What is asked for.
        change: GroupChange,
    },
    /// The server has confirmed that it has made or changed a group as this client asked.
    Done {
        /// The group's.
        conversation: ConversationId,
        /// Which request.
        id: MessageId,
        /// The change's place there.
        seq: Seq,
    },
    /// The server will not make or change a group as this client asked.
    Denied {
        /// Which request.
        id: MessageId,
        /// Why.
        refusal: Refusal,
    },
    /// The application asks that somebody be blocked from now on, or no longer. Whether that is ever done is unknown.
    BlockAsked {
        /// The request's id, which the server does not learn.
        id: MessageId,
        /// Who.
        whom: UserId,
        /// Blocked, or no longer.
        blocked: bool,
    },
    /// The server has confirmed that it is so.
    BlockDone {
        /// Which request.
        id: MessageId,
    },
    /// A message or a group's change was handed up.
    Handed(Handed),
    /// The server has answered what was said in a conversation.
    Recalled(Recalled),
    /// The application has read up to here.
    Read {
        /// Where.
        conversation: ConversationId,
        /// Up to here.
        seq: Seq,
    },
    /// A member's watermarks were handed up.
    Receipt {
        /// Where.
        conversation: ConversationId,
        /// Whose.
        user: UserId,
        /// All up to here have reached one of the user's devices.
        delivered: Seq,
        /// All up to here have been read.
        read: Seq,
    },
    /// It ended by itself, which none should.
    Ended {
        /// As the library says.
        reason: String,
    },
}

/// One client's entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When, since the history began.
    pub at: Duration,
    /// Whose.
    pub client: Client,
    /// What.
    pub what: What,
}

/// All entries, in order.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// Whose each client is.
    pub owners: Vec<Owner>,
    /// What happened.
    pub entries: Vec<Entry>,
}

impl History {
    /// The clients of a direct conversation's members.
    pub fn members(&self, conversation: ConversationId) -> impl Iterator<Item = Client> + '_ {
        let is_member = move |owner: &Owner| conversation.direct_peer(owner.user).is_some();
        self.owners.iter().enumerate().filter(move |(_, owner)| is_member(owner)).map(|(at, _)| Client(at))
    }

    /// The clients of a user.
    pub fn of_user(&self, user: UserId) -> impl Iterator<Item = Client> + '_ {
        self.owners.iter().enumerate().filter(move |(_, owner)| owner.user == user).map(|(at, _)| Client(at))
    }

    /// Whose a client is.
    pub fn owner(&self, client: Client) -> Owner {
        self.owners[client.0]
    }

    /// Every message and change handed up, by whom.
    pub fn handed(&self) -> impl Iterator<Item = (Client, &Handed)> {
        self.entries.iter().filter_map(|entry| match &entry.what {
            What::Handed(handed) => Some((entry.client, handed)),
            _ => None,
        })
    }

    /// What the server has answered of conversations, to whom.
    pub fn recalled(&self) -> impl Iterator<Item = (Client, &Recalled)> {
        self.entries.iter().filter_map(|entry| match &entry.what {
            What::Recalled(recalled) => Some((entry.client, recalled)),
            _ => None,
        })
    }

    /// Every message and change that anybody was handed, by its place; of each the first that was whole.
    pub fn logs(&self) -> BTreeMap<ConversationId, BTreeMap<Seq, &Handed>> {
        let mut logs: BTreeMap<ConversationId, BTreeMap<Seq, &Handed>> = BTreeMap::new();
        for (_, handed) in self.handed() {
            let known = logs.entry(handed.conversation).or_default().entry(handed.seq).or_insert(handed);
            if known.deleted && !handed.deleted {
                *known = handed;
            }
        }
        logs
    }

    /// How many entries are like this.
    pub fn count(&self, like: impl Fn(&What) -> bool) -> usize {
        self.entries.iter().filter(|entry| like(&entry.what)).count()
    }
}

/// How far clients have come, kept up to date entry by entry.
#[derive(Debug, Default)]
pub struct Progress {
    /// The last message handed to a client, by conversation.
    pub positions: HashMap<(Client, ConversationId), Seq>,
    /// The last message known of a conversation.
    pub heads: BTreeMap<ConversationId, Seq>,
    /// The last message known of a conversation that this user sent.
    pub sent: HashMap<(ConversationId, UserId), Seq>,
    /// How far a client has been told that a member has come.
    pub delivered: HashMap<(Client, ConversationId, UserId), Seq>,
    /// The changes that anybody was handed of each group.
    pub changes: BTreeMap<ConversationId, Changes>,
    /// The last messages that anybody was handed of a conversation and that can be referred to, and whose they are.
    pub recent: HashMap<ConversationId, VecDeque<(Seq, UserId)>>,
    /// Where messages were deleted last.
    pub deletions: VecDeque<ConversationId>,
    /// Conversations of two of whom one has ever wanted to block the other.
    pub quarrels: HashSet<ConversationId>,
}

/// Messages of a conversation, and deletions, that are remembered as recent.
const RECENT: usize = 16;

#[derive(Debug)]
struct State {
    began: Instant,
    history: History,
    progress: Progress,
    /// What was recalled last of each place.
    recalled: HashMap<(ConversationId, Seq), Arc<Handed>>,
}

impl State {
    fn note(&mut self, client: Client, what: What) {
        self.progress.follow(client, self.history.owner(client), &what);
        self.history.entries.push(Entry { at: self.began.elapsed(), client, what });
    }

    /// An entry that was recalled, kept once if it is what was recalled before.
    fn once(&mut self, entry: Handed) -> Arc<Handed> {
        let known = self.recalled.entry((entry.conversation, entry.seq));
        let known = known.or_insert_with(|| Arc::new(entry.clone()));
        if **known != entry {
            *known = Arc::new(entry);
        }
        known.clone()
    }
}

/// Where clients note what happens to them. Clones note in the same place.
#[derive(Debug, Clone)]
pub struct Recorder(Arc<Mutex<State>>);

impl Recorder {
    /// An empty history of these clients.
    pub fn new(owners: Vec<Owner>) -> Self {
        let history = History { owners, entries: Vec::new() };
        let (progress, recalled) = (Progress::default(), HashMap::new());
        Self(Arc::new(Mutex::new(State { began: Instant::now(), history, progress, recalled })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a client has seen or done.
    pub fn note(&self, client: Client, what: What) {
        self.state().note(client, what);
    }

    /// How many entries there are.
    pub fn count(&self) -> usize {
        self.state().history.entries.len()
    }

    /// Notes what the server has told a client of a conversation, asked when there were so many entries.
    pub fn note_recalled(
        &self,
        client: Client,
        conversation: ConversationId,
        asked: usize,
        at_rest: Option<(u64, u64)>,
        entries: Vec<Handed>,
    ) {
        let mut state = self.state();
        let entries = entries.into_iter().map(|entry| state.once(entry)).collect();
        state.note(client, What::Recalled(Recalled { conversation, asked, at_rest, entries }));
    }

    /// Lets a client do something and notes it, so that nothing can come of it before it is noted.
    pub fn note_while<T, E>(
        &self,
        client: Client,
        act: impl FnOnce() -> Result<(T, What), E>,
    ) -> Result<T, E> {
        let mut state = self.state();
        let (done, what) = act()?;
        state.note(client, what);
        Ok(done)
    }

    /// Looks at how far everybody has come.
    pub fn progress<T>(&self, look: impl FnOnce(&History, &Progress) -> T) -> T {
        let state = self.state();
        look(&state.history, &state.progress)
    }

    /// What an entry made now would have as its time.
    pub fn now(&self) -> Duration {
        self.state().began.elapsed()
    }

    /// All that has been noted so far.
    pub fn history(&self) -> History {
        self.state().history.clone()
    }
}

impl Progress {
    fn follow(&mut self, client: Client, owner: Owner, what: &What) {
        match what {
            What::Accepted { conversation, seq, .. } | What::Done { conversation, seq, .. } => {
                self.saw(*conversation, *seq, owner.user);
            }
            What::Handed(handed) => {
                let Handed { conversation, seq, sender, change, .. } = handed;
                self.saw(*conversation, *seq, sender.user);
                self.remember(handed);
                if let Some(change) = change {
                    let changes = self.changes.entry(*conversation).or_default();
                    changes.entry(*seq).or_insert_with(|| (sender.user, change.clone()));
                }
                let position = self.positions.entry((client, *conversation)).or_default();
                *position = (*position).max(*seq);
            }
            What::BlockAsked { whom, .. } => {
                self.quarrels.insert(ConversationId::direct(owner.user, *whom));
            }
            What::Receipt { conversation, user, delivered, .. } => {
                let known = self.delivered.entry((client, *conversation, *user)).or_default();
                *known = (*known).max(*delivered);
            }
            _ => {}
        }
    }

    /// Keeps what others may want to refer to, or look for.
    fn remember(&mut self, handed: &Handed) {
        let Handed { conversation, seq, sender, said, .. } = handed;
        if said.target(ReferenceKind::Delete).is_some() {
            self.deletions.push_back(*conversation);
            self.deletions.drain(..self.deletions.len().saturating_sub(RECENT));
        }
        if handed.stands_for_itself() {
            let recent = self.recent.entry(*conversation).or_default();
            if recent.back().is_none_or(|(last, _)| last < seq) {
                recent.push_back((*seq, sender.user));
                recent.drain(..recent.len().saturating_sub(RECENT));
            }
        }
    }

    fn saw(&mut self, conversation: ConversationId, seq: Seq, sender: UserId) {
        let head = self.heads.entry(conversation).or_default();
        *head = (*head).max(seq);
        let sent = self.sent.entry((conversation, sender)).or_default();
        *sent = (*sent).max(seq);
    }
}
