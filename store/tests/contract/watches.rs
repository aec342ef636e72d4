//! Waiting for a key to change.

use std::time::Duration;

use rookery_store::KeyRange;

use crate::engines::UnderTest;
use crate::probe::{key, probe, put, under};

/// Longer than a poll, short enough for a test that waits it out.
const NOTHING_HAPPENS: Duration = Duration::from_millis(300);

pub(crate) async fn a_watch_wakes_when_its_key_changes(mut test: UnderTest) {
    let (store, other) = (test.store().await, test.second_store().await);
    for value in ["1", "2"] {
        let woken = tokio::spawn(store.watch(key("a")));
        other.submit(&0, put("a", value)).await.expect("it commits");
        woken.await.expect("nothing panics").expect("it watches");
    }
}

pub(crate) async fn a_change_before_the_first_poll_is_not_missed(mut test: UnderTest) {
    let store = test.store().await;
    let watch = store.watch(key("a"));
    store.submit(&0, put("a", "1")).await.expect("it commits");
    watch.await.expect("it watches");
}

pub(crate) async fn a_watch_sleeps_while_other_keys_change(mut test: UnderTest) {
    let store = test.store().await;
    store.submit(&0, put("a", "1")).await.expect("it commits");
    // A watch may complete for no reason, but not every time.
    for _ in 0..3 {
        let watch = store.watch(key("a"));
        store.submit(&0, put("b", "1")).await.expect("it commits");
        if tokio::time::timeout(NOTHING_HAPPENS, watch).await.is_err() {
            return;
        }
    }
    panic!("it woke three times for another key");
}

pub(crate) async fn a_cleared_range_wakes_too(mut test: UnderTest) {
    let store = test.store().await;
    store.submit(&0, put("r/a", "1")).await.expect("it commits");
    let watch = store.watch(key("r/a"));
    let clear = probe(&[], |_, writes| {
        let KeyRange { begin, end, .. } = under("r/");
        writes.clear_range(begin, end);
    });
    store.submit(&0, clear).await.expect("it commits");
    watch.await.expect("it watches");
}
