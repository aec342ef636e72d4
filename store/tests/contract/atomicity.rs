//! All or nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::engines::UnderTest;
use crate::one_batch::OneBatch;
use crate::probe::{append, key, number, probe};

pub(crate) async fn a_snapshot_sees_all_of_an_operation_or_nothing(mut test: UnderTest) {
    let store = test.store().await;
    let done = Arc::new(AtomicBool::new(false));
    let reading = tokio::spawn({
        let (store, done) = (store.clone(), done.clone());
        async move {
            let keys: Vec<_> = ["a", "b", "c"].map(key).into();
            while !done.load(Ordering::SeqCst) {
                let snapshot = store.snapshot().await.expect("the store can be read");
                let values = snapshot.get_many(&keys).await.expect("the store can be read");
                assert!(values.iter().all(|value| *value == values[0]), "{values:?}");
            }
        }
    });
    for round in 0_u64..100 {
        let op = probe(&[], move |_, writes| {
            for name in ["a", "b", "c"] {
                writes.put(key(name), round.to_be_bytes().to_vec());
            }
        });
        store.submit(&0, op).await.expect("it commits");
    }
    done.store(true, Ordering::SeqCst);
    reading.await.expect("every snapshot was whole");
    assert_eq!(number(crate::probe::get(&store, "c").await.as_deref()), 99);
}

pub(crate) async fn operations_of_one_batch_commit_with_one_stamp(mut test: UnderTest) {
    let batch = OneBatch::gather(&mut test).await;
    let outcomes = [batch.submit(append("log/", "1")), batch.submit(append("log/", "2"))];
    batch.commit();
    let mut stamps = Vec::new();
    for outcome in outcomes {
        let committed = outcome.await.expect("told").expect("it commits");
        stamps.push(*committed.stamp(committed.answer).as_bytes());
    }
    assert_eq!(stamps[0][..10], stamps[1][..10]);
    assert!(stamps[0] < stamps[1]);
}
