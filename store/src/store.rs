//! The store as the rest of Rookery sees it: submit operations, take snapshots, watch keys.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::batch::{Pending, Submitted};
use crate::engine::{BackupError, Engine, Snapshot};
use crate::error::StoreError;
use crate::lane::{self, CommitSeen, Observer};
use crate::op::Op;
use crate::stamp::{CommitStamp, StampSlot};

/// How the store queues.
#[derive(Debug, Clone, Copy)]
pub struct StoreConfig {
    /// Operations that may wait in each lane before more are refused. What is inside them is bounded by admission:
    /// a connection's unanswered requests.
    pub lane_queue_ops_max: usize,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { lane_queue_ops_max: 65_536 }
    }
}

/// An operation's answer, and its commit's stamp.
#[derive(Debug, Clone, Copy)]
pub struct Committed<A> {
    /// What the operation decided.
    pub answer: A,
    pub(crate) stamp: CommitStamp,
}

impl<A> Committed<A> {
    /// The stamp that a slot of the answer stands for.
    pub fn stamp(&self, slot: StampSlot) -> rookery_protocol::Stamp {
        self.stamp.stamp(slot)
    }
}

/// Operations in, answers out. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    engine: Arc<dyn Engine>,
    lanes: Arc<Lanes>,
}

type Queue = mpsc::Sender<Box<dyn Pending>>;

struct Lanes {
    queues: Vec<Queue>,
    closing: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

impl Store {
    /// Starts the engine's lanes on the current runtime.
    pub fn start(engine: Arc<dyn Engine>, config: StoreConfig) -> Self {
        Self::start_observed(engine, config, |_| ())
    }

    /// As [`start`](Self::start), telling `observe` of every commit.
    pub fn start_observed(
        engine: Arc<dyn Engine>,
        config: StoreConfig,
        observe: impl Fn(CommitSeen) + Send + Sync + 'static,
    ) -> Self {
        let observe: Observer = Arc::new(observe);
        let closing = watch::Sender::new(false);
        let (queues, tasks) = (0..engine.limits().lanes)
            .map(|_| {
                let (queue, operations) = mpsc::channel(config.lane_queue_ops_max);
                let lane = lane::run(engine.clone(), operations, closing.subscribe(), observe.clone());
                (queue, tokio::spawn(lane))
            })
            .unzip();
        Self { engine, lanes: Arc::new(Lanes { queues, closing, tasks: Mutex::new(tasks) }) }
    }

    /// Queues an operation. `done` is called once, in the lane's task, when it has committed or failed; it must be
    /// quick. Operations with equal `order_by` commit in the order of their submission.
    ///
    /// # Errors
    /// [`StoreError::Busy`] or [`StoreError::Closed`], and then `done` is never called.
    pub fn submit_then<O, F>(&self, order_by: &impl Hash, op: O, done: F) -> Result<(), StoreError>
    where
        O: Op,
        F: FnOnce(Result<Committed<O::Answer>, StoreError>) + Send + 'static,
    {
        self.lane(order_by).try_send(Box::new(Submitted::new(op, done))).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })
    }

    /// Submits an operation, waiting for room in the queue, and waits for its outcome.
    ///
    /// # Errors
    /// As the commit's.
    pub async fn submit<O: Op>(
        &self,
        order_by: &impl Hash,
        op: O,
    ) -> Result<Committed<O::Answer>, StoreError> {
        let (tell, outcome) = oneshot::channel();
        let done = move |outcome| {
            // A caller that stopped waiting has no use for the outcome.
            let _ = tell.send(outcome);
        };
        let queue = self.lane(order_by);
        queue.send(Box::new(Submitted::new(op, done))).await.map_err(|_| StoreError::Closed)?;
        outcome.await.map_err(|_| StoreError::Closed)?
    }

    /// The committed state as of now. Shows every commit whose outcome has been told.
    ///
    /// # Errors
    /// When the engine cannot be read.
    pub async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        self.engine.snapshot().await
    }

    /// Completes when the key's value may have changed since the call, polled or not: so call, read, then wait.
    ///
    /// # Errors
    /// When the engine cannot watch.
    pub fn watch(&self, key: Vec<u8>) -> impl Future<Output = Result<(), StoreError>> + Send + use<> {
        self.engine.watch(key)
    }

    /// Copies everything into an empty directory of this machine: see [`Engine::backup`].
    ///
    /// # Errors
    /// When the engine does not do that, or the copy fails.
    pub fn backup(
        &self,
        directory: PathBuf,
    ) -> impl Future<Output = Result<u64, BackupError>> + Send + use<> {
        self.engine.backup(directory)
    }

    /// Takes no more operations, and returns when those in the queues have ended.
    pub async fn close(&self) {
        self.lanes.closing.send_replace(true);
        let tasks =
            std::mem::take(&mut *self.lanes.tasks.lock().expect("nothing panics while it holds this lock"));
        for task in tasks {
            // A lane that panicked has dropped its operations; there is nothing left to wait for.
            let _ = task.await;
        }
    }

    /// Operations that wait in the lanes for a batch to go with, for operators.
    pub fn queued(&self) -> usize {
        self.lanes.queues.iter().map(|queue| queue.max_capacity() - queue.capacity()).sum()
    }

    fn lane(&self, order_by: &impl Hash) -> &Queue {
        let queues = &self.lanes.queues;
        if queues.len() == 1 {
            return &queues[0];
        }
        // Its keys are fixed, so a simulation's lanes are the same every time.
        let mut hasher = DefaultHasher::new();
        order_by.hash(&mut hasher);
        &queues[(hasher.finish() % queues.len() as u64) as usize]
    }
}
