//! What has happened when, on the history's clock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Fault;
use crate::history::Recorder;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// When, since the history began.
    pub at: Duration,
    /// What, in words.
    pub what: String,
}

/// A fault, as it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// What.
    pub fault: Fault,
    /// When it began.
    pub began: Duration,
    /// When nothing stood in the nodes' way any more.
    pub healed: Duration,
    /// When all nodes saw each other again, if they did in time.
    pub whole: Option<Duration>,
}

impl Span {
    /// While clients may have felt it.
    pub fn felt(&self) -> (Duration, Duration) {
        const AFTER: Duration = Duration::from_secs(3);
        (self.began, self.whole.unwrap_or(self.healed).max(self.healed) + AFTER)
    }
}

#[derive(Debug, Default)]
struct Noted {
    notes: Vec<Note>,
    spans: Vec<Span>,
    surprises: Vec<String>,
    /// Of each client: since when and until when it had troubles of its own.
    troubles: Vec<Vec<(Duration, Duration)>>,
    /// Since when and until when the store could commit nothing.
    stalls: Vec<(Duration, Duration)>,
}

/// Where a run notes what happens. Clones note in the same place.
#[derive(Debug, Clone)]
pub struct Timeline {
    clock: Recorder,
    noted: Arc<Mutex<Noted>>,
}

impl Timeline {
    /// An empty one, on the clock of a history of so many clients.
    pub fn new(clock: Recorder, clients: usize) -> Self {
        let noted = Noted { troubles: vec![Vec::new(); clients], ..Noted::default() };
        Self { clock, noted: Arc::new(Mutex::new(noted)) }
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time.
    pub fn now(&self) -> Duration {
        self.clock.now()
    }

    /// Notes something.
    pub fn note(&self, what: impl Into<String>) {
        let (at, what) = (self.now(), what.into());
        self.noted().notes.push(Note { at, what });
    }

    /// Notes something that should not have happened.
    pub fn surprise(&self, what: impl Into<String>) {
        let what = what.into();
        self.note(format!("! {what}"));
        self.noted().surprises.push(what);
    }

    /// Notes how a fault went.
    pub fn span(&self, span: Span) {
        self.noted().spans.push(span);
    }

    /// Notes that a client had troubles of its own.
    pub fn trouble(&self, client: usize, since: Duration, until: Duration) {
        self.noted().troubles[client].push((since, until));
    }

    /// Notes that the store could commit nothing.
    pub fn stalled(&self, since: Duration, until: Duration) {
        self.noted().stalls.push((since, until));
    }

    /// All that happened, in order.
    pub fn notes(&self) -> Vec<Note> {
        self.noted().notes.clone()
    }

    /// All faults, in order.
    pub fn spans(&self) -> Vec<Span> {
        self.noted().spans.clone()
    }

    /// What should not have happened.
    pub fn surprises(&self) -> Vec<String> {
        self.noted().surprises.clone()
    }

    /// When the store could commit nothing, in order.
    pub fn stalls(&self) -> Vec<(Duration, Duration)> {
        self.noted().stalls.clone()
    }

    /// Clients' own troubles, by client.
    pub fn troubles(&self) -> Vec<Vec<(Duration, Duration)>> {
        self.noted().troubles.clone()
    }
}
