//! Operations for tests, under keys that no family has.

use std::collections::BTreeMap;

use bytes::Bytes;
use rookery_protocol::Stamp;
use rookery_store::{KeyRange, Op, Reads, StampSlot, Store, View, Writes};

/// A key of the tests' own.
pub(crate) fn key(name: &str) -> Vec<u8> {
    [b"\xf0test/", name.as_bytes()].concat()
}

/// All keys that begin so.
pub(crate) fn under(name: &str) -> KeyRange {
    KeyRange::prefix(&key(name), 1_000)
}

/// An operation made of what it reads and a function.
pub(crate) struct Probe<F> {
    keys: Vec<Vec<u8>>,
    ranges: Vec<KeyRange>,
    pub(crate) bytes_hint: usize,
    apply: F,
}

/// An operation that reads `keys`.
pub(crate) fn probe<A, F>(keys: &[&str], apply: F) -> Probe<F>
where
    A: Send + 'static,
    F: Fn(&View<'_>, &mut Writes<'_>) -> A + Send + 'static,
{
    Probe { keys: keys.iter().map(|name| key(name)).collect(), ranges: Vec::new(), bytes_hint: 256, apply }
}

/// An operation that reads a range and writes nothing.
pub(crate) fn read_range(range: KeyRange) -> impl Op<Answer = Vec<(Vec<u8>, Bytes)>> {
    let ranges = vec![range.clone()];
    Probe { ranges, ..probe(&[], move |view, _| view.range(&range)) }
}

/// An operation that sets a key.
pub(crate) fn put(name: &str, value: &str) -> impl Op<Answer = ()> + use<> {
    let (key, value) = (key(name), value.to_owned());
    probe(&[], move |_, writes| writes.put(key.clone(), value.clone()))
}

/// An operation that adds one to a number, and answers what it was before.
pub(crate) fn increment(name: &str) -> Probe<impl Fn(&View<'_>, &mut Writes<'_>) -> u64 + Send + use<>> {
    let key = key(name);
    probe(&[name], move |view, writes| {
        let before = number(view.get(&key).as_deref());
        writes.put(key.clone(), (before + 1).to_be_bytes().to_vec());
        before
    })
}

/// An operation that appends a stamped key.
pub(crate) fn append(name: &str, value: &'static str) -> impl Op<Answer = StampSlot> + use<> {
    let prefix = key(name);
    probe(&[], move |_, writes| {
        let slot = writes.new_stamp();
        writes.put_stamped(prefix.clone(), slot, value);
        slot
    })
}

/// An operation that panics, with a key it has written before.
pub(crate) fn panicking() -> impl Op<Answer = ()> {
    probe(&[], |_, writes| {
        writes.put(key("by the one that panics"), "it");
        panic!("injected");
    })
}

pub(crate) fn number(value: Option<&[u8]>) -> u64 {
    value.map_or(0, |value| u64::from_be_bytes(value.try_into().expect("a number has 8 bytes")))
}

impl<A, F> Op for Probe<F>
where
    A: Send + 'static,
    F: Fn(&View<'_>, &mut Writes<'_>) -> A + Send + 'static,
{
    type Answer = A;

    fn reads(&self, reads: &mut Reads) {
        self.keys.iter().for_each(|key| reads.key(key.clone()));
        self.ranges.iter().for_each(|range| reads.range(range.clone()));
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> A {
        (self.apply)(view, writes)
    }

    fn bytes_hint(&self) -> usize {
        self.bytes_hint
    }
}

pub(crate) async fn get(store: &Store, name: &str) -> Option<Bytes> {
    get_key(store, key(name)).await
}

/// The value under a key of any family.
pub(crate) async fn get_key(store: &Store, key: Vec<u8>) -> Option<Bytes> {
    let snapshot = store.snapshot().await.expect("the store can be read");
    snapshot.get_many(&[key]).await.expect("the store can be read").pop().flatten()
}

pub(crate) async fn range(store: &Store, range: &KeyRange) -> Vec<(Bytes, Bytes)> {
    let snapshot = store.snapshot().await.expect("the store can be read");
    snapshot.range(range).await.expect("the store can be read")
}

/// What a range's keys have after the prefix, with their values, as text.
pub(crate) async fn texts(store: &Store, name: &str) -> BTreeMap<String, String> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("tests write text");
    let prefix = key(name).len();
    range(store, &under(name)).await.iter().map(|(key, value)| (text(&key[prefix..]), text(value))).collect()
}

/// The stamps of a prefix's stamped keys, in their order.
pub(crate) async fn stamps(store: &Store, name: &str) -> Vec<Stamp> {
    let stamp = |key: &[u8]| Stamp::from_bytes(key[key.len() - 12..].try_into().expect("12 bytes were cut"));
    let whole = KeyRange { limit: 100_000, ..under(name) };
    range(store, &whole).await.iter().map(|(key, _)| stamp(key)).collect()
}
