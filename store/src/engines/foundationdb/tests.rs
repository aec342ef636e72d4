//! The engine over a simulated cluster.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use rookery_protocol::{
    Body, ConversationId, DeviceId, GroupId, GroupSettings, MessageId, Role, Seq, UserId, limits,
};

use super::cluster::Cluster;
use super::config::FdbConfig;
use super::core::{Core, version_of};
use super::open::{FdbOpenError, claim, run};
use super::simulated::{Happens, Simulated};
use super::{FdbEngine, snapshot, watch};
use crate::batch::{Batch, Submitted};
use crate::engine::Snapshot;
use crate::error::StoreError;
use crate::keys;
use crate::keys::conversation::sent_key;
use crate::keys::device::{self, Device};
use crate::keys::group::{Member, Members, members_key};
use crate::op::{KeyRange, Op, Reads, View, Writes};
use crate::ops::{Author, Outcome, SendMessage};
use crate::stamp::StampSlot;
use crate::store::Committed;

use Happens::{Delayed, Hushed, Lost, Refused};

const RETRIES: u32 = 4;

fn core_with(
    cluster: &Simulated,
    instance: u64,
    change: impl FnOnce(&mut FdbConfig),
) -> Arc<Core<Simulated>> {
    let mut config = FdbConfig { retry_limit: RETRIES, prefix: b"p/".to_vec(), ..FdbConfig::new("unused") };
    change(&mut config);
    Arc::new(Core::new(cluster.clone(), &config, instance))
}

fn core(cluster: &Simulated) -> Arc<Core<Simulated>> {
    core_with(cluster, 1, |_| ())
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let outcome = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(30), future).await });
    outcome.expect("it ends")
}

/// Counts, once for each id, and puts the count under a stamp.
#[derive(Clone)]
struct Count {
    id: u64,
}

impl Count {
    fn id_key(&self) -> Vec<u8> {
        [b"id".as_slice(), &self.id.to_be_bytes()].concat()
    }
}

fn number(value: &[u8]) -> u64 {
    u64::from_be_bytes(value.try_into().expect("eight bytes"))
}

#[derive(Debug, PartialEq, Eq)]
enum Counted {
    Now(u64),
    Before(u64),
}

impl Op for Count {
    type Answer = Counted;

    fn reads(&self, reads: &mut Reads) {
        reads.key(b"count".to_vec());
        reads.key(self.id_key());
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Counted {
        if let Some(count) = view.get(&self.id_key()) {
            return Counted::Before(number(&count));
        }
        let count = view.get(b"count").map_or(0, |count| number(&count)) + 1;
        let value = Bytes::copy_from_slice(&count.to_be_bytes());
        writes.put(b"count".to_vec(), value.clone());
        writes.put(self.id_key(), value.clone());
        let slot = writes.new_stamp();
        writes.put_stamped(b"stamped".to_vec(), slot, value);
        Counted::Now(count)
    }
}

/// Writes without looking.
struct Blind {
    key: Vec<u8>,
    value: u64,
}

impl Op for Blind {
    type Answer = ();

    fn reads(&self, _: &mut Reads) {}

    fn apply(&self, _: &View<'_>, writes: &mut Writes<'_>) {
        writes.put(self.key.clone(), self.value.to_be_bytes().to_vec());
    }
}

/// Looks without writing.
struct Look {
    range: KeyRange,
}

impl Op for Look {
    type Answer = Vec<(Vec<u8>, Bytes)>;

    fn reads(&self, reads: &mut Reads) {
        reads.range(self.range.clone());
    }

    fn apply(&self, view: &View<'_>, _: &mut Writes<'_>) -> Self::Answer {
        view.range(&self.range)
    }
}

fn everything() -> KeyRange {
    KeyRange { begin: Vec::new(), end: vec![0xff], limit: usize::MAX, reverse: false }
}

fn answer<A>(outcome: Result<Committed<A>, StoreError>) -> A {
    outcome.unwrap_or_else(|error| panic!("{error}")).answer
}

fn value(cluster: &Simulated, key: &[u8]) -> Option<u64> {
    cluster.all().iter().find(|(other, _)| other == key).map(|(_, value)| number(value))
}

#[test]
fn conflicting_attempt_is_made_again_on_the_new_state() {
    block_on(async {
        let cluster = Simulated::default();
        cluster.script([Refused(1020), Refused(1007)]);
        cluster.script_read_versions([1009, 1037]);
        assert_eq!(answer(run(&core(&cluster), Count { id: 1 }).await), Counted::Now(1));
    });
}

#[test]
fn attempt_that_was_committed_in_silence_is_answered_as_a_duplicate() {
    block_on(async {
        let cluster = Simulated::default();
        cluster.script([Hushed(1021)]);
        assert_eq!(answer(run(&core(&cluster), Count { id: 1 }).await), Counted::Before(1));
        assert_eq!(value(&cluster, b"p/count"), Some(1));
    });
}

#[test]
fn outcome_stays_unknown_when_the_retries_end_or_fail_otherwise() {
    block_on(async {
        for then in [Lost(1021), Refused(1020), Refused(2101), Refused(2000)] {
            let cluster = Simulated::default();
            cluster.script([Lost(1021)].into_iter().chain([then; RETRIES as usize]));
            let outcome = run(&core(&cluster), Count { id: 1 }).await;
            assert!(matches!(outcome, Err(StoreError::Ambiguous(_))), "{then:?}: {outcome:?}");
        }
    });
}

#[test]
fn known_failures_are_told_by_name() {
    block_on(async {
        let cluster = Simulated::default();
        let core = core(&cluster);
        cluster.script([Refused(1020); 1 + RETRIES as usize]);
        assert!(matches!(run(&core, Count { id: 1 }).await, Err(StoreError::Conflict)));
        for code in [2101, 2102, 2103] {
            cluster.script([Refused(code)]);
            assert!(matches!(run(&core, Count { id: 1 }).await, Err(StoreError::TooLarge(_))), "{code}");
        }
        cluster.script_read_versions([1031]);
        assert!(matches!(run(&core, Count { id: 1 }).await, Err(StoreError::Unavailable(_))));
        assert_eq!(cluster.all(), []);
    });
}

#[test]
fn timed_out_commit_cannot_be_applied_after_its_outcome_was_told() {
    block_on(async {
        let cluster = Simulated::default();
        let core = core(&cluster);
        cluster.script([Delayed(1031)]);
        let outcome = run(&core, Blind { key: b"key".to_vec(), value: 1 }).await;
        assert!(matches!(outcome, Err(StoreError::Ambiguous(_))), "{outcome:?}");

        answer(run(&core, Blind { key: b"key".to_vec(), value: 2 }).await);
        assert_eq!(cluster.deliver(), 0);
        assert_eq!(value(&cluster, b"p/key"), Some(2));
    });
}

#[test]
fn commit_abandoned_by_a_change_of_the_cluster_is_fenced_before_it_is_made_again() {
    block_on(async {
        let cluster = Simulated::default();
        cluster.script([Delayed(1039)]);
        cluster.script_fences([Refused(1020), Lost(1021)]);
        answer(run(&core(&cluster), Blind { key: b"key".to_vec(), value: 1 }).await);
        cluster.put(b"p/key", &2_u64.to_be_bytes());
        assert_eq!(cluster.deliver(), 0);
        assert_eq!(value(&cluster, b"p/key"), Some(2));
    });
}

#[test]
fn commit_that_cannot_be_fenced_is_ambiguous_and_still_serializable() {
    block_on(async {
        let cluster = Simulated::default();
        let core = core(&cluster);
        cluster.script([Delayed(1039)]);
        cluster.script_fences([Lost(1031)]);
        assert!(matches!(run(&core, Count { id: 1 }).await, Err(StoreError::Ambiguous(_))));

        assert_eq!(answer(run(&core, Count { id: 1 }).await), Counted::Now(1));
        assert_eq!(cluster.deliver(), 0);
        assert_eq!(value(&cluster, b"p/count"), Some(1));
    });
}

#[test]
fn batch_that_panics_on_a_second_application_is_ambiguous_after_an_unknown_outcome() {
    struct Once(std::sync::atomic::AtomicBool);
    impl Op for Once {
        type Answer = ();
        fn reads(&self, _: &mut Reads) {}
        fn apply(&self, _: &View<'_>, writes: &mut Writes<'_>) {
            assert!(!self.0.swap(true, std::sync::atomic::Ordering::Relaxed), "applied again");
            writes.put(b"key".to_vec(), b"value".to_vec());
        }
    }

    block_on(async {
        let cluster = Simulated::default();
        cluster.script([Hushed(1021)]);
        let outcome = run(&core(&cluster), Once(false.into())).await;
        assert!(matches!(outcome, Err(StoreError::Ambiguous(_))), "{outcome:?}");
    });
}

#[test]
fn stamp_of_a_batch_that_writes_nothing_lies_between_those_around_it() {
    block_on(async {
        let cluster = Simulated::default();
        let core = core(&cluster);
        let mut stamps = Vec::new();
        for id in 0..3 {
            stamps.push(run(&core, Count { id }).await.expect("committed").stamp);
            stamps.push(run(&core, Look { range: everything() }).await.expect("read").stamp);
        }
        assert!(stamps.is_sorted_by(|a, b| a < b), "{stamps:?}");
    });
}

#[test]
fn stamped_keys_and_the_answer_have_the_same_stamp() {
    block_on(async {
        let cluster = Simulated::default();
        let committed = run(&core(&cluster), Count { id: 1 }).await.expect("committed");
        let stamp = committed.stamp(StampSlot(0));
        let key = [b"p/stamped".as_slice(), stamp.as_bytes()].concat();
        assert_eq!(value(&cluster, &key), Some(1));
    });
}

#[test]
fn ranges_are_whole_whatever_the_pages_and_nothing_outside_the_prefix_is_seen() {
    block_on(async {
        let cluster = Simulated::default();
        let core = core(&cluster);
        for key in [b"o".as_slice(), b"p", b"p.", b"p0", b"q"] {
            cluster.put(key, b"not ours");
        }
        let keys: Vec<Vec<u8>> = (0..7).map(|n| vec![b'k', n]).collect();
        for key in &keys {
            cluster.put(&[b"p/", &key[..]].concat(), b"ours");
        }
        for page in 1..=8 {
            cluster.page_entries(page);
            let view = snapshot::take(core.clone()).await.expect("a snapshot");
            for limit in [0, 1, 2, 3, 6, 7, 8, usize::MAX] {
                for reverse in [false, true] {
                    let range = KeyRange { limit, reverse, ..everything() };
                    let mut expected = keys.clone();
                    if reverse {
                        expected.reverse();
                    }
                    expected.truncate(limit);
                    let found = answer(run(&core, Look { range: range.clone() }).await);
                    let found: Vec<Vec<u8>> = found.into_iter().map(|(key, _)| key).collect();
                    assert_eq!(found, expected, "page {page}, limit {limit}, reverse {reverse}");
                    let seen = view.range(&range).await.expect("a range");
                    let seen: Vec<Bytes> = seen.into_iter().map(|(key, _)| key).collect();
                    assert_eq!(seen, expected, "page {page}, limit {limit}, reverse {reverse}");
                }
            }
        }
        let backwards = KeyRange { begin: vec![2], end: vec![1], limit: 9, reverse: false };
        assert_eq!(answer(run(&core, Look { range: backwards }).await), []);
    });
}

#[test]
fn key_that_appears_in_a_range_read_is_a_conflict() {
    /// Writes how many entries there are.
    struct Census(Simulated);
    impl Op for Census {
        type Answer = usize;
        fn reads(&self, reads: &mut Reads) {
            reads.range(KeyRange::prefix(b"k", usize::MAX));
        }
        fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> usize {
            let entries = view.range(&KeyRange::prefix(b"k", usize::MAX)).len();
            if entries == 0 {
                self.0.put(b"p/k1", b"between the read and the commit");
            }
            writes.put(b"census".to_vec(), vec![0]);
            entries
        }
    }

    block_on(async {
        let cluster = Simulated::default();
        assert_eq!(answer(run(&core(&cluster), Census(cluster.clone())).await), 1);
    });
}

#[test]
fn snapshot_does_not_move_and_says_so_when_it_is_too_old() {
    block_on(async {
        let cluster = Simulated::default();
        let core = core(&cluster);
        answer(run(&core, Count { id: 1 }).await);
        cluster.script_read_versions([1009]);
        let view = snapshot::take(core.clone()).await.expect("a snapshot");
        answer(run(&core, Count { id: 2 }).await);
        let keys = [b"count".to_vec(), b"absent".to_vec()];
        let values = view.get_many(&keys).await.expect("values");
        assert_eq!(values, [Some(Bytes::copy_from_slice(&1_u64.to_be_bytes())), None]);

        cluster.elapse(5_000_001);
        for error in [
            view.get_many(&keys).await.expect_err("too old"),
            view.range(&everything()).await.expect_err("too old"),
        ] {
            let StoreError::Unavailable(source) = error else { panic!("{error}") };
            assert_eq!(source.to_string(), "the snapshot is too old to be read: take another");
        }
    });
}

#[test]
fn watch_completes_for_what_a_snapshot_taken_after_the_call_does_not_show() {
    block_on(async {
        let cluster = Simulated::default();
        let core = core(&cluster);
        answer(run(&core, Count { id: 1 }).await);
        // Neither the change before the future's first poll nor the one after is missed.
        let early = watch::watch(core.clone(), b"count");
        answer(run(&core, Count { id: 2 }).await);
        early.await.expect("changed");

        let late = tokio::spawn(watch::watch(core.clone(), b"count"));
        tokio::task::yield_now().await;
        assert_eq!(cluster.watches(), 1);
        answer(run(&core, Blind { key: b"other".to_vec(), value: 1 }).await);
        assert!(!late.is_finished());
        answer(run(&core, Count { id: 3 }).await);
        late.await.expect("no panic").expect("changed");
        assert_eq!(cluster.watches(), 0);
    });
}

#[test]
fn watch_with_a_forgotten_baseline_completes_and_the_next_one_waits() {
    block_on(async {
        let cluster = Simulated::default();
        let core = core(&cluster);
        answer(run(&core, Count { id: 1 }).await);
        cluster.elapse(5_000_001);
        watch::watch(core.clone(), b"count").await.expect("the key may have changed");

        let next = tokio::spawn(watch::watch(core.clone(), b"count"));
        for _ in 0..9 {
            tokio::task::yield_now().await;
        }
        assert!(!next.is_finished());
        answer(run(&core, Count { id: 2 }).await);
        next.await.expect("no panic").expect("changed");
    });
}

#[test]
fn watches_beyond_either_bound_are_polled_and_a_dropped_watch_makes_room() {
    block_on(async {
        let cluster = Simulated::default();
        cluster.watches_max(2);
        let core = core_with(&cluster, 1, |config| (config.watches_max, config.watch_poll_ms) = (3, 1));
        answer(run(&core, Count { id: 1 }).await);
        let watches: Vec<_> = (0..5).map(|_| tokio::spawn(watch::watch(core.clone(), b"count"))).collect();
        tokio::time::sleep(Duration::from_millis(5)).await;
        // Of those with a permit the cluster refused one, which is polled for and has given its permit back.
        assert_eq!((cluster.watches(), core.watches.available_permits()), (2, 1));
        assert!(watches.iter().all(|watch| !watch.is_finished()));
        answer(run(&core, Count { id: 2 }).await);
        for watch in watches {
            watch.await.expect("no panic").expect("changed");
        }

        let dropped = watch::watch(core.clone(), b"count");
        assert_eq!((cluster.watches(), core.watches.available_permits()), (1, 2));
        drop(dropped);
        assert_eq!((cluster.watches(), core.watches.available_permits()), (0, 3));
    });
}

#[test]
fn open_names_a_missing_or_empty_cluster_file_and_a_prefix_that_cannot_be() {
    block_on(async {
        let directory = tempfile::tempdir().expect("a directory");
        let (missing, empty) = (directory.path().join("missing"), directory.path().join("empty"));
        std::fs::write(&empty, "").expect("a file");
        for path in [&missing, &empty, &directory.path().to_path_buf()] {
            let refused = FdbEngine::open(FdbConfig::new(path)).await.expect_err("no cluster file");
            assert!(matches!(&refused, FdbOpenError::ClusterFile { path: named, .. } if named == path));
            assert!(refused.to_string().contains(&*path.to_string_lossy()), "{refused}");
        }
        for prefix in [vec![0xff, 0x02], vec![b'p'; 65]] {
            let refused = FdbEngine::open(FdbConfig { prefix, ..FdbConfig::new(&missing) }).await;
            assert!(matches!(refused, Err(FdbOpenError::Prefix)), "{refused:?}");
        }
    });
}

#[test]
fn open_claims_an_empty_store_and_finds_it_again() {
    block_on(async {
        let cluster = Simulated::default();
        cluster.put(b"another", b"prefix");
        claim(&core(&cluster)).await.expect("claimed");
        cluster.elapse(1_000);
        claim(&core(&cluster)).await.expect("found");
        let other = core_with(&cluster, 2, |config| config.prefix = b"p2/".to_vec());
        claim(&other).await.expect("claimed beside it");
    });
}

#[test]
fn open_refuses_what_is_not_a_store_of_this_layout() {
    block_on(async {
        let cluster = Simulated::default();
        cluster.put(b"p/x", b"something");
        assert!(matches!(claim(&core(&cluster)).await, Err(FdbOpenError::Foreign)));
        cluster.put(b"p/\x01format", &7_u32.to_be_bytes());
        assert!(matches!(claim(&core(&cluster)).await, Err(FdbOpenError::Format { found: 7 })));
        cluster.put(b"p/\x01format", b"other");
        assert!(matches!(claim(&core(&cluster)).await, Err(FdbOpenError::Foreign)));
        cluster.script_read_versions([1031]);
        assert!(matches!(claim(&core(&cluster)).await, Err(FdbOpenError::Unavailable(_))));
    });
}

#[test]
fn open_refuses_a_cluster_whose_version_went_back_until_it_is_raised() {
    block_on(async {
        let cluster = Simulated::default();
        cluster.elapse(1_000_000_000);
        claim(&core(&cluster)).await.expect("claimed");
        cluster.restore();
        for _ in 0..2 {
            let refused = claim(&core(&cluster)).await;
            assert!(matches!(refused, Err(FdbOpenError::VersionWentBack { .. })), "{refused:?}");
        }
        cluster.elapse(2_000_000_000);
        claim(&core(&cluster)).await.expect("raised");
    });
}

#[test]
fn two_that_open_at_once_both_succeed() {
    for seed in 0..50 {
        block_on(async {
            let cluster = Simulated::at_random(seed, true);
            let (one, two) = (core_with(&cluster, 1, |_| ()), core_with(&cluster, 2, |_| ()));
            let opened = tokio::join!(claim(&one), claim(&two));
            for opened in [opened.0, opened.1] {
                // An unknown outcome is the caller's to try again.
                let ambiguous = matches!(&opened, Err(FdbOpenError::Unavailable(_)));
                assert!(opened.is_ok() || ambiguous, "seed {seed}: {opened:?}");
            }
        });
    }
}

#[test]
fn full_batch_of_messages_stays_under_the_limit_of_a_transaction() {
    block_on(async {
        let cluster = Simulated::default();
        // The smallest of bodies, so that there are as many operations as the hints allow.
        let core = core_with(&cluster, 1, |config| config.prefix = vec![b'p'; 16]);
        let user = |number| UserId::new(number).expect("not 0");
        let put = |key: Vec<u8>, value: &[u8]| cluster.put(&core.space.key(&key), value);
        let (alice, device) = (user(1), DeviceId::new(1));
        let known = Device { name: "phone".into(), created_ms: 1, generation: 1, settled: 0 };
        put(device::key(alice, device), &keys::encode(&known));
        let (id, after) = (MessageId::from_bytes([1; 16]), MessageId::from_bytes([2; 16]));
        let mut batch = Batch::default();
        for number in 2..514 {
            let conversation = ConversationId::direct(alice, user(number));
            put(keys::user::key(user(number)), b"present");
            put(sent_key(conversation, alice, device, after), b"present");
            let send = SendMessage {
                conversation,
                author: Author { user: alice, device, generation: 1, admitted: 0, id, time_ms: 1 },
                after: Some(after),
                body: Body::new(b"!".to_vec()),
                reference: None,
                expires_s: 0,
            };
            if batch.bytes() + send.bytes_hint() > 200_000 {
                break;
            }
            let accepted = |sent: Result<Committed<Outcome>, _>| {
                assert!(matches!(answer(sent), Outcome::Accepted(_)));
            };
            batch.push(Box::new(Submitted::new(send, accepted)));
        }
        assert!(batch.len() > 300, "{batch:?}");
        let committed = core.transact(&mut batch).await;
        assert_eq!(batch.reads().keys().len(), 8 * batch.len() + 2, "the sender and its device once");
        batch.finish(committed);
        let bytes = cluster.transaction_bytes();
        assert!((200_000..900_000).contains(&bytes), "{bytes}");
    });
}

#[test]
fn messages_to_the_largest_groups_go_in_as_many_transactions_as_they_need() {
    block_on(async {
        let cluster = Simulated::default();
        let core = core_with(&cluster, 1, |config| config.prefix = vec![b'p'; 16]);
        let put = |key: Vec<u8>, value: &[u8]| cluster.put(&core.space.key(&key), value);
        let user = |number| UserId::new(number).expect("not 0");
        let (alice, device) = (user(1), DeviceId::new(1));
        put(
            device::key(alice, device),
            &keys::encode(&Device { name: "phone".into(), created_ms: 1, generation: 1, settled: 0 }),
        );
        let group = GroupId::new(1).expect("not 0");
        let mut members = Members::new(GroupSettings::default());
        for number in 1..=limits::GROUP_MEMBERS_MAX as u64 {
            let (since, from) = (Seq::new(1), Seq::new(1));
            members.add(Member { user: user(number), role: Role::Member, since, from });
        }
        put(members_key(group), &members.encode());

        let mut rest = Batch::within(200_000);
        for number in 0_u128.. {
            let id = MessageId::from_bytes(number.to_be_bytes());
            let send = SendMessage {
                conversation: ConversationId::group(group),
                author: Author { user: alice, device, generation: 1, admitted: 0, id, time_ms: 1 },
                after: None,
                body: Body::new(b"!".to_vec()),
                reference: None,
                expires_s: 0,
            };
            if rest.bytes() + send.bytes_hint() > 200_000 {
                break;
            }
            let accepted = move |sent: Result<Committed<Outcome>, _>| match answer(sent) {
                Outcome::Accepted(accepted) => assert_eq!(u128::from(accepted.seq.get()), number + 1),
                other => panic!("{other:?}"),
            };
            rest.push(Box::new(Submitted::new(send, accepted)));
        }
        let (messages, mut transactions) = (rest.len(), 0);
        assert!(messages > 30, "{rest:?}");
        while !rest.is_empty() {
            let mut batch = rest;
            let committed = core.transact(&mut batch).await;
            rest = batch.split_off_rest();
            batch.finish(committed);
            transactions += 1;
        }
        assert!((messages / 6..messages / 2).contains(&transactions), "{messages} in {transactions}");
        let bytes = cluster.transaction_bytes();
        assert!((200_000..900_000).contains(&bytes), "{bytes}");
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Several engines, each of which submits again whatever it cannot be sure of, in a cluster where everything that
    /// may happen to a commit happens: late delivery, too.
    #[test]
    fn concurrent_operations_are_neither_lost_nor_doubled(
        seed: u64,
        engines in 2_u64..6,
        each in 1_u64..7,
    ) {
        block_on(async {
            let cluster = Simulated::at_random(seed, false);
            let tasks: Vec<_> = (0..engines).map(|engine| {
                let core = core_with(&cluster, engine, |_| ());
                tokio::spawn(async move {
                    for n in 0..each {
                        insist(&core, || Count { id: engine * 100 + n }).await;
                    }
                })
            }).collect();
            for task in tasks {
                task.await.expect("no panic");
            }
            cluster.deliver();

            let total = engines * each;
            assert_eq!(value(&cluster, b"p/count"), Some(total));
            let all = cluster.all();
            let under = |prefix: &[u8]| -> Vec<u64> {
                all.iter().filter(|(key, _)| key.starts_with(prefix)).map(|(_, value)| number(value)).collect()
            };
            // One stamp for each, in the order of counting.
            assert_eq!(under(b"p/stamped"), (1..=total).collect::<Vec<u64>>());
            let mut counts = under(b"p/id");
            counts.sort_unstable();
            assert_eq!(counts, (1..=total).collect::<Vec<u64>>());
        });
    }

    /// What a lane has written without looking is not undone by an earlier commit that comes late.
    #[test]
    fn blind_writes_of_one_engine_keep_their_order(seed: u64, each in 1_u64..9) {
        block_on(async {
            let cluster = Simulated::at_random(seed, true);
            let tasks: Vec<_> = (0..3_u64).map(|engine| {
                let (core, cluster) = (core_with(&cluster, engine, |_| ()), cluster.clone());
                tokio::spawn(async move {
                    let key = vec![b'b', engine as u8];
                    for number in 1..=each {
                        // One that is ambiguous is not submitted again: it may be missing, but must not come late.
                        let blind = Blind { key: key.clone(), value: number };
                        let outcome = run(&core, blind).await;
                        if number == each && outcome.is_err() {
                            insist(&core, || Blind { key: key.clone(), value: number }).await;
                        }
                    }
                    cluster.deliver();
                    assert_eq!(value(&cluster, &[b"p/", &key[..]].concat()), Some(each));
                })
            }).collect();
            for task in tasks {
                task.await.expect("no panic");
            }
        });
    }
}

/// Submits an operation until its outcome is known.
async fn insist<C: Cluster, O: Op>(core: &Core<C>, op: impl Fn() -> O) {
    for _ in 0..1000 {
        match run(core, op()).await {
            Ok(committed) => return assert!(version_of(committed.stamp) > 0),
            Err(StoreError::Ambiguous(_) | StoreError::Conflict | StoreError::Unavailable(_)) => (),
            Err(error) => panic!("{error}"),
        }
    }
    panic!("it never ended");
}
