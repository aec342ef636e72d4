//! What happens in a world, in order: as a number that is the same for the same happenings, and as lines for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use xxhash_rust::xxh3::Xxh3;

/// A line of the timeline.
#[derive(Debug, Clone)]
pub struct Line {
    /// Since the world began.
    pub at: Duration,
    /// What.
    pub text: String,
}

/// Everything noted so far. Clones note in the same place.
#[derive(Clone)]
pub struct Trace(Arc<Mutex<State>>);

struct State {
    began: Instant,
    hash: Xxh3,
    steps: u64,
    counts: BTreeMap<&'static str, u64>,
    /// Steps as they come, on standard error: to compare two runs that should be the same.
    is_shown: bool,
    lines: Vec<Line>,
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trace").finish_non_exhaustive()
    }
}

impl Trace {
    /// An empty one, beginning now. With `is_shown` every step is written to standard error.
    pub fn new(is_shown: bool) -> Self {
        let state = State {
            began: Instant::now(),
            hash: Xxh3::new(),
            steps: 0,
            counts: BTreeMap::new(),
            is_shown,
            lines: Vec::new(),
        };
        Self(Arc::new(Mutex::new(state)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a step of the world: what it is, who takes it, and what tells it from others.
    pub fn step(&self, what: &'static str, who: &str, bytes: &[u8]) {
        let mut state = self.state();
        let at = state.began.elapsed();
        let micros = u64::try_from(at.as_micros()).unwrap_or(u64::MAX);
        state.hash.update(&micros.to_le_bytes());
        state.hash.update(what.as_bytes());
        state.hash.update(who.as_bytes());
        state.hash.update(bytes);
        state.steps += 1;
        *state.counts.entry(what).or_default() += 1;
        if state.is_shown {
            let digest = xxhash_rust::xxh3::xxh3_64(bytes);
            eprintln!("{micros} {what} {who} {} {digest:016x}", bytes.len());
        }
    }

    /// Notes a step that people want to know of too.
    pub fn say(&self, text: impl Into<String>) {
        let text = text.into();
        self.step("said", "", text.as_bytes());
        let mut state = self.state();
        let at = state.began.elapsed();
        state.lines.push(Line { at, text });
    }

    /// Since the beginning.
    pub fn now(&self) -> Duration {
        self.state().began.elapsed()
    }

    /// A number that differs where runs differ.
    pub fn digest(&self) -> u64 {
        self.state().hash.digest()
    }

    /// How many steps there were.
    pub fn steps(&self) -> u64 {
        self.state().steps
    }

    /// How many steps of a kind there were.
    pub fn count(&self, what: &'static str) -> u64 {
        self.state().counts.get(what).copied().unwrap_or(0)
    }

    /// What was said.
    pub fn lines(&self) -> Vec<Line> {
        self.state().lines.clone()
    }
}

/// Lines as people read them, one each.
pub fn text(lines: &[Line]) -> String {
    let mut text = String::new();
    for Line { at, text: line } in lines {
        let seconds = at.as_secs_f64();
        writeln!(text, "{seconds:>10.3}  {line}").expect("a string takes what is written");
    }
    text
}
