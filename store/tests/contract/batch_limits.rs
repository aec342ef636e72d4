//! What one transaction may hold.

use std::sync::mpsc;

use rookery_store::engine::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use rookery_store::{CommitSeen, Store, StoreConfig, StoreError};

use crate::engines::UnderTest;
use crate::one_batch::OneBatch;
use crate::probe::{get, increment, key, number, probe, put};

pub(crate) async fn an_operation_over_a_limit_is_answered_alone_while_others_commit(mut test: UnderTest) {
    let batch = OneBatch::gather(&mut test).await;
    let before = batch.submit(put("before", "1"));
    let long_key = batch.submit(probe(&[], |_, writes| writes.put(vec![0xf0; KEY_BYTES_MAX + 1], "")));
    let between = batch.submit(put("between", "2"));
    let long_value = batch.submit(probe(&[], |_, writes| writes.put(key("v"), vec![0; VALUE_BYTES_MAX + 1])));
    let within = batch.submit(probe(&[], |_, writes| writes.put(key("w"), vec![0; VALUE_BYTES_MAX])));
    let after = batch.submit(put("after", "3"));
    batch.commit();
    for fine in [before, between, within, after] {
        fine.await.expect("told").expect("it commits");
    }
    for refused in [long_key, long_value] {
        let outcome = refused.await.expect("told");
        assert!(matches!(outcome, Err(StoreError::TooLarge(_))), "{outcome:?}");
    }
    assert_eq!(get(&batch.store, "between").await.as_deref(), Some(&b"2"[..]));
    assert_eq!(get(&batch.store, "v").await, None);
    assert_eq!(get(&batch.store, "w").await.map(|value| value.len()), Some(VALUE_BYTES_MAX));
}

pub(crate) async fn operations_beyond_one_batch_commit_in_several(mut test: UnderTest) {
    let limits = test.engine().await.limits();
    let batch = OneBatch::gather(&mut test).await;
    let many = limits.batch_ops_max + 10;
    let small: Vec<_> = (0..many).map(|_| batch.submit(increment("small"))).collect();
    let large: Vec<_> = (0..4)
        .map(|_| {
            let mut op = increment("large");
            op.bytes_hint = limits.batch_bytes_max / 2 + 1;
            batch.submit(op)
        })
        .collect();
    batch.commit();
    let mut commits = Vec::new();
    for outcome in small.into_iter().chain(large) {
        commits.push(outcome.await.expect("told").expect("it commits").answer);
    }
    let expected: Vec<u64> = (0..many as u64).chain(0..4).collect();
    assert_eq!(commits, expected);
    assert_eq!(number(get(&batch.store, "large").await.as_deref()), 4);
}

pub(crate) async fn operations_that_write_more_than_they_said_commit_in_several_and_in_order(mut test: UnderTest) {
    let limits = test.engine().await.limits();
    let batch = OneBatch::gather(&mut test).await;
    let many = 3 * limits.batch_bytes_max / VALUE_BYTES_MAX;
    let told: Vec<_> = (0..many)
        .map(|at| {
            let op = probe(&["n"], move |view, writes| {
                let before = number(view.get(&key("n")).as_deref());
                writes.put(key("n"), (before + 1).to_be_bytes().to_vec());
                writes.put(key(&format!("v/{at}")), vec![0; VALUE_BYTES_MAX]);
                let slot = writes.new_stamp();
                (before, slot)
            });
            batch.submit(op)
        })
        .collect();
    batch.commit();
    let mut stamps = Vec::new();
    for (at, outcome) in told.into_iter().enumerate() {
        let committed = outcome.await.expect("told").expect("it commits");
        assert_eq!(committed.answer.0, at as u64);
        stamps.push(committed.stamp(committed.answer.1));
    }
    assert!(stamps.is_sorted_by(|one, other| one < other));
    let commits = stamps.chunk_by(|one, other| one.as_bytes()[..10] == other.as_bytes()[..10]).count();
    assert!((3..many).contains(&commits), "{many} in {commits}");
}

pub(crate) async fn a_full_queue_refuses_at_once(mut test: UnderTest) {
    let batch = OneBatch::gather_with(&mut test, StoreConfig { lane_queue_ops_max: 2 }).await;
    let waiting = [batch.submit(increment("n")), batch.submit(increment("n"))];
    assert!(matches!(batch.try_submit(increment("n")), Err(StoreError::Busy)));
    batch.commit();
    for outcome in waiting {
        outcome.await.expect("told").expect("it commits");
    }
    batch.try_submit(increment("n")).expect("there is room again").await.expect("told").expect("it commits");
    assert_eq!(number(get(&batch.store, "n").await.as_deref()), 3);
}

pub(crate) async fn who_observes_hears_what_commits_have_written(mut test: UnderTest) {
    let (tell, seen) = mpsc::channel();
    let engine = test.engine().await;
    let store = Store::start_observed(engine, StoreConfig::default(), move |commit| {
        let CommitSeen { operations, writes, .. } = commit;
        tell.send((operations, writes)).expect("the test waits");
    });
    let several = probe(&[], |_, writes| {
        writes.clear_range(key("a"), key("b"));
        writes.put(key("c"), "1");
        writes.put(key("c"), "2");
        writes.delete(key("d"));
        let slot = writes.new_stamp();
        writes.put_stamped(key("e"), slot, "3");
    });
    store.submit(&(), several).await.expect("it commits");
    assert_eq!(seen.recv().ok(), Some((1, 4)), "a key is written once");
    store.submit(&(), probe(&[], |_, _| ())).await.expect("it commits");
    assert_eq!(seen.recv().ok(), Some((1, 0)));
    let refused = probe(&[], |_, writes| writes.put(vec![0xf0; KEY_BYTES_MAX + 1], ""));
    store.submit(&(), refused).await.expect_err("the key is too long");
    assert_eq!(seen.recv().ok(), Some((1, 0)), "nothing of one that has failed");
}
