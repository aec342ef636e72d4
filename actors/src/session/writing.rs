//! What a device asks to have written into a conversation's log: a message, the beginning of a group, a change of one.
//! Here is what makes sense at all; whether it may be is the operation's to say.

use std::sync::Arc;

use rookery_protocol::{
    ChangeGroup, ConversationId, CreateGroup, ErrorCode, GroupChange, GroupId, MessageId, ReferenceKind,
    RequestId, Send, UserId, check_expires_s, limits,
};
use rookery_store::ops::{self, Author, Outcome, Refusal, SendMessage};
use rookery_store::{Committed, Op, StoreError};

use super::telling::{Entry, Telling};
use crate::connection::{Identity, Reply};
use crate::context::Context;
use crate::rates::Doing;

/// A request to write.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Writing {
    /// A message.
    Send(Send),
    /// A group's first entry.
    CreateGroup(CreateGroup),
    /// A change of a group.
    ChangeGroup(ChangeGroup),
}

impl Writing {
    /// The request's id.
    pub(crate) fn request(&self) -> RequestId {
        match self {
            Self::Send(send) => send.request,
            Self::CreateGroup(create) => create.request,
            Self::ChangeGroup(change) => change.request,
        }
    }

    fn id(&self) -> MessageId {
        match self {
            Self::Send(send) => send.id,
            Self::CreateGroup(create) => create.id,
            Self::ChangeGroup(change) => change.id,
        }
    }

    /// Submits it to the store; what becomes of it is told from there.
    pub(super) fn submit(self, context: &Arc<Context>, reply: Reply) {
        let Some(identity) = reply.connection().identity() else { return };
        let Identity { user, device, generation, admitted, .. } = identity;
        let Some(reply) = self.pace(context, reply) else { return };
        let (id, time_ms) = (self.id(), context.clock.now_ms());
        let author = Author { user, device, generation, admitted, id, time_ms };
        let (conversation, entry, body_bytes) = match &self {
            Self::Send(send) => {
                let reference = send.reference;
                let is_timer = reference.is_some_and(|it| it.kind == ReferenceKind::Timer);
                let timer_s = if is_timer { send.expires_s } else { 0 };
                (send.conversation, Entry::Message { reference, timer_s }, send.body.len())
            }
            Self::CreateGroup(_) => {
                let group = GroupId::made_by(user, device, author.id);
                (ConversationId::group(group), Entry::Beginning(group), 0)
            }
            Self::ChangeGroup(ChangeGroup { group, change, .. }) => {
                (ConversationId::group(*group), Entry::change(change), 0)
            }
        };
        let telling = Telling::new(context.clone(), reply, author, conversation, entry);
        telling.arrived(body_bytes);
        if let Err((code, text)) = self.check(user) {
            return telling.refuse(code, text);
        }
        if context.is_isolated() {
            let text = "this node has lost its cluster; retry with the same id, here or on another node";
            return telling.refuse(ErrorCode::Unavailable, text);
        }
        match self {
            Self::Send(Send { conversation, after, body, reference, expires_s, .. }) => {
                let op = SendMessage { conversation, author, after, body, reference, expires_s };
                submit(context, conversation, op, telling);
            }
            Self::CreateGroup(CreateGroup { name, members, settings, .. }) => {
                submit(context, conversation, ops::CreateGroup { author, name, members, settings }, telling);
            }
            Self::ChangeGroup(ChangeGroup { group, change, .. }) => {
                submit(context, conversation, ops::ChangeGroup { group, author, change }, telling);
            }
        }
    }

    /// The request, unless its user has done too much of this.
    fn pace(&self, context: &Context, reply: Reply) -> Option<Reply> {
        match self {
            Self::Send(send) => match send.conversation.group_id() {
                Some(group) => context.admit(reply, &[(Doing::Message, 1), (Doing::GroupMessage(group), 1)]),
                None => context.admit(reply, &[(Doing::Message, 1)]),
            },
            Self::CreateGroup(create) => {
                context.admit(reply, &[(Doing::Group, 1), (Doing::Member, create.members.len() as u32)])
            }
            Self::ChangeGroup(ChangeGroup { group, change, .. }) => {
                let added = match change {
                    GroupChange::Added(users) => users.len() as u32,
                    _ => 0,
                };
                let wanted = [(Doing::Message, 1), (Doing::GroupMessage(*group), 1), (Doing::Member, added)];
                context.admit(reply, &wanted)
            }
        }
    }

    fn check(&self, user: UserId) -> Result<(), (ErrorCode, String)> {
        let bad = |error: &dyn std::error::Error| (ErrorCode::BadRequest, error.to_string());
        match self {
            Self::Send(send) => {
                check_conversation(send.conversation, user)?;
                if send.body.len() > limits::BODY_BYTES_MAX {
                    let text = format!("a body has at most {} bytes", limits::BODY_BYTES_MAX);
                    return Err((ErrorCode::BodyTooLarge, text));
                }
                let checked = send.reference.map_or(Ok(()), |reference| reference.check(&send.body));
                checked.map_err(|error| bad(&error))?;
                check_expires_s(send.expires_s).map_err(|error| bad(&error))
            }
            Self::CreateGroup(create) => create.check().map_err(|error| bad(&error)),
            Self::ChangeGroup(change) => change.change.check().map_err(|error| bad(&error)),
        }
    }
}

/// Whether a user may have to do with a conversation. Who is in a group is the store's to say.
pub(super) fn check_conversation(
    conversation: ConversationId,
    user: UserId,
) -> Result<(), (ErrorCode, String)> {
    if conversation.group_id().is_some() || conversation.direct_peer(user).is_some() {
        Ok(())
    } else {
        Err((ErrorCode::NotMember, Refusal::NotMember.to_string()))
    }
}

fn submit<O: Op<Answer = Outcome>>(context: &Context, conversation: ConversationId, op: O, telling: Telling) {
    let done = move |outcome: Result<Committed<Outcome>, StoreError>| telling.tell(outcome);
    // When it is refused, `done` is dropped and the reply in it answers by itself, but less to the point.
    if let Err(error) = context.store.submit_then(&conversation, op, done) {
        tracing::debug!(%conversation, %error, "an entry was not taken");
    }
}
