//! Messages and events past their age are removed by a slow walk over the store, so that nothing on a hot path has to.
//!
//! It reads in small steps with rests in between, and begins again when it is through. What it leaves undone when the
//! node stops the next walk finds.

use std::sync::Arc;
use std::time::Duration;

use rookery_protocol::ConversationId;
use rookery_store::queries::{self, StepLimits};
use rookery_store::{Store, StoreError};
use tokio::sync::watch;

use super::until_stopped;
use crate::clock::Clock;

/// Between the end of a walk and the next.
const WALK_EVERY: Duration = Duration::from_secs(60 * 60);

/// Between two steps: the walk takes a few percent of what the store can do at the very most.
const REST: Duration = Duration::from_millis(100);

/// What one step may read.
const STEP: StepLimits = StepLimits { places_max: 64, entries_max: 256 };

/// Removes what is too old.
pub struct Retention {
    /// What is walked over.
    pub store: Store,
    /// What says how old something is.
    pub clock: Arc<dyn Clock>,
    /// What is older goes.
    pub age_max: Duration,
}

impl Retention {
    /// Walks until `stop` becomes true.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let this = &self;
        let look = || async move {
            match this.walk().await {
                Ok(0) => {}
                Ok(trims) => tracing::info!(trims, "messages past their age have been removed"),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "looking for messages past their age: tried again later");
                }
            }
        };
        until_stopped(stop, WALK_EVERY, look).await;
    }

    /// One walk over everything. How many conversations and inboxes it had to trim, each as often as it was, and how
    /// many memberships it had to forget, and users' hidden messages of a conversation.
    async fn walk(&self) -> Result<usize, StoreError> {
        let age_ms = u64::try_from(self.age_max.as_millis()).unwrap_or(u64::MAX);
        let before_ms = self.clock.now_ms().saturating_sub(age_ms);
        let messages = self.walk_logs(before_ms).await? + self.walk_inboxes(before_ms).await?;
        Ok(messages + self.walk_memberships().await? + self.walk_hidden().await?)
    }

    async fn walk_logs(&self, before_ms: u64) -> Result<usize, StoreError> {
        let (mut from, mut trimmed) = (None, 0);
        loop {
            let snapshot = self.store.snapshot().await?;
            let step = queries::expired_messages(&*snapshot, from, before_ms, STEP).await?;
            drop(snapshot);
            trimmed += step.trims.len();
            for trim in step.trims {
                let conversation = trim.conversation;
                self.store.submit(&conversation, trim).await?;
            }
            from = step.next;
            if from.is_none() {
                return Ok(trimmed);
            }
            tokio::time::sleep(REST).await;
        }
    }

    async fn walk_inboxes(&self, before_ms: u64) -> Result<usize, StoreError> {
        let (mut from, mut trimmed) = (None, 0);
        loop {
            let snapshot = self.store.snapshot().await?;
            let step = queries::expired_events(&*snapshot, from, before_ms, STEP).await?;
            drop(snapshot);
            trimmed += step.trims.len();
            for trim in step.trims {
                let user = trim.user;
                self.store.submit(&user, trim).await?;
            }
            from = step.next;
            if from.is_none() {
                return Ok(trimmed);
            }
            tokio::time::sleep(REST).await;
        }
    }

    async fn walk_memberships(&self) -> Result<usize, StoreError> {
        let (mut after, mut forgotten) = (None, 0);
        loop {
            let snapshot = self.store.snapshot().await?;
            let step = queries::expired_memberships(&*snapshot, after, STEP).await?;
            drop(snapshot);
            forgotten += step.trims.len();
            for trim in step.trims {
                let conversation = ConversationId::group(trim.group);
                self.store.submit(&conversation, trim).await?.answer?;
            }
            after = step.next;
            if after.is_none() {
                return Ok(forgotten);
            }
            tokio::time::sleep(REST).await;
        }
    }

    async fn walk_hidden(&self) -> Result<usize, StoreError> {
        let (mut from, mut forgotten) = (None, 0);
        loop {
            let snapshot = self.store.snapshot().await?;
            let step = queries::expired_hidden(&*snapshot, from, STEP).await?;
            drop(snapshot);
            forgotten += step.trims.len();
            for trim in step.trims {
                let user = trim.user;
                self.store.submit(&user, trim).await?;
            }
            from = step.next;
            if from.is_none() {
                return Ok(forgotten);
            }
            tokio::time::sleep(REST).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use rookery_protocol::{Body, DeviceId, Handle, MessageId, Seq, Stamp, UserId};
    use rookery_store::StoreConfig;
    use rookery_store::engines::MemoryEngine;
    use rookery_store::ops::{AddDevice, AddUser, Asker, Author, Hide, SendMessage};

    use super::*;

    struct At(u64);

    impl Clock for At {
        fn now_ms(&self) -> u64 {
            self.0
        }
    }

    fn user(number: u64) -> UserId {
        UserId::new(number).unwrap()
    }

    async fn add(store: &Store, number: u64, handle: &str) {
        let handle: Handle = handle.parse().unwrap();
        store.submit(&0, AddUser { user: user(number), handle, time_ms: 0 }).await.unwrap().answer.unwrap();
        let device = AddDevice { user: user(number), name: "d".into(), time_ms: 0 };
        store.submit(&0, device).await.unwrap().answer.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_past_its_age_goes_and_the_rest_stays() {
        let store = Store::start(Arc::new(MemoryEngine::new()), StoreConfig::default());
        add(&store, 1, "alice").await;
        add(&store, 2, "bob").await;
        let conversation = ConversationId::direct(user(1), user(2));
        for number in 0..600_u64 {
            let author = Author {
                user: user(1),
                device: DeviceId::new(1),
                generation: 1,
                admitted: 0,
                id: MessageId::from_bytes(u128::from(number).to_be_bytes()),
                time_ms: number,
            };
            let send = SendMessage {
                conversation,
                author,
                after: None,
                body: Body::new("caw"),
                reference: None,
                expires_s: 0,
            };
            store.submit(&0, send).await.unwrap();
        }
        let seqs = vec![Seq::new(500), Seq::new(501)];
        let asker =
            Asker { user: user(2), device: DeviceId::new(1), generation: 1, admitted: 0, time_ms: 600 };
        let hide = Hide { asker, conversation, up_to: Seq::ZERO, seqs };
        store.submit(&0, hide).await.unwrap();
        let retention =
            Retention { store: store.clone(), clock: Arc::new(At(1_500)), age_max: Duration::from_secs(1) };
        assert!(retention.walk().await.unwrap() > 0);
        let snapshot = store.snapshot().await.unwrap();
        let all = (Seq::new(1), Seq::new(1_000));
        assert_eq!(queries::log(&*snapshot, conversation, all, 1_000).await.unwrap().len(), 100);
        // And one about what is hidden.
        assert_eq!(queries::inbox_after(&*snapshot, user(2), Stamp::ZERO, 1_000).await.unwrap().len(), 101);
        assert_eq!(queries::head(&*snapshot, conversation).await.unwrap(), Seq::new(600));
        let hidden = queries::hidden(&*snapshot, user(2), conversation, all, 9).await.unwrap();
        assert_eq!(hidden.into_iter().collect::<Vec<_>>(), [Seq::new(501)]);
        drop(snapshot);
        assert_eq!(retention.walk().await.unwrap(), 0);
    }
}
