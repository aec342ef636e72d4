//! Messages whose time has come are emptied. Nobody is given them any more: this is so that the store does not have them
//! either.
//!
//! Each node looks for them, in small steps. What one has emptied the others do not find, or find emptied.

use std::sync::Arc;
use std::time::Duration;

use rookery_store::ops::ExpireMessages;
use rookery_store::{Store, StoreError, queries};
use tokio::sync::watch;

use super::until_stopped;
use crate::clock::Clock;

/// From having emptied all that was due to looking again: a message outlives its time by about this.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Between two steps, while there is more.
const REST: Duration = Duration::from_millis(20);

/// What one step empties. Each is read whole: 4 MiB at the very most.
const STEP_MESSAGES: usize = 64;

/// Empties messages whose time has come.
pub struct Expiring {
    /// Where they are.
    pub store: Store,
    /// What says whose time has come.
    pub clock: Arc<dyn Clock>,
}

impl Expiring {
    /// Looks for them until `stop` becomes true.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let this = &self;
        let look = || async move {
            match this.empty_due().await {
                Ok(0) => {}
                Ok(messages) => tracing::debug!(messages, "messages whose time has come are emptied"),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "looking for messages whose time has come: tried again later");
                }
            }
        };
        until_stopped(stop, LOOK_EVERY, look).await;
    }

    /// Empties all that are due. How many there were.
    async fn empty_due(&self) -> Result<usize, StoreError> {
        let (mut after, mut emptied) = (None, 0);
        let now_ms = self.clock.now_ms();
        loop {
            let snapshot = self.store.snapshot().await?;
            let due = queries::due_messages(&*snapshot, after, now_ms, STEP_MESSAGES).await?;
            drop(snapshot);
            let Some(last) = due.last().copied() else { return Ok(emptied) };
            let are_more = due.len() == STEP_MESSAGES;
            emptied += self.store.submit(&last.conversation, ExpireMessages { due }).await?.answer;
            if !are_more {
                return Ok(emptied);
            }
            // One that cannot be emptied does not hold up the others.
            after = Some(last);
            tokio::time::sleep(REST).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use rookery_protocol::{Body, ConversationId, DeviceId, Handle, Message, MessageId, Seq, UserId};
    use rookery_store::StoreConfig;
    use rookery_store::engines::MemoryEngine;
    use rookery_store::ops::{AddDevice, AddUser, Author, SendMessage};

    use super::*;

    struct At(u64);

    impl Clock for At {
        fn now_ms(&self) -> u64 {
            self.0
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_due_is_emptied_in_as_many_steps_as_it_takes_and_the_rest_is_left() {
        let store = Store::start(Arc::new(MemoryEngine::new()), StoreConfig::default());
        let user = UserId::new(1).unwrap();
        let handle: Handle = "alice".parse().unwrap();
        store.submit(&0, AddUser { user, handle, time_ms: 0 }).await.unwrap().answer.unwrap();
        let device = AddDevice { user, name: "d".into(), time_ms: 0 };
        store.submit(&0, device).await.unwrap().answer.unwrap();
        let notes = ConversationId::direct(user, user);
        for number in 0..200_u64 {
            let id = MessageId::from_bytes(u128::from(number).to_be_bytes());
            let author =
                Author { user, device: DeviceId::new(1), generation: 1, admitted: 0, id, time_ms: number };
            let body = Body::new("caw");
            let send = SendMessage {
                conversation: notes,
                author,
                after: None,
                body,
                reference: None,
                expires_s: if number % 50 == 49 { 0 } else { 5 },
            };
            store.submit(&0, send).await.unwrap();
        }
        // Those of the first 150 milliseconds, but for three that stay.
        let expiring = Expiring { store: store.clone(), clock: Arc::new(At(5_149)) };
        assert_eq!(expiring.empty_due().await.unwrap(), 147);
        let snapshot = store.snapshot().await.unwrap();
        let all = (Seq::new(1), Seq::new(1_000));
        let log = queries::log(&*snapshot, notes, all, 1_000).await.unwrap();
        let log = log.iter().map(|logged| rookery_protocol::decode_value::<Message>(logged).unwrap());
        let said: Vec<Seq> = log.filter(|message| !message.deleted).map(|message| message.seq).collect();
        let expected = [50, 100, 150].into_iter().chain(151..=200).map(Seq::new);
        assert_eq!(said, expected.collect::<Vec<_>>());
        drop(snapshot);
        assert_eq!(expiring.empty_due().await.unwrap(), 0);
    }
}
