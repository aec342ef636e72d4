//! What there is to say to one peer: batches while the link takes them, mail where it does not. No IO, no clock.
//!
//! A batch goes at once while few are on their way, so that an idle link waits for nothing; beyond that only full ones
//! go, so that a busy one batches by itself. A peer acknowledges batches. What it has not acknowledged when the link
//! breaks goes by mail: what matters is idempotent, so twice does no harm.
//!
//! Invariant: what is held is bounded by [`QUEUE_BYTES_MAX`], [`IN_FLIGHT_BYTES_MAX`] and [`MAIL_MAX`]; what is beyond
//! them is dropped and counted, and sweeps and repeated registrations make up for it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rookery_protocol::{DeviceId, UserId};
use tokio::time::Instant;

use super::message::{
    EMPTY_BATCH_BYTES, Header, LinkMessage, VERSION_MAX, VERSION_MIN, VERSION_WITH_LOOKING,
    VERSION_WITH_MANY, encode_batch,
};

/// Messages in a batch.
const BATCH_MESSAGES_MAX: usize = 256;
/// Bytes in a batch, the last message included in part.
const BATCH_BYTES_MAX: usize = 256 * 1024 - 64;
/// Batches on their way up to which one more goes without being full.
const EAGER_BATCHES_MAX: usize = 4;
/// Batches on their way at most, and their bytes: a peer's credit.
const IN_FLIGHT_BATCHES_MAX: usize = 32;
const IN_FLIGHT_BYTES_MAX: usize = 2 << 20;
/// What waits for credit; beyond it messages go by mail.
const QUEUE_MESSAGES_MAX: usize = 64 * 1024;
const QUEUE_BYTES_MAX: usize = 4 << 20;
/// A peer that acknowledges nothing for this long is taken for stuck.
const ACK_TIME_MAX: Duration = Duration::from_secs(2);
/// How many of the last messages that wait a bell may join.
const JOINED_AMONG: usize = 4;
/// Messages waiting to be mailed.
const MAIL_MAX: usize = 64 * 1024;
/// Bytes of a piece of mail, well below a store's longest value.
const LETTER_BYTES_MAX: usize = 48 * 1024;

/// See the module.
#[derive(Debug)]
pub(crate) struct Outgoing {
    is_up: bool,
    /// How many links there have been.
    links: u64,
    queue: VecDeque<LinkMessage>,
    queue_bytes: usize,
    in_flight: VecDeque<InFlight>,
    in_flight_bytes: usize,
    last_seq: u64,
    mail: BTreeMap<Subject, LinkMessage>,
    /// In letters that are being posted.
    posting: Vec<LinkMessage>,
    shed: u64,
    /// As `shed`, of what was for those who are looking.
    unheard: u64,
    speaks_max: u8,
    peer_speaks: u8,
    /// The last batch had from the peer, and whether it knows.
    heard: u64,
    ack_due: bool,
}

#[derive(Debug)]
struct InFlight {
    seq: u64,
    messages: Vec<LinkMessage>,
    bytes: usize,
    sent: Instant,
}

/// What a message in the mail is about: of two about the same, the later counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Ring(UserId),
    Bell(UserId),
    Host(UserId),
    Hosted(UserId),
    Replace(UserId, DeviceId),
    Forgotten(u16),
}

impl Subject {
    fn of(message: &LinkMessage) -> Option<Self> {
        Some(match message {
            LinkMessage::Ring { bell, .. } => Self::Ring(bell.user),
            LinkMessage::Bell(bell) => Self::Bell(bell.user),
            LinkMessage::Host { user, .. } => Self::Host(*user),
            LinkMessage::Hosted { user, .. } => Self::Hosted(*user),
            LinkMessage::Replace { user, newer } => Self::Replace(*user, newer.device),
            LinkMessage::Forgotten { shard, .. } => Self::Forgotten(*shard),
            // A view is in the store, and a proof is asked for by its own way. What is for those who are looking is worth
            // nothing later. Mail has bells one by one.
            LinkMessage::View(_)
            | LinkMessage::Prove
            | LinkMessage::Watching(_)
            | LinkMessage::Unwatching(_)
            | LinkMessage::Published(_)
            | LinkMessage::News(_)
            | LinkMessage::RingMany { .. }
            | LinkMessage::BellMany(_) => return None,
        })
    }
}

/// What is waiting, for operators.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Messages waiting for credit.
    pub queued: usize,
    /// Batches on their way, which the peer has not acknowledged.
    pub in_flight: usize,
    /// Bytes in these.
    pub in_flight_bytes: usize,
    /// Batches that the peer may be sent before it acknowledges one: its credit. 0 while there is no link.
    pub credit: usize,
    /// Messages waiting to be mailed, or being mailed.
    pub mail: usize,
}

impl Outgoing {
    /// To a peer whose link is not up yet, in formats up to `speaks_max`.
    pub(crate) fn new(speaks_max: u8) -> Self {
        Self {
            is_up: false,
            links: 0,
            queue: VecDeque::new(),
            queue_bytes: 0,
            in_flight: VecDeque::new(),
            in_flight_bytes: 0,
            last_seq: 0,
            mail: BTreeMap::new(),
            posting: Vec::new(),
            shed: 0,
            unheard: 0,
            speaks_max,
            peer_speaks: VERSION_MIN,
            heard: 0,
            ack_due: false,
        }
    }

    /// Which link the next batch is for.
    pub(crate) fn link(&self) -> u64 {
        self.links
    }

    /// Whether the link takes batches.
    pub(crate) fn is_up(&self) -> bool {
        self.is_up
    }

    /// Takes a message.
    pub(crate) fn push(&mut self, message: LinkMessage) {
        let format = self.format();
        // Bells come first where there is little room.
        if message.is_fleeting() && self.is_half_full() {
            self.unheard += 1;
            return;
        }
        message.in_format(format, |message| {
            if format >= VERSION_WITH_MANY && self.joins(&message) {
                // It goes with one that waits.
            } else if self.is_up
                && self.queue.len() < QUEUE_MESSAGES_MAX
                && self.queue_bytes < QUEUE_BYTES_MAX
            {
                self.queue_bytes += message.bytes_hint();
                self.queue.push_back(message);
            } else {
                self.put_in_mail(message);
            }
        });
    }

    fn is_half_full(&self) -> bool {
        self.queue.len() >= QUEUE_MESSAGES_MAX / 2 || self.queue_bytes >= QUEUE_BYTES_MAX / 2
    }

    /// Whether one of the last messages that wait has taken it in.
    fn joins(&mut self, message: &LinkMessage) -> bool {
        self.queue.iter_mut().rev().take(JOINED_AMONG).any(|waiting| {
            let before = waiting.bytes_hint();
            let joined = waiting.join(message);
            self.queue_bytes += waiting.bytes_hint() - before;
            joined
        })
    }

    /// The next batch to send, if one is due.
    pub(crate) fn next_batch(&mut self, now: Instant, epoch: u64) -> Option<Vec<u8>> {
        if !self.is_up {
            return None;
        }
        let is_full = self.queue.len() >= BATCH_MESSAGES_MAX || self.queue_bytes >= BATCH_BYTES_MAX;
        let has_credit = self.in_flight.len() < IN_FLIGHT_BATCHES_MAX
            && self.in_flight_bytes < IN_FLIGHT_BYTES_MAX
            && (is_full || self.in_flight.len() < EAGER_BATCHES_MAX);
        if self.queue.is_empty() || !has_credit {
            return std::mem::take(&mut self.ack_due).then(|| encode_batch(self.header(epoch, 0), []));
        }
        let (mut messages, mut bytes) = (Vec::new(), 0);
        while messages.len() < BATCH_MESSAGES_MAX {
            let Some(next) = self.queue.front() else { break };
            let next = next.bytes_hint();
            if !messages.is_empty() && bytes + next > BATCH_BYTES_MAX {
                break;
            }
            bytes += next;
            messages.extend(self.queue.pop_front());
        }
        self.queue_bytes -= bytes;
        self.last_seq += 1;
        self.ack_due = false;
        let batch = encode_batch(self.header(epoch, self.last_seq), &messages);
        self.in_flight_bytes += bytes;
        self.in_flight.push_back(InFlight { seq: self.last_seq, messages, bytes, sent: now });
        Some(batch)
    }

    fn header(&self, epoch: u64, seq: u64) -> Header {
        Header { version: self.format(), speaks: self.speaks_max, epoch, seq, ack: self.heard }
    }

    /// The newest format that both understand.
    fn format(&self) -> u8 {
        self.peer_speaks.min(self.speaks_max)
    }

    /// A batch has come from the peer over the link. Whether it shows, as none did before, that the peer understands who is
    /// looking at what.
    pub(crate) fn heard(&mut self, header: &Header) -> bool {
        let format = self.format();
        self.peer_speaks = header.speaks.clamp(VERSION_MIN, VERSION_MAX);
        if header.seq > 0 {
            self.heard = self.heard.max(header.seq);
            self.ack_due = true;
        }
        while let Some(first) = self.in_flight.front()
            && first.seq <= header.ack
        {
            self.in_flight_bytes -= first.bytes;
            self.in_flight.pop_front();
        }
        self.is_up && format < VERSION_WITH_LOOKING && self.format() >= VERSION_WITH_LOOKING
    }

    /// The link takes batches from now on. What the peer has said over an earlier one is not acknowledged over this: it has
    /// mailed it, and may be counting anew.
    pub(crate) fn link_up(&mut self) {
        self.is_up = true;
        self.links += 1;
        self.heard = 0;
        self.ack_due = false;
    }

    /// The link takes nothing any more: what it may not have carried goes by mail.
    pub(crate) fn link_down(&mut self) {
        self.is_up = false;
        self.peer_speaks = VERSION_MIN;
        let on_their_way = std::mem::take(&mut self.in_flight).into_iter().flat_map(|batch| batch.messages);
        let waiting = std::mem::take(&mut self.queue);
        for message in on_their_way.chain(waiting) {
            self.put_in_mail(message);
        }
        (self.queue_bytes, self.in_flight_bytes) = (0, 0);
    }

    /// This link did not take a batch. There may be another by now.
    pub(crate) fn link_failed(&mut self, link: u64) {
        if self.links == link {
            self.link_down();
        }
    }

    /// Whether the peer has not acknowledged in time.
    pub(crate) fn is_stuck(&self, now: Instant) -> bool {
        self.in_flight.front().is_some_and(|first| now.duration_since(first.sent) >= ACK_TIME_MAX)
    }

    fn put_in_mail(&mut self, message: LinkMessage) {
        message.without_hint().in_format(VERSION_MIN, |message| {
            let Some(subject) = Subject::of(&message) else { return };
            if self.mail.len() < MAIL_MAX || self.mail.contains_key(&subject) {
                self.mail.insert(subject, message);
            } else {
                self.shed += 1;
            }
        });
    }

    /// What is to be mailed, in up to `letters_max` letters. They are to be posted, then [`posted`](Self::posted) or
    /// [`not_posted`](Self::not_posted) called; until then they are held. Whoever was to do so for earlier ones has failed.
    pub(crate) fn take_letters(&mut self, letters_max: usize, epoch: u64) -> Vec<Vec<u8>> {
        self.not_posted();
        // Mail may be read by whoever takes the node's place: in the format that all understand.
        let header = Header { version: VERSION_MIN, speaks: self.speaks_max, epoch, seq: 0, ack: 0 };
        let (mut letters, mut all) = (Vec::new(), Vec::new());
        while letters.len() < letters_max && !self.mail.is_empty() {
            let begin = all.len();
            let mut bytes = EMPTY_BATCH_BYTES;
            while let Some(first) = self.mail.first_entry() {
                let next = first.get().bytes_hint();
                if bytes + next > LETTER_BYTES_MAX && all.len() > begin {
                    break;
                }
                bytes += next;
                all.push(first.remove());
            }
            letters.push(encode_batch(header, &all[begin..]));
        }
        self.posting = all;
        letters
    }

    /// How many messages are in the letters that are being posted.
    pub(crate) fn posting(&self) -> usize {
        self.posting.len()
    }

    /// The letters have been posted. How many messages were in them.
    pub(crate) fn posted(&mut self) -> usize {
        std::mem::take(&mut self.posting).len()
    }

    /// The letters could not be posted, and are mailed again. What has come up meanwhile about the same is newer.
    pub(crate) fn not_posted(&mut self) {
        for message in std::mem::take(&mut self.posting) {
            if let Some(subject) = Subject::of(&message) {
                self.mail.entry(subject).or_insert(message);
            }
        }
    }

    /// Everything that has not certainly arrived, for others to carry: the peer is no more.
    pub(crate) fn take_all(&mut self) -> Vec<LinkMessage> {
        self.link_down();
        self.not_posted();
        std::mem::take(&mut self.mail).into_values().collect()
    }

    /// Messages dropped since the last call.
    pub(crate) fn take_shed(&mut self) -> u64 {
        std::mem::take(&mut self.shed)
    }

    /// Messages for those who are looking, dropped since the last call.
    pub(crate) fn take_unheard(&mut self) -> u64 {
        std::mem::take(&mut self.unheard)
    }

    /// What is waiting.
    pub(crate) fn depth(&self) -> Depth {
        Depth {
            queued: self.queue.len(),
            in_flight: self.in_flight.len(),
            in_flight_bytes: self.in_flight_bytes,
            credit: if self.is_up { IN_FLIGHT_BATCHES_MAX.saturating_sub(self.in_flight.len()) } else { 0 },
            mail: self.mail.len() + self.posting.len(),
        }
    }
}
