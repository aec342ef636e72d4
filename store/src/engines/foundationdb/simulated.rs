//! A cluster for tests: versions, optimistic conflict checks, and the faults that are hard to come by.
//!
//! What happens to a commit is scripted, or drawn from a seed. A commit that is told to have timed out stays in flight
//! until it is delivered, and is then checked for conflicts like any other.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use tokio::sync::Notify;

use super::cluster::{Cluster, Committed, Isolation, Page, PageRequest, Purpose, Trx};
use super::fault::Fault;
use crate::engine::BoxFuture;
use crate::stamp::CommitStamp;

/// How many versions a cluster remembers.
const VERSIONS_REMEMBERED: i64 = 5_000_000;

/// What happens to a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Happens {
    /// As it should be.
    AsItShould,
    /// It is refused with this code.
    Refused(i32),
    /// It is tried, and its outcome not told: this code is.
    Hushed(i32),
    /// It is lost, and this code told.
    Lost(i32),
    /// This code is told now; it is tried when delivered.
    Delayed(i32),
}

/// A simulated cluster. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Simulated {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

#[derive(Default)]
struct State {
    version: i64,
    history: BTreeMap<Vec<u8>, Vec<(i64, Option<Bytes>)>>,
    /// What was written, or claimed to be, and when.
    writes: Vec<(i64, Span)>,
    commits: VecDeque<Happens>,
    fences: VecDeque<Happens>,
    read_versions: VecDeque<i32>,
    delayed: Vec<Request>,
    dice: Option<Dice>,
    page_entries: Option<usize>,
    watches: usize,
    watches_max: Option<usize>,
    transaction_bytes: usize,
}

type Span = (Vec<u8>, Vec<u8>);

#[derive(Debug, Clone, Default)]
struct Request {
    read_version: Option<i64>,
    reads: Vec<Span>,
    claims: Vec<Span>,
    mutations: Vec<Mutation>,
}

#[derive(Debug, Clone)]
enum Mutation {
    Set(Vec<u8>, Bytes),
    Clear(Span),
    Stamped(Vec<u8>, Bytes),
}

/// A sequence of numbers that a seed determines (SplitMix64).
#[derive(Debug, Clone, Copy)]
struct Dice {
    seed: u64,
    /// Whether fences fail for good, too.
    all_may_fail: bool,
}

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.seed ^ (self.seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn happens(&mut self, fence: bool) -> Happens {
        let draw = self.below(if fence && !self.all_may_fail { 24 } else { 40 });
        match draw {
            0 | 1 => Happens::Refused(1020),
            2 => Happens::Refused(1007),
            3 | 4 => Happens::Hushed(1021),
            5 | 6 => Happens::Lost(1021),
            30 => Happens::Hushed(1031),
            31 => Happens::Lost(1031),
            32 | 33 => Happens::Delayed(1031),
            34 => Happens::Hushed(1039),
            35 | 36 => Happens::Delayed(1039),
            _ => Happens::AsItShould,
        }
    }
}

impl Simulated {
    /// A cluster in which everything that may happen happens, as the seed has it. With `fences_hold` fences fail only
    /// in ways after which they are tried again.
    pub(super) fn at_random(seed: u64, fences_hold: bool) -> Self {
        let simulated = Self::default();
        simulated.state().dice = Some(Dice { seed, all_may_fail: !fences_hold });
        simulated
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }

    /// What happens to the next commits that write something.
    pub(super) fn script(&self, commits: impl IntoIterator<Item = Happens>) {
        self.state().commits.extend(commits);
    }

    /// What happens to the next commits that only claim to write.
    pub(super) fn script_fences(&self, fences: impl IntoIterator<Item = Happens>) {
        self.state().fences.extend(fences);
    }

    /// What the next requests for a version fail with.
    pub(super) fn script_read_versions(&self, codes: impl IntoIterator<Item = i32>) {
        self.state().read_versions.extend(codes);
    }

    /// Entries in a page at most.
    pub(super) fn page_entries(&self, entries: usize) {
        self.state().page_entries = Some(entries);
    }

    pub(super) fn watches_max(&self, watches: usize) {
        self.state().watches_max = Some(watches);
    }

    /// Watches that have not ended.
    pub(super) fn watches(&self) -> usize {
        self.state().watches
    }

    /// About the bytes of the largest transaction so far.
    pub(super) fn transaction_bytes(&self) -> usize {
        self.state().transaction_bytes
    }

    /// Lets versions pass.
    pub(super) fn elapse(&self, versions: i64) {
        self.state().version += versions;
    }

    /// Makes the cluster another, which has the same data and no past.
    pub(super) fn restore(&self) {
        let mut state = self.state();
        let version = state.version;
        state.version = 1;
        state.writes.clear();
        for values in state.history.values_mut() {
            let latest = values.iter().rfind(|(at, _)| *at <= version).and_then(|(_, value)| value.clone());
            *values = vec![(1, latest)];
        }
    }

    /// Delivers every commit in flight. Tells how many were applied.
    pub(super) fn deliver(&self) -> usize {
        let mut state = self.state();
        let delayed = std::mem::take(&mut state.delayed);
        let applied = delayed.into_iter().filter(|request| state.resolve(request).is_ok()).count();
        drop(state);
        self.changed.notify_waiters();
        applied
    }

    /// Writes as another client would.
    pub(super) fn put(&self, key: &[u8], value: &[u8]) {
        let request = Request {
            mutations: vec![Mutation::Set(key.to_vec(), Bytes::copy_from_slice(value))],
            ..Request::default()
        };
        self.state().resolve(&request).expect("a blind write conflicts with nothing");
        self.changed.notify_waiters();
    }

    /// Everything, as of now.
    pub(super) fn all(&self) -> Vec<(Vec<u8>, Bytes)> {
        let state = self.state();
        let value = |key: &Vec<u8>| Some((key.clone(), state.value(key, state.version)?));
        state.history.keys().filter_map(value).collect()
    }

    async fn pause(&self) {
        let pauses = self.state().dice.as_mut().map_or(1, |dice| dice.below(4));
        for _ in 0..pauses {
            tokio::task::yield_now().await;
        }
    }

    fn commit(&self, request: &Request) -> Result<Committed, Fault> {
        let mut state = self.state();
        if request.mutations.is_empty() && request.claims.is_empty() {
            return Ok(Committed { stamp: Err(Fault::NO_COMMIT_VERSION) });
        }
        state.transaction_bytes = state.transaction_bytes.max(request.bytes());
        let fence = request.mutations.is_empty();
        let scripted = if fence { state.fences.pop_front() } else { state.commits.pop_front() };
        let drawn = state.dice.as_mut().map(|dice| dice.happens(fence));
        if !state.delayed.is_empty() && state.dice.as_mut().is_some_and(|dice| dice.below(3) == 0) {
            let late = state.delayed.remove(0);
            let _ = state.resolve(&late);
        }
        let outcome = match scripted.or(drawn).unwrap_or(Happens::AsItShould) {
            Happens::AsItShould => state.resolve(request).map(|stamp| Committed { stamp: Ok(stamp) }),
            Happens::Refused(code) | Happens::Lost(code) => Err(Fault(code)),
            Happens::Hushed(code) => {
                let _ = state.resolve(request);
                Err(Fault(code))
            }
            Happens::Delayed(code) => {
                let now = state.version;
                state
                    .delayed
                    .push(Request { read_version: request.read_version.or(Some(now)), ..request.clone() });
                Err(Fault(code))
            }
        };
        drop(state);
        self.changed.notify_waiters();
        outcome
    }
}

impl State {
    fn oldest(&self) -> i64 {
        self.version - VERSIONS_REMEMBERED
    }

    fn value(&self, key: &[u8], version: i64) -> Option<Bytes> {
        self.history.get(key)?.iter().rfind(|(at, _)| *at <= version)?.1.clone()
    }

    /// Checks a commit for conflicts, and applies it.
    fn resolve(&mut self, request: &Request) -> Result<CommitStamp, Fault> {
        let read_version = request.read_version.unwrap_or(self.version);
        if read_version < self.oldest() {
            return Err(Fault::TRANSACTION_TOO_OLD);
        }
        let later = self.writes.iter().filter(|(version, _)| *version > read_version);
        if later.flat_map(|(_, write)| request.reads.iter().map(move |read| (read, write))).any(overlap) {
            return Err(Fault::NOT_COMMITTED);
        }
        self.version += 10;
        let version = self.version;
        let stamp = CommitStamp::from_number(version.try_into().expect("versions are not negative"));
        self.writes.extend(request.claims.iter().map(|claim| (version, claim.clone())));
        for mutation in &request.mutations {
            match mutation {
                Mutation::Set(key, value) => self.set(key.clone(), Some(value.clone())),
                Mutation::Stamped(operand, value) => {
                    self.set(stamped_key(operand, stamp), Some(value.clone()));
                }
                Mutation::Clear((begin, end)) => {
                    let within: BTreeSet<Vec<u8>> =
                        self.history.range(begin.clone()..end.clone()).map(|(key, _)| key.clone()).collect();
                    for key in within {
                        self.set(key, None);
                    }
                    self.writes.push((version, (begin.clone(), end.clone())));
                }
            }
        }
        Ok(stamp)
    }

    fn set(&mut self, key: Vec<u8>, value: Option<Bytes>) {
        self.writes.push((self.version, single(&key)));
        self.history.entry(key).or_default().push((self.version, value));
    }
}

impl Request {
    /// As FoundationDB counts: each mutation and conflict range with its keys and what holds them, 32 bytes and more.
    fn bytes(&self) -> usize {
        let span = |(begin, end): &Span| 32 + begin.len() + end.len();
        let mutation = |mutation: &Mutation| match mutation {
            Mutation::Set(key, value) => 48 + key.len() + value.len() + span(&single(key)),
            Mutation::Stamped(operand, value) => 48 + operand.len() + value.len() + span(&single(operand)),
            Mutation::Clear(range) => 48 + 2 * span(range),
        };
        self.reads.iter().chain(&self.claims).map(span).sum::<usize>()
            + self.mutations.iter().map(mutation).sum::<usize>()
    }
}

fn overlap(((a_begin, a_end), (b_begin, b_end)): (&Span, &Span)) -> bool {
    a_begin < b_end && b_begin < a_end
}

fn single(key: &[u8]) -> Span {
    (key.to_vec(), [key, &[0]].concat())
}

fn stamped_key(operand: &[u8], stamp: CommitStamp) -> Vec<u8> {
    let (key, offset) = operand.split_last_chunk::<4>().expect("an operand ends with an offset");
    let offset = u32::from_le_bytes(*offset) as usize;
    let mut key = key.to_vec();
    key[offset..offset + 10].copy_from_slice(&stamp.stamp(crate::stamp::StampSlot(0)).as_bytes()[..10]);
    key
}

pub(super) struct SimulatedTrx {
    cluster: Simulated,
    purpose: Purpose,
    request: Mutex<Request>,
}

impl Cluster for Simulated {
    type Trx = SimulatedTrx;

    fn begin(&self, purpose: Purpose) -> Result<SimulatedTrx, Fault> {
        Ok(SimulatedTrx { cluster: self.clone(), purpose, request: Mutex::default() })
    }
}

impl SimulatedTrx {
    fn request(&self) -> MutexGuard<'_, Request> {
        self.request.lock().expect("nothing panics while it holds this lock")
    }

    /// The version it reads, if the cluster still remembers it.
    fn version(&self) -> Result<i64, Fault> {
        let state = self.cluster.state();
        let version = *self.request().read_version.get_or_insert(state.version);
        if version < state.oldest() { Err(Fault::TRANSACTION_TOO_OLD) } else { Ok(version) }
    }

    fn later<T: Send + 'static>(&self, outcome: T) -> BoxFuture<'static, T> {
        let cluster = self.cluster.clone();
        Box::pin(async move {
            cluster.pause().await;
            outcome
        })
    }
}

impl Trx for SimulatedTrx {
    fn read_version(&self) -> BoxFuture<'static, Result<i64, Fault>> {
        let mut state = self.cluster.state();
        let drawn = state.dice.as_mut().is_some_and(|dice| dice.below(20) == 0).then_some(1009);
        let scripted = state.read_versions.pop_front();
        drop(state);
        let fault = scripted.or(drawn);
        self.later(fault.map_or_else(|| self.version(), |code| Err(Fault(code))))
    }

    fn set_read_version(&self, version: i64) {
        self.request().read_version = Some(version);
    }

    fn get(&self, key: &[u8], isolation: Isolation) -> BoxFuture<'static, Result<Option<Bytes>, Fault>> {
        if isolation == Isolation::Serializable {
            self.request().reads.push(single(key));
        }
        let value = self.version().map(|version| self.cluster.state().value(key, version));
        self.later(value)
    }

    fn page(&self, request: &PageRequest, isolation: Isolation) -> BoxFuture<'static, Result<Page, Fault>> {
        assert!(request.limit > 0 && request.begin < request.end, "{request:?} means something else to it");
        let page = self.version().map(|version| {
            let state = self.cluster.state();
            let keys = state.history.range(request.begin.clone()..request.end.clone());
            let mut entries: Vec<(Vec<u8>, Bytes)> =
                keys.filter_map(|(key, _)| Some((key.clone(), state.value(key, version)?))).collect();
            if request.reverse {
                entries.reverse();
            }
            let wanted = request.limit.min(state.page_entries.unwrap_or(usize::MAX));
            let more = entries.len() > wanted;
            entries.truncate(wanted);
            Page { entries, more }
        });
        if isolation == Isolation::Serializable
            && let Ok(page) = &page
        {
            let (mut begin, mut end) = (request.begin.clone(), request.end.clone());
            if let Some((last, _)) = page.entries.last().filter(|_| page.more) {
                if request.reverse { begin.clone_from(last) } else { end = single(last).1 }
            }
            self.request().reads.push((begin, end));
        }
        self.later(page)
    }

    fn set(&self, key: &[u8], value: &[u8]) {
        self.request().mutations.push(Mutation::Set(key.to_vec(), Bytes::copy_from_slice(value)));
    }

    fn clear(&self, key: &[u8]) {
        self.request().mutations.push(Mutation::Clear(single(key)));
    }

    fn clear_range(&self, begin: &[u8], end: &[u8]) {
        assert!(begin < end, "an inverted range is an error");
        self.request().mutations.push(Mutation::Clear((begin.to_vec(), end.to_vec())));
    }

    fn set_stamped_key(&self, operand: &[u8], value: &[u8]) {
        self.request().mutations.push(Mutation::Stamped(operand.to_vec(), Bytes::copy_from_slice(value)));
    }

    fn add_read_conflict(&self, key: &[u8]) -> Result<(), Fault> {
        self.request().reads.push(single(key));
        Ok(())
    }

    fn add_write_conflict(&self, key: &[u8]) -> Result<(), Fault> {
        self.request().claims.push(single(key));
        Ok(())
    }

    fn watch(&self, key: &[u8]) -> BoxFuture<'static, Result<(), Fault>> {
        assert_eq!(self.purpose, Purpose::Watch, "other transactions cannot watch");
        let version = match self.version() {
            Ok(version) => version,
            Err(fault) => return self.later(Err(fault)),
        };
        let mut state = self.cluster.state();
        if state.watches_max.is_some_and(|max| state.watches >= max) {
            return self.later(Err(Fault::TOO_MANY_WATCHES));
        }
        state.watches += 1;
        let before = state.value(key, version);
        let (watching, key) = (Watching(self.cluster.clone()), key.to_vec());
        Box::pin(async move {
            loop {
                let mut changed = std::pin::pin!(watching.0.changed.notified());
                changed.as_mut().enable();
                let now = {
                    let state = watching.0.state();
                    state.value(&key, state.version)
                };
                if now != before {
                    return Ok(());
                }
                changed.await;
            }
        })
    }

    fn commit(self) -> BoxFuture<'static, Result<Committed, (Self, Fault)>> {
        Box::pin(async move {
            self.cluster.pause().await;
            let request = self.request().clone();
            self.cluster.commit(&request).map_err(|fault| (self, fault))
        })
    }

    fn on_error(self, fault: Fault) -> BoxFuture<'static, Result<Self, Fault>> {
        Box::pin(async move {
            self.cluster.pause().await;
            match fault.0 {
                1007 | 1009 | 1020 | 1021 | 1037..=1039 => self.cluster.begin(self.purpose),
                _ => Err(fault),
            }
        })
    }
}

/// A watch that has not ended.
struct Watching(Simulated);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.state().watches -= 1;
    }
}
