//! Group commit: while one batch commits, the next one gathers, and the callers of the one before are told. There is no
//! timer; an idle store commits at once.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::batch::{Batch, Pending};
use crate::engine::{BoxFuture, Engine};
use crate::error::StoreError;
use crate::stamp::CommitStamp;

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
        let mut batch = Batch::within(limits.batch_bytes_max);
        batch.push(first);
        while batch.len() < limits.batch_ops_max {
            let Ok(pending) = queue.try_recv() else { break };
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
