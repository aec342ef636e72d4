//! Telling what became of an entry that was to be written: its author, and everybody whose inbox has it.

use std::sync::Arc;
use std::time::Duration;

use rookery_protocol::{
    ConversationId, ErrorCode, GroupChange, GroupCreated, GroupId, Message, MessageEvent, Opcode, Reference,
    Sent, Seq, Stamp, UserId, encode, encode_event,
};
use rookery_store::ops::{Accepted, Author, Outcome};
use rookery_store::{Committed, StoreError, queries};
use tokio::time::Instant;

use super::hint::Hint;
use crate::connection::Reply;
use crate::context::Context;
use crate::failure::{of_refusal, of_store, suspended};
use crate::looking::{LookingMessage, News, Topic};

/// What kind of entry it is.
#[derive(Debug)]
pub(super) enum Entry {
    /// A message, perhaps another that it is about, and what it sets if it is a timer.
    Message { reference: Option<Reference>, timer_s: u32 },
    /// The beginning of this group.
    Beginning(GroupId),
    /// A change of a group, by which these may cease to be members.
    Change { removed: Vec<UserId> },
}

impl Entry {
    pub(super) fn change(change: &GroupChange) -> Self {
        let removed = match change {
            GroupChange::Removed(users) => users.clone(),
            _ => Vec::new(),
        };
        Self::Change { removed }
    }
}

/// Whom to tell. The author's request is answered also when this is dropped.
#[derive(Debug)]
pub(super) struct Telling {
    context: Arc<Context>,
    reply: Reply,
    entry: Entry,
    /// The entry without what it says, and without its place.
    elided: Message,
    since: Instant,
}

impl Telling {
    pub(super) fn new(
        context: Arc<Context>,
        reply: Reply,
        author: Author,
        conversation: ConversationId,
        entry: Entry,
    ) -> Self {
        let Author { user: sender, device, id, time_ms, .. } = author;
        let (body, change) = (None, None);
        let (reference, timer_s) = match &entry {
            Entry::Message { reference, timer_s } => (*reference, *timer_s),
            Entry::Beginning(_) | Entry::Change { .. } => (None, 0),
        };
        let (seq, deleted, expires_ms) = (Seq::ZERO, false, 0);
        let elided = Message {
            conversation,
            seq,
            sender,
            device,
            id,
            time_ms,
            body,
            change,
            reference,
            deleted,
            expires_ms,
            timer_s,
        };
        Self { context, reply, entry, elided, since: Instant::now() }
    }

    /// Tells those who follow the author that it is here.
    pub(super) fn arrived(&self, body_bytes: usize) {
        self.context.steps.arrived(&self.elided, body_bytes, self.reply.connection());
    }

    /// Tells the author that it is not written.
    pub(super) fn refuse(self, code: ErrorCode, text: impl Into<String>) {
        self.traced_refusal(code);
        self.reply.refuse(code, text);
    }

    /// Tells everybody.
    pub(super) fn tell(self, outcome: Result<Committed<Outcome>, StoreError>) {
        let committed = match outcome {
            Ok(committed) => committed,
            Err(error) => {
                if matches!(error, StoreError::Ambiguous(_)) {
                    self.ring_all();
                }
                let (code, text) = of_store(&error);
                return self.refuse(code, text);
            }
        };
        let took = self.since.elapsed();
        self.context.meters.send_seconds.record(took);
        match &committed.answer {
            Outcome::Accepted(accepted) => self.accepted(accepted, committed.stamp(accepted.slot), took),
            Outcome::Duplicate(record) => {
                self.context.steps.committed(&self.elided, record.seq, None, took);
                // Nobody may have been rung when it was accepted.
                self.ring_all();
                self.answer(record.seq, record.time_ms);
            }
            Outcome::OutOfOrder => {
                self.refuse(ErrorCode::OutOfOrder, "the message named in `after` has not been accepted");
            }
            Outcome::Refused(refusal) => self.refuse(of_refusal(*refusal), refusal.to_string()),
            // Nor is this one refused: whoever still wants it sends it from its newest connection.
            Outcome::Superseded => self.close_with(ErrorCode::Replaced, "this device has connected again"),
            Outcome::Revoked => {
                // The entry itself is not refused: it may be sent again with a new token.
                let text = "the device's tokens have been revoked";
                self.close_with(ErrorCode::TokenRevoked, text);
            }
            // Neither is it here: the suspension may end.
            Outcome::Suspended(reason) => self.close_with(ErrorCode::Suspended, suspended(reason)),
            Outcome::Corrupt(error) => {
                let conversation = self.elided.conversation;
                tracing::error!(%conversation, %error, "a conversation cannot be read");
                let (code, text) = of_store(error);
                self.refuse(code, text);
            }
        }
    }

    fn accepted(mut self, accepted: &Accepted, stamp: Stamp, took: Duration) {
        let Accepted { seq, logged, told, expires_ms, is_for_followers, .. } = accepted;
        self.context.meters.accepted.increment(1);
        self.context.steps.committed(&self.elided, *seq, Some(stamp), took);
        let (context, connection) = (self.context.clone(), self.reply.connection().id);
        self.members_changed();
        (self.elided.seq, self.elided.expires_ms) = (*seq, *expires_ms);
        let frame = encode_event(Opcode::MessageEvent, stamp, logged);
        // Of a change the log may say more than the request did, so everybody gets that.
        let sender = matches!(self.entry, Entry::Message { .. }).then(|| {
            let message = self.elided.clone();
            (connection, encode(&MessageEvent { stamp, message }))
        });
        let Message { id, time_ms, conversation, .. } = self.elided;
        self.answer(*seq, time_ms);
        context.router.ring_many(told, Some(id), Some(&Hint { stamp, frame, sender }));
        if *is_for_followers {
            context.tell_followers(conversation, logged);
        }
    }

    fn answer(self, seq: Seq, time_ms: u64) {
        let request = self.reply.request();
        match self.entry {
            Entry::Message { .. } | Entry::Change { .. } => {
                self.reply.answer(&Sent { request, seq, time_ms });
            }
            Entry::Beginning(group) => self.reply.answer(&GroupCreated { request, group, time_ms }),
        }
    }

    fn close_with(self, code: ErrorCode, text: impl Into<String>) {
        self.traced_refusal(code);
        self.reply.connection().close_with(code, text);
    }

    fn traced_refusal(&self, code: ErrorCode) {
        let Message { id, conversation, sender, .. } = self.elided;
        self.context.steps.refused(id, conversation, sender, code);
    }

    /// Whoever is not in the group any more, if this is a change by which some are not, has it open no longer.
    fn members_changed(&self) {
        if let Entry::Change { .. } = self.entry {
            let news = News::Recheck(Topic::Conversation(self.elided.conversation));
            self.context.looking.tell(LookingMessage::Publish(news));
        }
    }

    /// Tells everybody who has it in the inbox if it was written, and those who look at the group. Who was in a group that was deleted is not known any
    /// more: they learn of that at their next heartbeats.
    fn ring_all(&self) {
        self.members_changed();
        let Message { conversation, sender, .. } = self.elided;
        let Some(group) = conversation.group_id() else {
            return ring_receivers(&self.context, conversation, sender);
        };
        let mut users = vec![sender];
        if let Entry::Change { removed } = &self.entry {
            users.extend(removed);
        }
        let context = self.context.clone();
        tokio::spawn(async move {
            match members(&context, group).await {
                Ok(members) => users.extend(members),
                Err(error) => tracing::debug!(%group, %error, "members are found by their heartbeats alone"),
            }
            users.sort_unstable();
            users.dedup();
            context.router.ring_many(&users, None, None);
        });
    }
}

async fn members(context: &Context, group: GroupId) -> Result<Vec<UserId>, StoreError> {
    let snapshot = context.store.snapshot().await?;
    let members = queries::members(&*snapshot, group).await?;
    Ok(members.map(|members| members.users().collect()).unwrap_or_default())
}

/// Rings at those who get receipts of a user's: both sides of a direct conversation, and the user's own devices.
pub(super) fn ring_receivers(context: &Context, conversation: ConversationId, user: UserId) {
    context.router.ring(user, None, None);
    if let Some(peer) = conversation.direct_peer(user).filter(|peer| *peer != user) {
        context.router.ring(peer, None, None);
    }
}
