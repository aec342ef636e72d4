//! Every decision of a client, and none of its effects: no clock, no socket, no file.
//!
//! [`Machine::handle`] is told what happened and when; [`Machine::next_effect`] and [`Machine::take_output`] say what to
//! do. What arrives on a connection is decided in [`online`].
//!
//! Invariants:
//! - a message is transmitted only after a commit has put it into the local store;
//! - an event is acknowledged only after the commit that covers it, and on the connection that pushed it;
//! - a conversation's messages, and the changes among them, are handed up once each, in order, wherever they come from.

mod acks;
#[cfg(test)]
mod channel_tests;
mod channels;
mod expiring;
#[cfg(test)]
mod expiring_tests;
#[cfg(test)]
mod failover_tests;
mod following;
#[cfg(test)]
mod group_tests;
mod looking;
#[cfg(test)]
mod looking_tests;
mod marks;
mod nodes;
mod online;
mod ordering;
mod outbox;
mod requests;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rookery_protocol::{
    Ack, Body, ConversationId, DeviceId, Doing, GroupId, Hello, MessageId, Payload, RawFrame, Reference,
    ReferenceKind, Seq, Stamp, Typing, UserId, limits,
};

use crate::backoff::Backoff;
use crate::local_store::{Batch, Saved, Timer};
use crate::{
    Config, Entry, Event, Identity, LocalStoreError, NodeAddress, Refusal, RequestError, TerminalError,
};
use acks::AckQueue;
use channels::Channels;
use expiring::{Expiring, Timers};
use looking::Looking;
use marks::Marks;
use nodes::Nodes;
use online::Online;
use ordering::Ordering;
use outbox::Outbox;
use requests::Requests;

pub(crate) use expiring::ServerClock;
pub(crate) use looking::View;
pub(crate) use requests::{Answer, Call, CallId};

/// A connection that lasted this long makes the next wait short again.
const STABLE: Duration = Duration::from_secs(10);
/// A server that kept the client for so long does not send it back and forth.
const SETTLED: Duration = Duration::from_secs(1);
/// Longest wait before another node is tried, after a connection was lost. Many are lost when a node dies.
const ELSEWHERE_SOON: Duration = Duration::from_millis(250);
/// The same after a node could not be reached or did not let the client in.
const ELSEWHERE_AT_ONCE: Duration = Duration::from_millis(100);
/// What a wait that the server asked for is lengthened by at most.
const AFTER_ASKED: Duration = Duration::from_secs(1);
/// A server that owes an answer and says nothing at all for so long is given up.
const SILENCE: Duration = Duration::from_secs(5);
/// For the last commit when the application closes the client.
const CLOSING: Duration = Duration::from_secs(5);
/// Bytes of frames made ahead of the socket; requests beyond it wait in the machine.
const OUTPUT_BYTES_SOFT_MAX: usize = 64 * 1024;

/// What has happened.
#[derive(Debug)]
pub(crate) enum Input {
    /// The first input.
    Start,
    /// A connection is up, and this is the token to present.
    Dialed { token: String },
    /// There is no connection, because ...
    DialFailed { reason: String },
    /// Bytes came, perhaps not a whole frame.
    Heard,
    /// A frame came.
    Frame(RawFrame),
    /// The connection is gone, because ...
    Lost { reason: String },
    /// The application took all deliveries up to this one.
    Taken(u64),
    /// Nobody takes deliveries, this one neither.
    Unheard(u64),
    /// The commit under way has ended.
    Committed(Result<(), LocalStoreError>),
    /// The application sends a message.
    Send {
        conversation: ConversationId,
        id: MessageId,
        body: Body,
        reference: Option<Reference>,
        /// After how long it disappears, or what it sets as a timer; `None`: as the conversation's timer says.
        expires_s: Option<u32>,
    },
    /// The application has shown messages to the user.
    Read { conversation: ConversationId, seq: Seq },
    /// The user looks at this now.
    Watch(View),
    /// The user is there, or is not.
    Active(bool),
    /// The user does something in a conversation.
    Typing { conversation: ConversationId, doing: Doing },
    /// The application asks something.
    Call { id: CallId, call: Call },
    /// The socket took the output: there is room for more.
    OutputTaken,
    /// Time has passed.
    Tick,
    /// The application is done.
    Close,
}

/// What to do.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Connect, unless told to hang up meanwhile.
    Dial(NodeAddress),
    /// Drop the connection, or the attempt.
    HangUp,
    /// Commit, then say so. One at a time.
    Commit(Batch),
    HandUp {
        delivery: u64,
        entry: Entry,
    },
    /// Something that is no entry. Without a delivery nobody waits for it to be taken.
    HandUpOther {
        delivery: Option<u64>,
        event: Event,
    },
    Stored {
        id: MessageId,
        conversation: ConversationId,
    },
    Sent {
        id: MessageId,
        bytes: usize,
        conversation: ConversationId,
        seq: Seq,
        time_ms: u64,
    },
    SendFailed {
        delivery: u64,
        id: MessageId,
        bytes: usize,
        conversation: ConversationId,
        refusal: Refusal,
    },
    Answer {
        id: CallId,
        answer: Result<Answer, RequestError>,
    },
    Connected(Identity, ServerClock),
    /// A conversation has another timer.
    Timer(Timer),
    /// These channels are followed from now on.
    Followed(Vec<GroupId>),
    Disconnected {
        retry_in: Duration,
        reason: String,
    },
    /// Nothing more will come. Pass on the output, then end.
    Stop(Option<TerminalError>),
}

#[derive(Debug)]
enum Phase {
    /// Nothing is connected before this time.
    Waiting(Duration),
    Dialing {
        deadline: Duration,
    },
    Handshaking {
        deadline: Duration,
        heard: bool,
    },
    Online(Box<Online>),
    Stopped,
}

/// Something to do at a time.
#[derive(Debug, Clone, Copy)]
enum Alarm {
    Unblock(ConversationId),
    RetryCall(CallId),
    RetryMark(ConversationId),
    Fill(ConversationId),
    ReadLog(GroupId),
    ListFollowed,
}

/// A commit under way.
#[derive(Debug, Default)]
struct Committing {
    /// To acknowledge afterwards, if the connection is still the same.
    ack: Option<Stamp>,
    cursor: Option<Stamp>,
    saved: Vec<(ConversationId, u64)>,
}

/// A message that was refused for good. It stays in the local store until the application has heard of that: if the process ends
/// before, the next one asks the server again.
#[derive(Debug)]
struct Failure {
    delivery: u64,
    /// Its place in the outbox.
    order: u64,
}

/// A client without its senses and limbs.
#[derive(Debug)]
pub(crate) struct Machine {
    hello: Hello,
    dial_deadline: Duration,
    handshake_deadline: Duration,
    request_deadline: Duration,
    rng: StdRng,
    nodes: Nodes,
    backoff: Backoff,
    phase: Phase,
    /// When closing: the time by which it must be done.
    closing: Option<Duration>,
    device: Option<(UserId, DeviceId)>,
    /// Gathered, in the commit under way, or committed.
    cursor: Option<Stamp>,
    /// Committed: what HELLO may acknowledge.
    cursor_committed: Option<Stamp>,
    /// When the server asked that the client connect again, wherever to.
    goaway: Option<Duration>,
    /// The nodes tried in this pass are not to be tried again before.
    not_again_before: Duration,
    taken: u64,
    acks: AckQueue,
    ordering: Ordering,
    marks: Marks,
    outbox: Outbox,
    failures: VecDeque<Failure>,
    requests: Requests,
    looking: Looking,
    channels: Channels,
    timers: Timers,
    expiring: Expiring,
    alarms: BTreeMap<(Duration, u64), Alarm>,
    alarm_count: u64,
    batch: Batch,
    batch_saves: Vec<(ConversationId, u64)>,
    ack_due: Option<Stamp>,
    committing: Option<Committing>,
    output: Vec<u8>,
    effects: VecDeque<Effect>,
}

impl Machine {
    pub(crate) fn new(config: &Config, saved: Saved, rng: &mut StdRng) -> Self {
        let rng = StdRng::from_rng(rng);
        let mut client = config.client_name.clone();
        while client.len() > limits::CLIENT_NAME_BYTES_MAX {
            client.pop();
        }
        Self {
            hello: Hello { token: String::new(), client, resume: None, window_events: config.window_events },
            dial_deadline: config.dial_deadline,
            handshake_deadline: config.handshake_deadline,
            request_deadline: config.request_deadline,
            rng,
            nodes: Nodes::new(config.nodes.clone()),
            backoff: Backoff::default(),
            phase: Phase::Waiting(Duration::ZERO),
            closing: None,
            device: saved.device,
            cursor: saved.cursor,
            cursor_committed: saved.cursor,
            goaway: None,
            not_again_before: Duration::ZERO,
            taken: 0,
            acks: AckQueue::default(),
            ordering: Ordering::new(&saved.positions, limits::WINDOW_EVENTS_MAX as usize),
            marks: Marks::default(),
            outbox: Outbox::new(saved.outbox),
            failures: VecDeque::new(),
            requests: Requests::default(),
            looking: Looking::default(),
            channels: Channels::default(),
            timers: Timers::new(saved.timers),
            expiring: Expiring::default(),
            alarms: BTreeMap::new(),
            alarm_count: 0,
            batch: Batch::default(),
            batch_saves: Vec::new(),
            ack_due: None,
            committing: None,
            output: Vec::new(),
            effects: VecDeque::new(),
        }
    }

    /// Something happened at `now`, counted from the client's start.
    pub(crate) fn handle(&mut self, now: Duration, input: Input) {
        if matches!(self.phase, Phase::Stopped) {
            return;
        }
        match input {
            Input::Start | Input::OutputTaken | Input::Tick => {}
            Input::Dialed { token } => self.greet(now, token),
            Input::DialFailed { reason } => self.retry_later(now, reason),
            Input::Heard => self.heard(now),
            Input::Frame(frame) => self.frame(now, &frame),
            Input::Lost { reason } => self.lost(now, reason),
            Input::Taken(delivery) => {
                if delivery > self.taken {
                    self.taken = delivery;
                    self.batch.taken_noted = true;
                    let heard =
                        self.failures.iter().take_while(|failure| failure.delivery <= delivery).count();
                    self.batch
                        .outbox_removed
                        .extend(self.failures.drain(..heard).map(|failure| failure.order));
                }
            }
            Input::Unheard(delivery) => {
                let place = self.failures.iter().position(|failure| failure.delivery == delivery);
                let failure = place.and_then(|place| self.failures.remove(place));
                self.batch.outbox_removed.extend(failure.map(|failure| failure.order));
            }
            Input::Committed(Ok(())) => self.committed(),
            Input::Committed(Err(error)) => self.stop(Some(TerminalError::LocalStore(error))),
            Input::Send { conversation, id, body, reference, expires_s } => {
                self.looking.sends(conversation);
                let expires_s = expires_s.unwrap_or_else(|| self.expires_s(conversation, reference));
                let entry = self.outbox.add(conversation, id, body, reference, expires_s);
                self.batch_saves.push((conversation, entry.order));
                self.batch.outbox_added.push(entry);
            }
            Input::Read { conversation, seq } => self.requests.mark(conversation, seq),
            Input::Call { id, call } => self.requests.call(id, call, now + self.request_deadline),
            Input::Watch(view) => {
                let back = self.looking.watch(view);
                self.hand_up_presence(back);
            }
            Input::Active(active) => self.looking.set_active(active),
            Input::Typing { conversation, doing } => self.type_in(now, conversation, doing),
            Input::Close => self.closing = self.closing.or(Some(now + CLOSING)),
        }
        self.pass_time(now);
        self.gather_acks();
        self.start_commit();
        self.transmit(now);
        self.finish_closing(now);
    }

    pub(crate) fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Moves frames to be written into `into`; says whether there were any.
    pub(crate) fn take_output(&mut self, into: &mut Vec<u8>) -> bool {
        let any = !self.output.is_empty();
        if into.is_empty() {
            std::mem::swap(into, &mut self.output);
        } else {
            into.append(&mut self.output);
        }
        any
    }

    /// When to call [`handle`](Self::handle) with a tick at the latest.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let phase = match &self.phase {
            Phase::Waiting(until) if self.closing.is_none() => Some(*until),
            Phase::Dialing { deadline } | Phase::Handshaking { deadline, .. } => Some(*deadline),
            Phase::Online(online) => Some(online.deadline()),
            Phase::Waiting(_) => None,
            Phase::Stopped => return None,
        };
        let (alarm, looking) = match &self.phase {
            Phase::Online(_) => {
                (self.alarms.first_key_value().map(|(key, _)| key.0), self.looking.deadline())
            }
            _ => (None, None),
        };
        let others = [self.closing, self.requests.deadline(), self.expiring.deadline()];
        [phase, alarm, looking].into_iter().chain(others).flatten().min()
    }

    fn pass_time(&mut self, now: Duration) {
        match &mut self.phase {
            Phase::Waiting(until) if *until <= now && self.closing.is_none() => {
                let node = self.nodes.next(&mut self.rng);
                self.phase = Phase::Dialing { deadline: now + self.patience(self.dial_deadline) };
                self.effects.push_back(Effect::Dial(node));
            }
            Phase::Dialing { deadline } if *deadline <= now => {
                self.effects.push_back(Effect::HangUp);
                self.retry_later(now, "no connection in time".to_owned());
            }
            Phase::Handshaking { deadline, heard } if *deadline <= now => {
                let reason = if *heard { "no WELCOME in time" } else { "the server says nothing" };
                self.hang_up(now, reason.to_owned());
            }
            Phase::Online(_) => self.pass_time_online(now),
            _ => {}
        }
        while let Some((conversation, seq)) = self.expiring.next_expired(now) {
            let event = Event::Expired { conversation, seq };
            self.effects.push_back(Effect::HandUpOther { delivery: None, event });
        }
        while let Some(id) = self.requests.expire(now) {
            if let Phase::Online(online) = &mut self.phase {
                online.forget_call(id);
            }
            self.effects.push_back(Effect::Answer { id, answer: Err(RequestError::Timeout) });
        }
    }

    fn greet(&mut self, now: Duration, token: String) {
        if !matches!(self.phase, Phase::Dialing { .. }) {
            return;
        }
        self.hello.resume = self.cursor_committed;
        self.hello.token = token;
        rookery_protocol::encode_into(&mut self.output, &self.hello);
        self.hello.token = String::new();
        let deadline = now + self.patience(self.handshake_deadline);
        self.phase = Phase::Handshaking { deadline, heard: false };
    }

    /// How long a node may take to let the client in: not as long as usual while there is another to try.
    fn patience(&self, usual: Duration) -> Duration {
        if self.nodes.has_untried() { usual.min(SILENCE) } else { usual }
    }

    fn heard(&mut self, now: Duration) {
        match &mut self.phase {
            Phase::Handshaking { heard, .. } => *heard = true,
            Phase::Online(online) => online.heard(now),
            _ => {}
        }
    }

    fn lost(&mut self, now: Duration, reason: String) {
        match &mut self.phase {
            Phase::Online(online) => {
                let reason = online.parting_words().unwrap_or(reason);
                self.leave(now, reason);
            }
            Phase::Dialing { .. } | Phase::Handshaking { .. } => self.retry_later(now, reason),
            Phase::Waiting(_) | Phase::Stopped => {}
        }
    }

    /// Ends the connection from this side.
    fn hang_up(&mut self, now: Duration, reason: String) {
        self.effects.push_back(Effect::HangUp);
        if matches!(self.phase, Phase::Online(_)) {
            self.leave(now, reason);
        } else {
            self.retry_later(now, reason);
        }
    }

    /// The connection that was is no more.
    fn leave(&mut self, now: Duration, reason: String) {
        self.acks.clear();
        self.ordering.drop_held();
        self.ack_due = None;
        if let Some(committing) = &mut self.committing {
            committing.ack = None;
        }
        self.alarms.clear();
        self.looking.lose_sight();
        if let Phase::Online(online) = &self.phase {
            let lived = now.saturating_sub(online.since());
            if lived >= STABLE {
                self.backoff.reset();
            }
            if lived >= STABLE || (self.goaway.is_some() && lived >= SETTLED) {
                self.nodes.leave_current();
            }
        }
        self.retry_within(now, ELSEWHERE_SOON, reason);
    }

    /// There was no connection.
    fn retry_later(&mut self, now: Duration, reason: String) {
        self.retry_within(now, ELSEWHERE_AT_ONCE, reason);
    }

    /// Tries the next node within `soon`; when each has been tried, all of them again after a longer wait.
    fn retry_within(&mut self, now: Duration, soon: Duration, reason: String) {
        self.output = Vec::new();
        let elsewhere = self.nodes.has_untried();
        let mut wait = if elsewhere {
            self.rng.random_range(Duration::ZERO..soon)
        } else {
            self.nodes.start_over();
            self.backoff.next(&mut self.rng)
        };
        // What a server asks for, and a little so that its clients do not return all at once. One that says "at once" has
        // seen to that, if there is somewhere to go.
        if let Some(at) = self.goaway.take() {
            let asked = at.saturating_sub(now);
            if !asked.is_zero() {
                wait = asked + wait.min(AFTER_ASKED);
            } else if elsewhere {
                wait = Duration::ZERO;
            }
        } else if !elsewhere && self.not_again_before > now {
            wait = (self.not_again_before - now) + wait.min(AFTER_ASKED);
        }
        self.phase = Phase::Waiting(now + wait);
        self.effects.push_back(Effect::Disconnected { retry_in: wait, reason });
    }

    fn stop(&mut self, error: Option<TerminalError>) {
        self.phase = Phase::Stopped;
        self.effects.push_back(Effect::Stop(error));
    }

    fn gather_acks(&mut self) {
        if let Some(stamp) = self.acks.advance(self.taken) {
            self.ack_due = Some(stamp);
            if self.cursor.is_none_or(|cursor| cursor < stamp) {
                self.cursor = Some(stamp);
                self.batch.cursor = self.cursor;
            }
        }
    }

    fn start_commit(&mut self) {
        if self.committing.is_some() || matches!(self.phase, Phase::Stopped) {
            return;
        }
        if self.batch.is_empty() {
            if let Some(stamp) = self.ack_due.take() {
                self.acknowledge(stamp);
            }
            return;
        }
        let saved = std::mem::take(&mut self.batch_saves);
        self.committing = Some(Committing { ack: self.ack_due.take(), cursor: self.cursor, saved });
        self.effects.push_back(Effect::Commit(std::mem::take(&mut self.batch)));
    }

    fn committed(&mut self) {
        let Some(Committing { ack, cursor, saved }) = self.committing.take() else { return };
        self.cursor_committed = cursor;
        for (conversation, order) in saved {
            if let Some(id) = self.outbox.saved(conversation, order) {
                self.effects.push_back(Effect::Stored { id, conversation });
            }
        }
        if let Some(stamp) = ack {
            self.acknowledge(stamp);
        }
    }

    fn acknowledge(&mut self, stamp: Stamp) {
        if let Phase::Online(_) = self.phase {
            self.put(&Ack { stamp });
        }
    }

    /// After how long what is sent now disappears. What adds to another message goes with that one, by the server.
    fn expires_s(&self, conversation: ConversationId, reference: Option<Reference>) -> u32 {
        match reference.map(|reference| reference.kind) {
            None | Some(ReferenceKind::Reply) => {
                self.outbox.timer(conversation).unwrap_or_else(|| self.timers.of(conversation))
            }
            Some(_) => 0,
        }
    }

    /// A timer may have become known, wherever in the log.
    fn learn_timer(&mut self, timer: Option<Timer>) {
        if let Some(timer) = timer {
            self.batch.timers.push(timer);
            self.effects.push_back(Effect::Timer(timer));
        }
    }

    /// Told at once or never: the server passes it on to those who are looking now.
    fn type_in(&mut self, now: Duration, conversation: ConversationId, doing: Doing) {
        if self.has_room_for_a_word() && self.looking.typing(now, conversation, doing) {
            self.put(&Typing { conversation, doing });
        }
    }

    /// Whether there is a connection on which a frame without an answer can be sent.
    fn has_room_for_a_word(&self) -> bool {
        let is_open = matches!(&self.phase, Phase::Online(online) if !online.is_leaving());
        is_open && self.closing.is_none() && self.output.len() < OUTPUT_BYTES_SOFT_MAX
    }

    fn finish_closing(&mut self, now: Duration) {
        let Some(deadline) = self.closing else { return };
        let settled = self.committing.is_none() && self.batch.is_empty();
        if !matches!(self.phase, Phase::Stopped) && (settled || deadline <= now) {
            self.stop(None);
        }
    }

    fn set_alarm(&mut self, at: Duration, alarm: Alarm) {
        self.alarm_count += 1;
        self.alarms.insert((at, self.alarm_count), alarm);
    }

    fn put(&mut self, frame: &impl Payload) {
        rookery_protocol::encode_into(&mut self.output, frame);
    }
}
