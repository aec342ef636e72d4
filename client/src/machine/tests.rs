//! What the machine decides, in virtual time.

use rookery_protocol::{
    ClientFrame, ConversationList, ErrorCode, FrameDecoder, Goaway, Message as WireMessage, MessageEvent,
    Send, Welcome,
};

use super::channels::last_of_two;
use super::*;
use crate::TokenProvider;

pub(super) struct Bench {
    pub(super) machine: Machine,
    pub(super) now: Duration,
    decoder: FrameDecoder,
    /// Frames that came with a list of what is followed, which was answered.
    frames: Vec<ClientFrame>,
}

pub(super) fn user(number: u64) -> UserId {
    UserId::new(number).unwrap()
}

pub(super) fn conversation() -> ConversationId {
    ConversationId::direct(user(1), user(2))
}

pub(super) fn stamp(number: u8) -> Stamp {
    Stamp::from_bytes([number; 12])
}

pub(super) fn raw(payload: &impl Payload) -> RawFrame {
    let mut decoder = FrameDecoder::new(limits::FRAME_BYTES_MAX);
    decoder.extend(&rookery_protocol::encode(payload));
    decoder.next_frame().unwrap().unwrap()
}

impl Bench {
    fn new() -> Self {
        Self::resuming(Saved::default())
    }

    pub(super) fn resuming(saved: Saved) -> Self {
        let config = Config::new(vec!["tcp://a:1".parse().unwrap()], TokenProvider::fixed("t"));
        let machine = Machine::new(&config, saved, &mut StdRng::seed_from_u64(3));
        let decoder = FrameDecoder::new(limits::FRAME_BYTES_MAX);
        Self { machine, now: Duration::ZERO, decoder, frames: Vec::new() }
    }

    pub(super) fn online() -> Self {
        let mut bench = Self::new();
        bench.input(Input::Start);
        bench.come_online();
        bench
    }

    pub(super) fn come_online(&mut self) -> Option<Stamp> {
        self.input(Input::Dialed { token: "t".to_owned() });
        let [ClientFrame::Hello(hello)] = &self.frames()[..] else { panic!("no HELLO") };
        self.welcomed();
        hello.resume
    }

    /// The server lets the client in, who follows nothing.
    pub(super) fn welcomed(&mut self) {
        self.welcome();
        for frame in self.frames() {
            match frame {
                ClientFrame::ListConversations(list) if list.after == Some(last_of_two()) => {
                    let (request, conversations) = (list.request, Vec::new());
                    self.input(Input::Frame(raw(&ConversationList { request, conversations, more: false })));
                }
                other => self.frames.push(other),
            }
        }
    }

    pub(super) fn welcome(&mut self) {
        self.input(Input::Frame(raw(&Welcome {
            user: user(1),
            handle: "alice".parse().unwrap(),
            device: DeviceId::new(1),
            connection: 1,
            time_ms: 0,
            cursor: Stamp::ZERO,
            heartbeat_ms: 30_000,
            window_events: 128,
            requests_in_flight: 8,
            frame_bytes: 262_144,
            body_bytes: 65_536,
            nodes: Vec::new(),
        })));
    }

    pub(super) fn input(&mut self, input: Input) {
        self.machine.handle(self.now, input);
    }

    pub(super) fn effects(&mut self) -> Vec<Effect> {
        std::iter::from_fn(|| self.machine.next_effect()).collect()
    }

    fn commits(&mut self) -> usize {
        self.effects().iter().filter(|effect| matches!(effect, Effect::Commit(_))).count()
    }

    pub(super) fn frames(&mut self) -> Vec<ClientFrame> {
        let mut bytes = Vec::new();
        self.machine.take_output(&mut bytes);
        self.decoder.extend(&bytes);
        let frames = std::iter::from_fn(|| self.decoder.next_frame().unwrap());
        let frames = frames.map(|frame| ClientFrame::decode(&frame).unwrap());
        let before = std::mem::take(&mut self.frames);
        before.into_iter().chain(frames).collect()
    }

    fn push(&mut self, number: u8) {
        self.input(Input::Frame(raw(&MessageEvent {
            stamp: stamp(number),
            message: WireMessage {
                conversation: conversation(),
                seq: Seq::new(number.into()),
                sender: user(2),
                device: DeviceId::new(1),
                id: MessageId::from_bytes([number; 16]),
                time_ms: 0,
                body: Some(Body::new("x")),
                change: None,
                deleted: false,
                expires_ms: 0,
                timer_s: 0,
                reference: None,
            },
        })));
    }
}

#[test]
fn a_message_is_transmitted_only_after_its_commit() {
    let mut bench = Bench::online();
    assert_eq!(bench.commits(), 1, "the store's owner");
    bench.input(Input::Committed(Ok(())));
    let (id, body) = (MessageId::from_bytes([1; 16]), Body::new("x"));
    bench.input(Input::Send { conversation: conversation(), id, body, reference: None, expires_s: None });
    assert_eq!((bench.commits(), bench.frames().len()), (1, 0));
    bench.input(Input::Committed(Ok(())));
    assert!(matches!(&bench.frames()[..], [ClientFrame::Send(Send { after: None, .. })]));
}

#[test]
fn deliveries_taken_during_a_commit_share_the_next_one_and_are_acknowledged_once() {
    let mut bench = Bench::online();
    (1..=3).for_each(|number| bench.push(number));
    bench.input(Input::Taken(1));
    assert_eq!(bench.commits(), 1, "one under way holds back the others");
    bench.input(Input::Taken(2));
    bench.input(Input::Taken(3));
    assert_eq!((bench.commits(), bench.frames().len()), (0, 0));
    bench.input(Input::Committed(Ok(())));
    assert_eq!((bench.commits(), bench.frames().len()), (1, 0));
    bench.input(Input::Committed(Ok(())));
    assert_eq!(bench.frames(), [ClientFrame::Ack(Ack { stamp: stamp(3) })]);
}

#[test]
fn hello_resumes_after_what_is_committed_and_a_late_commit_is_not_acknowledged_on_a_new_connection() {
    let mut bench = Bench::online();
    bench.input(Input::Committed(Ok(())));
    bench.push(1);
    bench.input(Input::Taken(1));
    bench.input(Input::Lost { reason: String::new() });
    bench.now += Duration::from_secs(2);
    bench.input(Input::Tick);
    assert_eq!(bench.come_online(), None);
    bench.input(Input::Committed(Ok(())));
    assert_eq!(bench.frames(), [], "the server has not pushed it on this connection");
    bench.push(1);
    assert_eq!(bench.frames(), [ClientFrame::Ack(Ack { stamp: stamp(1) })]);
}

#[test]
fn a_goaway_without_anything_on_the_way_is_obeyed_at_once() {
    let mut bench = Bench::online();
    bench.input(Input::Committed(Ok(())));
    bench.effects();
    let (code, nodes) = (ErrorCode::Shutdown as u16, vec!["tcp://b:1".to_owned()]);
    bench.input(Input::Frame(raw(&Goaway { code, text: String::new(), reconnect_after_ms: 9_000, nodes })));
    let effects = bench.effects();
    let [Effect::HangUp, Effect::Disconnected { retry_in, .. }] = &effects[..] else { panic!("{effects:?}") };
    assert!(*retry_in >= Duration::from_secs(9) && *retry_in <= Duration::from_secs(10), "{retry_in:?}");
    bench.now = bench.machine.deadline().unwrap();
    bench.input(Input::Tick);
    assert!(matches!(&bench.effects()[..], [Effect::Dial(node)] if node.to_string() == "tcp://b:1"));
}

#[test]
fn a_failed_local_store_ends_the_client_before_anything_is_acknowledged() {
    let mut bench = Bench::online();
    bench.push(1);
    bench.input(Input::Taken(1));
    bench.effects();
    bench.input(Input::Committed(Err(LocalStoreError::Other("the disk is gone".into()))));
    assert_eq!(bench.frames(), []);
    assert!(matches!(&bench.effects()[..], [Effect::Stop(Some(TerminalError::LocalStore(_)))]));
}

/// When the machine gives the connection up, if it hears nothing; the frames it makes are taken if `taken`.
fn given_up_after(bench: &mut Bench, taken: bool) -> Duration {
    let begun = bench.now;
    for _ in 0..1_000 {
        if taken {
            bench.frames();
        }
        bench.now = bench.machine.deadline().unwrap();
        bench.input(Input::Tick);
        if bench.effects().iter().any(|effect| matches!(effect, Effect::HangUp)) {
            return bench.now - begun;
        }
    }
    panic!("never");
}

fn send(bench: &mut Bench, number: u8, bytes: usize) {
    let (id, body) = (MessageId::from_bytes([number; 16]), Body::new(vec![0; bytes]));
    bench.input(Input::Send { conversation: conversation(), id, body, reference: None, expires_s: None });
    bench.input(Input::Committed(Ok(())));
}

#[test]
fn a_server_that_owes_an_answer_is_given_time_for_what_is_on_the_way_to_it() {
    for (bytes, seconds) in [(10, 5), (64 * 1024, 13)] {
        let mut bench = Bench::online();
        bench.input(Input::Committed(Ok(())));
        send(&mut bench, 1, bytes);
        assert_eq!(given_up_after(&mut bench, true).as_secs(), seconds);
    }
}

#[test]
fn half_way_through_a_silence_the_server_is_asked_for_a_sign_of_life_once() {
    let mut bench = Bench::online();
    bench.input(Input::Committed(Ok(())));
    send(&mut bench, 1, 10);
    bench.frames();
    bench.now += SILENCE / 2;
    bench.input(Input::Tick);
    assert!(matches!(&bench.frames()[..], [ClientFrame::Heartbeat(_)]));
    assert_eq!(bench.machine.deadline().unwrap(), SILENCE);
    bench.input(Input::Heard);
    assert_eq!(bench.machine.deadline().unwrap(), SILENCE, "half of another silence");
}

#[test]
fn a_socket_that_takes_nothing_is_noticed_as_an_answer_that_does_not_come() {
    let mut bench = Bench::online();
    bench.input(Input::Committed(Ok(())));
    bench.push(1);
    bench.input(Input::Taken(1));
    bench.input(Input::Committed(Ok(())));
    assert_eq!(given_up_after(&mut bench, false).as_secs(), 35, "an acknowledgement is owed no answer");
}

#[test]
fn a_busy_node_holds_nobody_from_trying_another() {
    let mut bench = Bench::new();
    bench.machine.nodes.learn(&["tcp://b:1".to_owned()]);
    bench.input(Input::Start);
    bench.effects();
    let busy = rookery_protocol::Error::new(rookery_protocol::RequestId::new(0), ErrorCode::Busy, "full");
    for tries in 1..=2 {
        bench.input(Input::Dialed { token: "t".to_owned() });
        bench.input(Input::Frame(raw(&busy)));
        let effects = bench.effects();
        let [Effect::HangUp, Effect::Disconnected { retry_in, .. }] = &effects[..] else {
            panic!("{effects:?}")
        };
        assert_eq!(*retry_in < Duration::from_millis(100), tries == 1, "{retry_in:?}");
        assert!(tries == 1 || *retry_in >= Duration::from_millis(500), "what it asked for: {retry_in:?}");
        bench.now += *retry_in;
        bench.input(Input::Tick);
        bench.effects();
        bench.frames();
    }
}

#[test]
fn calls_that_a_server_does_not_know_leave_room_for_messages_once_their_time_is_up() {
    let mut bench = Bench::online();
    bench.input(Input::Committed(Ok(())));
    for id in 1..=7 {
        bench.input(Input::Call { id, call: Call::Privacy });
        let unknown =
            rookery_protocol::Error::new(rookery_protocol::RequestId::new(0), ErrorCode::UnknownOpcode, "?");
        bench.input(Input::Frame(raw(&unknown)));
    }
    assert_eq!(bench.frames().len(), 7);
    send(&mut bench, 1, 1);
    assert_eq!(bench.frames(), [], "there is no room while they may be answered");
    let limit = bench.now + Duration::from_secs(60);
    let mut expired = 0;
    while expired < 7 && bench.now < limit {
        bench.now = bench.machine.deadline().unwrap();
        bench.input(Input::Tick);
        bench.input(Input::Heard);
        let timeout =
            |effect: &Effect| matches!(effect, Effect::Answer { answer: Err(RequestError::Timeout), .. });
        expired += bench.effects().iter().filter(|effect| timeout(effect)).count();
    }
    assert_eq!(expired, 7);
    let sends = bench.frames().into_iter().filter(|frame| matches!(frame, ClientFrame::Send(_)));
    assert_eq!(sends.count(), 1);
}

#[test]
fn requests_leave_the_server_room_for_a_heartbeat() {
    let mut bench = Bench::online();
    bench.input(Input::Committed(Ok(())));
    (1..=20).for_each(|number| send(&mut bench, number, 1));
    assert_eq!(bench.frames().len(), 7, "of the 8 that the server takes");
}
