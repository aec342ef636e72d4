//! Emptying messages whose time has come. Which they are is found by
//! [`queries::due_messages`](crate::queries::due_messages).

use rookery_protocol::Message;

use super::reference::empty;
use crate::keys;
use crate::keys::conversation::log_key;
use crate::keys::expiry::Expiry;
use crate::op::{Op, Reads, View, Writes};

/// Takes from the log what messages have said whose time has come, as a deletion does. Those that retention has removed,
/// or that have been deleted, need nothing any more. One that cannot be read stays as it is, for somebody to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpireMessages {
    /// Which.
    pub due: Vec<Expiry>,
}

impl Op for ExpireMessages {
    /// How many were emptied.
    type Answer = usize;

    fn reads(&self, reads: &mut Reads) {
        for expiry in &self.due {
            reads.key(log_key(expiry.conversation, expiry.seq));
        }
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> usize {
        let mut emptied = 0;
        for expiry in &self.due {
            let logged = view.get(&log_key(expiry.conversation, expiry.seq));
            match logged.map(|logged| keys::decode::<Message>(&logged)).transpose() {
                Ok(Some(message)) if !message.deleted && message.expires_ms == expiry.expires_ms => {
                    empty(writes, message);
                    emptied += 1;
                }
                Ok(_) => {}
                Err(_) => continue,
            }
            writes.delete(expiry.key());
        }
        emptied
    }

    fn bytes_hint(&self) -> usize {
        256 * self.due.len()
    }
}
