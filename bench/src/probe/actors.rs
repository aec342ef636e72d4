//! Actors: how many messages they are handed and handle in a second when handling is nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::Context as _;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::TIME;

/// Pairs of one who sends and one actor who is sent to.
pub(super) const PAIRS: usize = 200;

/// Casts after which a sender waits for its actor: mailboxes do not push back.
const BURST: u64 = 64;

/// Handles casts by counting them.
struct Counter;

enum Cast {
    Count,
    /// Answered when all before it have been counted.
    Tell(oneshot::Sender<u64>),
}

impl ractor::Message for Cast {}

impl Actor for Counter {
    type Msg = Cast;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Cast>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<Cast>,
        cast: Cast,
        counted: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        *counted += 1;
        if let Cast::Tell(tell) = cast {
            // Who asked waits for it.
            let _ = tell.send(*counted);
        }
        Ok(())
    }
}

/// Casts per second, over all pairs.
pub(super) async fn casts() -> anyhow::Result<f64> {
    let counted = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..PAIRS {
        let counted = counted.clone();
        tasks.spawn(async move {
            let (actor, ended) = Actor::spawn(None, Counter, ()).await?;
            let mut handled = 0;
            while begun.elapsed() < TIME {
                for _ in 1..BURST {
                    actor.cast(Cast::Count)?;
                }
                let (tell, told) = oneshot::channel();
                actor.cast(Cast::Tell(tell))?;
                handled = told.await.context("the actor ended")?;
            }
            counted.fetch_add(handled, Ordering::Relaxed);
            actor.stop(None);
            anyhow::Ok(ended.await?)
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.context("a sender does not panic")??;
    }
    Ok(counted.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn casts_are_handled() {
        assert!(casts().await.expect("actors run") > 0.0);
    }
}
