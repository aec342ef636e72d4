//! The store at one version.

use rookery_store::Store;

use crate::engines::UnderTest;
use crate::probe::{get, increment, key, number, put, under};

pub(crate) async fn a_snapshot_stays_as_it_was(mut test: UnderTest) {
    let store = test.store().await;
    store.submit(&0, put("a/1", "before")).await.expect("it commits");
    let snapshot = store.snapshot().await.expect("the store can be read");
    store.submit(&0, put("a/1", "after")).await.expect("it commits");
    store.submit(&0, put("a/2", "after")).await.expect("it commits");
    for _ in 0..2 {
        let values = snapshot.get_many(&[key("a/1"), key("a/2")]).await.expect("the store can be read");
        assert_eq!(values, [Some(bytes::Bytes::from("before")), None]);
        assert_eq!(snapshot.range(&under("a/")).await.expect("the store can be read").len(), 1);
    }
    assert_eq!(get(&store, "a/1").await.as_deref(), Some(&b"after"[..]));
}

pub(crate) async fn a_snapshot_shows_every_commit_whose_outcome_was_told(mut test: UnderTest) {
    let store = test.store().await;
    let tasks = (0..4_u64).map(|task| {
        let store = store.clone();
        tokio::spawn(async move {
            for round in 1..=25 {
                let name = format!("n{task}");
                store.submit(&task, increment(&name)).await.expect("it commits");
                assert_eq!(number(get(&store, &name).await.as_deref()), round);
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("each saw its own commits");
    }
}

async fn version(store: &Store) -> u64 {
    let snapshot = store.snapshot().await.expect("the store can be read");
    let version = snapshot.version().await.expect("it has one");
    store.submit(&0, put("later", "than the snapshot")).await.expect("it commits");
    assert_eq!(snapshot.version().await.expect("it has one"), version, "a snapshot has one version");
    version
}

pub(crate) async fn a_snapshots_version_grows_with_each_commit_and_never_goes_back(mut test: UnderTest) {
    let (store, other) = (test.store().await, test.second_store().await);
    let mut last = version(&store).await;
    for round in 0..20 {
        // Each time, there has been a commit since.
        let next = version(if round % 2 == 0 { &other } else { &store }).await;
        assert!(next > last, "{next} after {last}");
        last = next;
    }
    // Without a commit in between it does not go back either.
    for _ in 0..20 {
        let snapshot = store.snapshot().await.expect("the store can be read");
        let next = snapshot.version().await.expect("it has one");
        assert!(next >= last, "{next} after {last}");
        last = next;
    }
    store.close().await;
    other.close().await;
    drop((store, other));
    let reopened = test.reopen().await;
    assert!(version(&reopened).await >= last);
}
