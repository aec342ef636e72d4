//! Closing and opening again.

use rookery_store::StoreError;

use crate::engines::UnderTest;
use crate::probe::{append, get, increment, number, put, stamps};

pub(crate) async fn what_was_committed_is_there_after_reopening(mut test: UnderTest) {
    let store = test.store().await;
    store.submit(&0, put("a", "1")).await.expect("it commits");
    store.close().await;
    drop(store);
    let store = test.reopen().await;
    assert_eq!(get(&store, "a").await.as_deref(), Some(&b"1"[..]));
}

pub(crate) async fn stamps_go_on_after_reopening(mut test: UnderTest) {
    let mut told = Vec::new();
    let mut store = test.store().await;
    for _ in 0..3 {
        for _ in 0..3 {
            let committed = store.submit(&0, append("log/", "x")).await.expect("it commits");
            told.push(committed.stamp(committed.answer));
        }
        store.close().await;
        drop(store);
        store = test.reopen().await;
    }
    assert!(told.windows(2).all(|pair| pair[0] < pair[1]), "{told:?}");
    assert_eq!(stamps(&store, "log/").await, told);
}

pub(crate) async fn a_closed_store_ends_what_it_took_and_takes_no_more(mut test: UnderTest) {
    let store = test.store().await;
    let (done, mut ended) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..100 {
        let done = done.clone();
        let tell = move |outcome: Result<_, _>| {
            done.send(outcome.is_ok()).expect("somebody listens");
        };
        store.submit_then(&0, increment("n"), tell).expect("the queue has room");
    }
    store.close().await;
    drop(done);
    let mut committed = 0;
    while let Some(ok) = ended.recv().await {
        assert!(ok);
        committed += 1;
    }
    assert_eq!(committed, 100);
    assert!(matches!(store.submit(&0, increment("n")).await, Err(StoreError::Closed)));
    assert!(matches!(store.submit_then(&0, increment("n"), |_| ()), Err(StoreError::Closed)));
    assert_eq!(number(get(&store, "n").await.as_deref()), 100);
}
