//! Messages that disappear, in virtual time.

use rookery_protocol::{ClientFrame, Message as WireMessage, MessageEvent, Sent};

use super::tests::{Bench, conversation, raw, stamp, user};
use super::*;

fn second() -> Duration {
    Duration::from_secs(1)
}

fn message(number: u8, expires_ms: u64) -> WireMessage {
    WireMessage {
        conversation: conversation(),
        seq: Seq::new(number.into()),
        sender: user(2),
        device: DeviceId::new(1),
        id: MessageId::from_bytes([number; 16]),
        time_ms: 0,
        body: Some(Body::new("x")),
        change: None,
        deleted: false,
        expires_ms,
        timer_s: 0,
        reference: None,
    }
}

fn timer(number: u8, timer_s: u32) -> WireMessage {
    let reference = Some(Reference { kind: ReferenceKind::Timer, seq: Seq::ZERO });
    WireMessage { reference, timer_s, body: Some(Body::default()), ..message(number, 0) }
}

impl Bench {
    fn push_message(&mut self, message: WireMessage) {
        let number = message.seq.get() as u8;
        self.input(Input::Frame(raw(&MessageEvent { stamp: stamp(number), message })));
    }

    fn commit_all(&mut self) -> Vec<Effect> {
        let mut all = Vec::new();
        loop {
            let effects = self.effects();
            if effects.is_empty() {
                return all;
            }
            let commits = effects.iter().filter(|effect| matches!(effect, Effect::Commit(_))).count();
            all.extend(effects);
            (0..commits).for_each(|_| self.input(Input::Committed(Ok(()))));
        }
    }

    /// The messages handed up, and whether they say something; and those whose end is told.
    fn handed(&mut self) -> (Vec<(u64, bool)>, Vec<u64>) {
        let (mut messages, mut expired) = (Vec::new(), Vec::new());
        for effect in self.commit_all() {
            match effect {
                Effect::HandUp { entry: Entry::Message(message), .. } => {
                    messages.push((message.seq.get(), !message.deleted && !message.body.is_empty()));
                }
                Effect::HandUpOther { event: Event::Expired { seq, .. }, delivery: None } => {
                    expired.push(seq.get());
                }
                _ => {}
            }
        }
        (messages, expired)
    }

    fn write(&mut self, number: u8, reference: Option<Reference>, expires_s: Option<u32>) {
        let (id, body) = (MessageId::from_bytes([number; 16]), Body::default());
        self.input(Input::Send { conversation: conversation(), id, body, reference, expires_s });
        self.commit_all();
    }

    /// What is sent, each with the seconds after which it disappears.
    fn sent(&mut self) -> Vec<(RequestNumber, u32)> {
        let send = |frame| match frame {
            ClientFrame::Send(send) => Some((send.request, send.expires_s)),
            _ => None,
        };
        self.frames().into_iter().filter_map(send).collect()
    }
}

type RequestNumber = rookery_protocol::RequestId;

#[test]
fn the_end_of_a_message_is_told_at_its_time_connected_or_not() {
    let mut bench = Bench::online();
    bench.push_message(message(1, 5_000));
    bench.push_message(message(2, 0));
    bench.push_message(message(3, 7_000));
    assert_eq!(bench.handed(), (vec![(1, true), (2, true), (3, true)], vec![]));
    bench.now = 5 * second();
    assert!(bench.machine.deadline().is_some_and(|at| at <= bench.now));
    bench.input(Input::Tick);
    assert_eq!(bench.handed(), (vec![], vec![1]));
    bench.input(Input::Lost { reason: "cut".to_owned() });
    bench.effects();
    bench.now = 7 * second();
    bench.input(Input::Tick);
    assert_eq!(bench.handed(), (vec![], vec![3]));
}

#[test]
fn a_message_whose_time_has_passed_is_handed_up_in_its_place_and_says_nothing() {
    let mut bench = Bench::online();
    bench.now = 5 * second();
    bench.push_message(message(1, 5_000));
    bench.push_message(message(2, 5_001));
    assert_eq!(bench.handed(), (vec![(1, false), (2, true)], vec![]));
}

#[test]
fn what_is_sent_disappears_as_the_last_timer_says() {
    let mut bench = Bench::online();
    bench.frames();
    bench.push_message(timer(1, 60));
    bench.write(1, None, None);
    let about = |kind| Some(Reference { kind, seq: Seq::new(1) });
    bench.write(2, about(ReferenceKind::Reply), None);
    bench.write(3, about(ReferenceKind::Edit), None);
    bench.write(4, about(ReferenceKind::Delete), None);
    let seconds: Vec<u32> = bench.sent().into_iter().map(|(_, seconds)| seconds).collect();
    assert_eq!(seconds, [60, 60, 0, 0]);
    bench.push_message(timer(2, 0));
    bench.write(5, None, None);
    assert_eq!(bench.sent().last().map(|sent| sent.1), Some(0));
}

#[test]
fn an_own_timer_counts_from_the_next_message_on_and_after_a_restart() {
    let mut bench = Bench::online();
    bench.frames();
    let kind = Some(Reference { kind: ReferenceKind::Timer, seq: Seq::ZERO });
    bench.write(1, kind, Some(30));
    bench.write(2, None, None);
    let sent = bench.sent();
    assert_eq!(sent.iter().map(|(_, seconds)| *seconds).collect::<Vec<_>>(), [30, 30]);
    // Confirmed, and its event is still to come.
    bench.input(Input::Frame(raw(&Sent { request: sent[0].0, seq: Seq::new(1), time_ms: 0 })));
    let timers = bench.commit_all().into_iter().filter_map(|effect| match effect {
        Effect::Commit(batch) => Some(batch.timers),
        _ => None,
    });
    let timers: Vec<Timer> = timers.flatten().collect();
    assert_eq!(timers, [Timer { conversation: conversation(), seq: Seq::new(1), expires_s: 30 }]);
    bench.write(3, None, None);
    assert_eq!(bench.sent().last().map(|sent| sent.1), Some(30));

    let mut bench = Bench::resuming(Saved { timers, ..Saved::default() });
    bench.input(Input::Start);
    bench.come_online();
    bench.write(1, None, None);
    assert_eq!(bench.sent().last().map(|sent| sent.1), Some(30));
}
