//! Learning that a key has changed.
//!
//! A watch compares with the value at a *baseline*: the greatest version this engine knew when it was asked to watch.
//! Every snapshot taken after that reads the baseline's version or a later one, so a change that such a snapshot does
//! not show completes the watch. To miss nothing, ask for the watch, then read, then await the watch.
//!
//! A baseline that the cluster no longer remembers (the engine has been idle for 5 s) completes the watch at once, for
//! the key may have changed; the next one has a new baseline.
//!
//! The cluster keeps a bounded number of watches for a process, and this engine stays far below that bound with a bound
//! of its own: watches are for waking actors and views, not for one in every user. Beyond it keys are polled, which
//! only takes longer. Dropping the future ends the watch at the cluster.

use std::sync::Arc;

use bytes::Bytes;

use super::cluster::{Cluster, Committed, Isolation, Purpose, Trx};
use super::core::Core;
use super::fault::Fault;
use crate::engine::BoxFuture;
use crate::error::StoreError;

/// Completes when the key's value may have changed.
pub(super) fn watch<C: Cluster>(
    core: Arc<Core<C>>,
    key: &[u8],
) -> BoxFuture<'static, Result<(), StoreError>> {
    let key = core.space.key(key);
    let baseline = core.version();
    let Ok(permit) = core.watches.clone().try_acquire_owned() else {
        return Box::pin(async move { answer(&core, poll(&core, &key, baseline).await).await });
    };
    let armed = arm(&core.cluster, &key, baseline);
    Box::pin(async move {
        let mut outcome = match armed {
            Ok((commit, watch)) => match commit.await {
                Ok(_) => watch.await,
                Err((_, fault)) => Err(fault),
            },
            Err(fault) => Err(fault),
        };
        drop(permit);
        if outcome == Err(Fault::TOO_MANY_WATCHES) {
            outcome = poll(&core, &key, baseline).await;
        }
        answer(&core, outcome).await
    })
}

type Armed<T> = (BoxFuture<'static, Result<Committed, (T, Fault)>>, BoxFuture<'static, Result<(), Fault>>);

/// Begins a watch. It counts once the transaction, which writes nothing, has been committed.
fn arm<C: Cluster>(cluster: &C, key: &[u8], baseline: i64) -> Result<Armed<C::Trx>, Fault> {
    let trx = cluster.begin(Purpose::Watch)?;
    trx.set_read_version(baseline);
    let watch = trx.watch(key);
    Ok((trx.commit(), watch))
}

async fn poll<C: Cluster>(core: &Core<C>, key: &[u8], baseline: i64) -> Result<(), Fault> {
    let before = read(&core.cluster, key, Some(baseline)).await?;
    while read(&core.cluster, key, None).await? == before {
        tokio::time::sleep(core.watch_poll).await;
    }
    Ok(())
}

async fn read<C: Cluster>(cluster: &C, key: &[u8], version: Option<i64>) -> Result<Option<Bytes>, Fault> {
    let trx = cluster.begin(Purpose::Data)?;
    if let Some(version) = version {
        trx.set_read_version(version);
    }
    trx.get(key, Isolation::Snapshot).await
}

async fn answer<C: Cluster>(core: &Core<C>, outcome: Result<(), Fault>) -> Result<(), StoreError> {
    match outcome {
        Ok(()) => Ok(()),
        Err(Fault::TRANSACTION_TOO_OLD) => {
            let trx = core.cluster.begin(Purpose::Data).map_err(StoreError::unavailable)?;
            core.learn(trx.read_version().await.map_err(StoreError::unavailable)?);
            Ok(())
        }
        Err(fault) => Err(StoreError::unavailable(fault)),
    }
}
