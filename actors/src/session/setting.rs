//! What a device asks to have changed of its user's own, answered by DONE: how a conversation is listed, what of it is
//! shown, what the user shows, to whom, and who is anything to the user. The user's other devices learn it from the inbox.

use std::sync::Arc;

use rookery_protocol::{
    Done, ErrorCode, Hide, RequestId, SetConversation, SetPerson, SetPrivacy, SetProfile, UserId,
};
use rookery_store::ops::{self, Settled};
use rookery_store::{Committed, Op, StoreError};

use super::writing::check_conversation;
use crate::connection::Reply;
use crate::context::Context;
use crate::failure::{of_refusal, of_store};
use crate::rates::Doing;

/// A request to change something of the user's own.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    /// How a conversation is listed.
    SetConversation(SetConversation),
    /// What of it is not shown any more.
    Hide(Hide),
    /// What may be seen of the user.
    SetPrivacy(SetPrivacy),
    /// What the user shows.
    SetProfile(SetProfile),
    /// What somebody is to the user.
    SetPerson(SetPerson),
}

impl Setting {
    /// The request's id.
    pub(crate) fn request(&self) -> RequestId {
        match self {
            Self::SetConversation(set) => set.request,
            Self::Hide(hide) => hide.request,
            Self::SetPrivacy(set) => set.request,
            Self::SetProfile(set) => set.request,
            Self::SetPerson(set) => set.request,
        }
    }

    /// Submits it to the store, in the name of its user.
    pub(super) fn submit(self, context: &Arc<Context>, user: UserId, reply: Reply) {
        let Some(reply) = context.admit(reply, Doing::Setting, 1) else { return };
        if let Err((code, text)) = self.check(user) {
            return reply.refuse(code, text);
        }
        match self {
            Self::SetConversation(SetConversation { conversation, settings, .. }) => {
                submit(context, user, ops::SetConversation { user, conversation, settings }, reply);
            }
            Self::Hide(Hide { conversation, up_to, seqs, .. }) => {
                submit(context, user, ops::Hide { user, conversation, up_to, seqs }, reply);
            }
            Self::SetPrivacy(SetPrivacy { privacy, .. }) => {
                submit(context, user, ops::SetPrivacy { user, privacy }, reply);
            }
            Self::SetProfile(SetProfile { profile, .. }) => {
                submit(context, user, ops::SetProfile { user, profile }, reply);
            }
            Self::SetPerson(SetPerson { person, .. }) => {
                submit(context, user, ops::SetPerson { user, person }, reply);
            }
        }
    }

    fn check(&self, user: UserId) -> Result<(), (ErrorCode, String)> {
        match self {
            Self::SetConversation(set) => check_conversation(set.conversation, user),
            Self::Hide(hide) => {
                check_conversation(hide.conversation, user)?;
                hide.check().map_err(|error| (ErrorCode::BadRequest, error.to_string()))
            }
            Self::SetProfile(set) => {
                set.profile.check().map_err(|error| (ErrorCode::BadRequest, error.to_string()))
            }
            // Whether there is somebody is the store's to say.
            Self::SetPrivacy(_) | Self::SetPerson(_) => Ok(()),
        }
    }
}

fn submit<O: Op<Answer = Settled>>(context: &Arc<Context>, user: UserId, op: O, reply: Reply) {
    let ringing = context.clone();
    let done = move |outcome: Result<Committed<Settled>, StoreError>| {
        let error = match outcome.map(|committed| committed.answer) {
            Ok(Settled::Done) => {
                // Also when it was so before: nobody may have been rung then.
                ringing.router.ring(user, None, None);
                let request = reply.request();
                return reply.answer(&Done { request });
            }
            Ok(Settled::Refused(refusal)) => return reply.refuse(of_refusal(refusal), refusal.to_string()),
            Ok(Settled::Corrupt(error)) => {
                tracing::error!(%user, %error, "what is a user's own cannot be read");
                error
            }
            Err(error) => error,
        };
        if matches!(error, StoreError::Ambiguous(_)) {
            ringing.router.ring(user, None, None);
        }
        let (code, text) = of_store(&error);
        reply.refuse(code, text);
    };
    if let Err(error) = context.store.submit_then(&user, op, done) {
        tracing::debug!(%user, %error, "a change of a user's own was not taken");
    }
}
