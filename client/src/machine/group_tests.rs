//! Groups in virtual time: members who come late, go and come back, and requests whose answers are lost.

use rookery_protocol::{
    ChangeGroup, ClientFrame, CreateGroup, Error, ErrorCode, GroupChange, GroupCreated, GroupId,
    GroupSettings, History, HistoryPage, Message as WireMessage, MessageEvent, RequestId, Sent,
};

use super::tests::{Bench, raw, stamp, user};
use super::*;

fn crew() -> ConversationId {
    ConversationId::group(GroupId::new(9).unwrap())
}

/// Said by bob; alice, user 1, is the client.
fn said(seq: u64) -> WireMessage {
    WireMessage {
        conversation: crew(),
        seq: Seq::new(seq),
        sender: user(2),
        device: DeviceId::new(1),
        id: MessageId::from_bytes([u8::try_from(seq).unwrap(); 16]),
        time_ms: seq,
        body: Some(Body::new("x")),
        change: None,
        deleted: false,
        expires_ms: 0,
        timer_s: 0,
        reference: None,
    }
}

fn changed(seq: u64, change: GroupChange) -> WireMessage {
    WireMessage { body: None, change: Some(change), ..said(seq) }
}

fn added(seq: u64, who: u64) -> WireMessage {
    changed(seq, GroupChange::Added(vec![user(who)]))
}

fn removed(seq: u64, who: u64) -> WireMessage {
    changed(seq, GroupChange::Removed(vec![user(who)]))
}

/// What a bench hands up and asks for.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    handed: Vec<u64>,
    asked: Vec<(u64, u64)>,
    acked: Option<Stamp>,
}

impl Bench {
    fn resuming_online(positions: Vec<(ConversationId, Seq)>) -> Self {
        let mut bench = Self::resuming(Saved {
            device: Some((user(1), DeviceId::new(1))),
            positions,
            ..Saved::default()
        });
        bench.input(Input::Start);
        bench.come_online();
        bench
    }

    fn push_entry(&mut self, number: u8, message: WireMessage) {
        self.input(Input::Frame(raw(&MessageEvent { stamp: stamp(number), message })));
    }

    /// Commits at once and takes all that is handed up.
    fn settle(&mut self) -> Seen {
        let mut seen = Seen::default();
        loop {
            let effects = self.effects();
            if effects.is_empty() {
                break;
            }
            for effect in effects {
                match effect {
                    Effect::Commit(_) => self.input(Input::Committed(Ok(()))),
                    Effect::HandUp { delivery, entry } => {
                        seen.handed.push(entry.place().1.get());
                        self.input(Input::Taken(delivery));
                    }
                    _ => {}
                }
            }
        }
        for frame in self.frames() {
            match frame {
                ClientFrame::History(History { from, to, .. }) => seen.asked.push((from.get(), to.get())),
                ClientFrame::Ack(ack) => seen.acked = Some(ack.stamp),
                _ => {}
            }
        }
        seen
    }

    fn come_back(&mut self) {
        self.input(Input::Lost { reason: String::new() });
        self.now = self.machine.deadline().unwrap();
        self.input(Input::Tick);
        self.come_online();
    }
}

#[test]
fn a_member_added_later_begins_with_the_change_that_adds_them() {
    let mut bench = Bench::online();
    bench.settle();
    bench.push_entry(1, added(41, 1));
    bench.push_entry(2, said(42));
    assert_eq!(bench.settle(), Seen { handed: vec![41, 42], asked: vec![], acked: Some(stamp(2)) });
}

#[test]
fn who_is_removed_and_comes_back_misses_what_was_said_meanwhile_without_waiting_for_it() {
    for restarted in [false, true] {
        let mut bench = Bench::online();
        bench.settle();
        bench.push_entry(1, added(11, 1));
        bench.push_entry(2, removed(12, 1));
        assert_eq!(bench.settle().handed, [11, 12]);
        if restarted {
            bench = Bench::resuming_online(vec![(crew(), Seq::new(12))]);
            bench.settle();
        }
        bench.push_entry(3, removed(12, 1));
        bench.push_entry(4, added(30, 1));
        bench.push_entry(5, said(31));
        assert_eq!(bench.settle(), Seen { handed: vec![30, 31], asked: vec![], acked: Some(stamp(5)) });
    }
}

#[test]
fn that_somebody_else_is_added_closes_no_gap() {
    let mut bench = Bench::resuming_online(vec![(crew(), Seq::new(12))]);
    bench.settle();
    bench.push_entry(1, added(30, 3));
    assert_eq!(bench.settle(), Seen { handed: vec![], asked: vec![(13, 29)], acked: None });
}

#[test]
fn a_gap_from_before_the_removal_is_filled_first_or_passed_over() {
    for there_still in [true, false] {
        let mut bench = Bench::resuming_online(vec![(crew(), Seq::new(10))]);
        bench.settle();
        bench.push_entry(1, removed(12, 1));
        assert_eq!(bench.settle().asked, [(11, 11)]);
        bench.push_entry(2, added(30, 1));
        bench.push_entry(3, said(31));
        assert_eq!(bench.settle(), Seen::default(), "one request is on its way");
        let request = RequestId::new(2);
        if there_still {
            let (head, next) = (Seq::new(12), Seq::new(12));
            bench.input(Input::Frame(raw(&HistoryPage { request, head, next, messages: vec![said(11)] })));
            assert_eq!(
                bench.settle(),
                Seen { handed: vec![11, 12, 30, 31], asked: vec![], acked: Some(stamp(3)) }
            );
        } else {
            bench.input(Input::Frame(raw(&Error::new(request, ErrorCode::NotMember, ""))));
            assert_eq!(
                bench.settle(),
                Seen { handed: vec![12, 30, 31], asked: vec![], acked: Some(stamp(3)) }
            );
        }
    }
}

#[test]
fn a_change_in_a_gap_is_fetched_with_the_messages_around_it() {
    let mut bench = Bench::resuming_online(vec![(crew(), Seq::new(10))]);
    bench.settle();
    bench.push_entry(1, said(14));
    assert_eq!(bench.settle().asked, [(11, 13)]);
    let messages = vec![said(11), changed(12, GroupChange::Named("crew".to_owned())), removed(13, 3)];
    let (request, head, next) = (RequestId::new(2), Seq::new(14), Seq::new(14));
    bench.input(Input::Frame(raw(&HistoryPage { request, head, next, messages })));
    let handed: Vec<_> = bench.effects().into_iter().filter_map(is_change).collect();
    assert_eq!(handed, [(11, false), (12, true), (13, true), (14, false)]);
}

fn is_change(effect: Effect) -> Option<(u64, bool)> {
    match effect {
        Effect::HandUp { entry, .. } => Some((entry.place().1.get(), matches!(entry, Entry::Change(_)))),
        _ => None,
    }
}

#[test]
fn an_own_change_waits_for_no_body() {
    let mut bench = Bench::online();
    bench.settle();
    let own = WireMessage { sender: user(1), ..changed(1, GroupChange::Deleted) };
    bench.push_entry(1, own);
    assert_eq!(bench.settle(), Seen { handed: vec![1], asked: vec![], acked: Some(stamp(1)) });
}

#[test]
fn a_change_pushed_again_after_a_lost_connection_is_handed_up_once_and_acknowledged_when_taken() {
    let mut bench = Bench::online();
    bench.settle();
    bench.push_entry(1, added(5, 1));
    bench.push_entry(2, changed(6, GroupChange::Named("crew".to_owned())));
    assert_eq!(bench.effects().into_iter().filter_map(is_change).count(), 2);
    bench.input(Input::Taken(1));
    bench.come_back();
    bench.push_entry(1, added(5, 1));
    bench.push_entry(2, changed(6, GroupChange::Named("crew".to_owned())));
    assert_eq!(bench.settle(), Seen::default());
    bench.input(Input::Taken(2));
    assert_eq!(bench.settle().acked, Some(stamp(2)));
}

fn id(number: u8) -> MessageId {
    MessageId::from_bytes([number; 16])
}

fn create() -> Call {
    let (name, members) = ("crew".to_owned(), vec![user(2)]);
    Call::CreateGroup { id: id(1), name, members, settings: GroupSettings::default() }
}

fn answers(bench: &mut Bench) -> Vec<Result<Answer, RequestError>> {
    let answer = |effect| if let Effect::Answer { answer, .. } = effect { Some(answer) } else { None };
    bench.effects().into_iter().filter_map(answer).collect()
}

#[test]
fn a_request_whose_answer_was_lost_is_repeated_with_its_id_and_answered_once() {
    let mut bench = Bench::online();
    bench.settle();
    let rename = GroupChange::Named("the crew".to_owned());
    let change = Call::ChangeGroup { id: id(2), group: GroupId::new(9).unwrap(), change: rename.clone() };
    bench.input(Input::Call { id: 1, call: create() });
    bench.input(Input::Call { id: 2, call: change });
    for connection in 1..=3 {
        let frames = bench.frames();
        let [ClientFrame::CreateGroup(made), ClientFrame::ChangeGroup(changed)] = &frames[..] else {
            panic!("{frames:?}")
        };
        let CreateGroup { request: first, id: first_id, .. } = made;
        let ChangeGroup { request: second, id: second_id, change, .. } = changed;
        assert_eq!((*first_id, *second_id, change), (id(1), id(2), &rename));
        if connection < 3 {
            bench.come_back();
            continue;
        }
        let group = GroupId::new(9).unwrap();
        let created = GroupCreated { request: *first, group, time_ms: 5 };
        let sent = Sent { request: *second, seq: Seq::new(2), time_ms: 6 };
        bench.input(Input::Frame(raw(&created)));
        bench.input(Input::Frame(raw(&sent)));
        bench.input(Input::Frame(raw(&sent)));
        assert_eq!(answers(&mut bench), [Ok(Answer::Created(created)), Ok(Answer::Changed(sent))]);
    }
    bench.come_back();
    assert_eq!(bench.frames(), [], "nothing is asked again");
}

#[test]
fn a_store_that_cannot_be_reached_is_asked_again_and_a_refusal_is_final() {
    let mut bench = Bench::online();
    bench.settle();
    bench.input(Input::Call { id: 1, call: create() });
    let refuse = |bench: &mut Bench, code| {
        let frames = bench.frames();
        let [ClientFrame::CreateGroup(create)] = &frames[..] else { panic!("{frames:?}") };
        assert_eq!(create.id, id(1));
        bench.input(Input::Frame(raw(&Error::new(create.request, code, "because"))));
    };
    refuse(&mut bench, ErrorCode::Unavailable);
    assert_eq!(answers(&mut bench), []);
    bench.now += Duration::from_millis(500);
    bench.input(Input::Tick);
    refuse(&mut bench, ErrorCode::IdTaken);
    let refusal = Refusal { code: ErrorCode::IdTaken as u16, text: "because".to_owned() };
    assert_eq!(answers(&mut bench), [Err(RequestError::Refused(refusal))]);
}

/// A group, one of its members' inbox, and what the member is owed.
#[derive(Default)]
struct Log {
    entries: Vec<WireMessage>,
    /// Of the entries, those in the inbox; acknowledged up to `acked`.
    inbox: Vec<u64>,
    acked: usize,
    is_member: bool,
}

impl Log {
    fn grow(&mut self, rng: &mut StdRng) {
        let seq = self.entries.len() as u64 + 1;
        let (entry, is_member) = match rng.random_range(0..6) {
            0 if self.is_member => (removed(seq, 1), false),
            0 | 1 if !self.is_member => (added(seq, 1), true),
            2 => (added(seq, 3), self.is_member),
            _ => (said(seq), self.is_member),
        };
        if is_member || self.is_member {
            self.inbox.push(seq);
        }
        self.is_member = is_member;
        self.entries.push(entry);
    }

    fn push(&self, bench: &mut Bench, place: usize) {
        let entry = &self.entries[self.inbox[place] as usize - 1];
        bench.push_entry(u8::try_from(place + 1).unwrap(), entry.clone());
    }
}

/// What takes entries from a machine, and how far it has come.
#[derive(Default)]
struct Application {
    waiting: VecDeque<(u64, u64)>,
    taken: Vec<u64>,
}

impl Application {
    /// Does what the machine says; gives what it has acknowledged.
    fn attend(&mut self, bench: &mut Bench) -> Option<Stamp> {
        while let Some(effect) = bench.machine.next_effect() {
            match effect {
                Effect::Commit(_) => bench.input(Input::Committed(Ok(()))),
                Effect::HandUp { delivery, entry } => {
                    self.waiting.push_back((delivery, entry.place().1.get()));
                }
                _ => {}
            }
        }
        let acked = |frame| match frame {
            ClientFrame::Ack(ack) => Some(ack.stamp),
            ClientFrame::History(history) => panic!("{history:?}"),
            _ => None,
        };
        bench.frames().into_iter().filter_map(acked).next_back()
    }

    fn take(&mut self, bench: &mut Bench) {
        if let Some((delivery, seq)) = self.waiting.pop_front() {
            self.taken.push(seq);
            bench.input(Input::Taken(delivery));
        }
    }
}

#[test]
fn whoever_comes_and_goes_is_handed_up_all_that_concerns_them_once_over_reconnects_and_restarts() {
    for seed in 0..200 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut log = Log::default();
        let mut bench = Bench::resuming_online(Vec::new());
        let (mut application, mut pushed) = (Application::default(), 0);
        for _ in 0..200 {
            match rng.random_range(0..16) {
                0..=4 => log.grow(&mut rng),
                5..=8 if pushed < log.inbox.len() => {
                    log.push(&mut bench, pushed);
                    pushed += 1;
                }
                9..=13 => application.take(&mut bench),
                14 => {
                    bench.come_back();
                    pushed = log.acked;
                }
                15 => {
                    application.waiting.clear();
                    let taken = application.taken.last().map(|seq| (crew(), Seq::new(*seq)));
                    bench = Bench::resuming_online(taken.into_iter().collect());
                    pushed = log.acked;
                }
                _ => {}
            }
            if let Some(stamp) = application.attend(&mut bench) {
                log.acked = usize::from(stamp.as_bytes()[0]);
            }
        }
        (pushed..log.inbox.len()).for_each(|place| log.push(&mut bench, place));
        application.attend(&mut bench);
        while !application.waiting.is_empty() {
            application.take(&mut bench);
        }
        assert_eq!(application.taken, log.inbox, "seed {seed}");
    }
}
