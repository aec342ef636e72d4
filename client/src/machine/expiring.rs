//! Messages that disappear: what each conversation's timer says, and which of the messages handed up in this run are to go
//! when.
//!
//! Times are the server's. How far its clock is from this client's is known from the last WELCOME.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use rookery_protocol::{ConversationId, ReferenceKind, Seq};

use crate::local_store::Timer;

/// Messages of which the application will be told that their time has come. Of more, those that go last are forgotten.
const AWAITED_MAX: usize = 4096;

/// What the server's clock said at a time of this client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ServerClock {
    at: Duration,
    time_ms: u64,
}

impl ServerClock {
    pub(crate) fn new(at: Duration, time_ms: u64) -> Self {
        Self { at, time_ms }
    }

    /// What it says at `now`.
    pub(crate) fn now_ms(self, now: Duration) -> u64 {
        let since = now.saturating_sub(self.at).as_millis();
        self.time_ms.saturating_add(u64::try_from(since).unwrap_or(u64::MAX))
    }

    /// When it will say so, or has said so.
    fn at(self, time_ms: u64) -> Duration {
        self.at.saturating_add(Duration::from_millis(time_ms.saturating_sub(self.time_ms)))
    }
}

/// All conversations' timers.
#[derive(Debug, Default)]
pub(super) struct Timers(HashMap<ConversationId, Timer>);

impl Timers {
    pub(super) fn new(saved: Vec<Timer>) -> Self {
        Self(saved.into_iter().map(|timer| (timer.conversation, timer)).collect())
    }

    /// The seconds after which what is sent there disappears; 0: never.
    pub(super) fn of(&self, conversation: ConversationId) -> u32 {
        self.0.get(&conversation).map_or(0, |timer| timer.expires_s)
    }

    /// A message says something about that, if it is a timer. Says what is new.
    pub(super) fn learn(&mut self, message: &rookery_protocol::Message) -> Option<Timer> {
        let is_timer = message.reference.is_some_and(|it| it.kind == ReferenceKind::Timer);
        let (conversation, seq, expires_s) = (message.conversation, message.seq, message.timer_s);
        if is_timer { self.set(Timer { conversation, seq, expires_s }) } else { None }
    }

    /// Takes a timer, unless a later one is known.
    pub(super) fn set(&mut self, timer: Timer) -> Option<Timer> {
        if self.0.get(&timer.conversation).is_some_and(|known| known.seq >= timer.seq) {
            return None;
        }
        self.0.insert(timer.conversation, timer);
        Some(timer)
    }
}

/// Messages handed up that are to go.
#[derive(Debug, Default)]
pub(super) struct Expiring {
    clock: Option<ServerClock>,
    awaited: BTreeSet<(u64, ConversationId, Seq)>,
}

impl Expiring {
    pub(super) fn set_clock(&mut self, clock: ServerClock) {
        self.clock = Some(clock);
    }

    /// The server's clock; 0 before it was known.
    pub(super) fn now_ms(&self, now: Duration) -> u64 {
        self.clock.map_or(0, |clock| clock.now_ms(now))
    }

    /// A message goes up that disappears then.
    pub(super) fn await_end(&mut self, expires_ms: u64, place: (ConversationId, Seq)) {
        self.awaited.insert((expires_ms, place.0, place.1));
        if self.awaited.len() > AWAITED_MAX {
            self.awaited.pop_last();
        }
    }

    /// When there is something to tell.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let (expires_ms, ..) = self.awaited.first()?;
        Some(self.clock?.at(*expires_ms))
    }

    /// The next message whose time has come.
    pub(super) fn next_expired(&mut self, now: Duration) -> Option<(ConversationId, Seq)> {
        let now_ms = self.now_ms(now);
        let (expires_ms, ..) = self.awaited.first()?;
        if *expires_ms > now_ms {
            return None;
        }
        self.awaited.pop_first().map(|(_, conversation, seq)| (conversation, seq))
    }
}

#[cfg(test)]
mod tests {
    use rookery_protocol::UserId;

    use super::*;

    fn conversation() -> ConversationId {
        ConversationId::direct(UserId::new(1).unwrap(), UserId::new(2).unwrap())
    }

    #[test]
    fn the_last_timer_of_the_log_counts_in_whatever_order_they_come() {
        let mut timers = Timers::default();
        let timer = |seq, expires_s| Timer { conversation: conversation(), seq: Seq::new(seq), expires_s };
        assert_eq!(timers.of(conversation()), 0);
        assert_eq!(timers.set(timer(5, 60)), Some(timer(5, 60)));
        assert_eq!(timers.set(timer(3, 10)), None);
        assert_eq!(timers.of(conversation()), 60);
        assert_eq!(timers.set(timer(5, 60)), None);
        assert_eq!(timers.set(timer(6, 0)), Some(timer(6, 0)));
        assert_eq!(timers.of(conversation()), 0);
    }

    #[test]
    fn messages_go_in_the_order_of_their_times_by_the_servers_clock() {
        let mut expiring = Expiring::default();
        let second = Duration::from_secs(1);
        expiring.await_end(12_000, (conversation(), Seq::new(1)));
        assert_eq!((expiring.deadline(), expiring.next_expired(100 * second)), (None, None), "no clock");
        expiring.set_clock(ServerClock::new(second, 10_000));
        expiring.await_end(11_000, (conversation(), Seq::new(2)));
        assert_eq!(expiring.deadline(), Some(2 * second));
        assert_eq!(expiring.next_expired(2 * second - Duration::from_millis(1)), None);
        assert_eq!(expiring.next_expired(2 * second), Some((conversation(), Seq::new(2))));
        assert_eq!(expiring.next_expired(2 * second), None);
        assert_eq!(expiring.deadline(), Some(3 * second));
        // The server's clock was set back: it is its time that counts.
        expiring.set_clock(ServerClock::new(3 * second, 10_000));
        assert_eq!(expiring.deadline(), Some(5 * second));
    }

    #[test]
    fn of_too_many_messages_those_that_go_last_are_forgotten() {
        let mut expiring = Expiring::default();
        expiring.set_clock(ServerClock::new(Duration::ZERO, 0));
        let count = AWAITED_MAX as u64 + 10;
        for number in (1..=count).rev() {
            expiring.await_end(number, (conversation(), Seq::new(number)));
        }
        let mut told = 0;
        while expiring.next_expired(Duration::from_secs(3600)).is_some() {
            told += 1;
        }
        assert_eq!(told, AWAITED_MAX);
    }
}
