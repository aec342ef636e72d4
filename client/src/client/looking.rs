//! What is only for those who are looking: presence, typing, receipts as they come.

use rookery_protocol::{ConversationId, Doing, RequestId, UserId, Watch, WatchError};

use super::Client;
use crate::machine::View;
use crate::shared::Command;

/// None of it is stored, waits for a connection or is repeated.
impl Client {
    /// The user looks at this from now on: whose presence is on the screen, and which conversations are open. It takes the
    /// place of what was before; two empty lists end it. What there is to see comes as
    /// [`Event::Presence`](crate::Event::Presence), [`Event::Typing`](crate::Event::Typing) and
    /// [`Event::Receipts`](crate::Event::Receipts), after an [`Event::Watching`](crate::Event::Watching).
    ///
    /// The server is told again before it forgets, and on each connection; about every minute it is asked how far the
    /// members of each open group have come.
    ///
    /// # Errors
    /// When it is more than a connection may watch; nothing has changed then.
    pub fn watch(&self, users: Vec<UserId>, conversations: Vec<ConversationId>) -> Result<(), WatchError> {
        let watch = Watch { request: RequestId::new(0), users, conversations };
        watch.check()?;
        let Watch { users, conversations, .. } = watch;
        self.shared().tell(Command::Watch(View { users, conversations }));
        Ok(())
    }

    /// The user is there, at this device, or is not. At first they are. The server is told on each connection.
    pub fn active(&self, active: bool) {
        self.shared().tell(Command::Active(active));
    }

    /// The user is typing in a conversation, or has stopped. Say it with each key: the server hears it as often as it
    /// should. Sending something there ends it.
    pub fn typing(&self, conversation: ConversationId, doing: Doing) {
        self.shared().tell(Command::Typing { conversation, doing });
    }
}
