//! What is under way on one connection: a bound on what is handed in and not confirmed, and the switch that cuts it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};

/// Bytes handed in that the other side has not said it has taken. Nothing below has a bound of its own, so this is the
/// bound of all of it, on both sides: mailboxes, queues, buffers.
pub(super) const UNCONFIRMED_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What has been taken is confirmed when it is this much; before that, with whatever is written anyway.
const CONFIRM_BYTES: u64 = 256 * 1024;

/// One connection, seen by those who send on it, who take from it, and who move its bytes.
#[derive(Debug)]
pub(super) struct Flow {
    window: Mutex<Window>,
    /// Bytes of batches that have come and been taken.
    taken: AtomicU64,
    /// Of these, confirmed.
    told: AtomicU64,
    /// The question of the other's last heartbeat, to be answered; 0: none.
    pong: AtomicU64,
    round_trip_us: AtomicU64,
    wake: Notify,
    cut: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Window {
    sent: u64,
    confirmed: u64,
}

impl Flow {
    pub(super) fn new() -> Self {
        Self {
            window: Mutex::default(),
            taken: AtomicU64::new(0),
            told: AtomicU64::new(0),
            pong: AtomicU64::new(0),
            round_trip_us: AtomicU64::new(0),
            wake: Notify::new(),
            cut: watch::Sender::new(false),
        }
    }

    /// Counts a batch and passes it on with `pass`, if there is room; batches pass in the order in which they are counted.
    pub(super) fn send(&self, bytes: usize, pass: impl FnOnce() -> bool) -> bool {
        let mut window = self.window();
        let unconfirmed = window.sent - window.confirmed + bytes as u64;
        if unconfirmed > UNCONFIRMED_BYTES_MAX || !pass() {
            return false;
        }
        window.sent += bytes as u64;
        true
    }

    /// The other side has taken so many bytes since the connection began.
    pub(super) fn confirmed(&self, bytes: u64) {
        let mut window = self.window();
        window.confirmed = bytes.clamp(window.confirmed, window.sent);
    }

    pub(super) fn unconfirmed_bytes(&self) -> u64 {
        let window = self.window();
        window.sent - window.confirmed
    }

    /// A batch that came is off this side's hands.
    pub(super) fn took(&self, bytes: usize) {
        let taken = self.taken.fetch_add(bytes as u64, Ordering::AcqRel) + bytes as u64;
        if taken - self.told.load(Ordering::Acquire) >= CONFIRM_BYTES {
            self.wake.notify_one();
        }
    }

    /// What is to be confirmed, if anything.
    pub(super) fn to_confirm(&self) -> Option<u64> {
        let taken = self.taken.load(Ordering::Acquire);
        (self.told.swap(taken, Ordering::AcqRel) != taken).then_some(taken)
    }

    /// The other side asks whether anybody is there.
    pub(super) fn asked(&self, question: u64) {
        self.pong.store(question, Ordering::Release);
        self.wake.notify_one();
    }

    /// The question to answer, if any.
    pub(super) fn to_answer(&self) -> Option<u64> {
        Some(self.pong.swap(0, Ordering::AcqRel)).filter(|question| *question != 0)
    }

    /// There may be something to confirm or to answer.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    pub(super) fn set_round_trip(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        self.round_trip_us.store(micros, Ordering::Relaxed);
    }

    /// Of the last heartbeat.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        let micros = self.round_trip_us.load(Ordering::Relaxed);
        (micros > 0).then(|| Duration::from_micros(micros))
    }

    /// Ends the connection.
    pub(super) fn cut(&self) {
        self.cut.send_replace(true);
    }

    #[cfg(test)]
    pub(super) fn is_cut(&self) -> bool {
        *self.cut.borrow()
    }

    pub(super) async fn until_cut(&self) {
        let mut cut = self.cut.subscribe();
        // The sender lives as long as `self`.
        let _ = cut.wait_for(|cut| *cut).await;
    }

    fn window(&self) -> std::sync::MutexGuard<'_, Window> {
        self.window.lock().expect("nothing panics while it holds this lock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BATCH: usize = 256 * 1024;

    #[test]
    fn what_is_not_confirmed_is_bounded_and_a_confirmation_makes_room() {
        let flow = Flow::new();
        for _ in 0..16 {
            assert!(flow.send(BATCH, || true));
        }
        assert!(!flow.send(1, || unreachable!("there is no room")));
        assert_eq!(flow.unconfirmed_bytes(), UNCONFIRMED_BYTES_MAX);
        flow.confirmed(BATCH as u64);
        assert!(flow.send(BATCH, || true));
        assert!(!flow.send(1, || true));
    }

    #[test]
    fn a_batch_that_could_not_be_passed_on_is_not_counted() {
        let flow = Flow::new();
        assert!(!flow.send(BATCH, || false));
        assert_eq!(flow.unconfirmed_bytes(), 0);
    }

    #[test]
    fn a_peer_that_confirms_too_much_or_goes_back_gains_nothing() {
        let flow = Flow::new();
        assert!(flow.send(BATCH, || true));
        flow.confirmed(u64::MAX);
        flow.confirmed(1);
        assert_eq!(flow.unconfirmed_bytes(), 0);
        assert!(flow.send(BATCH, || true));
        assert_eq!(flow.unconfirmed_bytes(), BATCH as u64);
    }

    #[test]
    fn what_was_taken_is_confirmed_once() {
        let flow = Flow::new();
        assert_eq!(flow.to_confirm(), None);
        flow.took(7);
        flow.took(3);
        assert_eq!(flow.to_confirm(), Some(10));
        assert_eq!(flow.to_confirm(), None);
    }
}
