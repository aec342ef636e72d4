//! A connection past its HELLO: what frames mean, what is in flight, heartbeats, and how it ends.

use std::collections::HashMap;
use std::time::Duration;

use rookery_protocol::{
    AccountEvent, AccountPart, Active, ChangeGroup, ConversationEvent, ConversationId, CreateGroup,
    DecodeError, Error, ErrorCode, FindPeople, Follow, GetGroup, GetPrivacy, GetProfiles, GetReceipts,
    Goaway, GroupChange, GroupId, Heartbeat, Hide, History, HistoryPage, ListConversations, ListGroups,
    ListPeople, Lookup, MessageEvent, Opcode, Presence, PresenceNotice, RawFrame, Read, ReceiptEvent,
    ReceiptsNotice, Report, RequestId, Send, Sent, ServerFrame, SetConversation, SetPerson, SetPrivacy,
    SetProfile, Stamp, TypingNotice, UserId, Watch, Welcome, decode_value, limits, positional,
};

use super::acks::Settled;
use super::expiring::ServerClock;
use super::ordering::{Outcome, Overflow, Ready};
use super::{
    Alarm, Answer, Call, CallId, Effect, Failure, Machine, OUTPUT_BYTES_SOFT_MAX, Phase, SILENCE, View,
};
use crate::local_store::Timer;
use crate::{Event, Identity, Refusal, RequestError, TerminalError};

/// After a GOAWAY: how long to wait for answers on the way.
const LEAVING: Duration = Duration::from_secs(1);
/// What is on its way to the server may hold up what is behind it: so many bytes a second must get through.
const BYTES_PER_SECOND_MIN: usize = 8 * 1024;
/// The longest time for them.
const ON_THE_WAY: Duration = Duration::from_secs(60);
/// Between attempts when the server names no time of its own.
pub(super) const RETRY: Duration = Duration::from_millis(500);
/// Deliveries the application may leave untaken while history is fetched for it.
pub(super) const UNTAKEN_WHILE_FETCHING_MAX: u64 = 256;

/// Events a server may push ahead of acknowledgements before it is told to leave: twice any window.
const EVENTS_UNACKED_MAX: usize = 2 * limits::WINDOW_EVENTS_MAX as usize;
const PUSHED_TOO_MUCH: &str = "the server pushed more than the window holds";

positional! {
    /// Any event, also one this version does not know: a stamp, and the rest skipped.
    pub struct AnyEvent {
        /// The event's place in the inbox.
        pub stamp: Stamp,
    }
}

/// What a request was for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    Send {
        conversation: ConversationId,
        order: u64,
    },
    Mark(ConversationId),
    Call(CallId),
    Fill(ConversationId),
    Watch,
    /// How far the members of an open group have come.
    Receipts(ConversationId),
    /// Which channels are followed.
    Followed,
    /// What was said in a followed channel.
    Log(GroupId),
}

/// A request that has no answer yet.
#[derive(Debug)]
struct Asked {
    purpose: Purpose,
    bytes: usize,
}

/// The state of a connection that the server has welcomed.
#[derive(Debug)]
pub(crate) struct Online {
    since: Duration,
    last_sent: Duration,
    heartbeat: Duration,
    nonce: u64,
    /// A heartbeat is on its way, or could not even be given to the socket, and nothing was heard since.
    heartbeat_due: bool,
    /// Since when the server owes an answer and says nothing at all.
    silent_since: Option<Duration>,
    /// It has been asked for a sign of life since.
    probed: bool,
    requests_max: usize,
    last_request: u32,
    in_flight: HashMap<RequestId, Asked>,
    bytes_in_flight: usize,
    /// How often the server has said that it does not know a request without saying which, and it is not known either.
    unknown: usize,
    /// What the server said before it closes.
    parting: Option<String>,
    /// The server is going away: nothing new, and hang up at this time or when all is answered.
    leaving: Option<Duration>,
}

impl Online {
    fn new(now: Duration, welcome: &Welcome) -> Self {
        Self {
            since: now,
            last_sent: now,
            heartbeat: Duration::from_millis(u64::from(welcome.heartbeat_ms.max(100))),
            nonce: 0,
            heartbeat_due: false,
            silent_since: None,
            probed: false,
            requests_max: requests_max(welcome.requests_in_flight),
            last_request: 0,
            in_flight: HashMap::new(),
            bytes_in_flight: 0,
            unknown: 0,
            parting: None,
            leaving: None,
        }
    }

    pub(crate) fn since(&self) -> Duration {
        self.since
    }

    /// Whatever is heard, it is not silence.
    pub(crate) fn heard(&mut self, now: Duration) {
        self.heartbeat_due = false;
        self.probed = false;
        self.silent_since = self.silent_since.map(|_| now);
    }

    /// Looks whether an answer is due.
    fn note_silence(&mut self, now: Duration) {
        let owes = self.heartbeat_due || !self.in_flight.is_empty();
        self.silent_since = owes.then(|| self.silent_since.unwrap_or(now));
        self.probed &= owes;
    }

    pub(crate) fn parting_words(&mut self) -> Option<String> {
        self.parting.take()
    }

    pub(crate) fn deadline(&self) -> Duration {
        let next = self.leaving.unwrap_or_else(|| self.heartbeat_at());
        next.min(self.given_up_at())
    }

    /// When a heartbeat is due: after some time without another frame, and half way through a silence. A request may take
    /// its time, and the answer to a heartbeat does not.
    fn heartbeat_at(&self) -> Duration {
        let regular = self.last_sent + self.heartbeat;
        match self.silent_since {
            Some(since) if !self.probed => regular.min(since + SILENCE / 2),
            _ => regular,
        }
    }

    fn given_up_at(&self) -> Duration {
        let Some(since) = self.silent_since else { return Duration::MAX };
        let on_the_way = Duration::from_secs((self.bytes_in_flight / BYTES_PER_SECOND_MIN) as u64);
        since + SILENCE + on_the_way.min(ON_THE_WAY)
    }

    pub(super) fn request(&mut self, purpose: Purpose) -> RequestId {
        self.last_request = self.last_request.checked_add(1).unwrap_or(1);
        let request = RequestId::new(self.last_request);
        self.in_flight.insert(request, Asked { purpose, bytes: 0 });
        request
    }

    /// The last request is so long.
    fn request_is_long(&mut self, bytes: usize) {
        if let Some(asked) = self.in_flight.get_mut(&RequestId::new(self.last_request)) {
            asked.bytes = bytes;
            self.bytes_in_flight += bytes;
        }
    }

    fn answered(&mut self, request: RequestId) -> Option<Purpose> {
        let purpose = self.take(request);
        self.forget_unknown();
        purpose
    }

    fn take(&mut self, request: RequestId) -> Option<Purpose> {
        let asked = self.in_flight.remove(&request)?;
        self.bytes_in_flight -= asked.bytes;
        Some(asked.purpose)
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.is_some()
    }

    /// Nobody waits for the answer any more. A server that does not know the request, and did not say which it was, never
    /// gives one.
    pub(crate) fn forget_call(&mut self, call: CallId) {
        let is_it = |asked: &Asked| matches!(asked.purpose, Purpose::Call(id) if id == call);
        let found = self.in_flight.iter().find(|(_, asked)| is_it(asked));
        if let Some(request) = found.map(|(request, _)| *request) {
            self.unknown = self.unknown.saturating_sub(1);
            self.answered(request);
        }
    }

    /// An older server does not know some request, and does not say which.
    fn unknown_request(&mut self) {
        self.unknown += 1;
        self.forget_unknown();
    }

    /// When as many requests were unknown as are without an answer, it is these: what the application has not asked for is
    /// forgotten, for it would be waited for as long as the connection lasts.
    fn forget_unknown(&mut self) {
        if self.unknown == 0 || self.in_flight.len() > self.unknown {
            return;
        }
        self.unknown = 0;
        let is_ours = |asked: &Asked| matches!(asked.purpose, Purpose::Watch | Purpose::Followed);
        let ours = self.in_flight.iter().filter(|(_, asked)| is_ours(asked));
        let ours: Vec<_> = ours.map(|(request, _)| *request).collect();
        for request in ours {
            self.take(request);
        }
    }

    /// Whether something is under way that the application has asked for. The rest is asked anew on each connection.
    fn is_worth_waiting(&self) -> bool {
        let is_ours = |purpose: &Purpose| {
            matches!(purpose, Purpose::Watch | Purpose::Receipts(_) | Purpose::Followed | Purpose::Log(_))
        };
        self.in_flight.values().any(|asked| !is_ours(&asked.purpose))
    }

    /// One at a time, for it is in nobody's way.
    fn is_asking_receipts(&self) -> bool {
        self.in_flight.values().any(|asked| matches!(asked.purpose, Purpose::Receipts(_)))
    }

    fn has_room(&self) -> bool {
        self.leaving.is_none() && self.in_flight.len() < self.requests_max
    }
}

impl Machine {
    pub(super) fn pass_time_online(&mut self, now: Duration) {
        let Phase::Online(online) = &mut self.phase else { return };
        if online.given_up_at() <= now {
            let reason = "the server does not answer".to_owned();
            return self.hang_up(now, reason);
        }
        if let Some(leaving) = online.leaving
            && (leaving <= now || !online.is_worth_waiting())
        {
            let reason = online.parting_words().unwrap_or_default();
            return self.hang_up(now, reason);
        }
        if online.leaving.is_none() && online.heartbeat_at() <= now {
            online.probed = true;
            online.heartbeat_due = true;
            online.last_sent = now;
            // What the socket has not taken will do as well.
            if self.output.is_empty() {
                online.nonce += 1;
                let nonce = online.nonce;
                self.put(&Heartbeat { nonce });
            }
        }
        self.looking.pass_time(now);
        while let Some(first) = self.alarms.first_entry().filter(|first| first.key().0 <= now) {
            match first.remove() {
                Alarm::Unblock(conversation) => self.outbox.unblock(conversation, now),
                Alarm::RetryCall(id) => self.requests.retry_call(id),
                Alarm::RetryMark(conversation) => self.requests.retry_mark(conversation),
                Alarm::Fill(conversation) => self.fetch(now, conversation),
                Alarm::ReadLog(group) => self.channels.log_waited(group),
                Alarm::ListFollowed => self.channels.list_waited(),
            }
        }
    }

    /// Makes frames of what waits, as far as the server and the socket have room.
    pub(super) fn transmit(&mut self, now: Duration) {
        if self.has_room_for_a_word()
            && let Some(active) = self.looking.tell_active()
        {
            self.put(&Active { active });
        }
        while self.output.len() < OUTPUT_BYTES_SOFT_MAX && self.closing.is_none() {
            let before = self.output.len();
            if !self.transmit_one(now) {
                break;
            }
            let bytes = self.output.len() - before;
            if let Phase::Online(online) = &mut self.phase
                && bytes > 0
            {
                online.request_is_long(bytes);
            }
        }
        if let Phase::Online(online) = &mut self.phase {
            if !self.output.is_empty() {
                online.last_sent = now;
            }
            online.note_silence(now);
        }
    }

    fn transmit_one(&mut self, now: Duration) -> bool {
        let Phase::Online(online) = &mut self.phase else { return false };
        if !online.has_room() {
            return false;
        }
        if self.looking.is_watch_due() {
            let request = online.request(Purpose::Watch);
            let View { users, conversations } = self.looking.tell_watch(now);
            self.put(&Watch { request, users, conversations });
        } else if let Some((id, call)) = self.requests.next_call() {
            let request = online.request(Purpose::Call(id));
            self.put_call(request, call);
        } else if let Some((conversation, seq)) = self.requests.next_mark() {
            let request = online.request(Purpose::Mark(conversation));
            self.put(&Read { request, conversation, seq });
        } else if self.looking.are_receipts_due()
            && !online.is_asking_receipts()
            && let Some(conversation) = self.looking.ask_receipts()
        {
            if self.channels.look_again(conversation) {
                return true;
            }
            let request = online.request(Purpose::Receipts(conversation));
            self.put(&GetReceipts { request, conversation });
        } else if self.ask_about_channels() {
            return true;
        } else if let Phase::Online(online) = &mut self.phase
            && let Some(message) = self.outbox.next_transmission()
        {
            let (conversation, order) = (message.conversation, message.order);
            let request = online.request(Purpose::Send { conversation, order });
            self.put(&Send {
                request,
                conversation,
                id: message.id,
                after: message.after,
                body: message.body,
                reference: message.reference,
                expires_s: message.expires_s,
            });
        } else {
            return false;
        }
        true
    }

    fn put_call(&mut self, request: RequestId, call: Call) {
        match call {
            Call::LookupHandle(handle) => self.put(&Lookup { request, handle: Some(handle), user: None }),
            Call::LookupUser(user) => self.put(&Lookup { request, handle: None, user: Some(user) }),
            Call::History { conversation, from, to, backwards, time_ms } => {
                self.put(&History { request, conversation, from, to, backwards, time_ms });
            }
            Call::CreateGroup { id, name, members, settings } => {
                self.put(&CreateGroup { request, id, name, members, settings });
            }
            Call::ChangeGroup { id, group, change } => self.put(&ChangeGroup { request, group, id, change }),
            Call::Group(group) => self.put(&GetGroup { request, group }),
            Call::Groups { after } => self.put(&ListGroups { request, after }),
            Call::Receipts(conversation) => self.put(&GetReceipts { request, conversation }),
            Call::Conversations { after } => self.put(&ListConversations { request, after }),
            Call::SetConversation { conversation, settings } => {
                self.put(&SetConversation { request, conversation, settings });
            }
            Call::Hide { conversation, up_to, seqs } => {
                self.put(&Hide { request, conversation, up_to, seqs });
            }
            Call::SetPrivacy(privacy) => self.put(&SetPrivacy { request, privacy }),
            Call::Privacy => self.put(&GetPrivacy { request }),
            Call::SetProfile(profile) => self.put(&SetProfile { request, profile }),
            Call::Profiles(users) => self.put(&GetProfiles { request, users }),
            Call::SetPerson(person) => self.put(&SetPerson { request, person }),
            Call::People { after } => self.put(&ListPeople { request, after }),
            Call::FindPeople(handles) => self.put(&FindPeople { request, handles }),
            Call::Follow { group, follow } => self.put(&Follow { request, group, follow }),
            Call::Report { user, conversation, seqs, text } => {
                self.put(&Report { request, user, conversation, seqs, text });
            }
        }
    }

    pub(super) fn frame(&mut self, now: Duration, frame: &RawFrame) {
        match &self.phase {
            Phase::Handshaking { .. } => match ServerFrame::decode(frame) {
                Ok(ServerFrame::Welcome(welcome)) => self.welcome(now, &welcome),
                Ok(ServerFrame::Error(error)) => self.refused(now, error),
                Ok(ServerFrame::Goaway(goaway)) => self.goaway(now, goaway),
                _ => self.hang_up(now, "the server's first frame was no WELCOME".to_owned()),
            },
            Phase::Online(_) => {
                self.frame_online(now, frame);
                if self.acks.len() > EVENTS_UNACKED_MAX {
                    self.hang_up(now, PUSHED_TOO_MUCH.to_owned());
                }
            }
            _ => {}
        }
    }

    fn frame_online(&mut self, now: Duration, frame: &RawFrame) {
        match ServerFrame::decode(frame) {
            Ok(ServerFrame::MessageEvent(event)) => self.message_event(now, event),
            Ok(ServerFrame::ReceiptEvent(ReceiptEvent { stamp, receipt })) => {
                if let Some(receipt) = self.marks.raise(receipt) {
                    self.hand_up_other(stamp, Event::Receipt(receipt));
                } else {
                    // What it repeats has been handed up, and may not have been taken.
                    self.acks.push(stamp, Settled::WhenTaken(self.ordering.last_delivery()));
                }
            }
            Ok(ServerFrame::Sent(sent)) => self.sent(sent),
            Ok(ServerFrame::Done(done)) => match self.answered(done.request) {
                Some(Purpose::Mark(conversation)) => self.requests.mark_answered(conversation),
                Some(Purpose::Watch) => self.watch_begun(),
                Some(Purpose::Call(id)) => {
                    if let Some(group) = self.requests.unfollows(id) {
                        self.end_channel(now, group);
                    }
                    self.answer(id, Ok(Answer::Done));
                }
                _ => {}
            },
            Ok(ServerFrame::HistoryPage(page)) => self.page(now, page),
            Ok(ServerFrame::Found(found)) => self.answer_call(found.request, Answer::Found(found)),
            Ok(ServerFrame::GroupCreated(made)) => self.answer_call(made.request, Answer::Created(made)),
            Ok(ServerFrame::Group(group)) => self.answer_call(group.request, Answer::Group(group)),
            Ok(ServerFrame::GroupList(list)) => self.answer_call(list.request, Answer::Groups(list)),
            Ok(ServerFrame::Receipts(receipts)) => match self.answered(receipts.request) {
                Some(Purpose::Call(id)) => self.answer(id, Ok(Answer::Receipts(receipts))),
                Some(Purpose::Receipts(conversation)) if !receipts.marks.is_empty() => {
                    self.notice(conversation, Event::Receipts { conversation, marks: receipts.marks });
                }
                _ => {}
            },
            Ok(ServerFrame::Error(error)) => self.refused(now, error),
            Ok(ServerFrame::Goaway(goaway)) => self.goaway(now, goaway),
            Ok(ServerFrame::ConversationEvent(ConversationEvent { stamp, shown })) => {
                self.hand_up_other(stamp, Event::Shown(shown));
            }
            Ok(ServerFrame::AccountEvent(AccountEvent { stamp, part, person })) => {
                if part == AccountPart::Followed {
                    self.channels.ask_list();
                }
                self.hand_up_other(stamp, Event::Account { part, person });
            }
            Ok(ServerFrame::ConversationList(list)) => match self.answered(list.request) {
                Some(Purpose::Call(id)) => self.answer(id, Ok(Answer::Conversations(list))),
                Some(Purpose::Followed) => self.followed_page(now, list),
                _ => {}
            },
            Ok(ServerFrame::Privacy(privacy)) => self.answer_call(privacy.request, Answer::Privacy(privacy)),
            Ok(ServerFrame::Profiles(profiles)) => {
                self.answer_call(profiles.request, Answer::Profiles(profiles));
            }
            Ok(ServerFrame::People(people)) => self.answer_call(people.request, Answer::People(people)),
            Ok(ServerFrame::FoundPeople(found)) => {
                self.answer_call(found.request, Answer::FoundPeople(found));
            }
            Ok(ServerFrame::PresenceNotice(notice)) => self.presence(notice),
            Ok(ServerFrame::TypingNotice(TypingNotice { conversation, user, doing })) => {
                self.notice(conversation, Event::Typing { conversation, user, doing });
            }
            Ok(ServerFrame::ReceiptsNotice(ReceiptsNotice { conversation, marks })) => {
                self.notice(conversation, Event::Receipts { conversation, marks });
            }
            Ok(ServerFrame::ChannelNotice(notice)) => self.channel_notice(now, notice),
            Ok(ServerFrame::HeartbeatAck(_)) => {}
            Ok(ServerFrame::Nodes(nodes)) => self.nodes.learn(&nodes.nodes),
            Ok(ServerFrame::Welcome(_)) => self.hang_up(now, "the server sent a second WELCOME".to_owned()),
            Err(DecodeError::UnknownOpcode(opcode)) if Opcode::is_event(opcode) => {
                match decode_value::<AnyEvent>(&frame.payload) {
                    Ok(event) => {
                        self.acks.push(event.stamp, Settled::WhenTaken(0));
                    }
                    Err(_) => {
                        self.hang_up(now, format!("the server sent an event {opcode:#04x} without a stamp"));
                    }
                }
            }
            Err(DecodeError::UnknownOpcode(_)) => {}
            Err(error) => self.hang_up(now, format!("the server sent what is no frame of ours: {error}")),
        }
    }

    fn welcome(&mut self, now: Duration, welcome: &Welcome) {
        let device = (welcome.user, welcome.device);
        match self.device {
            Some(held) if held != device => {
                let (held_user, held_device) = (held.0.get(), held.1.get());
                let (user, device) = (welcome.user.get(), welcome.device.get());
                return self.stop(Some(TerminalError::OtherDevice { held_user, held_device, user, device }));
            }
            Some(_) => {}
            None => {
                self.device = Some(device);
                self.batch.device = Some(device);
            }
        }
        self.nodes.arrived();
        self.nodes.learn(&welcome.nodes);
        self.phase = Phase::Online(Box::new(Online::new(now, welcome)));
        self.outbox.restart();
        self.requests.restart();
        self.looking.restart();
        self.channels.restart();
        let identity =
            Identity { user: welcome.user, handle: welcome.handle.clone(), device: welcome.device };
        let clock = ServerClock::new(now, welcome.time_ms);
        self.expiring.set_clock(clock);
        self.effects.push_back(Effect::Connected(identity, clock));
    }

    fn message_event(&mut self, now: Duration, event: MessageEvent) {
        let MessageEvent { stamp, mut message } = event;
        let ack = self.acks.push(stamp, Settled::NotYet);
        let timer = self.timers.learn(&message);
        self.learn_timer(timer);
        let own = self.device == Some((message.sender, message.device));
        if own && message.body.is_some() {
            self.outbox.take_confirmed(message.id);
        } else if own && message.change.is_none() {
            let body = self.outbox.body_for_event(message.conversation, message.id);
            // One that was deleted before it was pushed says nothing, whatever this client still has.
            message.body = body.filter(|_| !message.deleted);
        }
        let conversation = message.conversation;
        let (mut begins, mut ends) = (false, false);
        if let (Some(change), Some((me, _))) = (&message.change, self.device) {
            begins = makes_a_member(change, me, message.sender);
            ends = makes_no_member(change, me, message.sender);
        }
        if let Some(group) = conversation.group_id().filter(|_| begins || ends) {
            // Who was following it sees what was said before as well.
            begins &= !self.channels.set_member(group, begins);
        }
        let was_missing = self.ordering.missing(conversation).is_some();
        match self.ordering.offer(message, begins, ack) {
            Ok(outcome) => {
                // While something was missing before, a request for it is on its way.
                let missing = self.hand_up(now, outcome);
                if missing && !was_missing {
                    self.fetch(now, conversation);
                }
            }
            Err(Overflow) => {
                self.hang_up(now, PUSHED_TOO_MUCH.to_owned());
            }
        }
    }

    /// Hands up an event that is no entry, and has no place among them.
    fn hand_up_other(&mut self, stamp: Stamp, event: Event) {
        let delivery = self.ordering.next_delivery();
        self.acks.push(stamp, Settled::WhenTaken(delivery));
        self.effects.push_back(Effect::HandUpOther { delivery: Some(delivery), event });
    }

    fn watch_begun(&mut self) {
        if self.looking.watch_begun() {
            self.effects.push_back(Effect::HandUpOther { delivery: None, event: Event::Watching });
        }
    }

    fn presence(&mut self, notice: PresenceNotice) {
        let people = self.looking.presence(notice.people);
        self.hand_up_presence(people);
    }

    pub(super) fn hand_up_presence(&mut self, people: Vec<Presence>) {
        if !people.is_empty() {
            let event = Event::Presence(people);
            self.effects.push_back(Effect::HandUpOther { delivery: None, event });
        }
    }

    /// What is on its way when the user looks elsewhere is not for them any more.
    fn notice(&mut self, conversation: ConversationId, event: Event) {
        if self.looking.watches(conversation) {
            self.effects.push_back(Effect::HandUpOther { delivery: None, event });
        }
    }

    /// Says whether messages are missing still.
    pub(super) fn hand_up(&mut self, now: Duration, outcome: Outcome) -> bool {
        let now_ms = self.expiring.now_ms(now);
        for Ready { delivery, entry } in outcome.ready {
            let entry = entry.at(now_ms);
            if let Some(expires_ms) = entry.expires_ms() {
                self.expiring.await_end(expires_ms, entry.place());
            }
            self.effects.push_back(Effect::HandUp { delivery, entry });
        }
        for settlement in outcome.settled {
            self.acks.settle(settlement.ack, Settled::WhenTaken(settlement.delivery));
        }
        outcome.missing
    }

    /// Asks for the first messages missing in a conversation, once the application has room for them.
    fn fetch(&mut self, now: Duration, conversation: ConversationId) {
        let Phase::Online(online) = &mut self.phase else { return };
        let Some((from, to)) = self.ordering.missing(conversation) else { return };
        let untaken = self.ordering.last_delivery() - self.taken;
        if untaken > UNTAKEN_WHILE_FETCHING_MAX || !online.has_room() {
            return self.set_alarm(now + RETRY, Alarm::Fill(conversation));
        }
        let request = online.request(Purpose::Fill(conversation));
        self.put(&History { request, conversation, from, to, backwards: false, time_ms: 0 });
    }

    fn page(&mut self, now: Duration, page: HistoryPage) {
        for message in &page.messages {
            let timer = self.timers.learn(message);
            self.learn_timer(timer);
        }
        match self.answered(page.request) {
            Some(Purpose::Call(id)) => {
                for message in page.messages.iter().filter(|it| it.expires_ms != 0 && !it.deleted) {
                    self.expiring.await_end(message.expires_ms, (message.conversation, message.seq));
                }
                self.answer(id, Ok(Answer::Page(page)));
            }
            Some(Purpose::Log(group)) => self.log_page(now, group, page),
            Some(Purpose::Fill(conversation)) => {
                let before = self.ordering.missing(conversation);
                let outcome = self.ordering.fill(conversation, page);
                self.hand_up(now, outcome);
                let after = self.ordering.missing(conversation);
                if after.is_some() && after == before {
                    // A page that says nothing: do not ask for it in a loop.
                    self.set_alarm(now + RETRY, Alarm::Fill(conversation));
                } else {
                    self.fetch(now, conversation);
                }
            }
            _ => {}
        }
    }

    fn sent(&mut self, sent: Sent) {
        let (conversation, order) = match self.answered(sent.request) {
            Some(Purpose::Send { conversation, order }) => (conversation, order),
            Some(Purpose::Call(id)) => return self.answer(id, Ok(Answer::Changed(sent))),
            _ => return,
        };
        let Some(removed) = self.outbox.confirmed(conversation, order) else { return };
        self.batch.outbox_removed.push(order);
        if let Some(expires_s) = removed.timer_s {
            // Its event may come later than the next message is written.
            let timer = self.timers.set(Timer { conversation, seq: sent.seq, expires_s });
            self.learn_timer(timer);
        }
        self.effects.push_back(Effect::Sent {
            id: removed.id,
            bytes: removed.bytes,
            conversation,
            seq: sent.seq,
            time_ms: sent.time_ms,
        });
    }

    fn answered(&mut self, request: RequestId) -> Option<Purpose> {
        let Phase::Online(online) = &mut self.phase else { return None };
        online.answered(request)
    }

    fn answer_call(&mut self, request: RequestId, answer: Answer) {
        if let Some(Purpose::Call(id)) = self.answered(request) {
            self.answer(id, Ok(answer));
        }
    }

    fn answer(&mut self, id: CallId, answer: Result<Answer, RequestError>) {
        if self.requests.finish_call(id) {
            self.effects.push_back(Effect::Answer { id, answer });
        }
    }

    fn refused(&mut self, now: Duration, error: Error) {
        if error.request.get() == 0 {
            return self.connection_refused(now, error);
        }
        let Some(purpose) = self.answered(error.request) else { return };
        let code = error.known_code();
        let retryable = code.is_some_and(ErrorCode::is_retryable);
        let asked = Duration::from_millis(u64::from(error.retry_after_ms));
        let wait = if asked.is_zero() { RETRY } else { asked };
        let refusal = Refusal { code: error.code, text: error.text };
        match purpose {
            Purpose::Send { conversation, order } => {
                let until = match code {
                    Some(ErrorCode::OutOfOrder) => self.outbox.retry_in_order(conversation, order, now),
                    _ if retryable => self.outbox.retry(conversation, order, now, wait),
                    _ => return self.send_failed(conversation, order, refusal),
                };
                if let Some(until) = until {
                    self.set_alarm(until, Alarm::Unblock(conversation));
                }
            }
            Purpose::Call(id) if retryable => self.set_alarm(now + wait, Alarm::RetryCall(id)),
            Purpose::Call(id) => self.answer(id, Err(RequestError::Refused(refusal))),
            Purpose::Mark(conversation) if retryable => {
                self.set_alarm(now + wait, Alarm::RetryMark(conversation));
            }
            Purpose::Mark(conversation) => self.requests.mark_answered(conversation),
            Purpose::Watch => self.looking.watch_refused(retryable.then_some(now + wait)),
            // It is asked again soon enough.
            Purpose::Receipts(_) => {}
            Purpose::Followed => self.followed_refused(now, retryable.then_some(wait)),
            Purpose::Log(group) => self.log_refused(now, group, retryable.then_some(wait)),
            Purpose::Fill(conversation) if retryable => {
                self.set_alarm(now + wait, Alarm::Fill(conversation));
            }
            Purpose::Fill(conversation) => {
                let outcome = self.ordering.give_up(conversation);
                if self.hand_up(now, outcome) {
                    self.fetch(now, conversation);
                }
            }
        }
    }

    fn send_failed(&mut self, conversation: ConversationId, order: u64, refusal: Refusal) {
        let Some(removed) = self.outbox.failed(conversation, order) else { return };
        let delivery = self.ordering.next_delivery();
        self.failures.push_back(Failure { delivery, order });
        let (id, bytes) = (removed.id, removed.bytes);
        self.effects.push_back(Effect::SendFailed { delivery, id, bytes, conversation, refusal });
    }

    fn connection_refused(&mut self, now: Duration, error: Error) {
        let (code, retry_after_ms) = (error.known_code(), error.retry_after_ms);
        let refusal = Refusal { code: error.code, text: error.text };
        match code {
            Some(code) if is_final(code) => self.stop(Some(TerminalError::Refused(refusal))),
            // A server that does not take our acknowledgements would stop pushing: begin afresh.
            Some(code) if code.closes() || code == ErrorCode::BadAck => {
                self.part(now, refusal.to_string(), retry_after_ms);
            }
            _ if matches!(self.phase, Phase::Handshaking { .. }) => {
                self.part(now, refusal.to_string(), retry_after_ms);
            }
            // An older server.
            Some(ErrorCode::UnknownOpcode) => {
                if let Phase::Online(online) = &mut self.phase {
                    online.unknown_request();
                }
            }
            _ => tracing::debug!(%refusal, "the server complains about no request in particular"),
        }
    }

    fn goaway(&mut self, now: Duration, goaway: Goaway) {
        let refusal = Refusal { code: goaway.code, text: goaway.text };
        if refusal.known_code().is_some_and(is_final) {
            return self.stop(Some(TerminalError::Refused(refusal)));
        }
        self.nodes.go_to(&goaway.nodes);
        self.goaway = Some(now + Duration::from_millis(u64::from(goaway.reconnect_after_ms)));
        match &mut self.phase {
            Phase::Online(online) if online.is_worth_waiting() => {
                online.parting = Some(refusal.to_string());
                online.leaving = Some(now + LEAVING);
            }
            _ => self.hang_up(now, refusal.to_string()),
        }
    }

    /// Hangs up, and leaves this node alone for at least as long as it asked.
    fn part(&mut self, now: Duration, reason: String, retry_after_ms: u32) {
        self.not_again_before = now + Duration::from_millis(u64::from(retry_after_ms));
        self.hang_up(now, reason);
    }
}

/// Whether this is the first that `me` is to see of a group, or of a group once left.
fn makes_a_member(change: &GroupChange, me: UserId, sender: UserId) -> bool {
    match change {
        GroupChange::Created { members, .. } => sender == me || members.contains(&me),
        GroupChange::Added(users) => users.contains(&me),
        _ => false,
    }
}

/// Whether this is the last that `me` is to see of a group as a member.
fn makes_no_member(change: &GroupChange, me: UserId, sender: UserId) -> bool {
    match change {
        GroupChange::Removed(users) => users.contains(&me),
        GroupChange::Left { .. } => sender == me,
        GroupChange::Deleted => true,
        _ => false,
    }
}

/// Requests that are left unanswered at a time: a few less than the server takes before it stops reading, so that a
/// heartbeat does not wait behind them.
fn requests_max(taken: u32) -> usize {
    let taken = taken.clamp(1, limits::REQUESTS_IN_FLIGHT_MAX);
    (taken - taken / 8) as usize
}

/// Whether the user has to do something before another connection makes sense.
fn is_final(code: ErrorCode) -> bool {
    use ErrorCode::{Replaced, Suspended, TokenExpired, TokenInvalid, TokenRevoked};
    matches!(code, Replaced | Suspended | TokenInvalid | TokenExpired | TokenRevoked)
}
