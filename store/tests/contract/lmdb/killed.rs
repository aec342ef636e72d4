//! kill -9 in the midst of commits: what was acknowledged is there, and every operation is whole.

use std::collections::BTreeSet;

use rookery_store::Store;

use super::processes::{Other, open, say};
use crate::probe::{key, probe, texts};

const ROUNDS: u32 = 10;

/// Acknowledged operations of a round before the kill. Different each time, so that it strikes at different moments.
fn acknowledged_before_kill(round: u32) -> usize {
    (20 + round * 37 % 113) as usize
}

/// Commits operations of several keys each, many at a time, and says each when it is acknowledged.
pub(super) async fn write_until_killed(store: &Store) {
    let run = std::process::id();
    let writers = (0..16_u32).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for round in 0.. {
                let name = format!("{run}-{writer}-{round}");
                let text = name.clone();
                let op = probe(&[], move |_, writes| {
                    for part in ["x/", "y/", "z/"] {
                        writes.put(key(&format!("{part}{text}")), "whole");
                    }
                });
                store.submit(&0, op).await.expect("it commits");
                say(&name);
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("it goes on until it is killed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_writer_loses_nothing_acknowledged_and_leaves_nothing_in_part() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    // Beside it, this process has the store open all the time.
    let store = open(directory.path());
    let mut acknowledged = BTreeSet::new();
    for round in 0..ROUNDS {
        let mut other = Other::start("write until killed", directory.path());
        for _ in 0..acknowledged_before_kill(round) {
            acknowledged.insert(other.next().expect("it writes until it is killed"));
        }
        other.kill();
        while let Some(name) = other.next() {
            acknowledged.insert(name);
        }
        let found: BTreeSet<String> = names(&store, "x/").await;
        assert!(acknowledged.is_subset(&found), "lost: {:?}", acknowledged.difference(&found));
        assert_eq!(found, names(&store, "y/").await);
        assert_eq!(found, names(&store, "z/").await);
        store.submit(&0, crate::probe::put("between", "rounds")).await.expect("the lock is free again");
    }
    // And after everyone has closed it.
    let found = names(&store, "x/").await;
    store.close().await;
    drop(store);
    assert_eq!(names(&open(directory.path()), "z/").await, found);
}

async fn names(store: &Store, part: &str) -> BTreeSet<String> {
    texts(store, part).await.into_keys().collect()
}
