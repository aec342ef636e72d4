//! Followed channels in virtual time: each entry once and in order, whatever is lost, doubled, late or refused.

use std::collections::BTreeSet;

use rookery_protocol::{
    AccountEvent, AccountPart, ChannelNotice, ClientFrame, Conversation, ConversationList,
    ConversationSettings, Done, Error, ErrorCode, GroupChange, GroupSettings, History, HistoryPage,
    Message as WireMessage, MessageEvent, RequestId,
};

use super::channels::last_of_two;
use super::tests::{Bench, raw, stamp, user};
use super::*;

fn group(number: u64) -> GroupId {
    GroupId::new(number).unwrap()
}

fn of(number: u64) -> ConversationId {
    ConversationId::group(group(number))
}

fn entry(channel: u64, seq: u64) -> WireMessage {
    WireMessage {
        conversation: of(channel),
        seq: Seq::new(seq),
        sender: user(2),
        device: DeviceId::new(1),
        id: MessageId::from_bytes([u8::try_from(seq % 256).unwrap(); 16]),
        time_ms: 0,
        body: Some(Body::new("x")),
        change: None,
        deleted: false,
        expires_ms: 0,
        timer_s: 0,
        reference: None,
    }
}

fn changed(channel: u64, seq: u64, change: GroupChange) -> WireMessage {
    WireMessage { body: None, change: Some(change), ..entry(channel, seq) }
}

fn no_channel_any_more() -> GroupChange {
    GroupChange::Set(GroupSettings::default())
}

fn followed(channel: u64, read: u64, head: u64) -> Conversation {
    Conversation {
        conversation: of(channel),
        settings: ConversationSettings::default(),
        first: Seq::new(1),
        head: Seq::new(head),
        read: Seq::new(read),
        unread: head - read,
        last: None,
        is_member: false,
        is_followed: true,
    }
}

impl Bench {
    /// Let in, and told that the user follows these.
    fn following(saved: Saved, conversations: Vec<Conversation>) -> Self {
        let mut bench = Self::resuming(saved);
        bench.input(Input::Start);
        bench.input(Input::Dialed { token: "t".to_owned() });
        bench.frames();
        bench.welcome();
        bench.input(Input::Committed(Ok(())));
        bench.list(conversations);
        bench
    }

    /// Answers the list that is asked for now.
    fn list(&mut self, conversations: Vec<Conversation>) {
        let frames = self.frames();
        let [ClientFrame::ListConversations(list)] = &frames[..] else { panic!("{frames:?}") };
        assert_eq!(list.after, Some(last_of_two()), "conversations of two are of no interest");
        let request = list.request;
        self.input(Input::Frame(raw(&ConversationList { request, conversations, more: false })));
    }

    fn notice(&mut self, message: WireMessage) {
        self.input(Input::Frame(raw(&ChannelNotice { message })));
    }

    fn event(&mut self, number: u8, message: WireMessage) {
        self.input(Input::Frame(raw(&MessageEvent { stamp: stamp(number), message })));
    }

    fn change_followed(&mut self, number: u8) {
        let (part, person) = (AccountPart::Followed, None);
        self.input(Input::Frame(raw(&AccountEvent { stamp: stamp(number), part, person })));
    }

    /// The one HISTORY that is asked now.
    fn asked(&mut self) -> History {
        let frames = self.frames();
        let [ClientFrame::History(history)] = &frames[..] else { panic!("{frames:?}") };
        history.clone()
    }

    /// Answers HISTORY with these entries of a log that ends with `head`.
    fn page(&mut self, asked: &History, seqs: impl IntoIterator<Item = u64>, head: u64) {
        let channel = asked.conversation.group_id().unwrap().get();
        let messages: Vec<_> = seqs.into_iter().map(|seq| entry(channel, seq)).collect();
        let (request, head) = (asked.request, Seq::new(head));
        let next = messages.last().map_or(head, |last| last.seq).next();
        self.input(Input::Frame(raw(&HistoryPage { request, head, next, messages })));
    }

    fn refuse(&mut self, request: RequestId, code: ErrorCode, retry_after_ms: u32) {
        let error = Error { retry_after_ms, ..Error::new(request, code, "no") };
        self.input(Input::Frame(raw(&error)));
    }

    /// The numbers of what is handed up now.
    fn numbers(&mut self) -> Vec<u64> {
        let handed = self.effects().into_iter().filter_map(|effect| match effect {
            Effect::HandUp { entry, .. } => Some(entry.place().1.get()),
            _ => None,
        });
        handed.collect()
    }

    fn connect_again(&mut self) {
        self.input(Input::Lost { reason: String::new() });
        self.now = self.machine.deadline().unwrap();
        self.input(Input::Tick);
        self.input(Input::Dialed { token: "t".to_owned() });
        self.frames();
        self.welcome();
    }

    fn wait(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        self.input(Input::Heard);
        self.input(Input::Tick);
    }
}

#[test]
fn a_channel_begins_where_its_user_has_read_and_is_read_in_pages_to_its_end() {
    let mut bench = Bench::following(Saved::default(), vec![followed(7, 4, 9)]);
    let effects = bench.effects();
    let begins = |effect: &Effect| matches!(effect, Effect::Commit(batch) if batch.positions == [(of(7), Seq::new(4))]);
    assert!(effects.iter().any(begins), "where it begins is remembered: {effects:?}");
    let told = |effect: &Effect| matches!(effect, Effect::Followed(groups) if *groups == [group(7)]);
    assert!(effects.iter().any(told), "{effects:?}");
    let asked = bench.asked();
    assert_eq!((asked.from, asked.to), (Seq::new(5), Seq::new(u64::MAX)));
    bench.page(&asked, [5, 7], 9);
    assert_eq!(bench.numbers(), [5, 7], "what is not there any more is stepped over");
    let asked = bench.asked();
    assert_eq!(asked.from, Seq::new(8));
    bench.page(&asked, [8, 9], 9);
    assert_eq!((bench.numbers(), bench.frames()), (vec![8, 9], vec![]));
}

#[test]
fn what_was_handed_up_in_an_earlier_run_is_where_a_channel_goes_on_wherever_its_user_has_read() {
    let saved = Saved { positions: vec![(of(7), Seq::new(3))], ..Saved::default() };
    let mut bench = Bench::following(saved, vec![followed(7, 8, 9)]);
    assert_eq!(bench.asked().from, Seq::new(4));
}

#[test]
fn a_notice_that_is_next_is_handed_up_and_one_ahead_waits_for_those_between() {
    let mut bench = Bench::following(Saved::default(), vec![followed(7, 4, 4)]);
    bench.effects();
    bench.notice(entry(7, 5));
    bench.notice(entry(7, 5));
    bench.notice(entry(7, 3));
    assert_eq!((bench.numbers(), bench.frames()), (vec![5], vec![]));
    bench.notice(entry(7, 9));
    bench.notice(entry(7, 8));
    assert_eq!(bench.numbers(), [0; 0]);
    let asked = bench.asked();
    assert_eq!(asked.from, Seq::new(6));
    bench.notice(entry(7, 11));
    bench.page(&asked, [6, 7], 7);
    assert_eq!(bench.numbers(), [6, 7, 8, 9], "those that came ahead are not asked for again");
    let asked = bench.asked();
    assert_eq!(asked.from, Seq::new(10));
    bench.notice(entry(7, 10));
    assert_eq!(bench.numbers(), [10, 11], "the missing one was only late");
    bench.page(&asked, [10, 11], 11);
    assert_eq!((bench.numbers(), bench.frames()), (vec![], vec![]));
}

#[test]
fn what_was_said_without_a_connection_is_read_on_the_next_one_and_the_list_is_not_asked_for_again() {
    let mut bench = Bench::following(Saved::default(), vec![followed(7, 4, 4), followed(8, 0, 0)]);
    bench.notice(entry(7, 5));
    bench.effects();
    bench.connect_again();
    let frames = bench.frames();
    let [ClientFrame::History(news), ClientFrame::History(other)] = &frames[..] else { panic!("{frames:?}") };
    assert_eq!((news.conversation, news.from), (of(7), Seq::new(6)));
    assert_eq!((other.conversation, other.from), (of(8), Seq::new(1)));
    bench.page(news, [6, 7], 7);
    assert_eq!(bench.numbers(), [6, 7]);
    // What is asked for is lost with the connection, and asked for again.
    bench.connect_again();
    assert_eq!(bench.frames().len(), 2);
}

#[test]
fn a_log_that_a_server_is_too_busy_for_is_asked_for_when_it_says() {
    let mut bench = Bench::following(Saved::default(), vec![followed(7, 4, 5)]);
    bench.effects();
    let asked = bench.asked();
    bench.refuse(asked.request, ErrorCode::Busy, 3_000);
    bench.wait(2_999);
    bench.notice(entry(7, 8));
    assert_eq!(bench.frames(), []);
    bench.wait(1);
    assert_eq!(bench.asked().from, Seq::new(5));
}

#[test]
fn what_the_application_has_not_taken_holds_back_what_is_read_and_heard() {
    let mut bench = Bench::following(Saved::default(), vec![followed(7, 0, 0)]);
    bench.effects();
    (1..=300).for_each(|seq| bench.notice(entry(7, seq)));
    assert_eq!(bench.numbers(), (1..=257).collect::<Vec<_>>());
    assert_eq!(bench.frames(), []);
    bench.input(Input::Taken(100));
    let asked = bench.asked();
    assert_eq!(asked.from, Seq::new(258));
    bench.page(&asked, 258..=300, 300);
    assert_eq!(bench.numbers(), (258..=300).collect::<Vec<_>>());
}

#[test]
fn few_logs_are_read_at_a_time_and_each_comes() {
    let channels: Vec<_> = (1..=9).map(|channel| followed(channel, 0, 1)).collect();
    let mut bench = Bench::following(Saved::default(), channels);
    let mut asked: Vec<ClientFrame> = bench.frames();
    assert_eq!(asked.len(), 4);
    let mut seen = BTreeSet::new();
    while let Some(ClientFrame::History(history)) = asked.pop() {
        assert!(seen.insert(history.conversation), "one is asked for at a time");
        bench.page(&history, [1], 1);
        asked.extend(bench.frames());
    }
    assert_eq!(seen.len(), 9);
}

#[test]
fn of_a_channel_that_is_not_known_the_list_tells_and_what_was_said_meanwhile_is_read() {
    let mut bench = Bench::following(Saved::default(), Vec::new());
    bench.change_followed(1);
    let frames = bench.frames();
    let [ClientFrame::ListConversations(list)] = &frames[..] else { panic!("{frames:?}") };
    // It is said after the list was made, and comes before it.
    bench.notice(entry(7, 5));
    let conversations = vec![followed(7, 4, 4)];
    let request = list.request;
    bench.input(Input::Frame(raw(&ConversationList { request, conversations, more: false })));
    assert_eq!(bench.numbers(), [0; 0]);
    bench.list(vec![followed(7, 4, 5)]);
    let asked = bench.asked();
    bench.page(&asked, [5], 5);
    assert_eq!(bench.numbers(), [5]);
}

#[test]
fn a_list_of_several_pages_is_asked_for_to_its_end_and_one_that_goes_back_has_none() {
    let mut bench = Bench::resuming(Saved::default());
    bench.input(Input::Start);
    bench.input(Input::Dialed { token: "t".to_owned() });
    bench.frames();
    bench.welcome();
    for (after, listed) in [(last_of_two(), 5), (of(5), 7), (of(7), 6)] {
        let frames = bench.frames();
        let [ClientFrame::ListConversations(list)] = &frames[..] else { panic!("{frames:?}") };
        assert_eq!(list.after, Some(after));
        let (request, conversations) = (list.request, vec![followed(listed, 3, 3)]);
        bench.input(Input::Frame(raw(&ConversationList { request, conversations, more: true })));
    }
    assert_eq!(bench.frames(), []);
    assert_eq!(bench.machine.channels.groups(), [5, 6, 7].map(group));
}

#[test]
fn members_get_events_and_no_notices_and_who_is_made_one_misses_nothing_between() {
    let member = Conversation { is_member: true, ..followed(8, 0, 9) };
    let mut bench = Bench::following(Saved::default(), vec![followed(7, 4, 4), member]);
    bench.effects();
    bench.notice(entry(8, 9));
    assert_eq!((bench.numbers(), bench.frames()), (vec![], vec![]));
    bench.event(1, entry(8, 9));
    assert_eq!(bench.numbers(), [9]);

    bench.notice(entry(7, 5));
    // The notice of 6 is lost.
    bench.event(2, changed(7, 7, GroupChange::Added(vec![user(1)])));
    assert_eq!(bench.numbers(), [5]);
    let asked = bench.asked();
    assert_eq!((asked.from, asked.to), (Seq::new(6), Seq::new(6)));
    bench.notice(entry(7, 8));
    bench.page(&asked, [6], 8);
    assert_eq!(bench.numbers(), [6, 7]);
    bench.event(3, entry(7, 8));
    assert_eq!(bench.numbers(), [8]);
    bench.event(4, changed(7, 9, GroupChange::Removed(vec![user(1)])));
    assert_eq!(bench.numbers(), [9]);
    let asked = bench.asked();
    assert_eq!(asked.from, Seq::new(10), "they follow it still");
    bench.page(&asked, [], 9);
    bench.notice(entry(7, 10));
    assert_eq!(bench.numbers(), [10]);
}

#[test]
fn the_entry_that_ends_a_channel_is_the_last_one_and_it_goes_on_if_it_is_a_channel_again() {
    let mut bench = Bench::following(Saved::default(), vec![followed(7, 4, 4)]);
    bench.effects();
    bench.notice(changed(7, 5, no_channel_any_more()));
    let effects = bench.effects();
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Followed(groups) if groups.is_empty())));
    assert_eq!(bench.frames(), []);
    let again = GroupSettings { is_channel: true, ..GroupSettings::default() };
    bench.notice(changed(7, 8, GroupChange::Set(again)));
    bench.list(vec![followed(7, 4, 8)]);
    assert_eq!(bench.asked().from, Seq::new(6), "not where the user has read");
}

#[test]
fn when_a_log_cannot_be_read_any_more_what_has_come_of_it_is_handed_up() {
    let mut bench = Bench::following(Saved::default(), vec![followed(7, 4, 4)]);
    bench.effects();
    bench.notice(entry(7, 6));
    bench.notice(changed(7, 8, no_channel_any_more()));
    let asked = bench.asked();
    bench.refuse(asked.request, ErrorCode::NotMember, 0);
    assert_eq!(bench.numbers(), [6, 8]);
    assert_eq!(bench.frames(), [], "there is no hurry");
    bench.wait(500);
    bench.list(Vec::new());
    assert_eq!(bench.frames(), []);
}

#[test]
fn what_is_followed_no_more_is_not_handed_up_and_followed_again_begins_where_it_is() {
    let mut bench = Bench::following(Saved::default(), vec![followed(7, 4, 5)]);
    bench.effects();
    let asked = bench.asked();
    bench.input(Input::Call { id: 1, call: Call::Follow { group: group(7), follow: false } });
    let frames = bench.frames();
    let [ClientFrame::Follow(follow)] = &frames[..] else { panic!("{frames:?}") };
    bench.input(Input::Frame(raw(&Done { request: follow.request })));
    bench.page(&asked, [5], 5);
    bench.change_followed(1);
    bench.list(Vec::new());
    bench.change_followed(2);
    bench.list(vec![followed(7, 20, 20)]);
    assert_eq!(bench.numbers(), [0; 0]);
    bench.notice(entry(7, 21));
    assert_eq!(bench.numbers(), [21]);
}

#[test]
fn a_channel_that_somebody_looks_at_is_read_again_now_and_then() {
    let mut bench = Bench::following(Saved::default(), vec![followed(7, 4, 4)]);
    bench.input(Input::Watch(View { users: Vec::new(), conversations: vec![of(7)] }));
    for _ in 0..2 {
        let frames = bench.frames();
        let Some(ClientFrame::Watch(watch)) = frames.last() else { panic!("{frames:?}") };
        bench.input(Input::Frame(raw(&Done { request: watch.request })));
        bench.wait(u64::from(limits::WATCH_MS) / 2);
        bench.effects();
    }
    let frames = bench.frames();
    let Some(ClientFrame::Watch(watch)) = frames.last() else { panic!("{frames:?}") };
    bench.input(Input::Frame(raw(&Done { request: watch.request })));
    let asked = bench.asked();
    assert_eq!((asked.conversation, asked.from), (of(7), Seq::new(5)));
    bench.page(&asked, [5], 5);
    assert_eq!(bench.numbers(), [5]);
}

/// A server, a network and an application that do what a seed says.
struct World {
    bench: Bench,
    rng: StdRng,
    /// How many entries each channel has, and how many its user has read.
    logs: [u64; 3],
    read: [u64; 3],
    /// On their way, in whatever order they come.
    notices: Vec<WireMessage>,
    requests: Vec<ClientFrame>,
    connected: bool,
    /// Handed up and not yet taken.
    untaken: VecDeque<(u64, ConversationId, Seq)>,
    /// What a restart begins with.
    saved: BTreeMap<ConversationId, Seq>,
    last: BTreeMap<ConversationId, Seq>,
    handed: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            bench: Bench::resuming(Saved::default()),
            rng: StdRng::seed_from_u64(seed),
            logs: [4, 0, 30],
            read: [4, 0, 10],
            notices: Vec::new(),
            requests: Vec::new(),
            connected: false,
            untaken: VecDeque::new(),
            saved: BTreeMap::new(),
            last: BTreeMap::new(),
            handed: 0,
        }
    }

    fn chance(&mut self, of_hundred: u32) -> bool {
        self.rng.random_range(0..100) < of_hundred
    }

    fn start(&mut self) {
        let positions = self.saved.iter().map(|(conversation, seq)| (*conversation, *seq)).collect();
        self.bench = Bench::resuming(Saved { positions, ..Saved::default() });
        self.last = self.saved.clone();
        self.untaken.clear();
        self.lose();
        self.input(Input::Start);
    }

    fn lose(&mut self) {
        self.notices.clear();
        self.requests.clear();
        self.connected = false;
    }

    fn input(&mut self, input: Input) {
        self.bench.input(input);
        loop {
            let effects = self.bench.effects();
            if effects.is_empty() {
                break;
            }
            effects.into_iter().for_each(|effect| self.perform(effect));
        }
        for frame in self.bench.frames() {
            match frame {
                ClientFrame::Hello(_) | ClientFrame::Heartbeat(_) | ClientFrame::Ack(_) => {}
                frame => self.requests.push(frame),
            }
        }
        let logs = self.requests.iter().filter_map(|frame| match frame {
            ClientFrame::History(history) => Some(history.conversation),
            _ => None,
        });
        let logs: Vec<_> = logs.collect();
        assert!(logs.len() <= 4, "{logs:?}");
        assert_eq!(logs.iter().collect::<BTreeSet<_>>().len(), logs.len(), "{logs:?}");
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::HandUp { delivery, entry } => {
                let (conversation, seq) = entry.place();
                let last = self.last.insert(conversation, seq).expect("it has begun");
                assert_eq!(seq, last.next(), "{conversation}");
                self.untaken.push_back((delivery, conversation, seq));
                self.handed += 1;
            }
            Effect::Commit(batch) => {
                for (conversation, begins_at) in batch.positions {
                    self.saved.insert(conversation, begins_at);
                    self.last.insert(conversation, begins_at);
                }
                self.bench.input(Input::Committed(Ok(())));
            }
            Effect::HangUp => self.lose(),
            _ => {}
        }
    }

    fn say(&mut self) {
        let channel = self.rng.random_range(0..self.logs.len());
        self.logs[channel] += 1;
        let message = entry(channel as u64 + 1, self.logs[channel]);
        let copies = if self.chance(25) { 0 } else { 1 + usize::from(self.chance(20)) };
        if self.connected {
            self.notices.extend(std::iter::repeat_n(message, copies));
        }
        if self.chance(5) {
            // Another device of theirs.
            self.read[channel] = self.rng.random_range(self.read[channel]..=self.logs[channel]);
        }
    }

    fn tell(&mut self) {
        if !self.notices.is_empty() {
            let place = self.rng.random_range(0..self.notices.len());
            let message = self.notices.swap_remove(place);
            self.input(Input::Frame(raw(&ChannelNotice { message })));
        }
    }

    fn answer(&mut self, may_refuse: bool) {
        if self.requests.is_empty() {
            return;
        }
        let place = self.rng.random_range(0..self.requests.len());
        let request = self.requests.swap_remove(place);
        let busy = may_refuse && self.chance(15);
        self.input(Input::Heard);
        match request {
            ClientFrame::History(History { request, .. })
            | ClientFrame::ListConversations(rookery_protocol::ListConversations { request, .. })
                if busy =>
            {
                self.bench.refuse(request, ErrorCode::Busy, 200);
                self.input(Input::Tick);
            }
            ClientFrame::History(History { request, conversation, from, .. }) => {
                let channel = conversation.group_id().unwrap().get();
                let head = self.logs[channel as usize - 1];
                let most = self.rng.random_range(1..6);
                let messages: Vec<_> =
                    (from.get()..=head).take(most).map(|seq| entry(channel, seq)).collect();
                let next = messages.last().map_or(Seq::new(head), |last| last.seq).next().max(from);
                let page = HistoryPage { request, head: Seq::new(head), next, messages };
                self.input(Input::Frame(raw(&page)));
            }
            ClientFrame::ListConversations(list) => {
                let all =
                    (0..self.logs.len()).map(|it| followed(it as u64 + 1, self.read[it], self.logs[it]));
                let after = list.after.and_then(ConversationId::group_id);
                let rest: Vec<_> = all.filter(|it| it.conversation.group_id() > after).collect();
                let (more, conversations) = (rest.len() > 2, rest.into_iter().take(2).collect());
                let list = ConversationList { request: list.request, conversations, more };
                self.input(Input::Frame(raw(&list)));
            }
            other => panic!("{other:?}"),
        }
    }

    fn take(&mut self) {
        let some = self.rng.random_range(0..=self.untaken.len());
        let mut taken = None;
        for (delivery, conversation, seq) in self.untaken.drain(..some) {
            self.saved.insert(conversation, seq);
            taken = Some(delivery);
        }
        if let Some(delivery) = taken {
            self.input(Input::Taken(delivery));
        }
    }

    fn pass(&mut self) {
        self.bench.now += Duration::from_millis(self.rng.random_range(1..400));
        if self.connected {
            self.input(Input::Heard);
            self.input(Input::Tick);
        } else {
            self.bench.now = self.bench.machine.deadline().unwrap_or_default().max(self.bench.now);
            self.input(Input::Tick);
            self.input(Input::Dialed { token: "t".to_owned() });
            self.bench.welcome();
            self.connected = true;
            self.input(Input::Tick);
        }
    }

    fn anything(&mut self) {
        match self.rng.random_range(0..1_000) {
            0..300 => self.say(),
            300..550 => self.tell(),
            550..750 => self.answer(true),
            750..850 => self.take(),
            850..985 => self.pass(),
            985..997 if self.connected => {
                self.lose();
                self.input(Input::Lost { reason: String::new() });
            }
            997.. => self.start(),
            _ => {}
        }
    }

    /// Nothing goes wrong any more.
    fn settle(&mut self) {
        self.notices.clear();
        self.lose();
        self.input(Input::Lost { reason: String::new() });
        for _ in 0..4_000 {
            self.pass();
            self.answer(false);
            self.take();
        }
    }
}

#[test]
fn each_entry_is_handed_up_once_and_in_order_whatever_becomes_of_notices_connections_and_runs() {
    for seed in 0..40 {
        let mut world = World::new(seed);
        world.start();
        for _ in 0..3_000 {
            world.anything();
        }
        world.settle();
        let last: Vec<_> = (1..=3).map(|channel| world.last[&of(channel)].get()).collect();
        assert_eq!(last, world.logs, "seed {seed}");
        assert!(world.handed > 500, "seed {seed}: {}", world.handed);
    }
}
