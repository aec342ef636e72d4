//! What the library gives, as histories keep it.

use rookery_client::{Change, Entry, Message};

use crate::history::{Handed, Owner, Said};

/// What an entry is to a history.
pub(super) fn handed(entry: Entry) -> Handed {
    match entry {
        Entry::Message(message) => {
            let Message { conversation, seq, sender, device, id, body, reference, .. } = message;
            let Message { deleted, expires_ms, timer_s, .. } = message;
            let (sender, said) = (Owner { user: sender, device }, Said { body, reference, timer_s });
            Handed { conversation, seq, sender, id, said, change: None, deleted, expires_ms }
        }
        Entry::Change(change) => {
            let Change { conversation, seq, sender, device, id, change, .. } = change;
            let (sender, said) = (Owner { user: sender, device }, Said::default());
            let change = Some(change);
            Handed { conversation, seq, sender, id, said, change, deleted: false, expires_ms: 0 }
        }
    }
}
