//! A process that is stopped while it holds the write lock, and others that only look like it.

use std::io::BufRead;
use std::time::Duration;

use rookery_store::Store;
use rustix::process::{Signal, kill_process};

use super::processes::{Other, open, say};
use crate::probe::{get, key, probe, put};

/// Longer than a stopped process is left alone: two seconds' patience, one of looking, and the time to wake.
const LONG: Duration = Duration::from_secs(5);

/// What a stopped process may hold the others up for.
const DEADLINE: Duration = Duration::from_secs(30);

/// How often a writer is stopped at some moment.
const ROUNDS: usize = 8;

/// Says that it is inside of its transaction, and stays there until it is told to go on.
pub(super) async fn write_slowly(store: &Store) {
    let op = probe(&[], |_, writes| {
        writes.put(key("slow"), "written");
        say("inside");
        let told = std::io::stdin().lock().lines().next();
        assert!(told.is_some_and(|line| line.is_ok()), "it is told to go on");
    });
    store.submit(&0, op).await.expect("it commits");
    say("committed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_stopped_with_the_write_lock_is_killed_and_its_transaction_undone() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let store = open(directory.path());
    store.submit(&0, put("a", "before")).await.expect("it commits");
    let mut other = Other::start("write slowly", directory.path());
    assert_eq!(other.next().as_deref(), Some("inside"));
    other.signal(Signal::STOP);

    let committed = tokio::time::timeout(DEADLINE, store.submit(&0, put("a", "after"))).await;
    committed.expect("the lock passes on").expect("it commits");
    assert_eq!(other.ended_by(), Some(Signal::KILL.as_raw()));
    assert_eq!(get(&store, "slow").await, None);
    assert_eq!(get(&store, "a").await.as_deref(), Some(&b"after"[..]));
    // And it can be opened while somebody is stopped in a transaction, and written then.
    let mut other = Other::start("write slowly", directory.path());
    assert_eq!(other.next().as_deref(), Some("inside"));
    other.signal(Signal::STOP);
    store.close().await;
    drop(store);
    let store = open(directory.path());
    assert_eq!(get(&store, "a").await.as_deref(), Some(&b"after"[..]));
    let committed = tokio::time::timeout(DEADLINE, store.submit(&0, put("a", "again"))).await;
    committed.expect("the lock passes on").expect("it commits");
    assert_eq!(other.ended_by(), Some(Signal::KILL.as_raw()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_holder_of_the_write_lock_and_a_stopped_process_without_it_are_left_alone() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let store = open(directory.path());
    // It has had the lock once, and now waits for its turn like this one.
    let mut stopped = Other::start("put", directory.path());
    assert_eq!(stopped.next().as_deref(), Some("ready"));
    stopped.tell("by the stopped");
    let watch = store.watch(key("watched"));
    if get(&store, "watched").await.is_none() {
        watch.await.expect("it watches");
    }
    let mut slow = Other::start("write slowly", directory.path());
    assert_eq!(slow.next().as_deref(), Some("inside"));
    stopped.tell("and again");
    stopped.signal(Signal::STOP);

    let mut waiting = Box::pin(store.submit(&0, put("a", "after")));
    assert!(tokio::time::timeout(LONG, &mut waiting).await.is_err(), "the other is still writing");
    slow.tell("go on");
    tokio::time::timeout(DEADLINE, waiting).await.expect("the lock is passed on").expect("it commits");
    assert_eq!(slow.next().as_deref(), Some("committed"));
    assert_eq!(get(&store, "slow").await.as_deref(), Some(&b"written"[..]));
    stopped.signal(Signal::CONT);
    while get(&store, "watched").await.as_deref() != Some(b"and again") {
        tokio::task::yield_now().await;
    }
    slow.end();
    stopped.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_stopped_and_goes_on_in_time_is_left_alone() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let store = open(directory.path());
    let mut other = Other::start("write slowly", directory.path());
    assert_eq!(other.next().as_deref(), Some("inside"));
    let mut waiting = Box::pin(store.submit(&0, put("a", "after")));
    // For half of the time that it takes, again and again.
    for _ in 0..4 {
        other.signal(Signal::STOP);
        assert!(tokio::time::timeout(Duration::from_millis(500), &mut waiting).await.is_err());
        other.signal(Signal::CONT);
        assert!(tokio::time::timeout(Duration::from_millis(500), &mut waiting).await.is_err());
    }
    other.tell("go on");
    tokio::time::timeout(DEADLINE, waiting).await.expect("the lock is passed on").expect("it commits");
    assert_eq!(other.next().as_deref(), Some("committed"));
    other.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_one_of_three_writers_is_stopped_the_others_go_on() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let store = open(directory.path());
    let mut other = Other::start("write until killed", directory.path());
    let other_pid = other.pid();
    let (count, mut counted) = tokio::sync::watch::channel(0_u64);
    let listener = std::thread::spawn(move || {
        while other.next().is_some() {
            count.send_modify(|count| *count += 1);
        }
    });
    for round in 0..ROUNDS {
        let mut stopped = Other::start("write until killed", directory.path());
        // Different each time, so that it strikes at different moments: waiting for the lock, woken for it, holding it.
        for _ in 0..10 + round * 37 % 113 {
            stopped.next().expect("it writes until it is killed");
        }
        stopped.signal(Signal::STOP);
        for number in 0..20 {
            let committed = store.submit(&0, put("a", &number.to_string()));
            let committed = tokio::time::timeout(DEADLINE, committed).await;
            committed.expect("the lock passes on").expect("it commits");
        }
        let before = *counted.borrow();
        let goes_on = counted.wait_for(|count| *count > before + 200);
        tokio::time::timeout(DEADLINE, goes_on).await.expect("the other goes on").expect("it is there");
        stopped.kill();
    }
    kill_process(other_pid, Signal::KILL).expect("it runs");
    listener.join().expect("it has heard all");
}
