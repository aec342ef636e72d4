//! The steps of a message on this node, for those who follow its users and for the logs, where the field `message` is the
//! sender's id of it: one id leads through the logs of all nodes. Such a line has no text, which would be a field of that
//! name too; what happened is in the field `step`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rookery_protocol::{
    ConversationId, DeviceId, ErrorCode, Message, MessageId, Seq, ServerFrame, Stamp, UserId, limits,
    whole_frames,
};
use rookery_store::keys::node::NodeName;

use super::trace::{TooManyTraces, Trace, TraceEvent, Tracer};
use crate::actors::Actors;
use crate::connection::{Connection, ConnectionId};

/// A line for the logs about an event on its way to one user. In a group there are as many of them as members: they are
/// for those who want to know everything.
macro_rules! step {
    ($event:expr, $step:literal, $($field:tt)*) => {
        if $event.is_some_and(|event: &Event| event.conversation.group_id().is_some()) {
            tracing::trace!(step = $step, $($field)*);
        } else {
            tracing::debug!(step = $step, $($field)*);
        }
    };
}

/// Tells of steps. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Steps {
    tracer: Arc<Tracer>,
}

impl Actors {
    /// Follows a user's messages on this node until the trace is dropped.
    ///
    /// # Errors
    /// When as many are followed as may be.
    pub fn trace(&self, user: UserId) -> Result<Trace, TooManyTraces> {
        self.context.steps.tracer.follow(user)
    }
}

impl Steps {
    pub(crate) fn new(tracer: Arc<Tracer>) -> Self {
        Self { tracer }
    }

    /// Whether nobody wants to know.
    fn is_idle(&self) -> bool {
        self.tracer.is_idle() && !tracing::enabled!(tracing::Level::DEBUG)
    }

    /// A message has come in, or a change of a group, which has no body.
    pub(crate) fn arrived(&self, elided: &Message, body_bytes: usize, connection: &Connection) {
        let Message { id: message, conversation, sender: user, device, .. } = *elided;
        tracing::debug!(step = "message arrived", %message, %conversation, %user, %device, body_bytes);
        self.tracer.tell(both(conversation, user), || TraceEvent::Arrived {
            message,
            conversation,
            user,
            device,
            connection: connection.id.0,
            body_bytes,
        });
    }

    /// It has been committed; without a stamp it was before.
    pub(crate) fn committed(&self, elided: &Message, seq: Seq, stamp: Option<Stamp>, took: Duration) {
        let Message { id: message, conversation, sender, .. } = *elided;
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let again = stamp.is_none();
        tracing::debug!(step = "message committed", %message, %conversation, %seq, again, took_us);
        self.tracer.tell(both(conversation, sender), || TraceEvent::Committed {
            message,
            conversation,
            seq,
            stamp,
            took_us,
        });
    }

    /// It has been refused.
    pub(crate) fn refused(
        &self,
        message: MessageId,
        conversation: ConversationId,
        sender: UserId,
        code: ErrorCode,
    ) {
        tracing::debug!(step = "message refused", %message, %conversation, ?code);
        self.tracer.tell([Some(sender), None], || TraceEvent::Refused { message, conversation, code });
    }

    /// A bell is rung for a user, at this node's session or at another node. `event` is the frame that it carries.
    pub(crate) fn rung(&self, user: UserId, event: Option<&Bytes>, node: Option<&NodeName>) {
        if self.is_idle() {
            return;
        }
        let event = event.and_then(Event::of_frame);
        let message = event.as_ref().and_then(|event| event.message);
        if let Some(message) = message {
            let node = node.map(NodeName::as_str);
            step!(event.as_ref(), "bell rung", %message, %user, node);
        }
        self.tracer.tell([Some(user), other(event.as_ref(), user)], || TraceEvent::Rung {
            user,
            message,
            stamp: event.as_ref().map(|event| event.stamp),
            node: node.cloned(),
        });
    }

    /// Bells are rung for several users at once, at this node's own sessions or at another node.
    pub(crate) fn many_rung(&self, users: &[UserId], event: Option<&Bytes>, node: Option<&NodeName>) {
        if self.is_idle() || users.is_empty() {
            return;
        }
        let event = event.and_then(Event::of_frame);
        let (message, stamp) = (event.as_ref().and_then(|it| it.message), event.as_ref().map(|it| it.stamp));
        let sender = event.as_ref().and_then(|event| event.sender);
        if let Some(message) = message {
            let (users, node) = (users.len(), node.map(NodeName::as_str));
            tracing::debug!(step = "bells rung", %message, users, node);
        }
        self.tracer.tell([sender, None], || TraceEvent::RungMany {
            users: users.len(),
            message,
            stamp,
            node: node.cloned(),
        });
        // The sessions here tell that by themselves.
        for user in users.iter().filter(|user| node.is_some() && Some(**user) != sender) {
            let node = node.cloned();
            self.tracer.tell([Some(*user), None], || TraceEvent::Rung { user: *user, message, stamp, node });
        }
    }

    /// An event was queued for a connection.
    pub(crate) fn pushed(&self, user: UserId, device: DeviceId, connection: ConnectionId, frame: &Bytes) {
        if self.is_idle() {
            return;
        }
        let Some(event) = Event::of_frame(frame) else { return };
        let message = event.message;
        if let Some(message) = message {
            step!(Some(&event), "message pushed", %message, %user, %device, connection = connection.0);
        }
        self.tracer.tell([Some(user), other(Some(&event), user)], || TraceEvent::Pushed {
            user,
            device,
            connection: connection.0,
            stamp: event.stamp,
            message,
        });
    }

    /// A device has acknowledged.
    pub(crate) fn acknowledged(
        &self,
        user: UserId,
        device: DeviceId,
        connection: ConnectionId,
        stamp: Stamp,
    ) {
        tracing::debug!(%user, %device, connection = connection.0, %stamp, "events acknowledged");
        self.tracer.tell([Some(user), None], || TraceEvent::Acknowledged {
            user,
            device,
            connection: connection.0,
            stamp,
        });
    }

    /// It is on record up to where a device has a conversation's messages.
    pub(crate) fn delivered(&self, user: UserId, device: DeviceId, conversation: ConversationId, seq: Seq) {
        if conversation.group_id().is_some() {
            tracing::trace!(%user, %device, %conversation, %seq, "messages delivered");
        } else {
            tracing::debug!(%user, %device, %conversation, %seq, "messages delivered");
        }
        self.tracer.tell(both(conversation, user), || TraceEvent::Delivered {
            user,
            device,
            conversation,
            seq,
        });
    }
}

/// The users of a conversation, one of whom is known.
fn both(conversation: ConversationId, user: UserId) -> [Option<UserId>; 2] {
    [Some(user), conversation.direct_peer(user).filter(|peer| *peer != user)]
}

fn other(event: Option<&Event>, user: UserId) -> Option<UserId> {
    event.and_then(|event| event.conversation.direct_peer(user)).filter(|peer| *peer != user)
}

/// What a frame that carries an event is about.
struct Event {
    stamp: Stamp,
    conversation: ConversationId,
    message: Option<MessageId>,
    /// The message's.
    sender: Option<UserId>,
}

impl Event {
    fn of_frame(frame: &Bytes) -> Option<Self> {
        let raw = whole_frames(frame.clone(), limits::FRAME_BYTES_MAX).next()?.ok()?;
        match ServerFrame::decode(&raw).ok()? {
            ServerFrame::MessageEvent(event) => Some(Self {
                stamp: event.stamp,
                conversation: event.message.conversation,
                message: Some(event.message.id),
                sender: Some(event.message.sender),
            }),
            ServerFrame::ReceiptEvent(event) => {
                let conversation = event.receipt.conversation;
                Some(Self { stamp: event.stamp, conversation, message: None, sender: None })
            }
            _ => None,
        }
    }
}
