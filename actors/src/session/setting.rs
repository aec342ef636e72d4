//! What a device asks to have changed of its user's own, answered by DONE: how a conversation is listed, what of it is
//! shown, what the user shows, to whom, who is anything to the user, which channels are followed. The user's other devices
//! learn it from the inbox. Of a report nobody learns but the moderators.

use std::sync::Arc;

use rookery_protocol::{
    Done, ErrorCode, Follow, Hide, Report, RequestId, SetConversation, SetPerson, SetPrivacy, SetProfile,
    UserId,
};
use rookery_store::ops::{self, Asker, Settled};
use rookery_store::{Committed, Op, StoreError};

use super::writing::check_conversation;
use crate::connection::{Identity, Reply};
use crate::context::Context;
use crate::failure::{of_refusal, of_store, suspended};
use crate::looking::{LookingMessage, News, Topic};
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
    /// Something for the moderators.
    Report(Report),
    /// Whether a channel is followed.
    Follow(Follow),
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
            Self::Report(report) => report.request,
            Self::Follow(follow) => follow.request,
        }
    }

    /// What those who are looking are told, if it changes what may be seen of the user: all of them, or the one it is about.
    fn news(&self, user: UserId) -> Option<News> {
        match self {
            Self::SetPrivacy(_) => Some(News::Recheck(Topic::User(user))),
            Self::SetPerson(set) => Some(News::RecheckViewer { user, viewer: set.person.user }),
            _ => None,
        }
    }

    /// Whom it reports.
    fn reported(&self) -> Option<UserId> {
        match self {
            Self::Report(report) => Some(report.user),
            _ => None,
        }
    }

    /// Submits it to the store, in the name of its user.
    pub(super) fn submit(self, context: &Arc<Context>, reply: Reply) {
        let Some(identity) = reply.connection().identity() else { return };
        let Identity { user, device, generation, admitted, .. } = identity;
        let doing = if matches!(self, Self::Report(_)) { Doing::Report } else { Doing::Setting };
        let Some(reply) = context.admit(reply, &[(doing, 1)]) else { return };
        if let Err((code, text)) = self.check(user) {
            return reply.refuse(code, text);
        }
        let settling = Settling {
            context: context.clone(),
            user,
            news: self.news(user),
            is_about_following: matches!(self, Self::Follow(_)),
            reported: self.reported(),
        };
        let asker = Asker { user, device, generation, admitted, time_ms: context.clock.now_ms() };
        match self {
            Self::SetConversation(SetConversation { conversation, settings, .. }) => {
                settling.submit(ops::SetConversation { asker, conversation, settings }, reply);
            }
            Self::Hide(Hide { conversation, up_to, seqs, .. }) => {
                settling.submit(ops::Hide { asker, conversation, up_to, seqs }, reply);
            }
            Self::SetPrivacy(SetPrivacy { privacy, .. }) => {
                settling.submit(ops::SetPrivacy { asker, privacy }, reply);
            }
            Self::SetProfile(SetProfile { profile, .. }) => {
                settling.submit(ops::SetProfile { asker, profile }, reply);
            }
            Self::SetPerson(SetPerson { person, .. }) => {
                settling.submit(ops::SetPerson { asker, person }, reply);
            }
            Self::Report(Report { user: reported, conversation, seqs, text, .. }) => {
                let op = ops::MakeReport { asker, user: reported, conversation, seqs, text };
                settling.submit(op, reply);
            }
            Self::Follow(Follow { group, follow, .. }) => {
                let time_ms = context.clock.now_ms();
                let asker = Some(asker);
                settling.submit(ops::Follow { user, asker, group, follow, time_ms }, reply);
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
            Self::Report(report) => {
                report.check().map_err(|error| (ErrorCode::BadRequest, error.to_string()))
            }
            // Whether there is somebody is the store's to say.
            Self::SetPrivacy(_) | Self::SetPerson(_) | Self::Follow(_) => Ok(()),
        }
    }
}

/// A change on its way to the store.
struct Settling {
    context: Arc<Context>,
    user: UserId,
    news: Option<News>,
    is_about_following: bool,
    reported: Option<UserId>,
}

impl Settling {
    fn submit<O: Op<Answer = Settled>>(self, op: O, reply: Reply) {
        let (store, user) = (self.context.store.clone(), self.user);
        let done = move |outcome: Result<Committed<Settled>, StoreError>| {
            let error = match outcome.map(|committed| committed.answer) {
                Ok(Settled::Done) => {
                    // Also when it was so before: nobody may have been told then.
                    if let Some(reported) = self.reported {
                        tracing::info!(reporter = %user, %reported, "a user has been reported");
                    }
                    self.tell();
                    if self.is_about_following {
                        let (connection, reply) = (reply.connection().clone(), Some(reply));
                        self.context.looking.tell(LookingMessage::Refollow { connection, reply });
                        return;
                    }
                    let request = reply.request();
                    return reply.answer(&Done { request });
                }
                Ok(Settled::Refused(refusal)) => {
                    return reply.refuse(of_refusal(refusal), refusal.to_string());
                }
                Ok(Settled::Superseded) => {
                    let text = "this device has connected again";
                    return reply.connection().close_with(ErrorCode::Replaced, text);
                }
                // Neither is refused itself: it may be asked again with a new token, or when the suspension has ended.
                Ok(Settled::Revoked) => {
                    let text = "the device's tokens have been revoked";
                    return reply.connection().close_with(ErrorCode::TokenRevoked, text);
                }
                Ok(Settled::Suspended(reason)) => {
                    return reply.connection().close_with(ErrorCode::Suspended, suspended(&reason));
                }
                Ok(Settled::Corrupt(error)) => {
                    tracing::error!(%user, %error, "what is a user's own cannot be read");
                    error
                }
                Err(error) => error,
            };
            if matches!(error, StoreError::Ambiguous(_)) {
                self.tell();
            }
            let (code, text) = of_store(&error);
            reply.refuse(code, text);
        };
        if let Err(error) = store.submit_then(&user, op, done) {
            tracing::debug!(%user, %error, "a change of a user's own was not taken");
        }
    }

    /// Tells the user's devices, whose sessions see to what they see themselves, and those who may be seeing too much now,
    /// or too little.
    fn tell(&self) {
        self.context.router.ring(self.user, None, None);
        if let Some(news) = self.news.clone() {
            self.context.looking.tell(LookingMessage::Publish(news));
        }
    }
}

#[cfg(test)]
mod tests {
    use rookery_protocol::{Person, PrivacySettings};

    use super::*;

    #[test]
    fn what_a_user_makes_of_somebody_concerns_only_that_one() {
        let (request, user, other) = (RequestId::new(1), UserId::new(1).unwrap(), UserId::new(2).unwrap());
        let person = Person { user: other, is_contact: true, is_excepted: false, is_blocked: false };
        let news = Setting::SetPerson(SetPerson { request, person }).news(user);
        assert_eq!(news, Some(News::RecheckViewer { user, viewer: other }));
        let privacy = PrivacySettings::default();
        let news = Setting::SetPrivacy(SetPrivacy { request, privacy }).news(user);
        assert_eq!(news, Some(News::Recheck(Topic::User(user))));
    }
}
