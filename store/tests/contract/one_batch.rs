//! Operations that certainly meet in one batch: an engine holds its first commit back until they have gathered.

use std::sync::Arc;

use rookery_store::engine::{BoxFuture, Engine, EngineLimits, Snapshot};
use rookery_store::{Batch, CommitStamp, Committed, Op, Store, StoreConfig, StoreError};
use tokio::sync::{Notify, oneshot, watch};

use crate::engines::UnderTest;
use crate::probe::put;

pub(crate) struct OneBatch {
    pub(crate) store: Store,
    gate: Arc<Gate>,
}

pub(crate) type Outcome<A> = Result<Committed<A>, StoreError>;

impl OneBatch {
    /// Begins to gather.
    pub(crate) async fn gather(under_test: &mut UnderTest) -> Self {
        Self::gather_with(under_test, StoreConfig::default()).await
    }

    pub(crate) async fn gather_with(under_test: &mut UnderTest, config: StoreConfig) -> Self {
        let engine = under_test.engine().await;
        let gate = Arc::new(Gate { engine, opened: watch::Sender::new(false), reached: Notify::new() });
        let store = Store::start(gate.clone(), config);
        let this = Self { store, gate };
        drop(this.submit(put("held at the gate", "")));
        this.gate.reached.notified().await;
        this
    }

    /// Queues an operation.
    pub(crate) fn submit<O: Op>(&self, op: O) -> oneshot::Receiver<Outcome<O::Answer>> {
        self.try_submit(op).expect("the queue has room")
    }

    pub(crate) fn try_submit<O: Op>(
        &self,
        op: O,
    ) -> Result<oneshot::Receiver<Outcome<O::Answer>>, StoreError> {
        let (tell, outcome) = oneshot::channel();
        self.store.submit_then(&(), op, |outcome| drop(tell.send(outcome)))?;
        Ok(outcome)
    }

    /// Lets them go.
    pub(crate) fn commit(&self) {
        self.gate.opened.send_replace(true);
    }
}

struct Gate {
    engine: Arc<dyn Engine>,
    opened: watch::Sender<bool>,
    reached: Notify,
}

impl Engine for Gate {
    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>, StoreError>> {
        self.engine.snapshot()
    }

    fn transact(&self, batch: Batch) -> BoxFuture<'_, (Batch, Result<CommitStamp, StoreError>)> {
        Box::pin(async move {
            self.reached.notify_one();
            let mut opened = self.opened.subscribe();
            opened.wait_for(|opened| *opened).await.expect("the gate is there");
            drop(opened);
            self.engine.transact(batch).await
        })
    }

    fn watch(&self, key: Vec<u8>) -> BoxFuture<'static, Result<(), StoreError>> {
        self.engine.watch(key)
    }

    /// With one lane, so that everything meets in one batch.
    fn limits(&self) -> EngineLimits {
        EngineLimits { lanes: 1, ..self.engine.limits() }
    }
}
