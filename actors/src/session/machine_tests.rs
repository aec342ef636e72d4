//! The machine by itself, an event a number.

use rookery_protocol::{ConversationId, DeviceId, GroupId, Seq, Stamp, UserId};

use super::*;

const PHONE: DeviceId = DeviceId::new(1);
const LAPTOP: DeviceId = DeviceId::new(2);

type Told = Vec<Effect<u64>>;

fn stamp(number: u64) -> Stamp {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    Stamp::from_bytes(bytes)
}

fn conversation() -> ConversationId {
    ConversationId::direct(UserId::new(1).expect("an id"), UserId::new(2).expect("an id"))
}

/// Message `number` from the other user, at stamp and seq `number`.
fn event(number: u64) -> Event<u64> {
    let receipt = Some((conversation(), Seq::new(number)));
    Event { stamp: stamp(number), frame: Some(number), for_sender: None, bytes: 10, receipt }
}

fn events(numbers: std::ops::RangeInclusive<u64>) -> Vec<Event<u64>> {
    numbers.map(event).collect()
}

fn connection(number: u64) -> ConnectionId {
    ConnectionId(number)
}

fn joining(connection_number: u64, device: DeviceId, window_events: u32) -> Joining {
    Joining {
        connection: connection(connection_number),
        device,
        window_events,
        cursor: Stamp::ZERO,
        resume: Stamp::ZERO,
        recovering: false,
    }
}

fn sweep(after: u64, limit: usize) -> Effect<u64> {
    Effect::Sweep(Sweep { after: stamp(after), limit })
}

fn push(to: u64, number: u64) -> Effect<u64> {
    Effect::Push(connection(to), number)
}

fn commit(device: DeviceId, upto: u64) -> Commit {
    Commit { device, stamp: stamp(upto), delivered: vec![(conversation(), Seq::new(upto))], trim: false }
}

/// A machine with one device, which has been pushed `pushed` events.
fn with_one_device(window: u32, pushed: u64) -> Machine {
    let mut machine = Machine::default();
    let _: Told = machine.join(joining(1, PHONE, window));
    let _ = machine.swept(&events(1..=pushed), true);
    machine
}

#[test]
fn a_device_is_pushed_what_its_inbox_holds_when_it_joins() {
    let mut machine = Machine::default();
    assert_eq!(machine.join(joining(1, PHONE, 8)), [sweep(0, 8)]);
    assert_eq!(machine.swept(&events(1..=2), true), [push(1, 1), push(1, 2)]);
}

#[test]
fn a_ring_during_a_sweep_makes_another_one() {
    let mut machine = Machine::default();
    let _: Told = machine.join(joining(1, PHONE, 8));
    assert_eq!(machine.ring::<u64>(Stamp::MAX), []);
    assert_eq!(machine.swept(&[], true), [sweep(0, 8)]);
    assert_eq!(machine.swept(&events(1..=1), true), [push(1, 1)]);
}

#[test]
fn a_bell_of_what_has_been_pushed_makes_no_sweep() {
    let mut machine = with_one_device(8, 3);
    assert_eq!(machine.ring::<u64>(stamp(3)), []);
    assert_eq!(machine.ring(stamp(4)), [sweep(3, 8 - 3)]);
    assert_eq!(machine.ring::<u64>(stamp(6)), []);
    assert_eq!(machine.ring::<u64>(stamp(5)), [], "the furthest counts");
    assert_eq!(machine.swept(&events(4..=6), true), [push(1, 4), push(1, 5), push(1, 6)], "all have come");
    assert_eq!(machine.ring(stamp(7)), [sweep(6, 2)]);
    assert_eq!(machine.ring::<u64>(stamp(8)), []);
    assert_eq!(machine.swept(&events(7..=7), true), [push(1, 7), sweep(7, 1)], "another is still to come");
}

#[test]
fn no_more_is_pushed_than_the_window_and_an_ack_reopens_it() {
    let mut machine = with_one_device(2, 0);
    assert_eq!(machine.ring(Stamp::MAX), [sweep(0, 2)]);
    assert_eq!(machine.swept(&events(1..=2), false), [push(1, 1), push(1, 2)]);
    assert_eq!(machine.ring::<u64>(Stamp::MAX), [], "the window is shut");
    assert_eq!(machine.ack(connection(1), stamp(1)), [Effect::Commit(commit(PHONE, 1)), sweep(2, 1)]);
    assert_eq!(machine.swept(&events(3..=3), true), [push(1, 3)]);
}

#[test]
fn the_last_free_place_of_a_window_is_used() {
    let mut machine = with_one_device(8, 7);
    assert_eq!(machine.ring(Stamp::MAX), [sweep(7, 1)]);
    assert_eq!(machine.swept(&events(8..=8), true), [push(1, 8)]);
}

#[test]
fn a_window_that_was_full_opens_when_a_quarter_is_free() {
    let mut machine = with_one_device(16, 16);
    let _: Told = machine.ring(Stamp::MAX);
    for upto in 1..=3 {
        let told: Told = machine.ack(connection(1), stamp(upto));
        assert!(!told.iter().any(|effect| matches!(effect, Effect::Sweep(_))), "{told:?}");
    }
    assert!(machine.ack(connection(1), stamp(4)).contains(&sweep(16, 4)));
}

#[test]
fn the_window_is_bounded_in_bytes_too() {
    let mut machine = with_one_device(100, 0);
    let _: Told = machine.ring(Stamp::MAX);
    let large = |number| Event { bytes: limits::WINDOW_BYTES_MAX / 2, ..event(number) };
    let told = machine.swept(&[large(1), large(2), large(3)], true);
    assert_eq!(told, [push(1, 1), push(1, 2)]);
}

#[test]
fn acks_that_come_during_a_commit_join_the_next_one() {
    let mut machine = with_one_device(8, 4);
    let first = commit(PHONE, 1);
    assert_eq!(machine.ack(connection(1), stamp(1)), [Effect::<u64>::Commit(first.clone())]);
    assert_eq!(machine.ack::<u64>(connection(1), stamp(2)), []);
    assert_eq!(machine.ack::<u64>(connection(1), stamp(3)), []);
    assert_eq!(machine.committed(&first), [Effect::<u64>::Commit(commit(PHONE, 3))]);
}

#[test]
fn a_commit_that_failed_is_made_again_with_the_next() {
    let mut machine = with_one_device(8, 4);
    let _: Told = machine.ack(connection(1), stamp(2));
    machine.commit_failed(commit(PHONE, 2));
    let again = Commit { trim: true, ..commit(PHONE, 2) };
    assert_eq!(machine.flush(), [Effect::<u64>::Commit(again)]);
}

#[test]
fn acks_without_receipts_are_put_off_until_there_are_many_or_a_flush() {
    let own = |number| Event { receipt: None, ..event(number) };
    let mut machine = with_one_device(200, 0);
    let _: Told = machine.ring(Stamp::MAX);
    let _ = machine.swept(&(1..=100).map(own).collect::<Vec<_>>(), true);
    assert_eq!(machine.ack::<u64>(connection(1), stamp(10)), []);
    let put_off = |upto| Commit { device: PHONE, stamp: stamp(upto), delivered: Vec::new(), trim: true };
    assert_eq!(machine.ack(connection(1), stamp(70)), [Effect::<u64>::Commit(put_off(70))]);
    let _: Told = machine.committed(&put_off(70));
    assert_eq!(machine.ack::<u64>(connection(1), stamp(71)), []);
    assert_eq!(machine.flush(), [Effect::<u64>::Commit(put_off(71))]);
}

/// Message `number` in a group.
fn in_group(number: u64) -> Event<u64> {
    Event { receipt: Some((group(1), Seq::new(number))), ..event(number) }
}

fn group(number: u64) -> ConversationId {
    ConversationId::group(GroupId::new(number).expect("a number"))
}

fn lazy_commit(upto: u64) -> Commit {
    let delivered = vec![(group(1), Seq::new(upto))];
    Commit { device: PHONE, stamp: stamp(upto), delivered, trim: true }
}

#[test]
fn acks_of_a_groups_messages_are_put_off_too_and_lose_no_mark() {
    let mut machine = with_one_device(200, 0);
    let _: Told = machine.ring(Stamp::MAX);
    let _ = machine.swept(&(1..=100).map(in_group).collect::<Vec<_>>(), true);
    assert_eq!(machine.ack::<u64>(connection(1), stamp(63)), []);
    assert!(!machine.is_idle());
    assert_eq!(machine.ack(connection(1), stamp(64)), [Effect::<u64>::Commit(lazy_commit(64))]);
    let _: Told = machine.committed(&lazy_commit(64));
    assert_eq!(machine.ack::<u64>(connection(1), stamp(70)), []);
    assert_eq!(machine.ring(Stamp::MAX), [sweep(100, SWEEP_EVENTS_MAX)], "reading goes on");
    assert_eq!(machine.swept::<u64>(&[], true), []);
    assert_eq!(machine.flush(), [Effect::<u64>::Commit(lazy_commit(70))]);
    let _: Told = machine.committed(&lazy_commit(70));
    assert_eq!(machine.flush(), [] as [Effect<u64>; 0]);
}

#[test]
fn a_direct_message_takes_the_marks_of_groups_along() {
    let mut machine = with_one_device(8, 0);
    let _: Told = machine.ring(Stamp::MAX);
    let _ = machine.swept(&[in_group(1), event(2), in_group(3)], true);
    assert_eq!(machine.ack::<u64>(connection(1), stamp(1)), []);
    let delivered = vec![(conversation(), Seq::new(2)), (group(1), Seq::new(1))];
    let both = Commit { device: PHONE, stamp: stamp(2), delivered, trim: false };
    assert_eq!(machine.ack(connection(1), stamp(2)), [Effect::<u64>::Commit(both.clone())]);
    assert_eq!(machine.ack::<u64>(connection(1), stamp(3)), []);
    assert_eq!(machine.committed(&both), [] as [Effect<u64>; 0], "what came meanwhile waits for a flush");
    assert_eq!(machine.flush(), [Effect::<u64>::Commit(lazy_commit(3))]);
}

#[test]
fn marks_of_groups_that_were_put_off_are_committed_when_the_device_leaves() {
    let mut machine = with_one_device(8, 0);
    let _: Told = machine.ring(Stamp::MAX);
    let _ = machine.swept(&[in_group(1)], true);
    let _: Told = machine.ack(connection(1), stamp(1));
    assert_eq!(machine.leave(connection(1)), [Effect::<u64>::Commit(lazy_commit(1))]);
    let _: Told = machine.committed(&lazy_commit(1));
    assert!(machine.is_idle());
}

#[test]
fn a_machine_at_its_end_tells_the_marks_that_it_has_put_off() {
    let mut machine = with_one_device(8, 0);
    let _: Told = machine.ring(Stamp::MAX);
    let _ = machine.swept(&[in_group(1), in_group(2)], true);
    let _: Told = machine.ack(connection(1), stamp(2));
    assert_eq!(machine.uncommitted(), [lazy_commit(2)]);
}

#[test]
fn marks_of_groups_that_could_not_be_committed_are_with_the_next() {
    let mut machine = with_one_device(8, 0);
    let _: Told = machine.ring(Stamp::MAX);
    let _ = machine.swept(&[in_group(1), in_group(2)], true);
    let _: Told = machine.ack(connection(1), stamp(2));
    let _: Told = machine.flush();
    machine.commit_failed(lazy_commit(2));
    assert_eq!(machine.flush(), [Effect::<u64>::Commit(lazy_commit(2))]);
}

#[test]
fn marks_of_many_groups_are_bounded() {
    let mut machine = with_one_device(4096, 0);
    let _: Told = machine.ring(Stamp::MAX);
    let of_many = |number| Event { receipt: Some((group(number), Seq::new(1))), ..event(number) };
    let _ = machine.swept(&(1..=3000).map(of_many).collect::<Vec<_>>(), true);
    let first: Told = machine.ack(connection(1), stamp(64));
    let Some(Effect::Commit(first)) = first.into_iter().next() else { panic!("a commit is due") };
    assert_eq!(first.delivered.len(), 64);
    let _: Told = machine.ack(connection(1), stamp(2000));
    assert_eq!(machine.ring::<u64>(Stamp::MAX), [], "too many wait for the store");
    let told: Told = machine.committed(&first);
    assert!(matches!(told[..], [Effect::Commit(_), Effect::Sweep(_)]), "{told:?}");
}

#[test]
fn an_ack_of_what_was_not_pushed_is_refused() {
    let mut machine = with_one_device(8, 2);
    assert_eq!(machine.ack(connection(1), stamp(3)), [Effect::<u64>::BadAck(connection(1))]);
}

#[test]
fn resume_acknowledges_what_the_inbox_holds_up_to_there_without_pushing_it() {
    let mut machine = Machine::default();
    let resuming = Joining { resume: stamp(3), ..joining(1, PHONE, 8) };
    assert_eq!(machine.join(resuming), [sweep(0, SWEEP_EVENTS_MAX)]);
    let told = machine.swept(&events(1..=5), true);
    assert_eq!(told, [push(1, 4), push(1, 5), Effect::Commit(commit(PHONE, 3))]);
}

#[test]
fn a_resume_from_the_future_acknowledges_only_what_is_there() {
    let mut machine = Machine::default();
    let _: Told = machine.join(Joining { resume: Stamp::MAX, ..joining(1, PHONE, 8) });
    assert_eq!(machine.swept(&events(1..=1), true), [Effect::Commit(commit(PHONE, 1))]);
    let _: Told = machine.ring(Stamp::MAX);
    assert_eq!(machine.swept(&events(2..=2), true), [push(1, 2)]);
}

#[test]
fn each_device_has_its_own_position_and_all_see_everything() {
    let mut machine = with_one_device(8, 3);
    assert_eq!(machine.join(joining(2, LAPTOP, 8)), [sweep(0, 8)]);
    let told = machine.swept(&events(1..=3), true);
    assert_eq!(told, [push(2, 1), push(2, 2), push(2, 3)], "the phone has them already");
    assert_eq!(machine.ring(Stamp::MAX), [sweep(3, 5)]);
    assert_eq!(machine.swept(&events(4..=4), true), [push(1, 4), push(2, 4)]);
}

#[test]
fn a_slow_device_does_not_hold_up_another() {
    let mut machine = with_one_device(1, 1);
    let _: Told = machine.join(joining(2, LAPTOP, 8));
    let _ = machine.swept(&events(1..=1), true);
    assert_eq!(machine.ring(Stamp::MAX), [sweep(1, 7)], "the phone's window is shut");
    assert_eq!(machine.swept(&events(2..=3), true), [push(2, 2), push(2, 3)]);
    assert_eq!(machine.ack(connection(1), stamp(1)), [Effect::Commit(commit(PHONE, 1)), sweep(1, 1)]);
}

#[test]
fn a_message_goes_without_its_body_to_the_connection_that_sent_it() {
    let mut machine = with_one_device(8, 0);
    let _: Told = machine.join(joining(2, LAPTOP, 8));
    let _ = machine.swept::<u64>(&[], true);
    let _: Told = machine.ring(Stamp::MAX);
    let sent = Event { for_sender: Some((connection(2), 1000)), receipt: None, ..event(1) };
    assert_eq!(machine.swept(&[sent], true), [push(1, 1), push(2, 1000)]);
}

#[test]
fn resync_offers_again_what_is_not_acknowledged_and_believes_acks_of_what_was_pushed() {
    let mut machine = with_one_device(8, 3);
    assert_eq!(machine.resync(connection(1)), [sweep(0, 8)]);
    assert_eq!(machine.ack::<u64>(connection(1), stamp(2)), [], "pushed before the resync: no bad ack");
    assert_eq!(machine.swept(&events(1..=3), true), [push(1, 3), Effect::Commit(commit(PHONE, 2))]);
}

#[test]
fn a_successor_believes_acks_of_what_its_predecessor_pushed() {
    let mut machine = Machine::default();
    let _: Told = machine.join(Joining { recovering: true, ..joining(1, PHONE, 8) });
    assert_eq!(machine.ack::<u64>(connection(1), stamp(2)), []);
    assert_eq!(machine.swept(&events(1..=3), true), [push(1, 3), Effect::Commit(commit(PHONE, 2))]);
    assert_eq!(machine.ack(connection(1), stamp(9)), [Effect::<u64>::BadAck(connection(1))]);
}

#[test]
fn the_same_device_again_takes_its_own_place() {
    let mut machine = with_one_device(8, 2);
    let _: Told = machine.join(joining(5, PHONE, 8));
    assert_eq!(machine.swept(&events(1..=2), true), [push(5, 1), push(5, 2)]);
    assert_eq!(machine.ack::<u64>(connection(1), stamp(2)), [], "the earlier connection has no say");
}

#[test]
fn what_a_device_acknowledged_is_committed_after_it_has_left() {
    let own = Event { receipt: None, ..event(1) };
    let mut machine = with_one_device(8, 0);
    let _: Told = machine.ring(Stamp::MAX);
    let _ = machine.swept(&[own], true);
    let _: Told = machine.ack(connection(1), stamp(1));
    assert!(!machine.is_idle());
    let left = Commit { device: PHONE, stamp: stamp(1), delivered: Vec::new(), trim: true };
    assert_eq!(machine.leave(connection(1)), [Effect::<u64>::Commit(left.clone())]);
    assert_eq!(machine.committed(&left), [] as [Effect<u64>; 0]);
    assert!(machine.is_idle());
}

#[test]
fn a_sweep_that_failed_is_made_again_at_the_next_flush() {
    let mut machine = Machine::default();
    let _: Told = machine.join(joining(1, PHONE, 8));
    machine.sweep_failed();
    assert!(!machine.is_idle());
    assert_eq!(machine.flush(), [sweep(0, 8)]);
}

#[test]
fn nothing_is_pushed_while_too_many_receipts_wait_for_the_store() {
    let mut machine = with_one_device(4096, 0);
    let _: Told = machine.ring(Stamp::MAX);
    let other =
        |number| ConversationId::direct(UserId::new(1).expect("an id"), UserId::new(number).expect("an id"));
    let from_many = |number| Event { receipt: Some((other(number), Seq::new(1))), ..event(number) };
    let _ = machine.swept(&(2..=2000).map(from_many).collect::<Vec<_>>(), true);
    let first: Told = machine.ack(connection(1), stamp(2));
    let Some(Effect::Commit(first)) = first.into_iter().next() else { panic!("a commit is due") };
    let _: Told = machine.ack(connection(1), stamp(2000));
    assert_eq!(machine.ring::<u64>(Stamp::MAX), []);
    let told: Told = machine.committed(&first);
    assert!(matches!(told[..], [Effect::Commit(_), Effect::Sweep(_)]), "{told:?}");
}

#[test]
fn a_machine_is_idle_only_when_all_is_pushed_acknowledged_and_committed() {
    let mut machine = with_one_device(8, 1);
    assert!(!machine.is_idle(), "an event is unacknowledged");
    let _: Told = machine.ack(connection(1), stamp(1));
    assert!(!machine.is_idle(), "the acknowledgement is not committed");
    let _: Told = machine.committed(&commit(PHONE, 1));
    assert!(machine.is_idle());
}

#[test]
fn a_device_that_comes_back_at_once_is_not_pushed_what_it_acknowledged_and_is_not_on_record() {
    let mut machine = with_one_device(8, 3);
    let Some(Effect::Commit(first)) = machine.ack::<u64>(connection(1), stamp(1)).pop() else {
        panic!("a commit is due")
    };
    let _: Told = machine.ack(connection(1), stamp(2));
    let _: Told = machine.leave(connection(1));
    assert_eq!(machine.join(joining(2, PHONE, 8)), [sweep(2, 8)]);
    assert_eq!(machine.swept(&events(3..=3), true), [push(2, 3)]);
    let second = Commit { trim: true, ..commit(PHONE, 2) };
    assert_eq!(machine.committed(&first), [Effect::<u64>::Commit(second)]);
}

#[test]
fn a_machine_at_its_end_tells_everything_that_is_not_committed() {
    let own = |number| Event { receipt: None, ..event(number) };
    let mut machine = with_one_device(8, 0);
    let _: Told = machine.ring(Stamp::MAX);
    let _ = machine.swept(&[own(1), event(2), own(3)], true);
    let _: Told = machine.ack(connection(1), stamp(1));
    assert_eq!(machine.uncommitted().len(), 1);
    assert_eq!(machine.uncommitted(), []);
}

#[test]
fn a_commit_that_failed_is_not_made_again_before_a_flush() {
    let mut machine = with_one_device(8, 3);
    let _: Told = machine.ack(connection(1), stamp(1));
    machine.commit_failed(commit(PHONE, 1));
    assert_eq!(machine.ack::<u64>(connection(1), stamp(2)), []);
    assert_eq!(machine.ring(Stamp::MAX), [sweep(3, 7)]);
    assert_eq!(machine.swept::<u64>(&[], true), []);
    let again = Commit { trim: true, ..commit(PHONE, 2) };
    assert_eq!(machine.flush(), [Effect::<u64>::Commit(again)]);
}
