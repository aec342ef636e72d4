//! Stamps and lanes keep order.

use std::sync::{Arc, Mutex};

use crate::engines::UnderTest;
use crate::probe::{append, probe, stamps};

pub(crate) async fn stamps_grow_with_commit_order_under_concurrent_writers(mut test: UnderTest) {
    let store = test.store().await;
    let tasks = (0..8_u64).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut mine = Vec::new();
            for _ in 0..25 {
                let committed = store.submit(&writer, append("log/", "x")).await.expect("it commits");
                mine.push(committed.stamp(committed.answer));
            }
            assert!(mine.is_sorted(), "a writer's later commit has a later stamp");
            mine
        })
    });
    let mut told = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        told.extend(task.await.expect("stamps grow"));
    }
    told.sort_unstable();
    assert!(told.windows(2).all(|pair| pair[0] < pair[1]), "no two are equal");
    assert_eq!(stamps(&store, "log/").await, told, "what was told is what was written");
}

pub(crate) async fn stamps_of_two_stores_on_the_same_data_never_fall_behind(mut test: UnderTest) {
    let stores = [test.store().await, test.second_store().await];
    let mut told = Vec::new();
    for round in 0..40 {
        let committed = stores[round % 2].submit(&0, append("log/", "x")).await.expect("it commits");
        told.push(committed.stamp(committed.answer));
        let shown = stamps(&stores[(round + 1) % 2], "log/").await;
        assert!(shown.iter().all(|stamp| stamp <= told.last().expect("one was pushed")));
    }
    assert!(told.windows(2).all(|pair| pair[0] < pair[1]), "{told:?}");
}

pub(crate) async fn operations_of_one_key_commit_in_the_order_of_submission(mut test: UnderTest) {
    let store = test.store().await;
    let order = Arc::new(Mutex::new(Vec::new()));
    let (done, mut ended) = tokio::sync::mpsc::unbounded_channel();
    for number in 0..500_u32 {
        let (order, done) = (order.clone(), done.clone());
        let op = probe(&[], move |_, writes| {
            // A panic in their midst has the batch tried in halves, which keeps the order too.
            assert!(number != 77 && number != 250, "injected");
            let slot = writes.new_stamp();
            writes.put_stamped(crate::probe::key("log/"), slot, number.to_be_bytes().to_vec());
        });
        store
            .submit_then(&"the same", op, move |outcome| {
                if outcome.is_ok() {
                    order.lock().expect("not poisoned").push(number);
                }
                drop(done);
            })
            .expect("the queue has room");
    }
    drop(done);
    assert_eq!(ended.recv().await, None::<()>);
    let expected: Vec<u32> = (0..500).filter(|number| ![77, 250].contains(number)).collect();
    assert_eq!(*order.lock().expect("not poisoned"), expected);
    let whole = rookery_store::KeyRange { limit: 1_000, ..crate::probe::under("log/") };
    let written = crate::probe::range(&store, &whole).await;
    let written: Vec<u32> = written
        .iter()
        .map(|(_, value)| u32::from_be_bytes(value[..].try_into().expect("four bytes were written")))
        .collect();
    assert_eq!(written, expected);
}
