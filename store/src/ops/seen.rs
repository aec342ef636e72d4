//! Users have gone offline: when each was last seen.

use rookery_protocol::UserId;

use crate::error::StoreError;
use crate::keys::{last_seen, user};
use crate::op::{Op, Reads, View, Writes};

/// The last device of each of these users has gone. A time only grows: nodes' clocks differ, and what they say may come
/// late.
#[derive(Debug, Clone)]
pub struct NoteLastSeen {
    /// Who, and when, milliseconds since 1970. Users without an account are left out.
    pub seen: Vec<(UserId, u64)>,
}

impl Op for NoteLastSeen {
    type Answer = Result<(), StoreError>;

    fn reads(&self, reads: &mut Reads) {
        for (user, _) in &self.seen {
            reads.key(user::key(*user));
            reads.key(last_seen::key(*user));
        }
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Self::Answer {
        let mut later = Vec::with_capacity(self.seen.len());
        for (user, time_ms) in self.seen.iter().filter(|(user, _)| view.get(&user::key(*user)).is_some()) {
            let key = last_seen::key(*user);
            let before = view.get(&key).map(|value| last_seen::decode(&value)).transpose()?.unwrap_or(0);
            later.extend((*time_ms > before).then_some((key, *time_ms)));
        }
        for (key, time_ms) in later {
            writes.put(key, last_seen::encode(time_ms));
        }
        Ok(())
    }

    fn bytes_hint(&self) -> usize {
        32 + 24 * self.seen.len()
    }
}
