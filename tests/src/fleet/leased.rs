//! A local store that tells when its client is gone, so that the next one may have it.

use rookery_client::{Batch, Commit, ConversationId, LocalStore, LocalStoreError, Saved, Seq};
use tokio::sync::oneshot;

/// A store on loan to a client.
pub(super) struct Leased {
    store: Box<dyn LocalStore>,
    /// Dropped with the client's last task.
    _gone: oneshot::Sender<()>,
}

impl Leased {
    /// Lends `store`. The receiver ends when it is free again.
    pub(super) fn new(store: impl LocalStore) -> (Self, oneshot::Receiver<()>) {
        let (sender, gone) = oneshot::channel();
        (Self { store: Box::new(store), _gone: sender }, gone)
    }
}

impl LocalStore for Leased {
    fn load(&mut self) -> Result<Saved, LocalStoreError> {
        self.store.load()
    }

    fn note_taken(&mut self, conversation: ConversationId, seq: Seq) -> Result<(), LocalStoreError> {
        self.store.note_taken(conversation, seq)
    }

    fn commit(&mut self, batch: Batch) -> Commit {
        self.store.commit(batch)
    }
}
