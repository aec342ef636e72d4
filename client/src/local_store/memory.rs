//! A local store in memory: for load generators and simulations, and for clients that may start afresh.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rookery_protocol::{ConversationId, DeviceId, Seq, Stamp, UserId};

use super::{Batch, Commit, LocalStore, LocalStoreError, OutboxEntry, Saved, Timer};

/// A local store in memory. Clones share the content, so that a test can end a client and start its successor.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(Arc<Mutex<Content>>);

#[derive(Debug, Default)]
struct Content {
    device: Option<(UserId, DeviceId)>,
    cursor: Option<Stamp>,
    positions: HashMap<ConversationId, Seq>,
    outbox: BTreeMap<u64, OutboxEntry>,
    timers: HashMap<ConversationId, Timer>,
}

impl MemoryStore {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LocalStore for MemoryStore {
    fn load(&mut self) -> Result<Saved, LocalStoreError> {
        let content = self.content();
        let mut positions: Vec<_> = content.positions.iter().map(|(id, seq)| (*id, *seq)).collect();
        positions.sort_unstable();
        let mut timers: Vec<Timer> = content.timers.values().copied().collect();
        timers.sort_unstable_by_key(|timer| timer.conversation);
        Ok(Saved {
            device: content.device,
            cursor: content.cursor,
            positions,
            outbox: content.outbox.values().cloned().collect(),
            timers,
        })
    }

    fn note_taken(&mut self, conversation: ConversationId, seq: Seq) -> Result<(), LocalStoreError> {
        self.content().positions.insert(conversation, seq);
        Ok(())
    }

    fn commit(&mut self, batch: Batch) -> Commit {
        let mut content = self.content();
        for (conversation, begins_at) in batch.positions {
            let position = content.positions.entry(conversation).or_default();
            *position = begins_at.max(*position);
        }
        content.device = batch.device.or(content.device);
        content.cursor = batch.cursor.or(content.cursor);
        for entry in batch.outbox_added {
            content.outbox.insert(entry.order, entry);
        }
        for order in batch.outbox_removed {
            content.outbox.remove(&order);
        }
        content.timers.extend(batch.timers.into_iter().map(|timer| (timer.conversation, timer)));
        Commit::Done(Ok(()))
    }
}
