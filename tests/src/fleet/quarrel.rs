//! Clients that block others, and make up again.

use rookery_client::{Person, UserId};

use super::FleetClient;
use crate::history::What;

impl FleetClient {
    /// Asks that somebody be blocked from now on, or no longer. It may not be known whether that was done; then nothing is
    /// noted but that it was asked for.
    pub async fn block(&self, whom: UserId, blocked: bool) {
        let id = {
            let running = self.running.lock().await;
            let Some(running) = &*running else { return };
            let id = running.library.new_id();
            self.recorder.note(self.me, What::BlockAsked { id, whom, blocked });
            id
        };
        let person = Person { user: whom, is_contact: false, is_excepted: false, is_blocked: blocked };
        if let Some(Ok(())) = self.ask_library(async |library| library.set_person(person).await).await {
            self.recorder.note(self.me, What::BlockDone { id });
        }
    }
}
