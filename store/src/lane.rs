//! Group commit: while one batch commits, the next one gathers. There is no timer; an idle store commits at once.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::batch::{Batch, Pending};
use crate::engine::Engine;
use crate::error::StoreError;

/// Commits what arrives, in order, until the store is closing, or gone, and the queue is empty.
pub(crate) async fn run(
    engine: Arc<dyn Engine>,
    mut queue: mpsc::Receiver<Box<dyn Pending>>,
    mut closing: watch::Receiver<bool>,
    observe: Observer,
) {
    let limits = engine.limits();
    let mut next = None;
    loop {
        let first = match next.take() {
            Some(pending) => Some(pending),
            None => tokio::select! {
                biased;
                pending = queue.recv() => pending,
                () = closed(&mut closing) => {
                    // From here on it takes nothing more, and gives what it has.
                    queue.close();
                    queue.recv().await
                }
            },
        };
        let Some(first) = first else { return };
        let mut batch = Batch::default();
        batch.push(first);
        while batch.len() < limits.batch_ops_max {
            let Ok(pending) = queue.try_recv() else { break };
            if batch.bytes() + pending.bytes_hint() > limits.batch_bytes_max {
                next = Some(pending);
                break;
            }
            batch.push(pending);
        }
        commit(&*engine, batch, &observe).await;
    }
}

/// Completes when the store is closing, or gone.
async fn closed(closing: &mut watch::Receiver<bool>) {
    let _ = closing.wait_for(|closing| *closing).await;
}

/// Called for each batch, with the number of its operations and the seconds its commit took.
pub(crate) type Observer = Arc<dyn Fn(usize, std::time::Duration) + Send + Sync>;

/// Commits a batch, in halves where an operation spoils it for the others. Order is kept.
async fn commit(engine: &dyn Engine, batch: Batch, observe: &Observer) {
    let mut todo = vec![batch];
    while let Some(batch) = todo.pop() {
        let (operations, begun) = (batch.len(), tokio::time::Instant::now());
        let (mut batch, outcome) = engine.transact(batch).await;
        observe(operations, begun.elapsed());
        let spoiled =
            matches!(outcome, Err(StoreError::TooLarge(_) | StoreError::Panicked(_) | StoreError::Conflict));
        if spoiled && batch.len() > 1 {
            let second = batch.split_off_half();
            todo.push(second);
            todo.push(batch);
        } else {
            batch.finish(outcome);
        }
    }
}
