//! Group commit: while one batch commits, the next one gathers, and the callers of the one before are told. An idle store
//! commits at once; only what may wait, as acknowledgements may, waits a moment for what may not, and goes with it. So where a
//! message comes every few milliseconds it costs one commit, and hardly finds the store busy with an acknowledgement.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};

use crate::batch::{Batch, Pending};
use crate::engine::{BoxFuture, Engine};
use crate::error::StoreError;
use crate::stamp::CommitStamp;

/// How long operations that [may wait](crate::op::Op::may_wait) do so at most.
pub const PATIENCE: Duration = Duration::from_millis(20);

/// Commits what arrives, in order, until the store is closing, or gone, and the queue is empty.
pub(crate) async fn run(
    engine: Arc<dyn Engine>,
    mut queue: mpsc::Receiver<Box<dyn Pending>>,
    mut closing: watch::Receiver<bool>,
    observe: Observer,
) {
    let limits = engine.limits();
    let mut next = None;
    let mut ended: Option<Ended> = None;
    loop {
        let first = match next.take().or_else(|| queue.try_recv().ok()) {
            Some(pending) => Some(pending),
            None => {
                if let Some(ended) = ended.take() {
                    ended.tell();
                }
                wait(&mut queue, &mut closing).await
            }
        };
        let Some(first) = first else { return };
        let mut patient_until = first.may_wait().then(|| Instant::now() + PATIENCE);
        let mut batch = Batch::within(limits.batch_bytes_max);
        batch.push(first);
        while batch.len() < limits.batch_ops_max {
            let pending = match queue.try_recv() {
                Ok(pending) => pending,
                Err(_) => {
                    let Some(until) = patient_until else { break };
                    if let Some(ended) = ended.take() {
                        ended.tell();
                    }
                    let Ok(Some(pending)) = timeout_at(until, wait(&mut queue, &mut closing)).await else {
                        break;
                    };
                    pending
                }
            };
            patient_until = patient_until.filter(|_| pending.may_wait());
            if batch.bytes() + pending.bytes_hint() > limits.batch_bytes_max {
                next = Some(pending);
                break;
            }
            batch.push(pending);
        }
        ended = Some(commit(&*engine, batch, ended, &observe).await);
    }
}

/// The next operation, or `None` when the store is closing, or gone, and the queue is empty.
async fn wait(
    queue: &mut mpsc::Receiver<Box<dyn Pending>>,
    closing: &mut watch::Receiver<bool>,
) -> Option<Box<dyn Pending>> {
    tokio::select! {
        biased;
        pending = queue.recv() => pending,
        () = closed(closing) => {
            // From here on it takes nothing more, and gives what it has.
            queue.close();
            queue.recv().await
        }
    }
}

/// Completes when the store is closing, or gone.
async fn closed(closing: &mut watch::Receiver<bool>) {
    let _ = closing.wait_for(|closing| *closing).await;
}

/// How a batch went, for those who observe.
#[derive(Debug, Clone, Copy)]
pub struct CommitSeen {
    /// Its operations.
    pub operations: usize,
    /// The keys it has set or removed, and the ranges it has cleared; none if it has failed.
    pub writes: usize,
    /// How long it took, failed or not.
    pub took: Duration,
}

/// Called for each batch.
pub(crate) type Observer = Arc<dyn Fn(CommitSeen) + Send + Sync>;

/// A batch that has ended, whose callers do not know yet.
struct Ended {
    batch: Batch,
    outcome: Result<CommitStamp, StoreError>,
}

impl Ended {
    fn tell(self) {
        self.batch.finish(self.outcome);
    }
}

/// Commits a batch, in parts where it writes more than one transaction should, in halves where an operation spoils it for
/// the others. Order is kept. The callers of what has ended
/// `before` are told while the disk is busy with this.
async fn commit(engine: &dyn Engine, batch: Batch, mut before: Option<Ended>, observe: &Observer) -> Ended {
    let mut todo = vec![batch];
    loop {
        let batch = todo.pop().expect("it has ended when nothing is left to do");
        let begun = Instant::now();
        let mut committing = engine.transact(batch);
        let at_once = poll_once(&mut committing);
        if let Some(before) = before.take() {
            before.tell();
        }
        let (mut batch, outcome) = match at_once {
            Poll::Ready(ended) => ended,
            Poll::Pending => committing.await,
        };
        if outcome.is_ok() {
            let rest = batch.split_off_rest();
            if !rest.is_empty() {
                todo.push(rest);
            }
        }
        let writes = if outcome.is_ok() { batch.writes() } else { 0 };
        observe(CommitSeen { operations: batch.len(), writes, took: begun.elapsed() });
        let spoiled =
            matches!(outcome, Err(StoreError::TooLarge(_) | StoreError::Panicked(_) | StoreError::Conflict));
        if spoiled && batch.len() > 1 {
            let second = batch.split_off_half();
            todo.push(second);
            todo.push(batch);
        } else {
            let ended = Ended { batch, outcome };
            if todo.is_empty() {
                return ended;
            }
            before = Some(ended);
        }
    }
}

/// Starts a future's work. Who awaits it afterwards polls it again at once, so no wake-up is missed.
fn poll_once<T>(future: &mut BoxFuture<'_, T>) -> Poll<T> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use crate::engines::MemoryEngine;
    use crate::op::{Op, Reads, View, Writes};
    use crate::{Store, StoreConfig};

    use super::*;

    struct Note {
        key: u8,
        bytes: usize,
        may_wait: bool,
    }

    impl Op for Note {
        type Answer = ();

        fn reads(&self, _: &mut Reads) {}

        fn apply(&self, _: &View<'_>, writes: &mut Writes<'_>) {
            writes.put(vec![self.key], "noted");
        }

        fn bytes_hint(&self) -> usize {
            self.bytes
        }

        fn may_wait(&self) -> bool {
            self.may_wait
        }
    }

    /// After how long each commit was there, and how many operations it had.
    type Commits = Arc<Mutex<Vec<(Duration, usize)>>>;

    fn store() -> (Store, Commits) {
        let commits = Arc::new(Mutex::new(Vec::new()));
        let (seen, begun) = (commits.clone(), Instant::now());
        let observe = move |commit: CommitSeen| {
            seen.lock().unwrap().push((begun.elapsed(), commit.operations));
        };
        let engine = Arc::new(MemoryEngine::default());
        (Store::start_observed(engine, StoreConfig::default(), observe), commits)
    }

    async fn note(store: &Store, key: u8, may_wait: bool) {
        note_of(store, key, 1, may_wait).await;
    }

    async fn note_of(store: &Store, key: u8, bytes: usize, may_wait: bool) {
        store.submit(&0, Note { key, bytes, may_wait }).await.expect("it commits");
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_wait_goes_with_what_may_not() {
        let (store, commits) = store();
        let soon = Duration::from_millis(5);
        let later = async {
            tokio::time::sleep(soon).await;
            note(&store, 3, false).await;
        };
        tokio::join!(note(&store, 1, true), note(&store, 2, true), later);
        assert_eq!(*commits.lock().unwrap(), [(soon, 3)]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_wait_does_so_no_longer_than_a_moment() {
        let (store, commits) = store();
        let late = async {
            tokio::time::sleep(PATIENCE / 2).await;
            note(&store, 2, true).await;
        };
        tokio::join!(note(&store, 1, true), late);
        assert_eq!(*commits.lock().unwrap(), [(PATIENCE, 2)]);
    }

    #[tokio::test(start_paused = true)]
    async fn whose_operation_has_committed_is_told_before_others_wait() {
        let (store, commits) = store();
        let (begun, all) = (Instant::now(), MemoryEngine::default().limits().batch_bytes_max);
        let told = async {
            note_of(&store, 1, all, false).await;
            begun.elapsed()
        };
        let (told, ()) = tokio::join!(told, note(&store, 2, true));
        assert_eq!(told, Duration::ZERO);
        assert_eq!(*commits.lock().unwrap(), [(Duration::ZERO, 1), (PATIENCE, 1)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_batch_waits_for_nothing() {
        let (store, commits) = store();
        let half = MemoryEngine::default().limits().batch_bytes_max / 2;
        let halves = [1, 2, 3].map(|key| note_of(&store, key, half, true));
        futures_util::future::join_all(halves).await;
        assert_eq!(*commits.lock().unwrap(), [(Duration::ZERO, 2), (PATIENCE, 1)]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_not_wait_does_not() {
        let (store, commits) = store();
        note(&store, 1, false).await;
        assert_eq!(*commits.lock().unwrap(), [(Duration::ZERO, 1)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_closes_waits_for_nothing() {
        let (store, commits) = store();
        let close = async {
            tokio::task::yield_now().await;
            store.close().await;
        };
        tokio::join!(note(&store, 1, true), close);
        assert_eq!(*commits.lock().unwrap(), [(Duration::ZERO, 1)]);
    }
}
